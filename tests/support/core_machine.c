/* SPDX-License-Identifier: MIT */
#include "tests/support/core_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/cpuid.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "core machine: %s\n", what);
	abort();
}

void core_machine_create(struct core_machine *machine, const struct backend *backend, bool irqchip,
			 unsigned vcpus)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES_LIMIT * sizeof(cpuid->entries[0]));

	fake_host_reset();
	fake_backend_reset();
	memset(machine, 0, sizeof(*machine));
	machine->ram = aligned_alloc(4096, CORE_MACHINE_RAM);
	memset(machine->ram, 0, CORE_MACHINE_RAM);
	check(hypervisor_create_vm(backend, 0, &machine->vm) == 0, "no VM");
	if (irqchip)
		check(core_vm(machine, KVM_CREATE_IRQCHIP, NULL) == 0, "no irqchip");
	check(core_set_slot(machine, 0, 0, 0, CORE_MACHINE_RAM, machine->ram) == 0, "no RAM");
	cpuid->nent = CPUID_ENTRIES_LIMIT;
	check(hypervisor_system_command(backend, KVM_GET_SUPPORTED_CPUID, (uintptr_t)cpuid) == 0,
	      "no CPUID");
	for (unsigned i = 0; i < vcpus; i++) {
		check(hypervisor_create_vcpu(machine->vm, i, &machine->vcpus[i]) == 0, "no vCPU");
		machine->vcpu_count++;
		check(core_vcpu(machine, i, KVM_SET_CPUID2, cpuid) == 0, "CPUID refused");
	}
	free(cpuid);
}

void core_machine_destroy(struct core_machine *machine)
{
	for (unsigned i = 0; i < machine->vcpu_count; i++)
		hypervisor_put_vcpu(machine->vcpus[i]);
	hypervisor_put_vm(machine->vm);
	free(machine->ram);
	check(fake_host_allocated == 0, "memory was left behind");
	check(fake_host_next_timer() == UINT64_MAX, "a timer was left behind");
}
