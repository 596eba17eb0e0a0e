/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the loop: one port, at which events are told by the addresses of their struct os_event.
 *
 * All events of a batch are dispatched before the loop looks whether it is to stop, because the
 * port has taken them.  A round fires one timer at most: one that is set into the past from its own
 * call back can't keep events from being seen.
 */
#include "type1/process/loop.h"

#include <linux/errno.h>
#include <stdatomic.h>

#include "type1/process/call.h"
#include "type1/process/process.h"

static void loop_woken(void *arg)
{
	(void)arg;
}

int os_loop_create(struct os_loop **out)
{
	struct os_loop *loop = os_alloc(sizeof(*loop));
	int64_t port;
	int error;

	if (!loop)
		return -ENOMEM;
	port = call0(TYPE1_PORT_CREATE);
	if (port < 0) {
		os_free(loop);
		return (int)port;
	}
	loop->port = (uint64_t)port;
	os_mutex_init(&loop->lock);
	error = os_event_create(&loop->wake);
	if (!error)
		error = os_loop_watch(loop, loop->wake, loop_woken, NULL);
	if (error) {
		os_loop_destroy(loop);
		return error;
	}
	*out = loop;
	return 0;
}

void os_loop_destroy(struct os_loop *loop)
{
	if (!loop)
		return;
	os_event_destroy(loop->wake);
	call1(TYPE1_CLOSE, loop->port);
	os_free(loop);
}

void loop_wake(struct os_loop *loop)
{
	os_event_signal(loop->wake);
}

void os_loop_stop(struct os_loop *loop)
{
	atomic_store(&loop->stopping, true);
	loop_wake(loop);
}

static void loop_dispatch(struct os_loop *loop, unsigned count)
{
	loop->batch_count = count;
	for (unsigned i = 0; i < count; i++) {
		struct os_event *event = (struct os_event *)(uintptr_t)loop->batch[i];

		if (event)
			event->fired(event->arg);
	}
	loop->batch_count = 0;
}

void os_loop_run(struct os_loop *loop)
{
	while (!atomic_exchange(&loop->stopping, false)) {
		int64_t count = call4(TYPE1_PORT_WAIT, loop->port, timers_begin_wait(loop),
				      call_address(loop->batch), LOOP_BATCH);

		if (count > 0)
			loop_dispatch(loop, (unsigned)count);
		timers_end_wait(loop);
	}
}
