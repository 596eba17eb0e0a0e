/* SPDX-License-Identifier: MIT */
/*
 * syscall_memory.c - system calls: memory.
 */
#include <linux/errno.h>

#include "type1/runtime/memory_object.h"
#include "type1/runtime/syscall.h"

int64_t syscall_memory_map(const struct call *call)
{
	if (call->args[1] > UINT32_MAX)
		return -EINVAL;
	return space_map(&call->process->space, call->args[0], (unsigned)call->args[1]);
}

int64_t syscall_memory_unmap(const struct call *call)
{
	return space_unmap(&call->process->space, call->args[0], call->args[1]);
}

int64_t syscall_memory_discard(const struct call *call)
{
	return space_discard(&call->process->space, call->args[0], call->args[1]);
}

int64_t syscall_memory_create(const struct call *call)
{
	struct object *object;
	int err = memory_object_create(call->args[0], &call->process->account, &object);

	return err ? err : handle_add(call->process, object);
}

int64_t syscall_memory_attach(const struct call *call)
{
	if (call->args[3] > UINT32_MAX)
		return -EINVAL;
	return space_attach(&call->process->space, call->object, call->args[1], call->args[2],
			    (unsigned)call->args[3]);
}

int64_t syscall_memory_size(const struct call *call)
{
	return (int64_t)memory_object_size(call->object);
}
