/* SPDX-License-Identifier: MIT */
/*
 * host_run.c - vCPU threads: how they wait, and how os_thread_kick()'s signal ends their KVM_RUN.
 *
 * The handler runs on the very thread whose state it changes, so that nothing more than the order
 * of one thread's own stores is needed: each is a single store that a signal can come before or
 * after.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>

#include "host.h"
#include "type2/process/futex.h"
#include "type2/process/host_process.h"

enum { WAITER_EMPTY, WAITER_WOKEN };

struct run_private {
	atomic_bool interrupted; /* since host_run_begin() */
};
_Static_assert(sizeof(struct run_private) <= sizeof(((struct host_run *)0)->opaque),
	       "fits the opaque part");

/* What this thread is doing, for its signal handler. */
static _Thread_local struct host_run *_Atomic run_current;
static _Thread_local futex_word *_Atomic run_waiting;
/* A kick came while it waited. */
static _Thread_local atomic_bool run_wait_kicked;

static struct run_private *run_private(struct host_run *run)
{
	return (struct run_private *)run->opaque;
}

void host_run_kicked(void)
{
	struct host_run *run = atomic_load(&run_current);
	futex_word *waiting = atomic_load(&run_waiting);

	if (run) {
		atomic_store(&run_private(run)->interrupted, true);
		run->interrupted(run);
	}
	/*
	 * If the thread already sleeps, the signal itself ends that.  If it is about to, it finds
	 * the word changed.
	 */
	if (waiting) {
		atomic_store(&run_wait_kicked, true);
		atomic_store(waiting, WAITER_WOKEN);
	}
}

void host_run_begin(struct host_run *run, void (*interrupted)(struct host_run *run))
{
	run->interrupted = interrupted;
	atomic_store(&run_private(run)->interrupted, false);
	atomic_store(&run_current, run);
}

void host_run_end(struct host_run *run)
{
	(void)run;
	atomic_store(&run_current, NULL);
}

bool host_run_interrupted(struct host_run *run)
{
	return atomic_load(&run_private(run)->interrupted);
}

void host_waiter_init(struct host_waiter *waiter)
{
	*waiter = (struct host_waiter){{WAITER_EMPTY}};
}

int host_wait(struct host_waiter *waiter)
{
	futex_word *word = (futex_word *)waiter->opaque;
	struct host_run *run = atomic_load(&run_current);
	int error = 0;

	atomic_store(&run_wait_kicked, false);
	atomic_store(&run_waiting, word);
	/* A kick before the line above is seen here, one after it changes the word. */
	if (run && host_run_interrupted(run))
		error = -EINTR;
	while (!error && atomic_load(word) == WAITER_EMPTY)
		if (futex_wait(word, WAITER_EMPTY) == -EINTR)
			error = -EINTR;
	atomic_store(&run_waiting, NULL);
	if (atomic_load(&run_wait_kicked))
		error = -EINTR;
	/*
	 * Whoever waits looks at everything that could have woken it, so a wake that came together
	 * with a kick is used up, too.
	 */
	atomic_exchange(word, WAITER_EMPTY);
	return error;
}

void host_wake(struct host_waiter *waiter)
{
	futex_word *word = (futex_word *)waiter->opaque;

	if (atomic_exchange(word, WAITER_WOKEN) == WAITER_EMPTY)
		futex_wake(word, 1);
}

void host_yield(void)
{
	sched_yield();
}
