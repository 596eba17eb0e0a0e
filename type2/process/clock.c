/* SPDX-License-Identifier: MIT */
/*
 * clock.c - time and randomness.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "os.h"

static int64_t clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t os_clock_monotonic(void)
{
	return (uint64_t)clock_read(CLOCK_MONOTONIC);
}

int64_t os_clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

void os_random(void *buffer, size_t size)
{
	uint8_t *at = buffer;
	size_t left = size;

	while (left) {
		ssize_t count = getrandom(at, left, 0);

		if (count < 0 && errno == EINTR)
			continue;
		/* There is no going on with predictable keys; a kernel without getrandom is too
		 * old. */
		if (count <= 0)
			abort();
		at += count;
		left -= (size_t)count;
	}
	os_memory_written(buffer, size);
}
