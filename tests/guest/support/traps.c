/* SPDX-License-Identifier: MIT */
#include "tests/guest/support/traps.h"

#define TRAP_ENTRY_SIZE 16
#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_MASK 0xa1
#define STATUS_PASSED 16
#define STATUS_FAILED 17

extern const uint8_t trap_entries[], trap_stack_top[];
extern uint32_t trap_resume;
bool trap_taken(struct trap_frame *frame);

uint64_t gdt[GDT_ENTRIES];
uint64_t idt[256];
struct tss32 tss;
struct trap_frame trap;
unsigned trap_count;
bool (*trap_hook)(struct trap_frame *frame);
static unsigned checks, failures;

struct table {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

uint64_t segment(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
	       (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 |
	       (uint64_t)(base >> 24) << 56;
}

uint64_t gate(uint16_t selector, uint32_t offset, unsigned access, unsigned parameters)
{
	return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)parameters << 32 |
	       (uint64_t)access << 40 | (uint64_t)(offset >> 16) << 48;
}

void traps_load(void)
{
	struct table gdtr = {sizeof(gdt) - 1, (uint32_t)(uintptr_t)gdt};
	struct table idtr = {sizeof(idt) - 1, (uint32_t)(uintptr_t)idt};

	__asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
	__asm__ volatile("ljmpl %0, $1f\n"
			 "1: movl %1, %%ds; movl %1, %%es; movl %1, %%fs; movl %1, %%gs;"
			 "movl %1, %%ss"
			 :
			 : "i"(CODE), "r"(DATA)
			 : "memory");
}

void traps_init(void)
{
	gdt[GDT_CODE] = segment(0, 0xfffff, ACCESS_CODE, FLAGS_32 | FLAGS_PAGES);
	gdt[GDT_DATA] = segment(0, 0xfffff, ACCESS_DATA, FLAGS_32 | FLAGS_PAGES);
	gdt[GDT_USER_CODE] =
		segment(0, 0xfffff, ACCESS_CODE | ACCESS_DPL(3), FLAGS_32 | FLAGS_PAGES);
	gdt[GDT_USER_DATA] =
		segment(0, 0xfffff, ACCESS_DATA | ACCESS_DPL(3), FLAGS_32 | FLAGS_PAGES);
	gdt[GDT_TSS] = segment((uint32_t)(uintptr_t)&tss, sizeof(tss) - 1, ACCESS_TSS32, 0);
	gdt[GDT_CODE16] = segment(0, 0xffff, ACCESS_CODE, FLAGS_16);
	gdt[GDT_DATA16] = segment(0, 0xffff, ACCESS_DATA, FLAGS_16);
	gdt[GDT_CODE64] = segment(0, 0xfffff, ACCESS_CODE, FLAGS_64 | FLAGS_PAGES);
	tss.esp0 = (uint32_t)(uintptr_t)trap_stack_top;
	tss.ss0 = DATA;
	tss.io_map = sizeof(tss);
	for (unsigned i = 0; i < 256; i++)
		idt[i] = gate(CODE, (uint32_t)(uintptr_t)(trap_entries + TRAP_ENTRY_SIZE * i),
			      ACCESS_INTERRUPT_GATE, 0);
	idt[TRAP_LEAVE_USER] |= (uint64_t)ACCESS_DPL(3) << 40;
	/* Whoever sets IF gets no interrupt of the PICs. */
	out8(PIC_MASTER_MASK, 0xff);
	out8(PIC_SLAVE_MASK, 0xff);
	traps_load();
	__asm__ volatile("ltr %w0; lldt %w1" : : "r"(SELECTOR(GDT_TSS)), "r"(0));
}

bool trap_taken(struct trap_frame *frame)
{
	trap_count++;
	if (trap_hook && trap_hook(frame))
		return true;
	trap = *frame;
	if (trap_resume)
		return false;
	guest_print("an unexpected trap ");
	print_hex(frame->vector);
	guest_print(" error ");
	print_hex(frame->error);
	guest_print(" at ");
	print_hex(frame->eip);
	guest_print("\n");
	guest_exit(STATUS_FAILED);
}

void print_hex(uint32_t value)
{
	char text[11] = "0x";

	for (unsigned i = 0; i < 8; i++)
		text[2 + i] = "0123456789abcdef"[value >> (28 - 4 * i) & 0xf];
	text[10] = '\0';
	guest_print(text);
}

bool cpu_is_emulated(void)
{
	uint32_t brand[4];

	cpuid(0x80000002, 0, brand);
	return brand[0] == 0x554d4551; /* "QEMU" */
}

static void say_where(const char *what, const char *file, int line)
{
	failures++;
	guest_print("not ok: ");
	guest_print(file);
	guest_print(":");
	guest_print_number((uint32_t)line);
	guest_print(": ");
	guest_print(what);
}

bool check(bool right, const char *what, const char *file, int line)
{
	checks++;
	if (right)
		return true;
	say_where(what, file, line);
	guest_print("\n");
	return false;
}

bool check_equal(uint32_t value, uint32_t expected, const char *what, const char *file, int line)
{
	checks++;
	if (value == expected)
		return true;
	say_where(what, file, line);
	guest_print(" is ");
	print_hex(value);
	guest_print(", not ");
	print_hex(expected);
	guest_print("\n");
	return false;
}

bool check_trap(unsigned vector, unsigned wanted, uint32_t error, const char *what,
		const char *file, int line)
{
	checks++;
	if (vector == wanted && (vector == TRAP_NONE || trap.error == error))
		return true;
	say_where(what, file, line);
	guest_print(" gave ");
	print_hex(vector);
	guest_print(" error ");
	print_hex(trap.error);
	guest_print(" at ");
	print_hex(trap.eip);
	guest_print(", not ");
	print_hex(wanted);
	guest_print(" error ");
	print_hex(error);
	guest_print("\n");
	return false;
}

void checks_end(void)
{
	guest_print_number(checks - failures);
	guest_print(" right, ");
	guest_print_number(failures);
	guest_print(" wrong\n");
	guest_exit(failures ? STATUS_FAILED : STATUS_PASSED);
}
