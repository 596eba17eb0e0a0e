/* SPDX-License-Identifier: MIT */
#include "monitor/machine/cpuid.h"

#include <linux/errno.h>

#include "hw/cpuid.h"
#include "lib/bits.h"
#include "lib/error.h"

static bool has_entry(const struct kvm_cpuid2 *table, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index == index)
			return true;
	return false;
}

/*
 * A topology leaf is of use with both levels and the empty one that ends it, but a hypervisor need
 * not list them; one that lacks the leaf altogether goes without, as many AMD CPUs do.
 */
static void complete_topology(struct kvm_cpuid2 *table, uint32_t leaf)
{
	if (!has_entry(table, leaf, 0))
		return;
	for (uint32_t index = 1; index <= 2; index++)
		if (!has_entry(table, leaf, index) && table->nent < CPUID_ENTRIES_MAX)
			table->entries[table->nent++] =
				(struct kvm_cpuid_entry2){.function = leaf,
							  .index = index,
							  .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
}

int cpuid_get_supported(struct os_kvm *system, struct kvm_cpuid2 **table, struct error *why)
{
	struct kvm_cpuid2 *cpuid =
		os_alloc(sizeof(*cpuid) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
	int64_t err;

	if (!cpuid)
		return error_set(why, -ENOMEM, "there is no memory for the CPUID table");
	cpuid->nent = CPUID_ENTRIES_MAX;
	err = os_kvm_pass(system, KVM_GET_SUPPORTED_CPUID, cpuid);
	if (err < 0) {
		os_free(cpuid);
		return error_set(why, (int)err,
				 "the hypervisor does not say which CPU it offers (error %d)",
				 (int)-err);
	}
	complete_topology(cpuid, CPUID_LEAF_TOPOLOGY);
	complete_topology(cpuid, CPUID_LEAF_TOPOLOGY_V2);
	*table = cpuid;
	return 0;
}

/* The bits that number count things from 0. */
static unsigned id_bits(uint32_t count)
{
	unsigned bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static void set_features(struct kvm_cpuid_entry2 *entry, bool tsc_deadline, uint32_t vcpu,
			 uint32_t vcpus)
{
	entry->ebx &= 0xffff;
	entry->ebx |= vcpus << CPUID_1_EBX_LOGICAL_COUNT_SHIFT;
	entry->ebx |= vcpu << CPUID_1_EBX_APIC_ID_SHIFT;
	entry->ecx |= CPUID_1_ECX_HYPERVISOR;
	entry->ecx &= ~CPUID_1_ECX_VMX;
	if (tsc_deadline)
		entry->ecx |= CPUID_1_ECX_TSC_DEADLINE;
	if (vcpus > 1)
		entry->edx |= CPUID_1_EDX_HTT;
	else
		entry->edx &= ~CPUID_1_EDX_HTT;
}

/* Levels 1 and 2 are a core's own, level 3 is shared by the package. */
static void set_cache_sharing(struct kvm_cpuid_entry2 *entry, uint32_t vcpus)
{
	uint32_t level = (entry->eax >> CPUID_4_EAX_LEVEL_SHIFT) & 7;
	uint32_t sharing = level >= 3 ? vcpus - 1 : 0;

	if (!(entry->eax & CPUID_4_EAX_TYPE_MASK))
		return;
	entry->eax &= (1u << CPUID_4_EAX_SHARING_SHIFT) - 1;
	entry->eax |= sharing << CPUID_4_EAX_SHARING_SHIFT;
	if (entry->function == CPUID_LEAF_CACHES)
		entry->eax |= (vcpus - 1) << CPUID_4_EAX_CORES_SHIFT;
}

static void set_topology(struct kvm_cpuid_entry2 *entry, uint32_t vcpu, uint32_t vcpus)
{
	entry->eax = entry->ebx = 0;
	entry->ecx = entry->index;
	entry->edx = vcpu;
	if (entry->index == 0) {
		entry->ebx = 1;
		entry->ecx |= CPUID_TOPOLOGY_LEVEL_THREAD << CPUID_TOPOLOGY_LEVEL_SHIFT;
	} else if (entry->index == 1) {
		entry->eax = id_bits(vcpus);
		entry->ebx = vcpus;
		entry->ecx |= CPUID_TOPOLOGY_LEVEL_CORE << CPUID_TOPOLOGY_LEVEL_SHIFT;
	}
}

static void set_entry(struct kvm_cpuid_entry2 *entry, bool tsc_deadline, uint32_t vcpu,
		      uint32_t vcpus)
{
	switch (entry->function) {
	case CPUID_LEAF_FEATURES:
		set_features(entry, tsc_deadline, vcpu, vcpus);
		break;
	case CPUID_LEAF_CACHES:
	case CPUID_LEAF_AMD_CACHES:
		set_cache_sharing(entry, vcpus);
		break;
	case CPUID_LEAF_TOPOLOGY:
	case CPUID_LEAF_TOPOLOGY_V2:
		set_topology(entry, vcpu, vcpus);
		break;
	case CPUID_LEAF_EXTENDED_FEATURES:
		entry->ecx &= ~CPUID_80000001_ECX_SVM;
		if (vcpus > 1)
			entry->ecx |= CPUID_80000001_ECX_CMP_LEGACY;
		else
			entry->ecx &= ~CPUID_80000001_ECX_CMP_LEGACY;
		break;
	case CPUID_LEAF_ADDRESS_SIZES:
		entry->ecx = id_bits(vcpus) << CPUID_80000008_ECX_APIC_ID_BITS_SHIFT | (vcpus - 1);
		break;
	case CPUID_LEAF_AMD_SVM:
		entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
		break;
	case CPUID_LEAF_AMD_TOPOLOGY:
		entry->eax = vcpu;        /* extended APIC ID */
		entry->ebx = vcpu & 0xff; /* core, one thread each */
		entry->ecx = 0;           /* node 0 of 1 */
		entry->edx = 0;
		break;
	default:
		break;
	}
}

/* AMD CPUs have no leaf 0xb where the hypervisor's host has none: then it stays away. */
void cpuid_set_vcpu(struct kvm_cpuid2 *table, bool tsc_deadline, uint32_t vcpu, uint32_t vcpus)
{
	for (uint32_t i = 0; i < table->nent; i++)
		set_entry(&table->entries[i], tsc_deadline, vcpu, vcpus);
}

unsigned cpuid_physical_address_bits(const struct kvm_cpuid2 *table)
{
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == CPUID_LEAF_ADDRESS_SIZES)
			return table->entries[i].eax & 0xff;
	return 36;
}
