/* SPDX-License-Identifier: MIT */
/*
 * cpuid.c - the table of a vCPU: as the caller sets it, what it allows the guest, and what the
 * instruction reads from it.
 */
#include "hypervisor/cpuid.h"

#include <linux/errno.h>

#include "hw/cpuid.h"
#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/cpuid_table.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

#define DEFAULT_PHYSICAL_BITS 36
#define PHYSICAL_BITS_MAX 52

/* --- What the table says ---------------------------------------------------------------------- */

const struct kvm_cpuid_entry2 *cpuid_find(const struct vcpu *vcpu, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < vcpu->cpuid_count; i++) {
		const struct kvm_cpuid_entry2 *entry = &vcpu->cpuid[i];

		if (entry->function == leaf &&
		    (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == index))
			return entry;
	}
	return NULL;
}

bool cpuid_has(const struct vcpu *vcpu, uint32_t leaf, unsigned i, uint32_t bits)
{
	const struct kvm_cpuid_entry2 *entry = cpuid_find(vcpu, leaf, 0);
	uint32_t registers[4];

	if (!entry)
		return false;
	registers[CPUID_EAX] = entry->eax;
	registers[CPUID_EBX] = entry->ebx;
	registers[CPUID_ECX] = entry->ecx;
	registers[CPUID_EDX] = entry->edx;
	return (registers[i] & bits) == bits;
}

/* Bits of CR4 and EFER that need no feature, or one that every CPU with 64 bits has. */
#define CR4_ALWAYS                                                                                 \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |  \
	 CR4_OSFXSR | CR4_OSXMMEXCPT)

static const struct gate {
	uint32_t leaf;
	unsigned i;
	uint32_t bits;
	uint64_t cr4, efer;
} gates[] = {
	{CPUID_LEAF_FEATURES, CPUID_ECX, CPUID_1_ECX_PCID, CR4_PCIDE, 0},
	{CPUID_LEAF_FEATURES, CPUID_ECX, CPUID_1_ECX_XSAVE, CR4_OSXSAVE, 0},
	{CPUID_LEAF_STRUCTURED, CPUID_EBX, CPUID_7_EBX_FSGSBASE, CR4_FSGSBASE, 0},
	{CPUID_LEAF_STRUCTURED, CPUID_EBX, CPUID_7_EBX_SMEP, CR4_SMEP, 0},
	{CPUID_LEAF_STRUCTURED, CPUID_EBX, CPUID_7_EBX_SMAP, CR4_SMAP, 0},
	{CPUID_LEAF_STRUCTURED, CPUID_ECX, CPUID_7_ECX_UMIP, CR4_UMIP, 0},
	{CPUID_LEAF_STRUCTURED, CPUID_ECX, CPUID_7_ECX_PKU, CR4_PKE, 0},
	{CPUID_LEAF_STRUCTURED, CPUID_ECX, CPUID_7_ECX_LA57, CR4_LA57, 0},
	{CPUID_LEAF_EXTENDED_FEATURES, CPUID_EDX, CPUID_80000001_EDX_SYSCALL, 0, EFER_SCE},
	{CPUID_LEAF_EXTENDED_FEATURES, CPUID_EDX, CPUID_80000001_EDX_NX, 0, EFER_NXE},
	{CPUID_LEAF_EXTENDED_FEATURES, CPUID_EDX, CPUID_80000001_EDX_LM, 0, EFER_LME | EFER_LMA},
	{CPUID_LEAF_EXTENDED_FEATURES, CPUID_EDX, CPUID_80000001_EDX_FFXSR, 0, EFER_FFXSR},
	{CPUID_LEAF_AMD_EXTENDED2, CPUID_EAX, CPUID_80000021_EAX_AUTOMATIC_IBRS, 0, EFER_AIBRSE},
};

void cpuid_update_limits(struct vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *sizes = cpuid_find(vcpu, CPUID_LEAF_ADDRESS_SIZES, 0);
	const struct kvm_cpuid_entry2 *xsave = cpuid_find(vcpu, CPUID_LEAF_XSAVE, 0);
	struct vcpu_limits limits = {.cr4 = CR4_ALWAYS, .physical_bits = DEFAULT_PHYSICAL_BITS};

	for (unsigned i = 0; i < ARRAY_COUNT(gates); i++) {
		if (!cpuid_has(vcpu, gates[i].leaf, gates[i].i, gates[i].bits))
			continue;
		limits.cr4 |= gates[i].cr4;
		limits.efer |= gates[i].efer;
	}
	limits.xcr0 = XCR0_X87;
	if (xsave)
		limits.xcr0 |= (xsave->eax | (uint64_t)xsave->edx << 32) &
			       cpuid_supported_xcr0(vcpu->vm->backend);
	if (sizes && (sizes->eax & 0xff))
		limits.physical_bits = (uint8_t)MIN(sizes->eax & 0xff, PHYSICAL_BITS_MAX);
	vcpu->limits = limits;
	if (vcpu->lapic && vcpu->cpuid_count)
		lapic_set_features(
			vcpu->lapic,
			cpuid_has(vcpu, CPUID_LEAF_FEATURES, CPUID_ECX, CPUID_1_ECX_X2APIC),
			cpuid_has(vcpu, CPUID_LEAF_FEATURES, CPUID_ECX, CPUID_1_ECX_TSC_DEADLINE),
			limits.physical_bits);
}

/* --- The instruction -------------------------------------------------------------------------- */

/* Makers differ in what leaves behind the last one read: Intel's read as the last basic one. */
static const struct kvm_cpuid_entry2 *find_for_guest(const struct vcpu *vcpu, uint32_t leaf,
						     uint32_t subleaf)
{
	const struct kvm_cpuid_entry2 *entry = cpuid_find(vcpu, leaf, subleaf);
	const struct kvm_cpuid_entry2 *first = cpuid_find(vcpu, CPUID_LEAF_VENDOR, 0);

	if (entry || !first || first->ebx != CPUID_VENDOR_INTEL_EBX)
		return entry;
	if (leaf < CPUID_LEAF_HYPERVISOR && leaf <= first->eax)
		return NULL; /* a subleaf that isn't */
	if (leaf >= CPUID_LEAF_EXTENDED_MAX) {
		const struct kvm_cpuid_entry2 *extended =
			cpuid_find(vcpu, CPUID_LEAF_EXTENDED_MAX, 0);

		if (extended && leaf <= extended->eax)
			return NULL;
	}
	return cpuid_find(vcpu, first->eax, subleaf);
}

static uint32_t flag(uint64_t condition, uint32_t bit)
{
	return condition ? bit : 0;
}

/* The size that XSAVE (or compacted, XSAVEC) needs for the components. */
static uint32_t xsave_size(uint64_t components, bool compacted)
{
	uint32_t size = XSAVE_LEGACY_SIZE;

	if (components & XCR0_AVX)
		size = CPU_XSAVE_YMM + XSAVE_YMM_SIZE;
	if (components & XCR0_PKRU)
		size = (compacted ? size : CPU_XSAVE_PKRU) + XSAVE_PKRU_SIZE;
	return size;
}

void cpuid_execute(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	const struct cpu_state *state = &vcpu->state;
	const struct kvm_cpuid_entry2 *entry = find_for_guest(vcpu, leaf, subleaf);

	memset(registers, 0, 4 * sizeof(registers[0]));
	if (!entry) {
		/* Levels of topology that aren't still tell which one was asked for, and the ID. */
		const struct kvm_cpuid_entry2 *top = cpuid_find(vcpu, leaf, 0);

		if ((leaf == CPUID_LEAF_TOPOLOGY || leaf == CPUID_LEAF_TOPOLOGY_V2) && top) {
			registers[CPUID_ECX] = subleaf & 0xff;
			registers[CPUID_EDX] = top->edx;
		}
		return;
	}
	registers[CPUID_EAX] = entry->eax;
	registers[CPUID_EBX] = entry->ebx;
	registers[CPUID_ECX] = entry->ecx;
	registers[CPUID_EDX] = entry->edx;
	switch (entry->function) {
	case CPUID_LEAF_FEATURES:
		registers[CPUID_ECX] &= ~CPUID_1_ECX_OSXSAVE;
		registers[CPUID_ECX] |= flag(state->cr4 & CR4_OSXSAVE, CPUID_1_ECX_OSXSAVE);
		if (!((vcpu->lapic ? lapic_get_base(vcpu->lapic) : vcpu->apic_base) &
		      APIC_BASE_ENABLE))
			registers[CPUID_EDX] &= ~CPUID_1_EDX_APIC;
		break;
	case CPUID_LEAF_STRUCTURED:
		if (entry->index)
			break;
		registers[CPUID_ECX] &= ~CPUID_7_ECX_OSPKE;
		registers[CPUID_ECX] |= flag(state->cr4 & CR4_PKE, CPUID_7_ECX_OSPKE);
		break;
	case CPUID_LEAF_XSAVE:
		if (entry->index == 0)
			registers[CPUID_EBX] = xsave_size(state->xcr0, false);
		else if (entry->index == 1 &&
			 (entry->eax & (CPUID_D1_EAX_XSAVEC | CPUID_D1_EAX_XSAVES)))
			registers[CPUID_EBX] = xsave_size(state->xcr0 | state->xss, true);
		break;
	default:
		break;
	}
}

/* --- Commands --------------------------------------------------------------------------------- */

static void replace(struct vcpu *vcpu, struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	host_free(vcpu->cpuid);
	vcpu->cpuid = entries;
	vcpu->cpuid_count = count;
	cpuid_update_limits(vcpu);
	vcpu->vm->backend->state_changed(vcpu);
}

int cpuid_set2(struct vcpu *vcpu, uint64_t user)
{
	struct kvm_cpuid_entry2 *entries = NULL;
	struct kvm_cpuid2 head;
	int err = host_copy_in(&head, user, sizeof(head));

	if (err < 0)
		return err;
	if (head.nent > CPUID_ENTRIES_LIMIT)
		return -E2BIG;
	if (head.nent) {
		size_t size = head.nent * sizeof(*entries);

		entries = host_alloc(size);
		if (!entries)
			return -ENOMEM;
		err = host_copy_in(entries, user + sizeof(head), size);
		if (err < 0) {
			host_free(entries);
			return err;
		}
	}
	replace(vcpu, entries, head.nent);
	return 0;
}

int cpuid_set(struct vcpu *vcpu, uint64_t user)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid head;
	int err = host_copy_in(&head, user, sizeof(head));

	if (err < 0)
		return err;
	if (head.nent > CPUID_ENTRIES_LIMIT)
		return -E2BIG;
	entries = host_alloc((head.nent + 1) * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < head.nent; i++) {
		struct kvm_cpuid_entry old;

		err = host_copy_in(&old, user + sizeof(head) + i * sizeof(old), sizeof(old));
		if (err < 0) {
			host_free(entries);
			return err;
		}
		entries[i] = (struct kvm_cpuid_entry2){.function = old.function,
						       .eax = old.eax,
						       .ebx = old.ebx,
						       .ecx = old.ecx,
						       .edx = old.edx};
	}
	replace(vcpu, entries, head.nent);
	return 0;
}

int cpuid_get2(struct vcpu *vcpu, uint64_t user)
{
	struct kvm_cpuid2 head;
	int err = host_copy_in(&head, user, sizeof(head));
	bool room;

	if (err < 0)
		return err;
	room = head.nent >= vcpu->cpuid_count;
	head.nent = vcpu->cpuid_count;
	if (room && vcpu->cpuid_count)
		err = host_copy_out(user + sizeof(head), vcpu->cpuid,
				    vcpu->cpuid_count * sizeof(*vcpu->cpuid));
	if (!err)
		err = host_copy_out(user, &head, sizeof(head));
	return err < 0 ? err : room ? 0 : -E2BIG;
}
