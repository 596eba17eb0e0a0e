/* SPDX-License-Identifier: MIT */
/*
 * kvm.c - the KVM ABI by system call: an object is a handle.
 */
#include <linux/errno.h>

#include "type1/process/call.h"
#include "type1/process/process.h"

struct os_kvm {
	uint64_t handle;
};

int64_t os_kvm_command(struct os_kvm *object, uint32_t command, uint64_t arg)
{
	return call3(TYPE1_KVM, object->handle, command, arg);
}

int os_kvm_adopt(struct os_kvm *parent, int64_t number, struct os_kvm **out)
{
	struct os_kvm *object = os_alloc(sizeof(*object));

	(void)parent;
	if (!object) {
		call1(TYPE1_CLOSE, (uint64_t)number);
		return -ENOMEM;
	}
	object->handle = (uint64_t)number;
	*out = object;
	return 0;
}

void os_kvm_close(struct os_kvm *object)
{
	if (!object)
		return;
	call1(TYPE1_CLOSE, object->handle);
	os_free(object);
}

int os_kvm_map_run(struct os_kvm *vcpu, size_t size, void **run)
{
	int64_t address = call1(TYPE1_KVM_MAP_RUN, vcpu->handle);

	(void)size; /* the runtime maps all of it */
	if (address < 0)
		return (int)address;
	*run = (void *)(uintptr_t)address;
	return 0;
}

int process_kvm_open(uint32_t handle, struct os_kvm **kvm, struct error *why)
{
	if (!handle)
		return error_set(why, -ENODEV,
				 "the process may not run guests: its line of the image lacks the "
				 "word kvm");
	if (os_kvm_adopt(NULL, handle, kvm) < 0)
		return error_set(why, -ENOMEM, "there is no memory to open the hypervisor");
	return 0;
}
