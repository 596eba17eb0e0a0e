/* SPDX-License-Identifier: MIT */
/*
 * What a guest does to its neighbours on the machine's CPUs, by the last word of its command line:
 *
 *   spin   executes instructions; its status is how much of the time it did, in thousandths
 *   storm  exits all the time, to the core and to the monitor; status 0
 *   wake   sleeps; its status is the most ticks that its timer woke it late by, divided by 1,000
 *
 * For TICKS of the time-stamp counter.
 */
#include "tests/guest/support/traps.h"

#define TICKS UINT64_C(4000000000)
#define AWAY 100000
#define PERIOD 10000000
#define WAKES (TICKS / PERIOD)
#define LINE_STATUS (GUEST_SERIAL + 5)
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC 0x400u
#define MSR_TSC_DEADLINE 0x6e0
#define X2APIC_EOI 0x80b
#define X2APIC_SVR 0x80f
#define X2APIC_LVT_TIMER 0x832
#define SVR_ENABLE 0x1ff
#define TIMER_DEADLINE 0x40000u
#define VECTOR_TIMER 0x50

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

/*
 * Between two looks at the counter that are further apart than an exit takes, somebody else had the
 * CPU.  What is measured is the middle half, since neighbours don't begin and end at the same
 * moment.
 */
static uint32_t spin(uint64_t begin)
{
	uint64_t now = begin, before, here = 0;

	while (now < begin + TICKS) {
		before = now;
		now = read_tsc();
		if (now - before < AWAY && before >= begin + TICKS / 4 &&
		    now < begin + TICKS / 4 * 3)
			here += now - before;
	}
	return (uint32_t)here / (uint32_t)(TICKS / 2 / 1000);
}

static uint32_t storm(uint64_t begin)
{
	uint32_t registers[4];

	while (read_tsc() < begin + TICKS) {
		cpuid(0, 0, registers);
		in8(LINE_STATUS);
	}
	return 0;
}

static volatile bool woken;

static bool take_timer(struct trap_frame *frame)
{
	if (frame->vector != VECTOR_TIMER)
		return false;
	woken = true;
	write_msr(X2APIC_EOI, 0);
	return true;
}

static uint32_t wake(void)
{
	uint32_t latest = 0;

	traps_init();
	trap_hook = take_timer;
	write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	write_msr(X2APIC_SVR, SVR_ENABLE);
	write_msr(X2APIC_LVT_TIMER, TIMER_DEADLINE | VECTOR_TIMER);
	for (unsigned i = 0; i < WAKES; i++) {
		uint64_t wanted = read_tsc() + PERIOD;
		uint32_t late;

		woken = false;
		write_msr(MSR_TSC_DEADLINE, wanted);
		while (!woken)
			__asm__ volatile("sti; hlt; cli" : : : "memory");
		late = (uint32_t)(read_tsc() - wanted);
		latest = late > latest ? late : latest;
	}
	return latest / 1000;
}

static bool ends_with(const char *text, const char *end)
{
	const char *t = text, *e = end;

	while (*t)
		t++;
	while (*e)
		e++;
	while (e > end && t > text)
		if (*--e != *--t)
			return false;
	return e == end;
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	const struct multiboot_info *info = multiboot_info;
	const char *line = (const char *)(uintptr_t)info->cmdline;
	uint64_t begin = read_tsc();

	(void)magic;
	if (ends_with(line, " wake"))
		guest_exit(wake());
	guest_exit(ends_with(line, " storm") ? storm(begin) : spin(begin));
}
