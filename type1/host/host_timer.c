/* SPDX-License-Identifier: MIT */
/*
 * host_timer.c - clocks, and the core's timers.
 */
#include "lib/bits.h"
#include "type1/host/private.h"
#include "type1/runtime/thread.h"

uint64_t host_clock_monotonic(void)
{
	return clock_now();
}

int64_t host_clock_wall(void)
{
	return clock_wall_base() + (int64_t)clock_now();
}

uint64_t host_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

uint32_t host_tsc_khz(void)
{
	return clock_rate_khz;
}

static void timer_fired(struct timer *private)
{
	struct host_timer *timer = CONTAINER_OF(private, struct host_timer, opaque);

	timer->fired(timer);
}

void host_timer_init(struct host_timer *timer, void (*fired)(struct host_timer *timer))
{
	timer->fired = fired;
	timer_init(HOST_PRIVATE(timer, struct timer), timer_fired);
}

/* The runtime's 0 is no deadline. */
void host_timer_set(struct host_timer *timer, uint64_t deadline)
{
	timer_set(HOST_PRIVATE(timer, struct timer), MAX(deadline, 1));
}

void host_timer_cancel(struct host_timer *timer)
{
	timer_cancel(HOST_PRIVATE(timer, struct timer));
}

void host_timer_destroy(struct host_timer *timer)
{
	timer_finish(HOST_PRIVATE(timer, struct timer));
}
