/* SPDX-License-Identifier: MIT */
/*
 * state_events.c - what is under way to a vCPU: exceptions, interrupts, NMIs, whether it runs, and
 * what a debugger outside wants to see.
 */
#include <linux/errno.h>

#include "hw/x86.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/run.h"
#include "hypervisor/state.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

#define EXCEPTIONS 32
#define EVENTS_FLAGS                                                                               \
	(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |                       \
	 KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM)
#define GUEST_DEBUG_FLAGS                                                                          \
	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP |                  \
	 KVM_GUESTDBG_USE_HW_BP | KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP |                \
	 KVM_GUESTDBG_BLOCKIRQ)

/* --- Events ----------------------------------------------------------------------------------- */

static const struct cpu_event *exception_of(const struct vcpu *vcpu)
{
	if (vcpu->inject.kind == CPU_EVENT_EXCEPTION || vcpu->inject.kind == CPU_EVENT_SOFTWARE)
		return &vcpu->inject;
	return vcpu->exception.kind != CPU_EVENT_NONE ? &vcpu->exception : NULL;
}

void state_get_events(struct vcpu *vcpu, struct kvm_vcpu_events *events)
{
	const struct cpu_event *exception = exception_of(vcpu);

	run_take_signals(vcpu);
	memset(events, 0, sizeof(*events));
	if (exception) {
		/* Its payload (CR2, DR6) is in the registers already: it is as if being delivered.
		 */
		events->exception.injected = 1;
		events->exception.nr = exception->vector;
		events->exception.has_error_code = exception->has_error;
		events->exception.error_code = exception->error;
	}
	if (vcpu->inject.kind == CPU_EVENT_INTERRUPT || vcpu->queued_interrupt >= 0) {
		events->interrupt.injected = 1;
		events->interrupt.nr = vcpu->inject.kind == CPU_EVENT_INTERRUPT
					       ? vcpu->inject.vector
					       : (uint8_t)vcpu->queued_interrupt;
	}
	events->interrupt.shadow = (vcpu->state.mov_ss_shadow ? KVM_X86_SHADOW_INT_MOV_SS : 0) |
				   (vcpu->state.sti_shadow ? KVM_X86_SHADOW_INT_STI : 0);
	events->nmi.injected = vcpu->inject.kind == CPU_EVENT_NMI;
	events->nmi.pending = (uint8_t)vcpu->nmi_pending;
	events->nmi.masked = vcpu->state.nmi_masked;
	events->sipi_vector = vcpu->sipi_vector;
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			KVM_VCPUEVENT_VALID_SMM;
}

int state_set_events(struct vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	struct cpu_event inject = {.kind = CPU_EVENT_NONE};

	if (events->flags & ~(uint32_t)EVENTS_FLAGS)
		return -EINVAL;
	if ((events->exception.injected || events->exception.pending) &&
	    (events->exception.nr >= EXCEPTIONS || events->exception.nr == CPU_VECTOR_NMI))
		return -EINVAL;
	if ((events->flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (events->smi.smm || events->smi.pending || events->smi.latched_init))
		return -EINVAL; /* there is no system management mode */

	run_take_signals(vcpu);
	if (events->exception.injected || events->exception.pending)
		inject = (struct cpu_event){.kind = CPU_EVENT_EXCEPTION,
					    .vector = events->exception.nr,
					    .has_error = events->exception.has_error_code,
					    .error = events->exception.error_code};
	else if (events->nmi.injected)
		inject = (struct cpu_event){.kind = CPU_EVENT_NMI, .vector = CPU_VECTOR_NMI};
	vcpu->inject = inject;
	vcpu->exception.kind = CPU_EVENT_NONE;
	/* One that waits behind the exception or the NMI is delivered after it. */
	vcpu->queued_interrupt = events->interrupt.injected ? events->interrupt.nr : -1;
	if (events->interrupt.injected && inject.kind == CPU_EVENT_NONE) {
		vcpu->inject = (struct cpu_event){.kind = CPU_EVENT_INTERRUPT,
						  .vector = events->interrupt.nr};
		vcpu->queued_interrupt = -1;
	}
	if (events->flags & KVM_VCPUEVENT_VALID_SHADOW) {
		vcpu->state.mov_ss_shadow = events->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS;
		vcpu->state.sti_shadow = events->interrupt.shadow & KVM_X86_SHADOW_INT_STI;
	}
	if (events->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		vcpu->nmi_pending = MIN(events->nmi.pending, NMI_PENDING_MAX);
	vcpu->state.nmi_masked = events->nmi.masked;
	if (events->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR)
		vcpu->sipi_vector = events->sipi_vector & 0xff;
	vcpu->vm->backend->state_changed(vcpu);
	return 0;
}

int state_queue_interrupt(struct vcpu *vcpu, const struct kvm_interrupt *interrupt)
{
	if (interrupt->irq > 255)
		return -EINVAL;
	if (vcpu->queued_interrupt >= 0)
		return -EEXIST;
	vcpu->queued_interrupt = (int32_t)interrupt->irq;
	return 0;
}

int state_queue_nmi(struct vcpu *vcpu)
{
	if (vcpu->nmi_pending < NMI_PENDING_MAX)
		vcpu->nmi_pending++;
	return 0;
}

/* --- Whether it runs -------------------------------------------------------------------------- */

void state_get_mp(struct vcpu *vcpu, struct kvm_mp_state *mp)
{
	run_take_signals(vcpu);
	mp->mp_state = vcpu->mp_state;
}

int state_set_mp(struct vcpu *vcpu, const struct kvm_mp_state *mp)
{
	switch (mp->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
		if (!vcpu->lapic)
			return -EINVAL;
		break;
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!vcpu->lapic)
			return -EINVAL;
		run_start_up(vcpu, (uint8_t)vcpu->sipi_vector);
		return 0;
	default:
		return -EINVAL;
	}
	vcpu->mp_state = mp->mp_state;
	return 0;
}

/* --- The debugger outside --------------------------------------------------------------------- */

int state_set_guest_debug(struct vcpu *vcpu, const struct kvm_guest_debug *debug)
{
	uint32_t control = debug->control;
	bool enabled = control & KVM_GUESTDBG_ENABLE;

	if (control & ~(uint32_t)GUEST_DEBUG_FLAGS)
		return -EINVAL;
	if (control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (vcpu->inject.kind != CPU_EVENT_NONE || vcpu->exception.kind != CPU_EVENT_NONE)
			return -EBUSY;
		vcpu_raise(vcpu, control & KVM_GUESTDBG_INJECT_DB ? CPU_VECTOR_DB : CPU_VECTOR_BP,
			   false, 0);
	}
	vcpu->debug_step = enabled && (control & KVM_GUESTDBG_SINGLESTEP);
	vcpu->debug_software = enabled && (control & KVM_GUESTDBG_USE_SW_BP);
	vcpu->debug_hardware = enabled && (control & KVM_GUESTDBG_USE_HW_BP);
	vcpu->debug_block_interrupts = enabled && (control & KVM_GUESTDBG_BLOCKIRQ);
	for (unsigned i = 0; i < 4; i++)
		vcpu->debug_dr[i] = vcpu->debug_hardware ? debug->arch.debugreg[i] : 0;
	vcpu->debug_dr7 = vcpu->debug_hardware ? debug->arch.debugreg[7] & DR7_WRITABLE : 0;
	vcpu->vm->backend->state_changed(vcpu);
	return 0;
}

void state_translate(struct vcpu *vcpu, struct kvm_translation *translation)
{
	uint64_t gpa = UINT64_MAX;

	translation->valid = vcpu->vm->backend->translate(vcpu, translation->linear_address, &gpa);
	translation->physical_address = gpa;
	translation->writeable = 1;
	translation->usermode = 0;
}
