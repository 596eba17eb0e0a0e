/* SPDX-License-Identifier: MIT */
/* core_machine.h - a VM of the core with RAM and vCPUs, for tests: on the fake host and a backend.
 */
#ifndef DYAD_TESTS_CORE_MACHINE_H
#define DYAD_TESTS_CORE_MACHINE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/hypervisor.h"
#include "hypervisor/vm.h"

#define CORE_MACHINE_RAM 0x100000u /* from address 0, as slot 0 */
#define CORE_MACHINE_VCPUS 4

struct core_machine {
	struct vm *vm;
	struct vcpu *vcpus[CORE_MACHINE_VCPUS];
	unsigned vcpu_count;
	uint8_t *ram;
};

/* Resets the fakes, and makes it: the CPUID of the vCPUs is all that is supported. */
void core_machine_create(struct core_machine *machine, const struct backend *backend, bool irqchip,
			 unsigned vcpus);
/* Ends it, and fails the test if anything is left of it. */
void core_machine_destroy(struct core_machine *machine);

static inline int64_t core_vm(struct core_machine *machine, uint32_t command, const void *argument)
{
	return hypervisor_vm_command(machine->vm, command, (uintptr_t)argument);
}

static inline int64_t core_vcpu(struct core_machine *machine, unsigned i, uint32_t command,
				const void *argument)
{
	return hypervisor_vcpu_command(machine->vcpus[i], command, (uintptr_t)argument);
}

static inline int64_t core_set_slot(struct core_machine *machine, uint32_t slot, uint32_t flags,
				    uint64_t gpa, uint64_t size, const void *user)
{
	struct kvm_userspace_memory_region region = {.slot = slot,
						     .flags = flags,
						     .guest_phys_addr = gpa,
						     .memory_size = size,
						     .userspace_addr = (uintptr_t)user};

	return core_vm(machine, KVM_SET_USER_MEMORY_REGION, &region);
}

#endif
