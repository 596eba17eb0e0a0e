/* SPDX-License-Identifier: MIT */
/*
 * vcpu.c - a vCPU's life, its state after RESET and INIT, and how other threads reach it.
 */
#include "hypervisor/vcpu.h"

#include <linux/errno.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/async_fault.h"
#include "hypervisor/clock.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/cpuid_table.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/msr.h"
#include "hypervisor/run.h"
#include "hypervisor/vcpu_life.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

/* --- RESET and INIT --------------------------------------------------------------------------- */

#define RESET_CS_SELECTOR 0xf000
#define RESET_LIMIT 0xffffu
#define RESET_FCW 0x37f /* as the KVM ABI's callers expect it: FNINIT's */
#define RESET_MXCSR 0x1f80u
#define RESET_SIGNATURE 0x600 /* EDX without a CPUID table */

static struct cpu_segment reset_segment(uint8_t type, bool s)
{
	return (struct cpu_segment){.limit = RESET_LIMIT, .type = type, .s = s, .present = true};
}

static void reset_segments(struct cpu_state *state)
{
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		state->segment[i] = reset_segment(SEGMENT_TYPE_DATA_WRITABLE, true);
	state->segment[CPU_CS] = reset_segment(SEGMENT_TYPE_CODE_READABLE, true);
	state->segment[CPU_CS].selector = RESET_CS_SELECTOR;
	state->segment[CPU_CS].base = RESET_CS_BASE;
	state->ldtr = reset_segment(SYSTEM_TYPE_LDT, false);
	state->tr = reset_segment(SYSTEM_TYPE_TSS32_BUSY, false);
	state->gdtr = state->idtr = (struct cpu_table){.limit = RESET_LIMIT};
}

/* What RESET sets and INIT leaves alone. */
static void reset_only(struct vcpu *vcpu)
{
	struct cpu_state *state = &vcpu->state;

	state->cr0 = CR0_NW | CR0_CD;
	state->star = state->lstar = state->cstar = state->sfmask = state->kernel_gs_base = 0;
	state->sysenter_cs = state->sysenter_esp = state->sysenter_eip = 0;
	state->tsc_aux = state->xss = 0;
	state->pat = PAT_RESET;
	state->xcr0 = XCR0_X87;
	state->pkru = 0;
	memset(state->xsave, 0, sizeof(state->xsave));
	store_le16(state->xsave + CPU_XSAVE_FCW, RESET_FCW);
	store_le32(state->xsave + CPU_XSAVE_MXCSR, RESET_MXCSR);
}

void vcpu_sync_state(struct vcpu *vcpu)
{
	if (vcpu->vm->backend->sync_state)
		vcpu->vm->backend->sync_state(vcpu);
}

void vcpu_reset(struct vcpu *vcpu, bool init)
{
	struct cpu_state *state = &vcpu->state;
	const struct kvm_cpuid_entry2 *signature = cpuid_find(vcpu, 1, 0);

	vcpu_sync_state(vcpu);
	if (!init)
		reset_only(vcpu);
	memset(state->gpr, 0, sizeof(state->gpr));
	state->gpr[CPU_RDX] = signature ? signature->eax : RESET_SIGNATURE;
	state->rip = RESET_RIP;
	state->rflags = RFLAGS_RESERVED_ONE;
	reset_segments(state);
	state->cr0 = (state->cr0 & (CR0_NW | CR0_CD)) | CR0_ET;
	state->cr2 = state->cr3 = state->cr4 = 0;
	state->efer = 0;
	memset(state->dr, 0, sizeof(state->dr));
	state->dr6 = DR6_ONES;
	state->dr7 = DR7_ONES;
	state->cpl = 0;
	state->sti_shadow = state->mov_ss_shadow = state->nmi_masked = false;

	vcpu->inject.kind = CPU_EVENT_NONE;
	vcpu->exception.kind = CPU_EVENT_NONE;
	vcpu->nmi_pending = 0;
	vcpu->queued_interrupt = -1;
	vcpu->access_pending = false;
	vcpu->cr8 = 0;
	async_fault_reset(vcpu);
	vcpu->vm->backend->state_changed(vcpu);
}

/* --- Life ------------------------------------------------------------------------------------- */

void vcpu_end(struct vcpu *vcpu)
{
	async_fault_destroy(vcpu);
	vcpu->vm->backend->vcpu_destroy(vcpu);
	if (vcpu->lapic)
		lapic_destroy(vcpu->lapic);
	host_free(vcpu->cpuid);
	host_free(vcpu->run);
	host_free(vcpu);
}

/* The parts of a vCPU that is not published yet. */
static int create_parts(struct vcpu *vcpu)
{
	const struct backend *backend = vcpu->vm->backend;
	int err;

	vcpu->run = host_alloc(RUN_SIZE);
	if (!vcpu->run)
		return -ENOMEM;
	err = backend->vcpu_create(vcpu);
	if (err < 0)
		return err;
	if (vcpu->vm->irqchip)
		err = lapic_create(vcpu, &vcpu->lapic);
	if (err < 0) {
		backend->vcpu_destroy(vcpu);
		return err;
	}
	msr_reset(vcpu);
	clock_create_tsc(vcpu);
	cpuid_update_limits(vcpu);
	vcpu_reset(vcpu, false);
	return 0;
}

/* With the VM's mutex. */
static int create(struct vm *vm, uint32_t id, struct vcpu **made)
{
	struct vcpu *vcpu;
	bool boot = id == vm->boot_cpu;
	int err;

	if (vm->vcpu_count == VM_VCPUS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		if (vm->vcpus[i]->id == id)
			return -EEXIST;
	vcpu = host_alloc(vm->backend->vcpu_size);
	if (!vcpu)
		return -ENOMEM;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->index = vm->vcpu_count;
	host_mutex_init(&vcpu->mutex);
	host_waiter_init(&vcpu->waiter);
	vcpu->apic_base = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (boot ? APIC_BASE_BOOT_CPU : 0);
	vcpu->mp_state = boot || !vm->irqchip ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED;
	err = create_parts(vcpu);
	if (err < 0) {
		host_free(vcpu->run);
		host_free(vcpu);
		return err;
	}
	vm->vcpus[vcpu->index] = vcpu;
	/* Who sees the count sees the entry, and the vCPU whole. */
	__atomic_store_n(&vm->vcpu_count, vcpu->index + 1, __ATOMIC_RELEASE);
	*made = vcpu;
	return 0;
}

int hypervisor_create_vcpu(struct vm *vm, uint64_t id, struct vcpu **vcpu)
{
	int err;

	if (id >= VCPU_ID_LIMIT)
		return -EINVAL;
	host_mutex_lock(&vm->mutex);
	err = create(vm, (uint32_t)id, vcpu);
	if (!err)
		vm_get(vm);
	host_mutex_unlock(&vm->mutex);
	return err;
}

/* The vCPU stays in its VM until that ends: others may be sending it interrupts. */
void hypervisor_put_vcpu(struct vcpu *vcpu)
{
	hypervisor_put_vm(vcpu->vm);
}

struct kvm_run *hypervisor_vcpu_run(struct vcpu *vcpu)
{
	return vcpu->run;
}

/* --- From other threads ----------------------------------------------------------------------- */

void vcpu_kick(struct vcpu *vcpu)
{
	/*
	 * Before the look at where the vCPU is: it says where it is before it looks at kicked.  Who
	 * set it first has seen to the rest.
	 */
	if (__atomic_exchange_n(&vcpu->kicked, true, __ATOMIC_SEQ_CST))
		return;
	if (__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
		vcpu->vm->backend->kick(vcpu);
	if (__atomic_load_n(&vcpu->blocked, __ATOMIC_SEQ_CST))
		host_wake(&vcpu->waiter);
}

void vcpu_enter_guest(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->in_guest, true, __ATOMIC_SEQ_CST);
}

void vcpu_leave_guest(struct vcpu *vcpu)
{
	__atomic_fetch_add(&vcpu->guest_exits, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->in_guest, false, __ATOMIC_SEQ_CST);
	vm_wake_waiting(vcpu->vm);
}

void vcpu_raise(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
	vcpu->exception = (struct cpu_event){.kind = CPU_EVENT_EXCEPTION,
					     .vector = vector,
					     .has_error = has_error,
					     .error = error};
}
