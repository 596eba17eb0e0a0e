/* SPDX-License-Identifier: MIT */
/*
 * clock.c - time, by the TSC and the scale in struct type1_info, without a system call; and
 * randomness.
 */
#include "lib/bits.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

#define SCALE_SHIFT 32 /* of tsc_to_ns */

uint64_t os_clock_monotonic(void)
{
	/* RDTSC may be carried out before earlier loads; LFENCE keeps time from running back
	 * against what another thread wrote (AMD APM volume 3, RDTSC). */
	uint64_t ticks = (__builtin_ia32_lfence(), __builtin_ia32_rdtsc()) - process_info->tsc_base;

	return (uint64_t)(((unsigned __int128)ticks * process_info->tsc_to_ns) >> SCALE_SHIFT);
}

int64_t os_clock_wall(void)
{
	return process_info->wall_base + (int64_t)os_clock_monotonic();
}

void os_random(void *buffer, size_t size)
{
	uint8_t *at = buffer;

	while (size) {
		int64_t count = call2(TYPE1_RANDOM, call_address(at), MIN(size, 4 * KIB));

		/* There is no going on with predictable keys. */
		if (count < 0)
			process_abort("there is no randomness: the process ends");
		at += MIN(size, 4 * KIB);
		size -= MIN(size, 4 * KIB);
	}
}
