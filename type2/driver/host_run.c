// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_run.c - vCPU threads: how they wait, and what ends their KVM_RUN.
 *
 * A signal for a thread that is in the guest makes the scheduler interrupt its CPU, which is an
 * exit like any other; the backend then asks host_irq_pending_or_resched() before it enters again.
 * So interrupted() has nothing to add here.
 */
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "type2/driver/driver.h"

struct waiter_private {
	struct rcuwait wait;
	bool woken; /* any thread, atomically */
};

struct run_private {
	struct preempt_notifier notifier;
	struct host_run *run;
};

/* --- Waiting ---------------------------------------------------------------------------------- */

void host_waiter_init(struct host_waiter *waiter)
{
	struct waiter_private *private = DRIVER_PRIVATE(waiter, struct waiter_private);

	rcuwait_init(&private->wait);
	private->woken = false;
}

int host_wait(struct host_waiter *waiter)
{
	struct waiter_private *private = DRIVER_PRIVATE(waiter, struct waiter_private);
	int err = 0;

	driver_expect_task();
	prepare_to_rcuwait(&private->wait);
	for (;;) {
		/* A full barrier: who sets woken after the look below finds this thread asleep. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (xchg(&private->woken, false))
			break;
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		schedule();
	}
	finish_rcuwait(&private->wait);
	return err;
}

void host_wake(struct host_waiter *waiter)
{
	struct waiter_private *private = DRIVER_PRIVATE(waiter, struct waiter_private);

	/* xchg() is a full barrier, too: against the state of who waits. */
	if (!xchg(&private->woken, true))
		rcuwait_wake_up(&private->wait);
}

void host_yield(void)
{
	driver_expect_task();
	yield();
}

/* --- Running ---------------------------------------------------------------------------------- */

static void run_scheduled_in(struct preempt_notifier *notifier, int cpu)
{
	struct host_run *run = container_of(notifier, struct run_private, notifier)->run;

	if (run->scheduled_in)
		run->scheduled_in(run);
}

static void run_scheduled_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	struct host_run *run = container_of(notifier, struct run_private, notifier)->run;

	if (run->scheduled_out)
		run->scheduled_out(run);
}

static struct preempt_ops run_preempt_ops = {
	.sched_in = run_scheduled_in,
	.sched_out = run_scheduled_out,
};

static bool run_is_notified(const struct host_run *run)
{
	return run->scheduled_in || run->scheduled_out;
}

void host_run_begin(struct host_run *run, void (*interrupted)(struct host_run *run))
{
	struct run_private *private = DRIVER_PRIVATE(run, struct run_private);

	run->interrupted = interrupted;
	if (!run_is_notified(run))
		return;
	private->run = run;
	preempt_notifier_init(&private->notifier, &run_preempt_ops);
	preempt_disable();
	preempt_notifier_register(&private->notifier);
	preempt_enable();
}

void host_run_end(struct host_run *run)
{
	if (!run_is_notified(run))
		return;
	preempt_disable();
	preempt_notifier_unregister(&DRIVER_PRIVATE(run, struct run_private)->notifier);
	preempt_enable();
}

bool host_run_interrupted(struct host_run *run)
{
	return driver_thread_has_work(0);
}
