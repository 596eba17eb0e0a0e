/* SPDX-License-Identifier: MIT */
/*
 * event.c - events: handles, which KVM_IRQFD and KVM_IOEVENTFD take as their fd.
 */
#include <linux/errno.h>

#include "type1/process/call.h"
#include "type1/process/loop.h"
#include "type1/process/process.h"

int event_adopt(uint64_t handle, struct os_event **out)
{
	struct os_event *event = os_alloc(sizeof(*event));

	if (!event)
		return -ENOMEM;
	event->handle = handle;
	*out = event;
	return 0;
}

int os_event_create(struct os_event **out)
{
	int64_t handle = call0(TYPE1_EVENT_CREATE);
	int error;

	if (handle < 0)
		return (int)handle;
	error = event_adopt((uint64_t)handle, out);
	if (error)
		call1(TYPE1_CLOSE, (uint64_t)handle);
	return error;
}

void os_event_destroy(struct os_event *event)
{
	if (!event)
		return;
	os_loop_unwatch(event->loop, event);
	call1(TYPE1_CLOSE, event->handle);
	os_free(event);
}

void os_event_signal(struct os_event *event)
{
	call1(TYPE1_EVENT_SIGNAL, event->handle);
}

int32_t os_event_handle(const struct os_event *event)
{
	return (int32_t)event->handle;
}

int os_loop_watch(struct os_loop *loop, struct os_event *event, void (*fired)(void *), void *arg)
{
	int error;

	if (event->loop)
		return -EBUSY;
	event->fired = fired;
	event->arg = arg;
	error = (int)call3(TYPE1_PORT_WATCH, loop->port, event->handle, call_address(event));
	if (error)
		return error;
	event->loop = loop;
	return 0;
}

void os_loop_unwatch(struct os_loop *loop, struct os_event *event)
{
	if (!event->loop)
		return;
	call2(TYPE1_PORT_UNWATCH, loop->port, event->handle);
	event->loop = NULL;
	/* What is being dispatched may still name it. */
	for (unsigned i = 0; i < loop->batch_count; i++)
		if (loop->batch[i] == call_address(event))
			loop->batch[i] = 0;
}
