/* SPDX-License-Identifier: MIT */
/*
 * hypercall.c - what a guest may ask of the core by VMCALL or VMMCALL (Linux,
 * Documentation/virt/kvm/x86/hypercalls.rst).
 */
#include <linux/errno.h>
#include <linux/kvm_para.h>

#include "hw/x86.h"
#include "hypervisor/clock.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/run.h"
#include "hypervisor/vm.h"

/* The vCPU that has the ID as the caller gave it: its APIC ID. */
static struct vcpu *find_vcpu(struct vm *vm, uint64_t id)
{
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++)
		if (vm->vcpus[i]->id == id)
			return vm->vcpus[i];
	return NULL;
}

/* A vCPU that waits for a lock has its turn: it leaves its halt, if it is in one. */
static int64_t kick_cpu(struct vcpu *vcpu, uint64_t id)
{
	struct vcpu *other = find_vcpu(vcpu->vm, id);

	if (other) {
		__atomic_fetch_or(&other->requests, VCPU_REQUEST_UNHALT, __ATOMIC_SEQ_CST);
		vcpu_kick(other);
	}
	return 0;
}

void run_hypercall(struct vcpu *vcpu)
{
	const struct cpu_state *state = &vcpu->state;
	bool wide = (state->efer & EFER_LMA) && state->segment[CPU_CS].l;
	uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;
	uint64_t number = state->gpr[CPU_RAX] & mask;
	uint64_t a0 = state->gpr[CPU_RBX] & mask, a1 = state->gpr[CPU_RCX] & mask;
	uint64_t a2 = state->gpr[CPU_RDX] & mask, a3 = state->gpr[CPU_RSI] & mask;
	int64_t result = -KVM_ENOSYS;

	if (state->cpl) {
		vcpu->state.gpr[CPU_RAX] = (uint64_t)-KVM_EPERM & mask;
		return;
	}
	switch (number) {
	case KVM_HC_VAPIC_POLL_IRQ: /* the exit alone is what it wants */
		result = 0;
		break;
	case KVM_HC_KICK_CPU:
		result = kick_cpu(vcpu, a1);
		break;
	case KVM_HC_CLOCK_PAIRING:
		result = clock_pairing(vcpu, a0, a1);
		break;
	case KVM_HC_SEND_IPI:
		if (vcpu->lapic)
			result = lapic_send_pv_ipi(vcpu->lapic, a0, a1, a2, a3, wide);
		break;
	case KVM_HC_SCHED_YIELD:
		host_yield();
		result = 0;
		break;
	default:
		break;
	}
	vcpu->state.gpr[CPU_RAX] = (uint64_t)result & mask;
}

bool run_hypercall_is_atomic(const struct vcpu *vcpu)
{
	uint32_t number = (uint32_t)vcpu->state.gpr[CPU_RAX];

	return number != KVM_HC_CLOCK_PAIRING && number != KVM_HC_SCHED_YIELD;
}
