/* SPDX-License-Identifier: MIT */
/*
 * Segments in protected mode: limits of all kinds, accessed bits, the local descriptor table, what
 * LAR, LSL, VERR, VERW and ARPL tell.
 */
#include "tests/guest/support/traps.h"

#define FREE SELECTOR(GDT_FREE)
#define FREE_USER (FREE | 3)

static uint8_t bytes[8192] __attribute__((aligned(4096)));
static uint64_t ldt[4];

static void read_fs_byte(uintptr_t offset)
{
	__asm__ volatile("movb %%fs:(%0), %%al" : : "r"(offset) : "eax", "memory");
}

static void read_fs_long(uintptr_t offset)
{
	__asm__ volatile("movl %%fs:(%0), %%eax" : : "r"(offset) : "eax", "memory");
}

static void write_fs_byte(uintptr_t offset)
{
	__asm__ volatile("movb $0x5a, %%fs:(%0)" : : "r"(offset) : "memory");
}

static void write_fs_long(uintptr_t offset)
{
	__asm__ volatile("movl $0x5a5a5a5a, %%fs:(%0)" : : "r"(offset) : "memory");
}

static void load_fs(uintptr_t selector)
{
	__asm__ volatile("movw %w0, %%fs" : : "r"(selector));
}

static unsigned at_fs(void (*code)(uintptr_t), uintptr_t offset)
{
	load_fs(FREE);
	return trap_call(code, offset);
}

static void limits(void)
{
	gdt[GDT_FREE] = segment((uint32_t)(uintptr_t)bytes, 0xff, ACCESS_DATA, FLAGS_32);
	CHECK_TRAP(at_fs(read_fs_byte, 0xff), TRAP_NONE, 0);
	CHECK_TRAP(at_fs(read_fs_byte, 0x100), TRAP_GP, 0);
	CHECK_TRAP(at_fs(read_fs_long, 0xfc), TRAP_NONE, 0);
	CHECK_TRAP(at_fs(read_fs_long, 0xfd), TRAP_GP, 0);
	CHECK_TRAP(at_fs(read_fs_long, 0xffffffff), TRAP_GP, 0);
	CHECK_TRAP(at_fs(write_fs_long, 0xfc), TRAP_NONE, 0);
	CHECK_EQUAL(bytes[0xff], 0x5a);
	CHECK_TRAP(at_fs(write_fs_long, 0xfd), TRAP_GP, 0);
	CHECK_EQUAL(bytes[0x100], 0);
	gdt[GDT_FREE] = segment((uint32_t)(uintptr_t)bytes, 0, ACCESS_DATA, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(at_fs(read_fs_byte, 0xfff), TRAP_NONE, 0);
	CHECK_TRAP(at_fs(read_fs_byte, 0x1000), TRAP_GP, 0);
	/* Expand-down: what lies above the limit. */
	gdt[GDT_FREE] = segment((uint32_t)(uintptr_t)bytes, 0xff, ACCESS_EXPAND_DOWN, FLAGS_32);
	CHECK_TRAP(at_fs(read_fs_byte, 0xff), TRAP_GP, 0);
	CHECK_TRAP(at_fs(read_fs_byte, 0x100), TRAP_NONE, 0);
	CHECK_TRAP(at_fs(read_fs_long, 0xfe), TRAP_GP, 0);
	CHECK_TRAP(at_fs(write_fs_byte, 0x1fff), TRAP_NONE, 0);
	CHECK_EQUAL(bytes[0x1fff], 0x5a);
	gdt[GDT_FREE] = segment((uint32_t)(uintptr_t)bytes, 0xff, ACCESS_EXPAND_DOWN, FLAGS_16);
	CHECK_TRAP(at_fs(read_fs_byte, 0xffff), TRAP_NONE, 0);
	CHECK_TRAP(at_fs(read_fs_long, 0xfffd), TRAP_GP, 0);
	CHECK_TRAP(at_fs(read_fs_byte, 0x10000), TRAP_GP, 0);
	/* What can't be written, or can't be read. */
	gdt[GDT_FREE] = segment(0, 0xfffff, 0x90, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(at_fs(write_fs_byte, 0x10000), TRAP_GP, 0);
	CHECK_TRAP(at_fs(read_fs_byte, 0x10000), TRAP_NONE, 0);
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_CODE, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(at_fs(write_fs_byte, 0x10000), TRAP_GP, 0);
	CHECK_TRAP(at_fs(read_fs_byte, 0x10000), TRAP_NONE, 0);
	load_fs(0);
	CHECK_TRAP(trap_call(read_fs_byte, 0x10000), TRAP_GP, 0);
	load_fs(DATA);
}

/* The hidden part stays as it was loaded, whatever becomes of the descriptor. */
static void hidden(void)
{
	uint32_t base = (uint32_t)(uintptr_t)bytes;
	uint8_t value;

	bytes[0] = 1;
	bytes[16] = 2;
	gdt[GDT_FREE] = segment(base, 0xff, ACCESS_DATA, FLAGS_32);
	load_fs(FREE);
	gdt[GDT_FREE] = segment(base + 16, 0xff, ACCESS_DATA, FLAGS_32);
	__asm__ volatile("movb %%fs:0, %0" : "=q"(value));
	CHECK_EQUAL(value, 1);
	load_fs(FREE);
	__asm__ volatile("movb %%fs:0, %0" : "=q"(value));
	CHECK_EQUAL(value, 2);
	load_fs(DATA);
}

static void accessed(void)
{
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_DATA, FLAGS_32 | FLAGS_PAGES);
	CHECK_EQUAL(gdt[GDT_FREE] >> 40 & 1, 0);
	load_fs(FREE);
	CHECK_EQUAL(gdt[GDT_FREE] >> 40 & 1, 1);
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_DATA, FLAGS_32 | FLAGS_PAGES);
	CHECK_TRAP(trap_call_user(load_fs, FREE, 2), TRAP_GP, FREE);
	CHECK_EQUAL(gdt[GDT_FREE] >> 40 & 1, 0);
	load_fs(DATA);
}

static void lldt(uintptr_t selector)
{
	__asm__ volatile("lldt %w0" : : "r"(selector));
}

static void local_table(void)
{
	uint32_t selector;

	gdt[GDT_LDT] = segment((uint32_t)(uintptr_t)ldt, sizeof(ldt) - 1, ACCESS_LDT, 0);
	ldt[1] = segment((uint32_t)(uintptr_t)bytes, 0xff, ACCESS_DATA, FLAGS_32);
	CHECK_TRAP(trap_call(lldt, SELECTOR(GDT_LDT)), TRAP_NONE, 0);
	__asm__ volatile("sldt %0" : "=r"(selector));
	CHECK_EQUAL(selector, SELECTOR(GDT_LDT));
	CHECK_TRAP(trap_call(load_fs, SELECTOR(1) | 4), TRAP_NONE, 0);
	CHECK_TRAP(trap_call(read_fs_byte, 0x100), TRAP_GP, 0);
	CHECK_TRAP(trap_call(load_fs, SELECTOR(4) | 4), TRAP_GP, SELECTOR(4) | 4);
	CHECK_TRAP(trap_call(load_fs, 4), TRAP_GP, 4); /* empty, but no null selector */
	load_fs(DATA);
	CHECK_TRAP(trap_call(lldt, DATA), TRAP_GP, DATA);
	CHECK_TRAP(trap_call(lldt, SELECTOR(1) | 4), TRAP_GP, SELECTOR(1) | 4);
	gdt[GDT_LDT] &= ~((uint64_t)ACCESS_PRESENT << 40);
	CHECK_TRAP(trap_call(lldt, SELECTOR(GDT_LDT)), TRAP_NP, SELECTOR(GDT_LDT));
	CHECK_TRAP(trap_call_user(lldt, 0, 2), TRAP_GP, 0);
	CHECK_TRAP(trap_call(lldt, 0), TRAP_NONE, 0);
	CHECK_TRAP(trap_call(load_fs, SELECTOR(1) | 4), TRAP_GP, SELECTOR(1) | 4);
}

static void ltr(uintptr_t selector)
{
	__asm__ volatile("ltr %w0" : : "r"(selector));
}

static void task_register(void)
{
	uint32_t selector;

	CHECK_EQUAL(gdt[GDT_TSS] >> 40 & 0xff, ACCESS_TSS32 | 2); /* busy */
	CHECK_TRAP(trap_call(ltr, SELECTOR(GDT_TSS)), TRAP_GP, SELECTOR(GDT_TSS));
	CHECK_TRAP(trap_call(ltr, 0), TRAP_GP, 0);
	CHECK_TRAP(trap_call(ltr, DATA), TRAP_GP, DATA);
	gdt[GDT_TSS] &= ~((uint64_t)2 << 40);
	CHECK_TRAP(trap_call(ltr, SELECTOR(GDT_TSS)), TRAP_NONE, 0);
	CHECK_EQUAL(gdt[GDT_TSS] >> 40 & 0xff, ACCESS_TSS32 | 2);
	__asm__ volatile("str %0" : "=r"(selector));
	CHECK_EQUAL(selector, SELECTOR(GDT_TSS));
}

static bool lar(uint32_t selector, uint32_t *rights)
{
	bool zero;

	*rights = 0x12345678;
	__asm__ volatile("lar %2, %0; setz %1" : "+r"(*rights), "=q"(zero) : "r"(selector) : "cc");
	return zero;
}

static bool lsl(uint32_t selector, uint32_t *limit)
{
	bool zero;

	*limit = 0x12345678;
	__asm__ volatile("lsl %2, %0; setz %1" : "+r"(*limit), "=q"(zero) : "r"(selector) : "cc");
	return zero;
}

static bool verr(uint32_t selector)
{
	bool zero;

	__asm__ volatile("verr %w1; setz %0" : "=q"(zero) : "r"(selector) : "cc");
	return zero;
}

static bool verw(uint32_t selector)
{
	bool zero;

	__asm__ volatile("verw %w1; setz %0" : "=q"(zero) : "r"(selector) : "cc");
	return zero;
}

static void look_up(void)
{
	uint32_t value;

	gdt[GDT_FREE] = segment(0x12345678, 0xabcde, ACCESS_DATA, FLAGS_32);
	CHECK(lar(FREE, &value));
	CHECK_EQUAL(value & 0x00f0ff00, 0x00409200);
	CHECK(lsl(FREE, &value));
	CHECK_EQUAL(value, 0xabcde);
	gdt[GDT_FREE] = segment(0x12345678, 0xabcde, ACCESS_DATA, FLAGS_32 | FLAGS_PAGES);
	CHECK(lsl(FREE, &value));
	CHECK_EQUAL(value, 0xabcdefff);
	CHECK(verr(FREE) && verw(FREE));
	CHECK(!lar(FREE_USER, &value)); /* its DPL is below the RPL */
	CHECK_EQUAL(value, 0x12345678);
	CHECK(!verr(FREE_USER));
	CHECK(!lar(0, &value) && !lsl(3, &value) && !verr(0) && !verw(0));
	CHECK(!lar(0x7ff8, &value) && !verr(0x7ff8));
	CHECK(verr(CODE) && !verw(CODE));
	gdt[GDT_FREE] = segment(0, 0xfffff, 0x98, FLAGS_32);
	CHECK(!verr(FREE) && !verw(FREE) && lar(FREE, &value));
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_CONFORMING, FLAGS_32);
	CHECK(verr(FREE_USER) && lar(FREE_USER, &value));
	/* Absent, and still told of. */
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_DATA & ~ACCESS_PRESENT, FLAGS_32);
	CHECK(lar(FREE, &value) && lsl(FREE, &value));
	CHECK(lar(SELECTOR(GDT_TSS), &value) && lsl(SELECTOR(GDT_TSS), &value));
	CHECK_EQUAL(value, sizeof(tss) - 1);
	gdt[GDT_FREE] = gate(CODE, 0, ACCESS_CALL_GATE32, 0);
	CHECK(lar(FREE, &value) && !lsl(FREE, &value) && !verr(FREE));
	gdt[GDT_FREE] = gate(CODE, 0, ACCESS_INTERRUPT_GATE, 0);
	CHECK(!lar(FREE, &value) && !lsl(FREE, &value));
}

static void adjust(void)
{
	uint32_t selector = 0x10;
	bool zero;

	__asm__ volatile("arpl %w2, %w0; setz %1" : "+r"(selector), "=q"(zero) : "r"(3) : "cc");
	CHECK(zero);
	CHECK_EQUAL(selector, 0x13);
	__asm__ volatile("arpl %w2, %w0; setz %1" : "+r"(selector), "=q"(zero) : "r"(1) : "cc");
	CHECK(!zero);
	CHECK_EQUAL(selector, 0x13);
}

static void pointers(void)
{
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) pointer = {0x1234, FREE};
	uint32_t offset, selector;

	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_DATA, FLAGS_32);
	__asm__ volatile("lfs %2, %0; movl %%fs, %1" : "=r"(offset), "=r"(selector) : "m"(pointer));
	CHECK_EQUAL(offset, 0x1234);
	CHECK_EQUAL(selector, FREE);
	__asm__ volatile("pushl $0x10; popl %%fs; pushl %%fs; popl %0" : "=r"(selector));
	CHECK_EQUAL(selector, 0x10);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	limits();
	hidden();
	accessed();
	local_table();
	task_register();
	look_up();
	adjust();
	pointers();
	checks_end();
}
