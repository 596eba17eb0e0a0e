/* SPDX-License-Identifier: MIT */
/*
 * syscall_kvm.c - system calls: the KVM ABI (type1/host/kvm_object.c).
 */
#include <linux/errno.h>

#include "type1/host/kvm_object.h"
#include "type1/runtime/syscall.h"

int64_t syscall_kvm(const struct call *call)
{
	if (call->args[1] > UINT32_MAX)
		return -EINVAL;
	return kvm_object_command(call->object, (uint32_t)call->args[1], call->args[2]);
}

int64_t syscall_kvm_map_run(const struct call *call)
{
	return kvm_object_map_run(call->object);
}
