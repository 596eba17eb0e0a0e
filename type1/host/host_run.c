/* SPDX-License-Identifier: MIT */
/*
 * host_run.c - vCPU threads: how they wait, and what ends their KVM_RUN.
 */
#include "lib/bits.h"
#include "type1/host/private.h"
#include "type1/runtime/thread.h"

struct run_private {
	struct thread_watch watch;
	struct host_run *run;
};

/* --- Waiting ---------------------------------------------------------------------------------- */

void host_waiter_init(struct host_waiter *waiter)
{
	waiter_init(HOST_PRIVATE(waiter, struct waiter));
}

int host_wait(struct host_waiter *waiter)
{
	return waiter_wait(HOST_PRIVATE(waiter, struct waiter), 0);
}

void host_wake(struct host_waiter *waiter)
{
	waiter_wake(HOST_PRIVATE(waiter, struct waiter));
}

void host_yield(void)
{
	scheduler_yield();
}

/* --- Running ---------------------------------------------------------------------------------- */

static struct host_run *run_of(struct thread_watch *watch)
{
	return CONTAINER_OF(watch, struct run_private, watch)->run;
}

static void scheduled_out(struct thread_watch *watch)
{
	struct host_run *run = run_of(watch);

	if (run->scheduled_out)
		run->scheduled_out(run);
}

static void scheduled_in(struct thread_watch *watch)
{
	struct host_run *run = run_of(watch);

	if (run->scheduled_in)
		run->scheduled_in(run);
}

static void interrupted(struct thread_watch *watch)
{
	struct host_run *run = run_of(watch);

	run->interrupted(run);
}

void host_run_begin(struct host_run *run, void (*on_interrupt)(struct host_run *run))
{
	struct run_private *private = HOST_PRIVATE(run, struct run_private);

	run->interrupted = on_interrupt;
	private->run = run;
	private->watch = (struct thread_watch){
		.scheduled_out = scheduled_out,
		.scheduled_in = scheduled_in,
		.interrupted = interrupted,
	};
	thread_set_watch(&private->watch);
}

void host_run_end(struct host_run *run)
{
	(void)run;
	thread_set_watch(NULL);
}

bool host_run_interrupted(struct host_run *run)
{
	(void)run;
	return thread_wanted() != 0;
}
