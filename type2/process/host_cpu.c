/* SPDX-License-Identifier: MIT */
/*
 * host_cpu.c - clocks, the time-stamp counter, CPUID, and the log.
 */
#include <cpuid.h>
#include <stdatomic.h>

#include "host.h"
#include "os.h"

#define TSC_MEASURE_NS 20000000 /* long enough that reading the clocks costs no 10 ppm */
#define TSC_READ_TRIES 5

uint64_t host_clock_monotonic(void)
{
	return os_clock_monotonic();
}

int64_t host_clock_wall(void)
{
	return os_clock_wall();
}

uint64_t host_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/* Both clocks at one moment: the reading that took least of some. */
static void tsc_read_pair(uint64_t *tsc, uint64_t *clock)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < TSC_READ_TRIES; i++) {
		uint64_t before = host_tsc(), now = os_clock_monotonic(), after = host_tsc();

		if (after - before < least) {
			least = after - before;
			*tsc = before + least / 2;
			*clock = now;
		}
	}
}

/*
 * Measured, because CPUID's leaves for it are missing on half of all machines, and in virtual ones
 * tell of a host that the machine has since moved away from.
 */
uint32_t host_tsc_khz(void)
{
	static _Atomic uint32_t measured;
	uint64_t tsc_start = 0, clock_start = 0, tsc_end = 0, clock_end = 0;
	uint32_t khz = atomic_load(&measured);

	if (khz)
		return khz;
	tsc_read_pair(&tsc_start, &clock_start);
	do {
		tsc_read_pair(&tsc_end, &clock_end);
	} while (clock_end - clock_start < TSC_MEASURE_NS);
	khz = (uint32_t)((tsc_end - tsc_start) * 1000000 / (clock_end - clock_start));
	/* Whoever was first: all callers see the same rate. */
	if (!atomic_compare_exchange_strong(&measured, &(uint32_t){0}, khz))
		khz = atomic_load(&measured);
	return khz;
}

void host_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	uint32_t eax, ebx, ecx, edx;

	__cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
	registers[0] = eax;
	registers[1] = ebx;
	registers[2] = ecx;
	registers[3] = edx;
}

void host_log(enum host_log_level level, const char *text)
{
	static const enum os_log_level levels[] = {
		[HOST_LOG_ERROR] = OS_LOG_ERROR,
		[HOST_LOG_WARNING] = OS_LOG_WARNING,
		[HOST_LOG_INFO] = OS_LOG_INFO,
		[HOST_LOG_DEBUG] = OS_LOG_DEBUG,
	};

	os_log(levels[level], text);
}
