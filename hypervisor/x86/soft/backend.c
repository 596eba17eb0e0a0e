/* SPDX-License-Identifier: MIT */
/*
 * backend.c - the soft backend's table, and the lives of its VMs and vCPUs.
 */
#include "hw/cpuid.h"
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/code_pages.h"
#include "hypervisor/x86/soft/requests.h"
#include "hypervisor/x86/soft/run.h"
#include "hypervisor/x86/soft/tlb.h"

#define PHYSICAL_BITS_MIN 36u
#define PHYSICAL_BITS_MAX 52u

enum { EAX, EBX, ECX, EDX };

static int probe(uint32_t wanted)
{
	(void)wanted;
	return 0;
}

static int vm_create(struct vm *vm)
{
	struct soft_vm *soft = (struct soft_vm *)vm;

	host_mutex_init(&soft->split_lock);
	return soft_code_create(soft);
}

static void vm_destroy(struct vm *vm)
{
	soft_code_destroy((struct soft_vm *)vm);
}

static uint8_t physical_bits(void)
{
	uint32_t r[4];

	host_cpuid(CPUID_LEAF_EXTENDED_FEATURES & UINT32_C(0x80000000), 0, r);
	if (r[EAX] < CPUID_LEAF_ADDRESS_SIZES)
		return PHYSICAL_BITS_MIN;
	host_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, r);
	return (uint8_t)MIN(MAX(r[EAX] & 0xff, PHYSICAL_BITS_MIN), PHYSICAL_BITS_MAX);
}

static void vcpu_destroy(struct vcpu *vcpu)
{
	struct soft_vcpu *c = soft_of(vcpu);

	if (c->native)
		soft_native_vcpu_destroy(c);
	if (c->blocks)
		soft_blocks_destroy(c);
	if (c->requests)
		soft_requests_destroy(c);
	if (c->tlbs)
		soft_tlb_destroy(c);
	host_free(c->writers);
	c->writers = NULL;
}

static int vcpu_create(struct vcpu *vcpu)
{
	struct soft_vcpu *c = soft_of(vcpu);
	int err;

	c->physical_bits = physical_bits();
	c->state_changed = true;
	c->enter = soft_leave;
	c->enter_far = soft_leave;
	c->enter_indirect = soft_leave_indirect;
	c->writers = host_alloc(SOFT_WRITERS_SIZE);
	if (!c->writers)
		return -ENOMEM;
	err = soft_tlb_create(c);
	if (!err)
		err = soft_requests_create(c);
	if (!err)
		err = soft_blocks_create(c);
	if (!err)
		err = soft_native_vcpu_create(c);
	if (err)
		vcpu_destroy(vcpu);
	return err;
}

static void kick(struct vcpu *vcpu)
{
	soft_interrupt(soft_of(vcpu));
}

static void complete_access(struct vcpu *vcpu, uint64_t data)
{
	struct soft_vcpu *c = soft_of(vcpu);

	/* The core may have reset the vCPU meanwhile. */
	if (c->state_changed || c->accesses >= SOFT_ACCESS_LOG)
		return;
	if (!c->access[c->accesses].write)
		c->access[c->accesses].data = data;
	c->accesses++;
}

static void state_changed(struct vcpu *vcpu)
{
	soft_of(vcpu)->state_changed = true;
}

static void memory_changed(struct vm *vm, uint64_t gpa, uint64_t size)
{
	uint64_t sequence[VM_VCPUS_MAX];
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++)
		sequence[i] = soft_request_flush(soft_of(vm->vcpus[i]), gpa, size);
	for (uint32_t i = 0; i < count; i++)
		soft_request_wait(soft_of(vm->vcpus[i]), sequence[i], NULL);
}

static void memory_written(struct vm *vm, uint64_t gpa, uint64_t size)
{
	soft_code_written_outside((struct soft_vm *)vm, gpa, size);
}

static bool translate(struct vcpu *vcpu, uint64_t gva, uint64_t *gpa)
{
	struct soft_vcpu *c = soft_of(vcpu);
	const struct cpu_state *s = &vcpu->state;

	c->tlbs->slot = NULL;
	if (c->state_changed && (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA))
		soft_load_pdptes(c, s->cr3);
	return soft_walk_quiet(c, gva, gpa);
}

/*
 * A guest's branches and returns are not the CPU's own here but what handlers do: the ways in which
 * its kernel would steer the CPU's predictions have no effect on those, but to be slow.
 */
static void add_immunities(uint32_t leaf, uint32_t registers[4])
{
	if (leaf == CPUID_LEAF_ADDRESS_SIZES)
		registers[EBX] |= CPUID_80000008_EBX_BTC_NO;
	if (leaf != CPUID_LEAF_AMD_EXTENDED2)
		return;
	registers[EAX] |= CPUID_80000021_EAX_AUTOMATIC_IBRS | CPUID_80000021_EAX_SRSO_NO;
	registers[ECX] |= CPUID_80000021_ECX_TSA_SQ_NO | CPUID_80000021_ECX_TSA_L1_NO;
}

/* What the system part and the walks of page tables do all by themselves. */
static void add_own(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	if (leaf == CPUID_LEAF_FEATURES)
		registers[ECX] |= CPUID_1_ECX_PCID;
	if (leaf != CPUID_LEAF_STRUCTURED || subleaf)
		return;
	registers[EBX] |=
		CPUID_7_EBX_FSGSBASE | CPUID_7_EBX_SMEP | CPUID_7_EBX_SMAP | CPUID_7_EBX_INVPCID;
	registers[ECX] |= CPUID_7_ECX_UMIP | CPUID_7_ECX_PKU;
}

static void mask_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	soft_native_mask_cpuid(leaf, registers);
	add_immunities(leaf, registers);
	add_own(leaf, subleaf, registers);
	/* LOCK MOV CR0 as MOV CR8: for 32-bit code of AMD's alone. */
	if (leaf == CPUID_LEAF_EXTENDED_FEATURES)
		registers[ECX] &= ~CPUID_80000001_ECX_CR8_LEGACY;
}

static bool scales_tsc(void)
{
	return true;
}

const struct backend soft_backend = {
	.name = "soft",
	.vcpu_size = sizeof(struct soft_vcpu),
	.vm_size = sizeof(struct soft_vm),
	.scales_tsc = scales_tsc,
	.probe = probe,
	.vm_create = vm_create,
	.vm_destroy = vm_destroy,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.run = soft_run,
	.kick = kick,
	.complete_access = complete_access,
	.state_changed = state_changed,
	.memory_changed = memory_changed,
	.memory_written = memory_written,
	.translate = translate,
	.mask_cpuid = mask_cpuid,
};
