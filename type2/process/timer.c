/* SPDX-License-Identifier: MIT */
/*
 * timer.c - timers: a timerfd each, edge-triggered like an event, so that an expiry is not read.
 *
 * A timer may be set anew by another thread while its expiry is on the way to the loop, so what
 * counts is the deadline noted here and not that epoll reported it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "type2/process/loop.h"

struct os_timer {
	int fd;
	struct process_watch *watch;
	void (*fired)(void *);
	void *arg;
	struct os_mutex lock;
	uint64_t deadline; /* lock; 0: not armed.  What the timerfd is set to, too. */
};

static void timer_ready(void *arg, unsigned events)
{
	struct os_timer *timer = arg;
	bool due;

	(void)events;
	os_mutex_lock(&timer->lock);
	due = timer->deadline != 0 && os_clock_monotonic() >= timer->deadline;
	if (due)
		timer->deadline = 0;
	os_mutex_unlock(&timer->lock);
	if (due)
		timer->fired(timer->arg);
}

int os_timer_create(struct os_loop *loop, void (*fired)(void *), void *arg, struct os_timer **out)
{
	struct os_timer *timer = calloc(1, sizeof(*timer));
	int error;

	if (!timer)
		return -ENOMEM;
	timer->fired = fired;
	timer->arg = arg;
	os_mutex_init(&timer->lock);
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->fd < 0) {
		error = -errno;
		goto free_timer;
	}
	error = process_loop_watch_fd(loop, timer->fd, PROCESS_READABLE | PROCESS_EDGE, timer_ready,
				      timer, &timer->watch);
	if (error)
		goto close_timer;
	*out = timer;
	return 0;
close_timer:
	close(timer->fd);
free_timer:
	free(timer);
	return error;
}

void os_timer_destroy(struct os_timer *timer)
{
	if (!timer)
		return;
	process_loop_unwatch_fd(timer->watch);
	close(timer->fd);
	free(timer);
}

void os_timer_set(struct os_timer *timer, uint64_t deadline)
{
	struct itimerspec setting = {.it_value = {.tv_sec = (time_t)(deadline / 1000000000),
						  .tv_nsec = (long)(deadline % 1000000000)}};

	/* The lock keeps what is noted and what the kernel was told the same. */
	os_mutex_lock(&timer->lock);
	if (deadline != timer->deadline) {
		timer->deadline = deadline;
		timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &setting, NULL);
	}
	os_mutex_unlock(&timer->lock);
}
