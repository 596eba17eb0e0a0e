/* SPDX-License-Identifier: MIT */
/*
 * host_timer.c - the core's timers: a list by deadline, and one thread that waits for its head.
 *
 * The thread sleeps in a read() of a timerfd.  Whoever sets a timer that is due before all others
 * sets the timerfd itself, so the thread is woken for expiries alone.  There are a few timers for a
 * vCPU, of which a handful is set at once: a list is enough.
 */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host.h"
#include "os.h"
#include "type2/process/futex.h"
#include "type2/process/host_process.h"

struct timer_private {
	struct host_timer *next, *previous;
	uint64_t deadline;
	bool set; /* it is in the list */
};
_Static_assert(sizeof(struct timer_private) <= sizeof(((struct host_timer *)0)->opaque),
	       "fits the opaque part");

/* The process's; what is not tagged is guarded by lock. */
static struct {
	struct os_mutex users_lock; /* guards users, fd, thread; taken before lock */
	unsigned users;
	int fd;
	struct os_thread *thread;

	futex_word lock;
	struct host_timer *first;
	uint64_t armed;             /* what the timerfd is set to; 0: nothing */
	struct host_timer *running; /* its fired() is called now */
	unsigned waiting;           /* how many wait for that to end */
	bool ending;
	futex_word ran; /* [any] counts fired() calls that have ended while others waited */
} timers;

static struct timer_private *timer_private(struct host_timer *timer)
{
	return (struct timer_private *)timer->opaque;
}

static void timers_arm(uint64_t deadline)
{
	struct itimerspec setting = {.it_value = {.tv_sec = (time_t)(deadline / 1000000000),
						  .tv_nsec = (long)(deadline % 1000000000)}};
	int saved_errno = errno;

	timers.armed = deadline;
	timerfd_settime(timers.fd, TFD_TIMER_ABSTIME, &setting, NULL);
	errno = saved_errno;
}

static void timer_unlink(struct host_timer *timer)
{
	struct timer_private *private = timer_private(timer);

	if (!private->set)
		return;
	private->set = false;
	if (private->next)
		timer_private(private->next)->previous = private->previous;
	if (private->previous)
		timer_private(private->previous)->next = private->next;
	else
		timers.first = private->next;
}

static void timer_link(struct host_timer *timer)
{
	struct timer_private *private = timer_private(timer);
	struct host_timer *previous = NULL, *next = timers.first;

	while (next && timer_private(next)->deadline <= private->deadline) {
		previous = next;
		next = timer_private(next)->next;
	}
	private->set = true;
	private->next = next;
	private->previous = previous;
	if (next)
		timer_private(next)->previous = timer;
	if (previous)
		timer_private(previous)->next = timer;
	else
		timers.first = timer;
}

/* lock held, and given up for the time of the call. */
static void timer_fire(struct host_timer *timer)
{
	timer_unlink(timer);
	timers.running = timer;
	futex_unlock(&timers.lock);
	timer->fired(timer);
	futex_lock(&timers.lock);
	timers.running = NULL;
	if (timers.waiting) {
		atomic_fetch_add(&timers.ran, 1);
		futex_wake(&timers.ran, INT32_MAX);
	}
}

static void timers_work(void *arg)
{
	uint64_t expiries;
	bool ending = false;

	(void)arg;
	while (!ending) {
		if (read(timers.fd, &expiries, sizeof(expiries)) < 0 && errno != EINTR)
			return;
		futex_lock(&timers.lock);
		while (timers.first &&
		       timer_private(timers.first)->deadline <= host_clock_monotonic())
			timer_fire(timers.first);
		timers.armed = 0;
		if (timers.first)
			timers_arm(timer_private(timers.first)->deadline);
		ending = timers.ending;
		futex_unlock(&timers.lock);
	}
}

void host_timer_init(struct host_timer *timer, void (*fired)(struct host_timer *timer))
{
	*timer = (struct host_timer){.fired = fired};
}

void host_timer_set(struct host_timer *timer, uint64_t deadline)
{
	/* 0 would disarm the timerfd. */
	if (!deadline)
		deadline = 1;
	futex_lock(&timers.lock);
	timer_unlink(timer);
	timer_private(timer)->deadline = deadline;
	timer_link(timer);
	if (timers.first == timer && (!timers.armed || deadline < timers.armed))
		timers_arm(deadline);
	futex_unlock(&timers.lock);
}

void host_timer_cancel(struct host_timer *timer)
{
	futex_lock(&timers.lock);
	timer_unlink(timer);
	futex_unlock(&timers.lock);
}

void host_timer_destroy(struct host_timer *timer)
{
	futex_lock(&timers.lock);
	timer_unlink(timer);
	timers.waiting++;
	while (timers.running == timer) {
		uint32_t ran = atomic_load(&timers.ran);

		futex_unlock(&timers.lock);
		futex_wait(&timers.ran, ran);
		futex_lock(&timers.lock);
		/* It may have set itself anew. */
		timer_unlink(timer);
	}
	timers.waiting--;
	futex_unlock(&timers.lock);
}

static int timers_begin(struct error *why)
{
	int error;

	timers.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (timers.fd < 0)
		return error_set(why, -errno, "cannot make a timer: %s", strerror(errno));
	timers.ending = false;
	timers.armed = 0;
	error = os_thread_start(&timers.thread, "timers", timers_work, NULL);
	if (error) {
		close(timers.fd);
		return error_set(why, error, "cannot start the timers' thread: %s",
				 strerror(-error));
	}
	return 0;
}

int host_timers_start(struct error *why)
{
	int error = 0;

	os_mutex_lock(&timers.users_lock);
	if (!timers.users)
		error = timers_begin(why);
	if (!error)
		timers.users++;
	os_mutex_unlock(&timers.users_lock);
	return error;
}

void host_timers_stop(void)
{
	os_mutex_lock(&timers.users_lock);
	if (--timers.users == 0) {
		futex_lock(&timers.lock);
		timers.ending = true;
		timers_arm(1);
		futex_unlock(&timers.lock);
		os_thread_join(timers.thread);
		close(timers.fd);
	}
	os_mutex_unlock(&timers.users_lock);
}
