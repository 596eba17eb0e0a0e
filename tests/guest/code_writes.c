/* SPDX-License-Identifier: MIT */
/*
 * Code that changes: by the CPU that runs it (the very next instruction, the same block, a string
 * instruction over itself, another page), and by another CPU; locked operations between CPUs.  With
 * one CPU what needs two is left out.
 */
#include "tests/guest/support/other.h"
#include "tests/guest/support/traps.h"

#define PAGE 4096u

static uint8_t area[8 * PAGE] __attribute__((aligned(4096)));

typedef uint32_t (*function)(void);

static void put(uint8_t *at, const uint8_t *code, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		((volatile uint8_t *)at)[i] = code[i];
}

/* mov $value, %eax; ret */
static void put_value(uint8_t *at, uint32_t value)
{
	volatile uint8_t *to = at;

	to[0] = 0xb8;
	for (unsigned i = 0; i < 4; i++)
		to[1 + i] = (uint8_t)(value >> 8 * i);
	to[5] = 0xc3;
}

static void rewritten(void)
{
	function f = (function)(uintptr_t)area;
	unsigned wrong = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		put_value(area, i * 0x01010101);
		wrong += f() != i * 0x01010101;
	}
	CHECK_EQUAL(wrong, 0);
	/* Between its runs, at another place in the page: nothing is lost. */
	for (uint32_t i = 0; i < 1000; i++) {
		((volatile uint8_t *)area)[2048 + i] = (uint8_t)i;
		wrong += f() != 999 * 0x01010101u;
	}
	CHECK_EQUAL(wrong, 0);
}

/* movb $0x42, next's opcode; next: inc %eax becomes inc %edx. */
static void next_instruction(void)
{
	uint32_t eax = 0, edx = 0;

	__asm__ volatile("movb $0x42, 1f\n"
			 "1: .byte 0x40\n"
			 : "+a"(eax), "+d"(edx)
			 :
			 : "memory", "cc");
	CHECK_EQUAL(eax, 0);
	CHECK_EQUAL(edx, 1);
}

/* A loop that changes its own body as it goes: a run adds 1 + 2 + ... */
static void own_loop(void)
{
	uint32_t sum = 0, count = 100;

	__asm__ volatile("1: .byte 0x05\n" /* add $imm32, %eax */
			 "2: .long 1\n"
			 "incl 2b\n"
			 "decl %1\n"
			 "jnz 1b\n"
			 "movl $1, 2b\n"
			 : "+a"(sum), "+c"(count)
			 :
			 : "memory", "cc");
	CHECK_EQUAL(sum, 5050);
}

/* REP STOSB over what stands behind it: those are the instructions that run then. */
static void string_over_code(void)
{
	static const uint8_t code[] = {
		0x57,                               /* push %edi */
		0xbf, 0,    0,    0,    0,          /* mov $behind, %edi */
		0xb9, 8,    0,    0,    0,          /* mov $8, %ecx */
		0xb0, 0x42,                         /* mov $0x42, %al: inc %edx */
		0x31, 0xd2,                         /* xor %edx, %edx */
		0xf3, 0xaa,                         /* rep stosb */
		0x0f, 0x0b, 0x0f, 0x0b,             /* behind: ud2 ... */
		0x0f, 0x0b, 0x0f, 0x0b, 0x89, 0xd0, /* mov %edx, %eax */
		0x5f,                               /* pop %edi */
		0xc3,
	};
	uint8_t *at = area + PAGE;
	uint32_t behind = (uint32_t)(uintptr_t)(at + 17);

	put(at, code, sizeof(code));
	for (unsigned i = 0; i < 4; i++)
		((volatile uint8_t *)at)[2 + i] = (uint8_t)(behind >> 8 * i);
	uint32_t result;
	__asm__ volatile("call *%1" : "=a"(result) : "r"(at) : "ecx", "edx", "memory", "cc");
	CHECK_EQUAL(result, 8);
}

/* An instruction across two pages; either half is changed. */
static void across_pages(void)
{
	uint8_t *at = area + 3 * PAGE - 3;
	function f = (function)(uintptr_t)at;

	put_value(at, 0x11111111);
	CHECK_EQUAL(f(), 0x11111111);
	((volatile uint8_t *)at)[1] = 0x22;
	CHECK_EQUAL(f(), 0x11111122);
	((volatile uint8_t *)at)[4] = 0x33;
	CHECK_EQUAL(f(), 0x33111122);
	*(volatile uint32_t *)(at + 1) = 0x44556677; /* one write to both pages */
	CHECK_EQUAL(f(), 0x44556677);
}

/* Many functions that call each other, one in each page; then the last one changes. */
static void chain(void)
{
	for (unsigned i = 4; i < 7; i++) {
		uint8_t *at = area + i * PAGE;
		uint32_t distance = PAGE - 5;

		((volatile uint8_t *)at)[0] = 0xe9; /* jmp to the next page */
		for (unsigned k = 0; k < 4; k++)
			((volatile uint8_t *)at)[1 + k] = (uint8_t)(distance >> 8 * k);
	}
	for (uint32_t i = 0; i < 100; i++) {
		put_value(area + 7 * PAGE, i);
		if (((function)(uintptr_t)(area + 4 * PAGE))() != i) {
			CHECK(!"the change was seen");
			break;
		}
	}
}

/* By a locked operation, and by an exchange. */
static void locked_writes(void)
{
	function f = (function)(uintptr_t)area;

	put_value(area, 100);
	CHECK_EQUAL(f(), 100);
	__asm__ volatile("lock incl (%0)" : : "r"(area + 1) : "memory", "cc");
	CHECK_EQUAL(f(), 101);
	__asm__ volatile("xchgl %0, (%1)" : : "r"(7), "r"(area + 1) : "memory");
	CHECK_EQUAL(f(), 7);
	__asm__ volatile("pushl %%ebx\n movl %%esp, %%ebx\n leal 5(%0), %%esp\n"
			 "pushl $0x12345678\n movl %%ebx, %%esp\n popl %%ebx"
			 :
			 : "r"(area)
			 : "memory");
	CHECK_EQUAL(f(), 0x12345678);
}

/* --- Two CPUs ----------------------------------------------------------------------------------
 */

enum { WAIT, COUNT, SPLIT, CALL, STOP };

static volatile uint32_t order, done, rounds, mistakes;
static volatile uint32_t published, taken;
static uint32_t counter, counter64[2] __attribute__((aligned(64)));
static uint8_t split[128] __attribute__((aligned(64)));

#define ADDITIONS 100000u

static void pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static void add_locked(uint32_t *to)
{
	for (uint32_t i = 0; i < ADDITIONS; i++)
		__asm__ volatile("lock incl %0" : "+m"(*to) : : "cc");
}

static void add_wide(void)
{
	for (uint32_t i = 0; i < ADDITIONS / 4; i++) {
		uint32_t low = counter64[0], high = counter64[1];
		bool stored;

		do {
			uint64_t next = ((uint64_t)high << 32 | low) + 0x100000001;

			__asm__ volatile("lock cmpxchg8b %2; setz %3"
					 : "+a"(low), "+d"(high), "+m"(counter64), "=q"(stored)
					 : "b"((uint32_t)next), "c"((uint32_t)(next >> 32))
					 : "cc", "memory");
		} while (!stored);
	}
}

/* What was published before is the code that runs, once this CPU has serialized. */
static void call_published(void)
{
	function f = (function)(uintptr_t)area;

	for (uint32_t i = 1; i <= rounds; i++) {
		uint32_t registers[4];

		while (published != i)
			pause();
		cpuid(0, 0, registers);
		if (f() != i)
			mistakes++;
		taken = i;
	}
}

static void run_other(void)
{
	uint32_t last = WAIT;

	for (;;) {
		while (order == last)
			pause();
		last = order;
		switch (last) {
		case COUNT:
			add_locked(&counter);
			add_wide();
			break;
		case SPLIT:
			add_locked((uint32_t *)(uintptr_t)(split + 62));
			break;
		case CALL:
			call_published();
			break;
		case STOP:
			for (;;)
				__asm__ volatile("cli; hlt");
		}
		done = last;
	}
}

static void finish(uint32_t what)
{
	while (done != what)
		pause();
}

static void two_cpus(void)
{
	order = COUNT;
	add_locked(&counter);
	add_wide();
	finish(COUNT);
	CHECK_EQUAL(counter, 2 * ADDITIONS);
	CHECK_EQUAL(counter64[0], 2 * (ADDITIONS / 4));
	CHECK_EQUAL(counter64[1], 2 * (ADDITIONS / 4));
	order = SPLIT;
	add_locked((uint32_t *)(uintptr_t)(split + 62)); /* across two cache lines */
	finish(SPLIT);
	CHECK_EQUAL(*(uint32_t *)(uintptr_t)(split + 62), 2 * ADDITIONS);
	rounds = 2000;
	put_value(area, 0);
	order = CALL;
	for (uint32_t i = 1; i <= rounds; i++) {
		put_value(area, i);
		published = i;
		while (taken != i)
			pause();
	}
	finish(CALL);
	CHECK_EQUAL(mistakes, 0);
	order = STOP;
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	rewritten();
	next_instruction();
	own_loop();
	string_over_code();
	across_pages();
	chain();
	locked_writes();
	if (other_start(run_other))
		two_cpus();
	else
		guest_print("one CPU\n");
	checks_end();
}
