/* SPDX-License-Identifier: MIT */
/*
 * syscall_memory.c - system calls: memory.
 */
#include <linux/errno.h>

#include "type1/runtime/memory_object.h"
#include "type1/runtime/syscall.h"

int64_t syscall_memory_map(struct process *process, const uint64_t *arguments)
{
	if (arguments[1] > UINT32_MAX)
		return -EINVAL;
	return space_map(&process->space, arguments[0], (unsigned)arguments[1]);
}

int64_t syscall_memory_unmap(struct process *process, const uint64_t *arguments)
{
	return space_unmap(&process->space, arguments[0], arguments[1]);
}

int64_t syscall_memory_discard(struct process *process, const uint64_t *arguments)
{
	return space_discard(&process->space, arguments[0], arguments[1]);
}

int64_t syscall_memory_create(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int err = memory_object_create(arguments[0], &process->account, &object);

	return err ? err : handle_add(process, object);
}

int64_t syscall_memory_attach(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int64_t result;

	if (arguments[3] > UINT32_MAX)
		return -EINVAL;
	result = handle_find(process, arguments[0], OBJECT_MEMORY, &object);
	if (result < 0)
		return result;
	result = space_attach(&process->space, object, arguments[1], arguments[2],
			      (unsigned)arguments[3]);
	object_put(object);
	return result;
}

int64_t syscall_memory_size(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int64_t result = handle_find(process, arguments[0], OBJECT_MEMORY, &object);

	if (result < 0)
		return result;
	result = (int64_t)memory_object_size(object);
	object_put(object);
	return result;
}
