/* SPDX-License-Identifier: MIT */
/*
 * How long the commonest exits take, in ticks of the time-stamp counter: under the lab's --icount a
 * tick is an instruction.  A line each.
 */
#include "tests/guest/guest.h"

#define TIMES 2000
#define WARM_UP 200
#define LINE_STATUS (GUEST_SERIAL + 5)
#define PIC_MASK 0x21
#define MSR_APIC_BASE 0x1b
#define NO_HYPERCALL 0xffff
#define FRESH_MEMORY 0x2000000 /* up to 32 MiB + 9 MiB: the machine has more */
#define PAGE 4096

static void nothing(void)
{
	__asm__ volatile("" : : : "memory");
}

static void cpuid(void)
{
	uint32_t a = 0, c = 0;

	__asm__ volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx", "memory");
}

static void hypercall(void)
{
	uint32_t a = NO_HYPERCALL;

	__asm__ volatile("vmmcall" : "+a"(a) : : "memory");
}

static void read_msr(void)
{
	uint32_t a, d;

	__asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(MSR_APIC_BASE) : "memory");
}

static void read_core_port(void)
{
	in8(PIC_MASK);
}

static void read_monitor_port(void)
{
	in8(LINE_STATUS);
}

/* Each time a page that nothing has touched yet. */
static void touch_page(void)
{
	static volatile uint8_t *page = (uint8_t *)FRESH_MEMORY;

	*page = 1;
	page += PAGE;
}

static uint32_t ticks_of(void (*what)(void), uint32_t times)
{
	uint64_t start = read_tsc();

	for (uint32_t i = 0; i < times; i++)
		what();
	return (uint32_t)(read_tsc() - start);
}

static void measure(const char *name, void (*what)(void))
{
	uint32_t loop;

	ticks_of(what, WARM_UP);
	ticks_of(nothing, WARM_UP);
	loop = ticks_of(nothing, TIMES);
	guest_print(name);
	guest_print(": ");
	guest_print_number((ticks_of(what, TIMES) - loop) / TIMES);
	guest_print("\n");
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	measure("cpuid", cpuid);
	measure("hypercall", hypercall);
	measure("msr read", read_msr);
	measure("port read in the core", read_core_port);
	measure("port read by the monitor", read_monitor_port);
	measure("first touch of 4 KiB", touch_page);
	guest_exit(0);
}
