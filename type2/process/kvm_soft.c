/* SPDX-License-Identifier: MIT */
/*
 * kvm_soft.c - the KVM ABI by function call on the core in this process, with the soft backend.
 *
 * As with descriptors, a command that makes an object returns a number, by which the new object is
 * adopted; until then it belongs to its parent.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/hypervisor.h"
#include "lib/bits.h"
#include "type2/process/host_process.h"
#include "type2/process/kvm.h"
#include "type2/process/process.h"
#include "type2/process/written.h"

#define SOFT_NUMBERS INT32_MAX

struct soft_object {
	struct os_kvm object; /* first */
	/* One of the two, or none: the system. */
	struct vm *vm;
	struct vcpu *vcpu;
	bool mapped; /* the vCPU's struct kvm_run has been given out */

	struct os_mutex lock;
	struct soft_object *children; /* lock: made and not adopted */
	int64_t last_number;          /* lock */

	int64_t number;           /* the parent's lock */
	struct soft_object *next; /* the parent's lock, among its children */

	struct written_listener listener; /* a VM's */
};

static struct soft_object *soft_object_of(struct os_kvm *object)
{
	return (struct soft_object *)object;
}

/* A device of the monitor's wrote to its memory. */
static void soft_written(struct written_listener *listener, const void *start, size_t size)
{
	struct soft_object *soft = CONTAINER_OF(listener, struct soft_object, listener);

	hypervisor_memory_written(soft->vm, (uintptr_t)start, size);
}

static void soft_close(struct os_kvm *object);

/* Gives a new object its number. */
static int64_t soft_add_child(struct soft_object *parent, struct soft_object *child)
{
	int64_t number = -EMFILE;

	os_mutex_lock(&parent->lock);
	if (parent->last_number < SOFT_NUMBERS) {
		number = ++parent->last_number;
		child->number = number;
		child->next = parent->children;
		parent->children = child;
	}
	os_mutex_unlock(&parent->lock);
	if (number < 0)
		soft_close(&child->object);
	return number;
}

/* Each object keeps the host's timers going, for its part of the core may outlive its parent's. */
static int soft_new(const struct process_kvm_ops *ops, struct soft_object **soft, struct error *why)
{
	int error = host_timers_start(why);

	if (error)
		return error;
	*soft = calloc(1, sizeof(**soft));
	if (!*soft) {
		host_timers_stop();
		return error_set(why, -ENOMEM, "there is no memory for the soft engine");
	}
	(*soft)->object.ops = ops;
	os_mutex_init(&(*soft)->lock);
	return 0;
}

static int64_t soft_create(struct soft_object *parent, uint64_t arg)
{
	struct soft_object *child;
	struct error why;
	int error = soft_new(parent->object.ops, &child, &why);

	if (error)
		return error;
	if (parent->vm)
		error = hypervisor_create_vcpu(parent->vm, arg, &child->vcpu);
	else
		error = hypervisor_create_vm(&soft_backend, arg, &child->vm);
	if (error) {
		soft_close(&child->object);
		return error;
	}
	if (child->vm) {
		child->listener.written = soft_written;
		written_listen(&child->listener);
	}
	return soft_add_child(parent, child);
}

static int64_t soft_command(struct os_kvm *object, uint32_t command, uint64_t arg)
{
	struct soft_object *soft = soft_object_of(object);

	if (soft->vcpu)
		return hypervisor_vcpu_command(soft->vcpu, command, arg);
	if (soft->vm) {
		if (command == KVM_CREATE_VCPU)
			return soft_create(soft, arg);
		return hypervisor_vm_command(soft->vm, command, arg);
	}
	if (command == KVM_CREATE_VM)
		return soft_create(soft, arg);
	return hypervisor_system_command(&soft_backend, command, arg);
}

static int soft_adopt(struct os_kvm *parent_object, int64_t number, struct os_kvm **object)
{
	struct soft_object *parent = soft_object_of(parent_object), *child, **at;

	os_mutex_lock(&parent->lock);
	for (at = &parent->children; *at && (*at)->number != number; at = &(*at)->next)
		;
	child = *at;
	if (child)
		*at = child->next;
	os_mutex_unlock(&parent->lock);
	if (!child)
		return -EBADF;
	*object = &child->object;
	return 0;
}

static void soft_close(struct os_kvm *object)
{
	struct soft_object *soft = soft_object_of(object);

	while (soft->children) {
		struct soft_object *child = soft->children;

		soft->children = child->next;
		soft_close(&child->object);
	}
	if (soft->vcpu)
		hypervisor_put_vcpu(soft->vcpu);
	if (soft->vm) {
		written_leave(&soft->listener);
		hypervisor_put_vm(soft->vm);
	}
	host_timers_stop();
	free(soft);
}

static int soft_map_run(struct os_kvm *object, size_t size, void **run)
{
	struct soft_object *soft = soft_object_of(object);
	int64_t whole = hypervisor_system_command(&soft_backend, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (!soft->vcpu || whole < 0 || size > (size_t)whole)
		return -EINVAL;
	if (soft->mapped)
		return -EBUSY;
	soft->mapped = true;
	*run = hypervisor_vcpu_run(soft->vcpu);
	return 0;
}

static const struct process_kvm_ops soft_ops = {
	.command = soft_command,
	.adopt = soft_adopt,
	.close = soft_close,
	.map_run = soft_map_run,
};

const struct backend *const host_backends[] = {&soft_backend, NULL};
const struct host_fetcher *const host_fetcher = NULL; /* the kernel has this process wait */

int process_soft_open(struct os_kvm **kvm, struct error *why)
{
	struct soft_object *soft;
	int error;

	if (!hypervisor_probe(0))
		return error_set(why, -ENODEV, "this machine can't run guests in software");
	error = soft_new(&soft_ops, &soft, why);
	if (!error)
		*kvm = &soft->object;
	return error;
}
