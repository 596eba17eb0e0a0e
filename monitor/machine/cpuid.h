/* SPDX-License-Identifier: MIT */
/*
 * cpuid.h - what a vCPU says it is: all that the hypervisor supports, with the topology of this
 * machine (one package, one thread a core) and without nested virtualization.
 */
#ifndef DYAD_MONITOR_MACHINE_CPUID_H
#define DYAD_MONITOR_MACHINE_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "os.h"

struct error;

#define CPUID_ENTRIES_MAX 256

/* Asks the hypervisor; *table is os_alloc'ed, the caller's to os_free. */
int cpuid_get_supported(struct os_kvm *system, struct kvm_cpuid2 **table, struct error *why);

/*
 * Changes table, as supported, to that of vCPU number vcpu (its APIC ID) out of vcpus.  The table
 * keeps its entries, so that it can be changed for one vCPU after another.
 */
void cpuid_set_vcpu(struct kvm_cpuid2 *table, bool tsc_deadline, uint32_t vcpu, uint32_t vcpus);

/* The physical address width that table states; 36 where it says nothing. */
unsigned cpuid_physical_address_bits(const struct kvm_cpuid2 *table);

#endif
