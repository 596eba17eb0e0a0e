/* SPDX-License-Identifier: MIT */
/*
 * syscall_event.c - system calls: events and ports.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/event_port.h"
#include "type1/runtime/syscall.h"

#define KEYS_MAX 32 /* that one call takes */

int64_t syscall_event_create(const struct call *call)
{
	struct object *object;
	int err = event_create(&call->process->account, &object);

	(void)call;
	return err ? err : handle_add(call->process, object);
}

int64_t syscall_event_signal(const struct call *call)
{
	event_signal(event_of_object(call->object));
	return 0;
}

int64_t syscall_port_create(const struct call *call)
{
	struct object *object;
	int err = port_create(&call->process->account, &object);

	(void)call;
	return err ? err : handle_add(call->process, object);
}

int64_t syscall_port_watch(const struct call *call)
{
	struct event *event = event_find(call->process, call->args[1]);
	int err;

	if (!event)
		return -EBADF;
	err = port_watch(call->object, event, call->args[2], &call->process->account);
	object_put(&event->object);
	return err;
}

int64_t syscall_port_unwatch(const struct call *call)
{
	struct event *event = event_find(call->process, call->args[1]);
	int err;

	if (!event)
		return -EBADF;
	err = port_unwatch(call->object, event);
	object_put(&event->object);
	return err;
}

int64_t syscall_port_wait(const struct call *call)
{
	uint64_t keys[KEYS_MAX], room = MIN(call->args[3], (uint64_t)KEYS_MAX);
	int64_t count;
	int err = 0;

	if (!room)
		return -EINVAL;
	count = port_wait(call->object, call->args[1], keys, (unsigned)room);
	if (count > 0)
		err = user_copy_out(call->args[2], keys, (uint64_t)count * sizeof(keys[0]));
	return err ? err : count;
}
