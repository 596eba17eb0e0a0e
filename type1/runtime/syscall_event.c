/* SPDX-License-Identifier: MIT */
/*
 * syscall_event.c - system calls: events and ports.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/event_port.h"
#include "type1/runtime/syscall.h"

#define KEYS_MAX 32 /* that one call takes */

int64_t syscall_event_create(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int err = event_create(&process->account, &object);

	(void)arguments;
	return err ? err : handle_add(process, object);
}

int64_t syscall_event_signal(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int err = handle_find(process, arguments[0], OBJECT_EVENT, &object);

	if (err)
		return err;
	event_signal(event_of_object(object));
	object_put(object);
	return 0;
}

int64_t syscall_port_create(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int err = port_create(&process->account, &object);

	(void)arguments;
	return err ? err : handle_add(process, object);
}

static int find_both(struct process *process, const uint64_t *arguments, struct object **port,
		     struct object **event)
{
	int err = handle_find(process, arguments[0], OBJECT_PORT, port);

	if (err)
		return err;
	err = handle_find(process, arguments[1], OBJECT_EVENT, event);
	if (err)
		object_put(*port);
	return err;
}

int64_t syscall_port_watch(struct process *process, const uint64_t *arguments)
{
	struct object *port, *event;
	int err = find_both(process, arguments, &port, &event);

	if (err)
		return err;
	err = port_watch(port, event_of_object(event), arguments[2], &process->account);
	object_put(event);
	object_put(port);
	return err;
}

int64_t syscall_port_unwatch(struct process *process, const uint64_t *arguments)
{
	struct object *port, *event;
	int err = find_both(process, arguments, &port, &event);

	if (err)
		return err;
	err = port_unwatch(port, event_of_object(event));
	object_put(event);
	object_put(port);
	return err;
}

int64_t syscall_port_wait(struct process *process, const uint64_t *arguments)
{
	uint64_t keys[KEYS_MAX], room = MIN(arguments[3], (uint64_t)KEYS_MAX);
	struct object *port;
	int64_t count;
	int err;

	if (!room)
		return -EINVAL;
	err = handle_find(process, arguments[0], OBJECT_PORT, &port);
	if (err)
		return err;
	count = port_wait(port, arguments[1], keys, (unsigned)room);
	object_put(port);
	if (count > 0)
		err = user_copy_out(arguments[2], keys, (uint64_t)count * sizeof(keys[0]));
	return err ? err : count;
}
