/* SPDX-License-Identifier: MIT */
/*
 * clock.c - time, by the TSC and the scale in struct type1_info; and randomness, by the CPU's
 * generator: both without a system call.
 */
#include <stdbool.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/process.h"

#define SCALE_SHIFT 32  /* of tsc_to_ns */
#define RANDOM_TRIES 10 /* after so many a sound CPU has given a number, as its makers say */

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

/* There is no going on with predictable keys. */
uint64_t process_random(void)
{
	uint64_t number = 0;
	bool given = false;

	for (int i = 0; i < RANDOM_TRIES && !given; i++)
		__asm__ volatile("rdrand %0" : "=r"(number), "=@ccc"(given));
	if (!given)
		process_abort("there is no randomness: the process ends");
	return number;
}

void os_random(void *buffer, size_t size)
{
	uint8_t *at = buffer;

	for (size_t part; size; at += part, size -= part) {
		uint64_t number = process_random();

		part = MIN(size, sizeof(number));
		memcpy(at, &number, part);
	}
}
