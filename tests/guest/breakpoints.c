/* SPDX-License-Identifier: MIT */
/*
 * Debug exceptions: instruction, data and port breakpoints, single steps, RF, the shadow of a load
 * of SS, general detect, DR4 and DR5, INT1.
 */
#include "tests/guest/support/traps.h"

#define DR6_BD 0x2000u
#define DR6_BS 0x4000u
#define DR6_ONES 0xffff0ff0u
#define DR7_ONES 0x400u
#define DR7_GD 0x2000u
#define DR7_L(i) (1u << 2 * (i))
#define DR7_RW(i, type) ((type) << (16 + 4 * (i)))
#define DR7_LEN(i, length) ((length) << (18 + 4 * (i)))
#define EXECUTE 0u
#define WRITE 1u
#define PORT 2u
#define ACCESS 3u
#define LENGTH_1 0u
#define LENGTH_2 1u
#define LENGTH_4 3u
#define CR4_DE 8u

static uint32_t read_dr6(void)
{
	uint32_t value;

	__asm__ volatile("movl %%dr6, %0" : "=r"(value));
	return value;
}

static void write_dr6(uint32_t value)
{
	__asm__ volatile("movl %0, %%dr6" : : "r"(value));
}

static uint32_t read_dr7(void)
{
	uint32_t value;

	__asm__ volatile("movl %%dr7, %0" : "=r"(value));
	return value;
}

static void write_dr7(uint32_t value)
{
	__asm__ volatile("movl %0, %%dr7" : : "r"(value));
}

static void set_address(unsigned i, uintptr_t address)
{
	switch (i) {
	case 0:
		__asm__ volatile("movl %0, %%dr0" : : "r"(address));
		break;
	case 1:
		__asm__ volatile("movl %0, %%dr1" : : "r"(address));
		break;
	case 2:
		__asm__ volatile("movl %0, %%dr2" : : "r"(address));
		break;
	default:
		__asm__ volatile("movl %0, %%dr3" : : "r"(address));
	}
}

/* Every #DB, in order. */
#define EVENTS 32
static struct {
	uint32_t eip, dr6, eflags;
} volatile events[EVENTS];
static volatile unsigned event_count;
static bool set_rf;
static uint32_t stop_at;

static bool note(struct trap_frame *frame)
{
	if (frame->vector != TRAP_DB)
		return false;
	if (event_count < EVENTS) {
		events[event_count].eip = frame->eip;
		events[event_count].dr6 = read_dr6();
		events[event_count].eflags = frame->eflags;
	}
	event_count++;
	write_dr6(0);
	if (set_rf)
		frame->eflags |= EFLAGS_RF;
	if (frame->eip == stop_at || event_count >= EVENTS)
		frame->eflags &= ~EFLAGS_TF;
	return true;
}

static void begin(uint32_t dr7)
{
	event_count = 0;
	set_rf = true;
	stop_at = 0;
	write_dr6(0);
	write_dr7(dr7);
}

static void event(unsigned i, const void *eip, uint32_t dr6, int line)
{
	check_equal(i < event_count ? events[i].eip : 0, (uint32_t)(uintptr_t)eip, "eip", __FILE__,
		    line);
	check_equal(i < event_count ? events[i].dr6 : 0, DR6_ONES | dr6, "dr6", __FILE__, line);
}
#define EVENT(i, eip, dr6) event(i, eip, dr6, __LINE__)

static void registers(void)
{
	write_dr7(0);
	CHECK_EQUAL(read_dr7(), DR7_ONES);
	write_dr7(0xffffffff & ~DR7_GD & ~0xffu);
	CHECK_EQUAL(read_dr7(), 0xffff0700);
	write_dr7(0);
	write_dr6(0xffffffff);
	CHECK_EQUAL(read_dr6(), 0xffffeff0 | 0xf);
	write_dr6(0);
	CHECK_EQUAL(read_dr6(), DR6_ONES);
}

__asm__("code_3: nop\n"
	"ret");

static void instructions(void)
{
	extern const uint8_t code_1[], code_2[], code_3[];

	set_address(0, (uintptr_t)code_1);
	set_address(3, (uintptr_t)code_2);
	begin(DR7_L(0) | DR7_L(3));
	__asm__ volatile("nop\n"
			 "code_1: nop\n"
			 "nop\n"
			 "code_2: nop");
	CHECK_EQUAL(event_count, 2);
	EVENT(0, code_1, 1);
	EVENT(1, code_2, 8);
	CHECK_EQUAL(events[0].eflags & EFLAGS_RF, 0);
	/* RF covers one instruction: the breakpoint behind it comes. */
	set_address(3, (uintptr_t)code_1 + 1);
	begin(DR7_L(0) | DR7_L(3));
	((void (*)(void))(uintptr_t)code_3)();
	CHECK_EQUAL(event_count, 0);
	set_address(0, (uintptr_t)code_3);
	set_address(3, (uintptr_t)code_3 + 1);
	((void (*)(void))(uintptr_t)code_3)();
	CHECK_EQUAL(event_count, 2);
	EVENT(0, code_3, 1);
	EVENT(1, code_3 + 1, 8);
	write_dr7(0);
}

static volatile uint32_t cells[4] __attribute__((aligned(16)));

static void data(void)
{
	extern const uint8_t data_1[], data_2[], data_3[], data_4[];

	set_address(0, (uintptr_t)&cells[0]);
	set_address(1, (uintptr_t)&cells[1]);
	begin(DR7_L(0) | DR7_RW(0, WRITE) | DR7_LEN(0, LENGTH_4) | DR7_L(1) | DR7_RW(1, ACCESS) |
	      DR7_LEN(1, LENGTH_1));
	__asm__ volatile("movl %0, %%eax\n" /* no write */
			 "movl $1, %0\n"
			 "data_1: movb $1, 3 + %0\n"
			 "data_2: movb 1 + %1, %%al\n" /* beside it */
			 "movb %1, %%al\n"
			 "data_3: movl 2 + %0, %%eax\n" /* over both, but a read */
			 "data_4: nop"
			 : "+m"(cells[0])
			 : "m"(cells[1])
			 : "eax");
	CHECK_EQUAL(event_count, 4);
	EVENT(0, data_1, 1);
	EVENT(1, data_2, 1);
	EVENT(2, data_3, 2);
	EVENT(3, data_4, 2);
	write_dr7(0);
}

static void strings(void)
{
	static uint8_t from[16], to[16];
	extern const uint8_t string_1[], string_2[];
	const void *source = from;
	void *destination = to;
	uint32_t count = 8;

	set_address(2, (uintptr_t)&to[3]);
	begin(DR7_L(2) | DR7_RW(2, WRITE));
	__asm__ volatile("string_1: rep movsb\n"
			 "string_2:"
			 : "+S"(source), "+D"(destination), "+c"(count)
			 :
			 : "memory");
	CHECK_EQUAL(event_count, 1);
	/* Between two iterations, or behind the instruction: both are right. */
	CHECK(events[0].eip == (uint32_t)(uintptr_t)string_1 ||
	      events[0].eip == (uint32_t)(uintptr_t)string_2);
	CHECK_EQUAL(events[0].dr6, DR6_ONES | 4);
	CHECK_EQUAL(count, 0);
	write_dr7(0);
}

static void ports(void)
{
	extern const uint8_t port_1[], port_2[];

	write_cr4(read_cr4() | CR4_DE);
	set_address(0, 0x81);
	begin(DR7_L(0) | DR7_RW(0, PORT));
	__asm__ volatile("outb %%al, $0x80\n"
			 "outb %%al, $0x81\n"
			 "port_1: outw %%ax, $0x80\n"
			 "port_2: nop"
			 :
			 : "a"(0));
	CHECK_EQUAL(event_count, 2);
	EVENT(0, port_1, 1);
	EVENT(1, port_2, 1);
	write_dr7(0);
	write_cr4(read_cr4() & ~CR4_DE);
}

static void steps(void)
{
	extern const uint8_t step_1[], step_2[], step_3[], step_4[], step_5[];

	begin(0);
	stop_at = (uint32_t)(uintptr_t)step_5;
	__asm__ volatile("pushfl\n"
			 "orl $0x100, (%%esp)\n"
			 "popfl\n" /* no trap behind it yet */
			 "nop\n"
			 "step_1: movl $1, %%eax\n"
			 "step_2: cpuid\n"
			 "step_3: movl %%ss, %%eax\n"
			 "step_4: nop\n"
			 "step_5: nop"
			 :
			 :
			 : "eax", "ebx", "ecx", "edx", "cc");
	CHECK_EQUAL(event_count, 5);
	EVENT(0, step_1, DR6_BS);
	EVENT(1, step_2, DR6_BS);
	EVENT(2, step_3, DR6_BS);
	EVENT(3, step_4, DR6_BS);
	EVENT(4, step_5, DR6_BS);
}

/* A load of SS holds the trap off for one instruction. */
static void stack_shadow(void)
{
	extern const uint8_t shadow_1[], shadow_2[], shadow_3[];

	begin(0);
	stop_at = (uint32_t)(uintptr_t)shadow_3;
	__asm__ volatile("movl %%ss, %%eax\n"
			 "pushfl\n"
			 "orl $0x100, (%%esp)\n"
			 "popfl\n"
			 "nop\n"
			 "shadow_1: movl %%eax, %%ss\n"
			 "nop\n"
			 "shadow_2: nop\n"
			 "shadow_3: nop"
			 :
			 :
			 : "eax", "cc");
	CHECK_EQUAL(event_count, 3);
	EVENT(0, shadow_1, DR6_BS);
	EVENT(1, shadow_2, DR6_BS);
	EVENT(2, shadow_3, DR6_BS);
	/* So with a data breakpoint that it hits. */
	extern const uint8_t shadow_4[];

	cells[0] = DATA;
	set_address(0, (uintptr_t)&cells[0]);
	begin(DR7_L(0) | DR7_RW(0, ACCESS) | DR7_LEN(0, LENGTH_4));
	__asm__ volatile("movw %0, %%ss\n"
			 "nop\n"
			 "shadow_4: nop"
			 :
			 : "m"(cells[0]));
	CHECK_EQUAL(event_count, 1);
	EVENT(0, shadow_4, 1);
	write_dr7(0);
}

/* INT n clears TF and is not trapped behind; its IRET brings TF back, for the next instruction. */
static void through_interrupts(void)
{
	extern const uint8_t interrupt_1[], interrupt_2[];

	begin(0);
	stop_at = (uint32_t)(uintptr_t)interrupt_2;
	idt[0x40] = idt[TRAP_DB]; /* which notes it, too: with vector 1 */
	__asm__ volatile("pushfl\n"
			 "orl $0x100, (%%esp)\n"
			 "popfl\n"
			 "int $0x40\n"
			 "interrupt_1: nop\n"
			 "interrupt_2: nop"
			 :
			 :
			 : "cc");
	CHECK_EQUAL(event_count, 2);
	EVENT(0, interrupt_1, 0); /* the handler of INT itself */
	EVENT(1, interrupt_2, DR6_BS);
}

static void general_detect(void)
{
	extern const uint8_t detect_1[];

	begin(DR7_GD);
	__asm__ volatile("detect_1: movl %%dr0, %%eax" : : : "eax");
	CHECK_EQUAL(event_count, 1);
	EVENT(0, detect_1, DR6_BD);
	CHECK_EQUAL(read_dr7() & DR7_GD, 0);
}

static void read_dr4(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile(".byte 0x0f, 0x21, 0xe0" : : : "eax"); /* movl %dr4, %eax */
}

static void aliases(void)
{
	uint32_t value;

	write_dr7(0);
	write_dr6(0x5);
	__asm__ volatile(".byte 0x0f, 0x21, 0xe0" : "=a"(value));
	CHECK_EQUAL(value, DR6_ONES | 5);
	__asm__ volatile(".byte 0x0f, 0x21, 0xe8" : "=a"(value));
	CHECK_EQUAL(value, DR7_ONES);
	write_cr4(read_cr4() | CR4_DE);
	CHECK_TRAP(trap_call(read_dr4, 0), TRAP_UD, 0);
	write_cr4(read_cr4() & ~CR4_DE);
	CHECK_TRAP(trap_call_user(read_dr4, 0, 2), TRAP_GP, 0);
	write_dr6(0);
}

static void int1(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile(".byte 0xf1");
}

static void int1_trap(void)
{
	trap_hook = 0;
	write_dr6(0);
	CHECK_TRAP(trap_call(int1, 0), TRAP_DB, 0);
	CHECK_EQUAL(*(const uint8_t *)(uintptr_t)(trap.eip - 1), 0xf1);
	CHECK_EQUAL(read_dr6(), DR6_ONES);
	/* The gate's DPL doesn't count. */
	CHECK_TRAP(trap_call_user(int1, 0, 2), TRAP_DB, 0);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	trap_hook = note;
	registers();
	instructions();
	data();
	strings();
	ports();
	steps();
	stack_shadow();
	through_interrupts();
	general_detect();
	aliases();
	int1_trap();
	checks_end();
}
