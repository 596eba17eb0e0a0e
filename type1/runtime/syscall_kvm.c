/* SPDX-License-Identifier: MIT */
/*
 * syscall_kvm.c - system calls: the KVM ABI (type1/host/kvm_object.c).
 */
#include <linux/errno.h>

#include "type1/host/kvm_object.h"
#include "type1/runtime/syscall.h"

int64_t syscall_kvm(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int64_t result;

	if (arguments[1] > UINT32_MAX)
		return -EINVAL;
	result = handle_find(process, arguments[0], OBJECT_KVM, &object);
	if (result < 0)
		return result;
	result = kvm_object_command(object, (uint32_t)arguments[1], arguments[2]);
	object_put(object);
	return result;
}

int64_t syscall_kvm_map_run(struct process *process, const uint64_t *arguments)
{
	struct object *object;
	int64_t result = handle_find(process, arguments[0], OBJECT_KVM, &object);

	if (result < 0)
		return result;
	result = kvm_object_map_run(object);
	object_put(object);
	return result;
}
