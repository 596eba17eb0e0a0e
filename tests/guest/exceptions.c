/* SPDX-License-Identifier: MIT */
/*
 * Exceptions in protected mode: vectors, error codes, where RIP stands, what gates check, and
 * exceptions while an exception is being delivered.
 */
#include "tests/guest/support/traps.h"

#define FREE SELECTOR(GDT_FREE)
#define IDT_ERROR(vector) ((vector)*8u + 2)
#define EXT 1u

static void divide(uintptr_t by)
{
	uint32_t low = 1, high = 0;

	__asm__ volatile("divl %2" : "+a"(low), "+d"(high) : "r"(by) : "cc");
}

__attribute__((naked, used)) static void undefined_code(void)
{
	__asm__("ud2");
}

static void undefined(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("ud2");
}

static void breakpoint(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("int3");
}

static void overflow(uintptr_t value)
{
	__asm__ volatile("addl %0, %0; into" : "+r"(value) : : "cc");
}

static void bound(uintptr_t value)
{
	static const int32_t range[2] = {-1, 5};

	__asm__ volatile("bound %0, %1" : : "r"(value), "m"(range));
}

static void int_40(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("int $0x40");
}

static void int_41(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("int $0x41");
}

static void load_ds(uintptr_t selector)
{
	__asm__ volatile("movw %w0, %%ds; movw %w1, %%ds" : : "r"(selector), "r"(DATA));
}

static void load_ss(uintptr_t selector)
{
	__asm__ volatile("movw %w0, %%ss; movw %w1, %%ss" : : "r"(selector), "r"(DATA));
}

static void read_byte(uintptr_t address)
{
	(void)*(volatile uint8_t *)address;
}

static void read_es(uintptr_t selector)
{
	__asm__ volatile("movw %w0, %%es; movb %%es:0x10000, %%al; movw %w1, %%es"
			 :
			 : "r"(selector), "r"(DATA)
			 : "eax");
}

static void halt(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("hlt");
}

static void privileged_in_user(void)
{
	CHECK_TRAP(trap_call_user(halt, 0, 2), TRAP_GP, 0);
	CHECK_EQUAL(trap.cs, USER_CODE);
	CHECK_EQUAL(trap.ss, USER_DATA);
	CHECK_EQUAL(*(const uint8_t *)(uintptr_t)trap.eip, 0xf4);
}

static void simple(void)
{
	CHECK_TRAP(trap_call(divide, 0), TRAP_DE, 0);
	CHECK_EQUAL(*(const uint8_t *)(uintptr_t)trap.eip, 0xf7);
	CHECK(trap.eflags & EFLAGS_RF);
	CHECK_TRAP(trap_call(undefined, 0), TRAP_UD, 0);
	CHECK_EQUAL(*(const uint16_t *)(uintptr_t)trap.eip, 0x0b0f);
	CHECK_TRAP(trap_call(breakpoint, 0), TRAP_BP, 0);
	CHECK_EQUAL(*(const uint8_t *)(uintptr_t)(trap.eip - 1), 0xcc);
	CHECK(!(trap.eflags & EFLAGS_RF));
	CHECK_TRAP(trap_call(overflow, 0x40000000), TRAP_OF, 0);
	CHECK_EQUAL(*(const uint8_t *)(uintptr_t)(trap.eip - 1), 0xce);
	CHECK_TRAP(trap_call(overflow, 1), TRAP_NONE, 0);
	CHECK_TRAP(trap_call(bound, 6), 5, 0);
	CHECK_TRAP(trap_call(bound, 5), TRAP_NONE, 0);
	CHECK_TRAP(trap_call(int_40, 0), 0x40, 0);
	privileged_in_user();
}

/* INT n looks at the gate's DPL; exceptions don't. */
static void gates(void)
{
	uint64_t saved = idt[0x40], saved_ud = idt[TRAP_UD];

	CHECK_TRAP(trap_call_user(int_40, 0, 2), TRAP_GP, IDT_ERROR(0x40));
	CHECK_EQUAL(*(const uint8_t *)(uintptr_t)trap.eip, 0xcd);
	idt[0x40] |= (uint64_t)ACCESS_DPL(3) << 40;
	CHECK_TRAP(trap_call_user(int_40, 0, 2), 0x40, 0);
	CHECK_TRAP(trap_call_user(undefined, 0, 2), TRAP_UD, 0);
	CHECK_TRAP(trap_call_user(breakpoint, 0, 2), TRAP_GP, IDT_ERROR(TRAP_BP));
	idt[0x40] = saved & ~((uint64_t)ACCESS_PRESENT << 40);
	CHECK_TRAP(trap_call(int_40, 0), TRAP_NP, IDT_ERROR(0x40));
	CHECK_TRAP(trap_call_user(int_40, 0, 2), TRAP_GP, IDT_ERROR(0x40));
	idt[0x40] = 0;
	CHECK_TRAP(trap_call(int_40, 0), TRAP_GP, IDT_ERROR(0x40));
	idt[0x40] = gate(0, 0, ACCESS_INTERRUPT_GATE, 0);
	CHECK_TRAP(trap_call(int_40, 0), TRAP_GP, 0);
	idt[0x40] = gate(DATA, 0, ACCESS_INTERRUPT_GATE, 0);
	CHECK_TRAP(trap_call(int_40, 0), TRAP_GP, DATA);
	idt[0x40] = gate(0x7ff8, 0, ACCESS_INTERRUPT_GATE, 0);
	CHECK_TRAP(trap_call(int_40, 0), TRAP_GP, 0x7ff8);
	idt[0x40] = gate(USER_CODE, 0, ACCESS_INTERRUPT_GATE, 0);
	CHECK_TRAP(trap_call(int_40, 0), TRAP_GP, SELECTOR(GDT_USER_CODE));
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_CODE & ~ACCESS_PRESENT, FLAGS_32 | FLAGS_PAGES);
	idt[0x40] = gate(FREE, 0, ACCESS_INTERRUPT_GATE, 0);
	CHECK_TRAP(trap_call(int_40, 0), TRAP_NP, FREE);
	/* What lies beyond the limit ends by a trap, too. */
	gdt[GDT_FREE] =
		segment((uint32_t)(uintptr_t)undefined_code - 0x1000, 0xfff, ACCESS_CODE, FLAGS_32);
	idt[0x40] = gate(FREE, 0x1000, ACCESS_INTERRUPT_GATE, 0);
	CHECK_TRAP(trap_call(int_40, 0), TRAP_GP, 0);
	idt[0x40] = saved;

	/* The same by an exception says EXT. */
	idt[TRAP_UD] = gate(0x7ff8, 0, ACCESS_INTERRUPT_GATE, 0);
	CHECK_TRAP(trap_call(undefined, 0), TRAP_GP, 0x7ff8 | EXT);
	idt[TRAP_UD] = 0;
	CHECK_TRAP(trap_call(undefined, 0), TRAP_GP, IDT_ERROR(TRAP_UD) | EXT);
	idt[TRAP_UD] = saved_ud & ~((uint64_t)ACCESS_PRESENT << 40);
	CHECK_TRAP(trap_call(undefined, 0), TRAP_NP, IDT_ERROR(TRAP_UD) | EXT);
	idt[TRAP_UD] = saved_ud;
}

static void idt_limit(void)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) idtr = {0x41 * 8 - 1, (uint32_t)(uintptr_t)idt};

	__asm__ volatile("lidt %0" : : "m"(idtr));
	CHECK_TRAP(trap_call(int_40, 0), 0x40, 0);
	CHECK_TRAP(trap_call(int_41, 0), TRAP_GP, IDT_ERROR(0x41));
	idtr.limit = 0x42 * 8 - 2;
	__asm__ volatile("lidt %0" : : "m"(idtr));
	CHECK_TRAP(trap_call(int_41, 0), TRAP_GP, IDT_ERROR(0x41));
	traps_load();
}

static void selectors(void)
{
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_DATA & ~ACCESS_PRESENT, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(trap_call(load_ds, FREE), TRAP_NP, FREE);
	CHECK_TRAP(trap_call(load_ss, FREE), TRAP_SS, FREE);
	CHECK_TRAP(trap_call(load_ds, 0x7ff8), TRAP_GP, 0x7ff8);
	CHECK_TRAP(trap_call(load_ds, SELECTOR(GDT_TSS)), TRAP_GP, SELECTOR(GDT_TSS));
	CHECK_TRAP(trap_call(load_ds, 0xc), TRAP_GP, 0xc); /* there is no LDT */
	CHECK_TRAP(trap_call(load_ds, 0), TRAP_NONE, 0);
	CHECK_TRAP(trap_call(load_ds, 3), TRAP_NONE, 0);
	CHECK_TRAP(trap_call(load_ss, 0), TRAP_GP, 0);
	CHECK_TRAP(trap_call(load_ss, CODE), TRAP_GP, CODE);
	CHECK_TRAP(trap_call(load_ss, USER_DATA), TRAP_GP, SELECTOR(GDT_USER_DATA));
	CHECK_TRAP(trap_call(load_ss, DATA | 1), TRAP_GP, DATA);
	CHECK_TRAP(trap_call_user(load_ds, DATA, 2), TRAP_GP, DATA);
	/* Execute-only code can't be read, readable code can. */
	gdt[GDT_FREE] = segment(0, 0xfffff, 0x98, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(trap_call(load_ds, FREE), TRAP_GP, FREE);
	CHECK_TRAP(trap_call(read_es, CODE), TRAP_NONE, 0);
	CHECK_TRAP(trap_call(read_es, 0), TRAP_GP, 0);
	/* Conforming code may be read at any level. */
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_CONFORMING, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(trap_call_user(load_ds, FREE, 2), TRAP_GP, DATA);
}

static uint32_t df_stack[256];
static struct tss32 df_tss;
static volatile uint32_t df_seen, df_error;
__attribute__((used)) static uint32_t df_resume;

/* The double fault's task: notes the error code, and makes the task that it came from go on. */
__attribute__((naked, used)) static void df_task(void)
{
	__asm__("1: popl df_error\n"
		"incl df_seen\n"
		"movl df_resume, %eax\n"
		"movl %eax, tss + 32\n" /* EIP */
		"iretl\n"
		"jmp 1b");
}

__attribute__((naked)) static void try_undefined(uintptr_t unused)
{
	(void)unused;
	__asm__("movl $1f, df_resume\n"
		"ud2\n"
		"1: ret");
}

__attribute__((naked)) static void try_page_fault(uintptr_t unused)
{
	(void)unused;
	__asm__("movl $1f, df_resume\n"
		"movb 0x3ffff000, %al\n"
		"1: ret");
}

static void set_df_task(void)
{
	df_tss = (struct tss32){
		.esp = (uint32_t)(uintptr_t)(df_stack + 256),
		.eip = (uint32_t)(uintptr_t)df_task,
		.eflags = 2,
		.cs = CODE,
		.ss = DATA,
		.ds = DATA,
		.es = DATA,
		.fs = DATA,
		.gs = DATA,
		.io_map = sizeof(struct tss32),
	};
	__asm__ volatile("movl %%cr3, %0" : "=r"(df_tss.cr3));
	gdt[GDT_FREE + 1] =
		segment((uint32_t)(uintptr_t)&df_tss, sizeof(df_tss) - 1, ACCESS_TSS32, 0);
	idt[TRAP_DF] = gate(SELECTOR(GDT_FREE + 1), 0, ACCESS_TASK_GATE, 0);
}

static uint32_t page_directory[1024] __attribute__((aligned(4096)));

/* Contributory or page fault, on the way of a contributory or page fault. */
static void double_faults(void)
{
	uint64_t saved_np = idt[TRAP_NP], saved_gp = idt[TRAP_GP], saved_pf = idt[TRAP_PF];
	uint64_t saved_ud = idt[TRAP_UD], saved_df = idt[TRAP_DF];
	unsigned count;

	set_df_task();
	/* #UD is benign: the #NP of its gate is delivered, and no more. */
	idt[TRAP_UD] &= ~((uint64_t)ACCESS_PRESENT << 40);
	CHECK_TRAP(trap_call(try_undefined, 0), TRAP_NP, IDT_ERROR(TRAP_UD) | EXT);
	CHECK_EQUAL(df_seen, 0);
	/* #NP on the way of #NP: contributory twice. */
	idt[TRAP_NP] &= ~((uint64_t)ACCESS_PRESENT << 40);
	df_error = 1;
	CHECK_TRAP(trap_call(try_undefined, 0), TRAP_NONE, 0);
	CHECK_EQUAL(df_seen, 1);
	CHECK_EQUAL(df_error, 0);
	idt[TRAP_NP] = saved_np;
	idt[TRAP_UD] = saved_ud;

	/* The same after a page fault: flat pages of 4 MiB, with a hole. */
	for (unsigned i = 0; i < 1024; i++)
		page_directory[i] = i << 22 | 0x87;
	page_directory[0x3ffff000u >> 22] = 0;
	write_cr4(read_cr4() | 0x10);
	write_cr3((uint32_t)(uintptr_t)page_directory);
	write_cr0(read_cr0() | 0x80000000u);
	df_tss.cr3 = (uint32_t)(uintptr_t)page_directory;
	tss.cr3 = df_tss.cr3;
	CHECK_TRAP(trap_call(try_page_fault, 0), TRAP_PF, 0);
	CHECK_EQUAL(read_cr2(), 0x3ffff000);
	idt[TRAP_PF] &= ~((uint64_t)ACCESS_PRESENT << 40);
	CHECK_TRAP(trap_call(try_page_fault, 0), TRAP_NONE, 0);
	CHECK_EQUAL(df_seen, 2);
	idt[TRAP_PF] = saved_pf;
	/* #GP's handler can't be read without a page fault: that is delivered on its own. */
	count = df_seen;
	idt[TRAP_GP] = gate(FREE, 0, ACCESS_INTERRUPT_GATE, 0);
	gdt[GDT_FREE] = segment(0x3ffff000, 0xfffff, ACCESS_CODE, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(trap_call(read_byte, 0x3ffff123), TRAP_PF, 0);
	CHECK_EQUAL(read_cr2(), 0x3ffff123);
	CHECK_EQUAL(df_seen, count);
	idt[TRAP_GP] = saved_gp;
	idt[TRAP_DF] = saved_df;
	write_cr0(read_cr0() & ~0x80000000u);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	simple();
	gates();
	idt_limit();
	selectors();
	double_faults();
	checks_end();
}
