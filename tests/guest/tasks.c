/* SPDX-License-Identifier: MIT */
/*
 * Hardware task switches: by JMP, CALL, IRET, task gates and interrupts, to 32 and 16-bit tasks;
 * busy bits, back links, NT, the T bit, error codes, CR0.TS, and tasks that can't be entered.
 */
#include "tests/guest/support/traps.h"

#define TASK SELECTOR(GDT_FREE)
#define TASK16 SELECTOR(GDT_FREE + 1)
#define TASK_GATE SELECTOR(GDT_FREE + 2)
#define MAIN SELECTOR(GDT_TSS)
#define CR0_TS 8u
#define DR6_BT 0x8000u

struct tss16 {
	uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
	uint16_t ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};

__attribute__((used)) static struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) target;

static struct tss32 task;
static struct tss16 task16;
static uint32_t stack[512];
__attribute__((used)) static volatile uint32_t runs, seen_flags, seen_cr0, seen_eax, seen_error;

/* A task that counts its runs and goes back, again and again. */
__attribute__((naked)) static void returning_task(void)
{
	__asm__("1: incl runs\n"
		"movl %eax, seen_eax\n"
		"pushfl\n"
		"popl seen_flags\n"
		"movl %cr0, %eax\n"
		"movl %eax, seen_cr0\n"
		"clts\n"
		"movl $0x77777777, %eax\n"
		"iretl\n"
		"jmp 1b");
}

__attribute__((naked)) static void jumping_task(void)
{
	__asm__("1: incl runs\n"
		"pushfl\n"
		"popl seen_flags\n"
		"ljmp $0x28, $0\n"
		"jmp 1b");
}

__attribute__((naked)) static void error_task(void)
{
	__asm__("1: popl seen_error\n"
		"incl runs\n"
		"movl resume, %eax\n"
		"movl %eax, tss + 32\n"
		"iretl\n"
		"jmp 1b");
}

/* In a 16-bit segment whose base is where it stands. */
__attribute__((naked)) static void task_of_16_bits(void)
{
	__asm__(".code16\n"
		"1: movl $runs, %ebx\n"
		"incl %es:(%ebx)\n"
		"movl $seen_eax, %ebx\n"
		"movl %eax, %es:(%ebx)\n"
		"iretw\n"
		"jmp 1b\n"
		".code32");
}

static uint8_t type_of(unsigned entry)
{
	return gdt[entry] >> 40 & 0xf;
}

static void set_task(void (*code)(void))
{
	task = (struct tss32){
		.eip = (uint32_t)(uintptr_t)code,
		.eflags = 2,
		.eax = 0x12345678,
		.esp = (uint32_t)(uintptr_t)(stack + 512),
		.cs = CODE,
		.ss = DATA,
		.ds = DATA,
		.es = DATA,
		.fs = DATA,
		.gs = DATA,
		.io_map = sizeof(task),
	};
	gdt[GDT_FREE] = segment((uint32_t)(uintptr_t)&task, sizeof(task) - 1, ACCESS_TSS32, 0);
	gdt[GDT_FREE + 2] = gate(TASK, 0, ACCESS_TASK_GATE, 0);
	gdt[GDT_TSS] |= (uint64_t)2 << 40;
	runs = 0;
}

static void call_target(uintptr_t selector)
{
	target.selector = (uint16_t)selector;
	__asm__ volatile("lcall *target" : : : "memory");
}

static void jump_target(uintptr_t selector)
{
	target.selector = (uint16_t)selector;
	__asm__ volatile("ljmp *target" : : : "memory");
}

static void calls(void)
{
	uint32_t eax = 0x55aa55aa;

	set_task(returning_task);
	write_cr0(read_cr0() & ~CR0_TS);
	CHECK_TRAP(trap_call(call_target, TASK), TRAP_NONE, 0);
	CHECK_EQUAL(runs, 1);
	CHECK_EQUAL(seen_eax, 0x12345678);
	CHECK(seen_flags & EFLAGS_NT);
	CHECK(seen_cr0 & CR0_TS);
	CHECK(read_cr0() & CR0_TS);
	CHECK_EQUAL(task.link, MAIN);
	CHECK_EQUAL(task.eax, 0x77777777);
	CHECK_EQUAL(task.eflags & EFLAGS_NT, 0); /* IRET leaves it behind */
	CHECK_EQUAL(type_of(GDT_FREE), 9);
	CHECK_EQUAL(type_of(GDT_TSS), 11);
	CHECK(!(read_eflags() & EFLAGS_NT));
	/* It goes on behind its IRET. */
	CHECK_TRAP(trap_call(call_target, TASK), TRAP_NONE, 0);
	CHECK_EQUAL(runs, 2);
	CHECK_EQUAL(seen_eax, 0x77777777);
	/* Through a task gate; the caller's registers stay. */
	target.selector = TASK_GATE;
	__asm__ volatile("lcall *target" : "+a"(eax) : : "memory");
	CHECK_EQUAL(runs, 3);
	CHECK_EQUAL(eax, 0x55aa55aa);
	/* By an interrupt. */
	idt[0x40] = gate(TASK, 0, ACCESS_TASK_GATE, 0);
	__asm__ volatile("int $0x40" : : : "memory");
	CHECK_EQUAL(runs, 4);
	write_cr0(read_cr0() & ~CR0_TS);
}

static void jumps(void)
{
	set_task(jumping_task);
	CHECK_TRAP(trap_call(jump_target, TASK), TRAP_NONE, 0);
	CHECK_EQUAL(runs, 1);
	CHECK(!(seen_flags & EFLAGS_NT));
	CHECK_EQUAL(task.link, 0);
	CHECK_EQUAL(type_of(GDT_FREE), 9);
	CHECK_EQUAL(type_of(GDT_TSS), 11);
	CHECK_TRAP(trap_call(jump_target, TASK_GATE), TRAP_NONE, 0);
	CHECK_EQUAL(runs, 2);
}

__attribute__((used)) static uint32_t resume;

__attribute__((naked)) static void load_bad_selector(uintptr_t unused)
{
	(void)unused;
	__asm__("movl $1f, resume\n"
		"movl $0x7ff8, %eax\n"
		"movl %eax, %fs\n"
		"1: ret");
}

static void error_codes(void)
{
	uint64_t saved = idt[TRAP_GP];

	set_task(error_task);
	idt[TRAP_GP] = gate(TASK, 0, ACCESS_TASK_GATE, 0);
	CHECK_TRAP(trap_call(load_bad_selector, 0), TRAP_NONE, 0);
	CHECK_EQUAL(runs, 1);
	CHECK_EQUAL(seen_error, 0x7ff8);
	idt[TRAP_GP] = saved;
}

static void tasks_of_16_bits(void)
{
	uint32_t base = (uint32_t)(uintptr_t)task_of_16_bits;

	task16 = (struct tss16){
		.flags = 2,
		.ax = 0x1234,
		.sp = 0xfff0,
		.cs = SELECTOR(GDT_FREE + 3),
		.ss = SELECTOR(GDT_FREE + 4),
		.ds = DATA,
		.es = DATA,
	};
	runs = 0;
	gdt[GDT_FREE + 1] =
		segment((uint32_t)(uintptr_t)&task16, sizeof(task16) - 1, ACCESS_TSS16, 0);
	gdt[GDT_FREE + 3] = segment(base, 0xffff, ACCESS_CODE, FLAGS_16);
	gdt[GDT_FREE + 4] = segment(0x10000, 0xffff, ACCESS_DATA, FLAGS_16);
	CHECK_TRAP(trap_call(call_target, TASK16), TRAP_NONE, 0);
	CHECK_EQUAL(runs, 1);
	CHECK_EQUAL(seen_eax & 0xffff, 0x1234);
	CHECK_EQUAL(task16.link, MAIN);
	CHECK_EQUAL(type_of(GDT_FREE + 1), 1);
	CHECK_TRAP(trap_call(call_target, TASK16), TRAP_NONE, 0);
	CHECK_EQUAL(runs, 2);
}

/* What is wrong with the TSS's descriptor: nothing happens. */
static void refused(void)
{
	set_task(returning_task);
	gdt[GDT_FREE] |= (uint64_t)2 << 40;
	CHECK_TRAP(trap_call(call_target, TASK), TRAP_GP, TASK);
	CHECK_TRAP(trap_call(call_target, TASK_GATE), TRAP_GP, TASK);
	CHECK_TRAP(trap_call(call_target, MAIN), TRAP_GP, MAIN);
	set_task(returning_task);
	gdt[GDT_FREE] &= ~((uint64_t)ACCESS_PRESENT << 40);
	CHECK_TRAP(trap_call(call_target, TASK), TRAP_NP, TASK);
	CHECK_TRAP(trap_call(call_target, TASK_GATE), TRAP_NP, TASK);
	set_task(returning_task);
	gdt[GDT_FREE] = segment((uint32_t)(uintptr_t)&task, 0x66, ACCESS_TSS32, 0);
	CHECK_TRAP(trap_call(call_target, TASK), TRAP_TS, TASK);
	set_task(returning_task);
	CHECK_TRAP(trap_call_user(call_target, TASK, 2), TRAP_GP, TASK);
	gdt[GDT_FREE + 2] &= ~((uint64_t)ACCESS_PRESENT << 40);
	CHECK_TRAP(trap_call(call_target, TASK_GATE), TRAP_NP, TASK_GATE);
	gdt[GDT_FREE + 2] = gate(DATA, 0, ACCESS_TASK_GATE, 0);
	CHECK_TRAP(trap_call(call_target, TASK_GATE), TRAP_GP, DATA);
	CHECK_EQUAL(runs, 0);
	CHECK_EQUAL(type_of(GDT_FREE), 9);
	CHECK_EQUAL(type_of(GDT_TSS), 11);
}

/* The new task's registers are wrong: the fault is its own. */
static void broken(uint32_t *field, uint32_t value, unsigned vector, uint32_t error)
{
	uint32_t selector;

	set_task(returning_task);
	*field = value;
	CHECK_TRAP(trap_call(call_target, TASK), vector, error);
	__asm__ volatile("str %0" : "=r"(selector));
	CHECK_EQUAL(selector, TASK);
	CHECK_EQUAL(task.link, MAIN);
	CHECK_EQUAL(type_of(GDT_FREE), 11);
	CHECK_EQUAL(trap.eip, (uint32_t)(uintptr_t)returning_task);
	/* The main task is the current one again. */
	gdt[GDT_TSS] &= ~((uint64_t)2 << 40);
	__asm__ volatile("ltr %w0" : : "r"(MAIN));
}

static void broken_tasks(void)
{
	gdt[GDT_FREE + 5] =
		segment(0, 0xfffff, ACCESS_DATA & ~ACCESS_PRESENT, FLAGS_32 | FLAGS_PAGES);
	broken(&task.ds, 0x7ff8, TRAP_TS, 0x7ff8);
	broken(&task.es, SELECTOR(GDT_FREE + 5), TRAP_NP, SELECTOR(GDT_FREE + 5));
}

/* #DB behind the switch, before the task's first instruction. */
static void trap_bit(void)
{
	uint32_t dr6;

	set_task(returning_task);
	task.trap = 1;
	__asm__ volatile("movl %0, %%dr6" : : "r"(0));
	CHECK_TRAP(trap_call(call_target, TASK), TRAP_DB, 0);
	__asm__ volatile("movl %%dr6, %0" : "=r"(dr6));
	CHECK(dr6 & DR6_BT);
	CHECK_EQUAL(trap.eip, (uint32_t)(uintptr_t)returning_task);
	CHECK_EQUAL(runs, 0);
	gdt[GDT_TSS] &= ~((uint64_t)2 << 40);
	__asm__ volatile("ltr %w0" : : "r"(MAIN));
	write_cr0(read_cr0() & ~CR0_TS);
}

/* IRET with NT set, and a back link that leads nowhere. */
__attribute__((naked)) static void nested_return(uintptr_t unused)
{
	(void)unused;
	__asm__("pushl $0x4002\n"
		"popfl\n"
		"iretl");
}

static void returns(void)
{
	tss.link = DATA;
	CHECK_TRAP(trap_call(nested_return, 0), TRAP_TS, DATA);
	set_task(returning_task);
	tss.link = TASK; /* not busy */
	CHECK_TRAP(trap_call(nested_return, 0), TRAP_TS, TASK);
	tss.link = 0;
	CHECK_TRAP(trap_call(nested_return, 0), TRAP_TS, 0);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	calls();
	jumps();
	error_codes();
	tasks_of_16_bits();
	refused();
	broken_tasks();
	trap_bit();
	returns();
	checks_end();
}
