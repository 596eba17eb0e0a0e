// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_timer.c - clocks, and the core's timers: high-resolution timers that fire in hard
 * interrupts.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/timekeeping.h>

#include <asm/msr.h>
#include <asm/tsc.h>

#include "type2/driver/driver.h"

/* They fire where they were set, which is where the vCPU ran that they are for. */
#define TIMER_MODE HRTIMER_MODE_ABS_PINNED_HARD

uint64_t host_clock_monotonic(void)
{
	return ktime_get_ns();
}

int64_t host_clock_wall(void)
{
	return ktime_get_real_ns();
}

uint64_t host_tsc(void)
{
	return rdtsc();
}

uint32_t host_tsc_khz(void)
{
	return tsc_khz;
}

static enum hrtimer_restart timer_expired(struct hrtimer *hrtimer)
{
	struct host_timer *timer = container_of((uint64_t(*)[8])hrtimer, struct host_timer, opaque);

	timer->fired(timer);
	return HRTIMER_NORESTART; /* fired() may have set it anew */
}

void host_timer_init(struct host_timer *timer, void (*fired)(struct host_timer *timer))
{
	struct hrtimer *hrtimer = DRIVER_PRIVATE(timer, struct hrtimer);

	timer->fired = fired;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(hrtimer, timer_expired, CLOCK_MONOTONIC, TIMER_MODE);
#else
	hrtimer_init(hrtimer, CLOCK_MONOTONIC, TIMER_MODE);
	hrtimer->function = timer_expired;
#endif
}

void host_timer_set(struct host_timer *timer, uint64_t deadline)
{
	hrtimer_start(DRIVER_PRIVATE(timer, struct hrtimer),
		      ns_to_ktime(min_t(uint64_t, deadline, KTIME_MAX)), TIMER_MODE);
}

void host_timer_cancel(struct host_timer *timer)
{
	hrtimer_try_to_cancel(DRIVER_PRIVATE(timer, struct hrtimer));
}

void host_timer_destroy(struct host_timer *timer)
{
	driver_expect_task();
	hrtimer_cancel(DRIVER_PRIVATE(timer, struct hrtimer));
}
