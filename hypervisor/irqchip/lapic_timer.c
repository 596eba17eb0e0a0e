/* SPDX-License-Identifier: MIT */
/*
 * lapic_timer.c - the local APIC's timer: one-shot, periodic, TSC-deadline (Intel SDM volume 3,
 * section 11.5.4).
 *
 * Its clock is 1 GHz before the divider, as KVM's is.  A count is a time of the host's clock when
 * it ends; a deadline too, but when that comes the TSC itself is asked, so that the interrupt is
 * never early by the guest's clock.
 */
#include "hypervisor/clock.h"
#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"
#include "lib/bits.h"

/* The shortest period that a guest gets, so that it can't keep the host busy: KVM's. */
#define PERIOD_MIN 200000u
/* What is later than this, in 146 years, may as well be then. */
#define FAR_FUTURE (UINT64_C(1) << 62)

static bool is_deadline(uint32_t lvt)
{
	return (lvt & APIC_TIMER_MODE_MASK) == APIC_TIMER_DEADLINE;
}

/* SDM figure 11-10: 0 divides by 2, 6 by 128, 7 by 1. */
static unsigned divide_shift(const struct lapic *lapic)
{
	uint32_t value = lapic_reg(lapic, APIC_DIVIDE);

	return (((value & 3) | (value >> 1 & 4)) + 1) & 7;
}

static void arm(struct lapic_timer *timer, uint64_t target)
{
	timer->target = target;
	host_timer_set(&timer->timer, target);
}

static void disarm(struct lapic_timer *timer)
{
	timer->target = 0;
	timer->deadline = 0;
	host_timer_cancel(&timer->timer);
}

/* True when the deadline has passed; else the timer is set for when it will have. [lock] */
static bool deadline_passed(struct lapic_timer *timer)
{
	uint64_t tsc = cpu_scale_tsc(timer->tsc_ratio, host_tsc()) + timer->tsc_offset;
	uint64_t ns;

	if (tsc >= timer->deadline)
		return true;
	ns = mul_div(timer->deadline - tsc, 1000000, timer->tsc_khz);
	arm(timer, host_clock_monotonic() + MIN(ns, FAR_FUTURE) + 1);
	return false;
}

/* Whether the count has ended, and what follows. [lock] */
static bool expire(struct lapic *lapic)
{
	struct lapic_timer *timer = &lapic->timer;
	uint32_t lvt = lapic_reg(lapic, APIC_LVT_TIMER);
	uint64_t now = host_clock_monotonic();

	/* A callback of an earlier setting, which has been stopped or set anew since. */
	if (!timer->target || now < timer->target)
		return false;
	if (timer->deadline) {
		if (!deadline_passed(timer))
			return false;
		timer->deadline = 0;
		timer->target = 0;
	} else if ((lvt & APIC_TIMER_MODE_MASK) == APIC_TIMER_PERIODIC) {
		uint64_t period = MAX(timer->period, PERIOD_MIN);

		/* Periods that were missed are one interrupt, as they'd be in IRR. */
		arm(timer, now + period - (now - timer->target) % period);
	} else {
		timer->target = 0;
	}
	return true;
}

/* Ends the count if its time has come, by the mode that the timer is in. */
static void settle(struct lapic *lapic)
{
	bool expired;

	host_spin_lock(&lapic->timer.lock);
	expired = expire(lapic);
	host_spin_unlock(&lapic->timer.lock);
	if (expired)
		lapic_local_event(lapic, APIC_LVT_TIMER);
}

static void fired(struct host_timer *timer)
{
	settle(CONTAINER_OF(timer, struct lapic, timer.timer));
}

void lapic_timer_init(struct lapic *lapic)
{
	host_spin_init(&lapic->timer.lock);
	host_timer_init(&lapic->timer.timer, fired);
}

void lapic_timer_destroy(struct lapic *lapic)
{
	host_timer_destroy(&lapic->timer.timer);
}

void lapic_timer_stop(struct lapic *lapic)
{
	host_spin_lock(&lapic->timer.lock);
	disarm(&lapic->timer);
	host_spin_unlock(&lapic->timer.lock);
}

void lapic_timer_start(struct lapic *lapic, uint32_t count)
{
	struct lapic_timer *timer = &lapic->timer;
	uint32_t lvt = lapic_reg(lapic, APIC_LVT_TIMER);
	unsigned shift = divide_shift(lapic);
	uint64_t remaining = (uint64_t)count << shift;

	if (is_deadline(lvt))
		return;
	host_spin_lock(&timer->lock);
	disarm(timer);
	timer->period = (uint64_t)lapic_reg(lapic, APIC_INITIAL_COUNT) << shift;
	if ((lvt & APIC_TIMER_MODE_MASK) == APIC_TIMER_PERIODIC && count)
		remaining = MAX(remaining, PERIOD_MIN);
	if (remaining)
		arm(timer, host_clock_monotonic() + remaining);
	host_spin_unlock(&timer->lock);
}

/* [lock] */
static uint32_t current_count(const struct lapic *lapic)
{
	const struct lapic_timer *timer = &lapic->timer;
	uint64_t now = host_clock_monotonic(), remaining = 0, count;

	if (!timer->target || timer->deadline)
		return 0;
	if (timer->target > now)
		remaining = timer->target - now;
	else if (timer->period &&
		 (lapic_reg(lapic, APIC_LVT_TIMER) & APIC_TIMER_MODE_MASK) == APIC_TIMER_PERIODIC)
		remaining = timer->period - (now - timer->target) % timer->period;
	/* It reads 0 only once it has ended. */
	count = (remaining + BIT(divide_shift(lapic)) - 1) >> divide_shift(lapic);
	return (uint32_t)MIN(count, lapic_reg(lapic, APIC_INITIAL_COUNT));
}

uint32_t lapic_timer_count(struct lapic *lapic)
{
	uint32_t count;

	host_spin_lock(&lapic->timer.lock);
	count = current_count(lapic);
	host_spin_unlock(&lapic->timer.lock);
	return count;
}

/* The count goes on from where it is, at the new rate. */
void lapic_timer_set_divide(struct lapic *lapic, uint32_t value)
{
	uint32_t count = lapic_timer_count(lapic);

	lapic_set_reg(lapic, APIC_DIVIDE, value & APIC_DIVIDE_MASK);
	if (count)
		lapic_timer_start(lapic, count);
}

void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value)
{
	uint32_t old = lapic_reg(lapic, APIC_LVT_TIMER);

	/* The host may be late: a one-shot that the guest saw end must not turn periodic. */
	settle(lapic);
	lapic_set_reg(lapic, APIC_LVT_TIMER, value);
	/* To or from TSC-deadline mode, SDM 11.5.4.1: both timers are disarmed. */
	if ((old ^ value) & APIC_TIMER_DEADLINE) {
		lapic_timer_stop(lapic);
		lapic_set_reg(lapic, APIC_INITIAL_COUNT, 0);
	}
}

uint64_t lapic_timer_deadline(struct lapic *lapic)
{
	uint64_t deadline;

	host_spin_lock(&lapic->timer.lock);
	deadline = lapic->timer.deadline;
	host_spin_unlock(&lapic->timer.lock);
	return deadline;
}

void lapic_timer_set_deadline(struct lapic *lapic, uint64_t tsc)
{
	struct lapic_timer *timer = &lapic->timer;
	bool passed = false;

	if (!is_deadline(lapic_reg(lapic, APIC_LVT_TIMER)))
		return;
	host_spin_lock(&timer->lock);
	disarm(timer);
	timer->deadline = tsc;
	timer->tsc_offset = lapic->vcpu->state.tsc_offset;
	timer->tsc_ratio = lapic->vcpu->state.tsc_ratio;
	timer->tsc_khz = clock_tsc_khz(lapic->vcpu);
	if (tsc && deadline_passed(timer)) {
		timer->deadline = 0;
		passed = true;
	}
	host_spin_unlock(&timer->lock);
	if (passed)
		lapic_local_event(lapic, APIC_LVT_TIMER);
}

void lapic_tsc_changed(struct lapic *lapic)
{
	uint64_t deadline = lapic_timer_deadline(lapic);

	if (deadline)
		lapic_timer_set_deadline(lapic, deadline);
}
