/* SPDX-License-Identifier: MIT */
/*
 * timer.c - timers: the armed ones stand in a list of their loop by deadline, and the first one's
 * is the deadline of the loop's wait.
 */
#include <linux/errno.h>

#include "type1/process/loop.h"

struct os_timer {
	struct os_loop *loop;
	void (*fired)(void *);
	void *arg;
	/* The loop's lock. */
	uint64_t deadline; /* 0: not armed, and not in the list */
	struct os_timer *next;
};

int os_timer_create(struct os_loop *loop, void (*fired)(void *), void *arg, struct os_timer **out)
{
	struct os_timer *timer = os_alloc(sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->loop = loop;
	timer->fired = fired;
	timer->arg = arg;
	*out = timer;
	return 0;
}

void os_timer_destroy(struct os_timer *timer)
{
	if (!timer)
		return;
	os_timer_set(timer, 0);
	os_free(timer);
}

static void timer_remove(struct os_timer *timer)
{
	struct os_timer **at = &timer->loop->timers;

	if (!timer->deadline)
		return;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->deadline = 0;
}

static void timer_insert(struct os_timer *timer, uint64_t deadline)
{
	struct os_timer **at = &timer->loop->timers;

	while (*at && (*at)->deadline <= deadline)
		at = &(*at)->next;
	timer->next = *at;
	timer->deadline = deadline;
	*at = timer;
}

void os_timer_set(struct os_timer *timer, uint64_t deadline)
{
	struct os_loop *loop = timer->loop;
	bool wake = false;

	os_mutex_lock(&loop->lock);
	if (deadline != timer->deadline) {
		timer_remove(timer);
		if (deadline)
			timer_insert(timer, deadline);
		wake = deadline && deadline < loop->waiting_until;
	}
	os_mutex_unlock(&loop->lock);
	if (wake)
		loop_wake(loop);
}

uint64_t timers_begin_wait(struct os_loop *loop)
{
	uint64_t deadline;

	os_mutex_lock(&loop->lock);
	deadline = loop->timers ? loop->timers->deadline : 0;
	loop->waiting_until = deadline ? deadline : LOOP_FOR_EVER;
	os_mutex_unlock(&loop->lock);
	return deadline;
}

void timers_end_wait(struct os_loop *loop)
{
	struct os_timer *due;

	os_mutex_lock(&loop->lock);
	loop->waiting_until = 0;
	due = loop->timers;
	if (due && due->deadline <= os_clock_monotonic())
		timer_remove(due);
	else
		due = NULL;
	os_mutex_unlock(&loop->lock);
	if (due)
		due->fired(due->arg);
}
