/* SPDX-License-Identifier: MIT */
/*
 * vm.h - a virtual machine: its vCPUs, memory, interrupt controllers.
 */
#ifndef DYAD_HYPERVISOR_VM_H
#define DYAD_HYPERVISOR_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/x86/backend.h"

#define VM_VCPUS_MAX 64

struct irqchip;
struct memory_slots;

struct vm {
	const struct backend *backend; /* [const] */
	struct host_mutex mutex;       /* commands that change the VM */
	struct memory_slots *slots;    /* see memory.c */
	struct vcpu
		*vcpus[VM_VCPUS_MAX]; /* published once made, never taken back before the VM ends */
	uint32_t vcpu_count;          /* [any] grows, after the entry is set */
	struct irqchip *irqchip;      /* NULL, or made before the first vCPU */
};

/*
 * Returns when every vCPU that is in the guest now has left it, or passed a point where it holds
 * nothing cached from before (the backend's memory_changed() answers).  Task; not by a vCPU inside
 * run() that others may wait for: the soft backend calls it with itself counted as out.
 */
void vm_synchronize(struct vm *vm, const struct vcpu *self);

#endif
