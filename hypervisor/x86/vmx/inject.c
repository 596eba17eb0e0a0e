/* SPDX-License-Identifier: MIT */
/*
 * inject.c - events into the guest, and exits when it can take what waits.  SDM3 sections 25.8.3,
 * 27.6 and 28.2.4.
 *
 * The CPU knows whether NMIs are masked (virtual NMIs), and exits where one can be taken.
 */
#include "hypervisor/x86/vmx/vmx.h"

/* Exceptions that push an error code in protected mode: an entry wants it from us. */
#define VECTORS_WITH_ERROR                                                                         \
	(1u << CPU_VECTOR_DF | 1u << CPU_VECTOR_TS | 1u << CPU_VECTOR_NP | 1u << CPU_VECTOR_SS |   \
	 1u << CPU_VECTOR_GP | 1u << CPU_VECTOR_PF | 1u << CPU_VECTOR_AC)

static bool pushes_error(const struct cpu_event *event)
{
	return event->kind == CPU_EVENT_EXCEPTION && event->vector < 32 &&
	       (VECTORS_WITH_ERROR >> event->vector & 1);
}

uint32_t vmx_event_encode(const struct cpu_event *event, bool protected_mode)
{
	/* #BP and #OF, too, are delivered as the CPU's own: RIP stands where the handler returns
	 * to. */
	static const uint8_t types[] = {
		[CPU_EVENT_INTERRUPT] = VMX_INTERRUPTION_EXTERNAL,
		[CPU_EVENT_NMI] = VMX_INTERRUPTION_NMI,
		[CPU_EVENT_EXCEPTION] = VMX_INTERRUPTION_HARD_EXCEPTION,
		[CPU_EVENT_SOFTWARE] = VMX_INTERRUPTION_SOFT_INTERRUPT,
	};
	uint32_t value = VMX_INTERRUPTION_VALID | event->vector |
			 (uint32_t)types[event->kind] << VMX_INTERRUPTION_TYPE_SHIFT;

	return protected_mode && pushes_error(event) ? value | VMX_INTERRUPTION_ERROR_CODE : value;
}

/* RIP is behind the instruction already, which the CPU would add its length to. */
static void deliver_software(struct vmx_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;
	bool none = vmx_features.misc & VMX_MISC_INJECT_LENGTH_0;

	c->soft_injected = true;
	c->soft_rip = s->rip;
	if (!none)
		s->rip--;
	vmwrite(VMCS_ENTRY_LENGTH, none ? 0 : 1);
}

static void deliver(struct vmx_vcpu *c)
{
	struct vcpu *vcpu = &c->vcpu;
	struct cpu_event *event = &vcpu->inject;
	uint32_t info = vmx_event_encode(event, vcpu->state.cr0 & CR0_PE);

	if (event->kind == CPU_EVENT_EXCEPTION && event->vector == CPU_VECTOR_PF)
		vcpu->state.cr2 = vcpu->exception_address;
	if (event->kind == CPU_EVENT_EXCEPTION && cpu_is_fault(event->vector))
		vcpu->state.rflags |= RFLAGS_RF;
	if (event->kind == CPU_EVENT_SOFTWARE)
		deliver_software(c);
	if (info & VMX_INTERRUPTION_ERROR_CODE)
		vmwrite(VMCS_ENTRY_ERROR, event->has_error ? event->error : 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION, info);
	event->kind = CPU_EVENT_NONE;
}

void vmx_inject(struct vmx_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;
	uint32_t windows = (vcpu->want_window ? VMX_PRIMARY_INTERRUPT_WINDOW : 0) |
			   (vcpu->want_nmi_window ? VMX_PRIMARY_NMI_WINDOW : 0);
	const uint32_t both = VMX_PRIMARY_INTERRUPT_WINDOW | VMX_PRIMARY_NMI_WINDOW;

	c->soft_injected = false;
	if (vcpu->inject.kind != CPU_EVENT_NONE)
		deliver(c);
	if ((c->primary & both) != windows) {
		vmx_set_primary(c, both & ~windows, false);
		vmx_set_primary(c, windows, true);
	}
}

/* --- What was not delivered ------------------------------------------------------------------- */

/* An exit in an IRET that has unmasked NMIs: it runs again, and NMIs are masked until it is done.
 */
static void mask_again(struct vmx_vcpu *c)
{
	uint32_t info =
		c->reason == VMX_REASON_EXCEPTION ? c->interruption : (uint32_t)c->qualification;

	if (info & VMX_UNBLOCKED_NMI)
		c->vcpu.state.nmi_masked = true;
}

static void take_event(struct vmx_vcpu *c, uint32_t info)
{
	struct vcpu *vcpu = &c->vcpu;
	struct cpu_event event = {.vector = info & VMX_INTERRUPTION_VECTOR};

	switch (VMX_INTERRUPTION_TYPE(info)) {
	case VMX_INTERRUPTION_EXTERNAL:
		event.kind = CPU_EVENT_INTERRUPT;
		break;
	case VMX_INTERRUPTION_NMI:
		event.kind = CPU_EVENT_NMI;
		vcpu->state.nmi_masked = false;
		break;
	case VMX_INTERRUPTION_HARD_EXCEPTION:
		event.kind = CPU_EVENT_EXCEPTION;
		event.has_error = info & VMX_INTERRUPTION_ERROR_CODE;
		event.error = event.has_error ? vmread32(VMCS_IDT_VECTORING_ERROR) : 0;
		if (event.vector == CPU_VECTOR_PF)
			vcpu->exception_address = vcpu->state.cr2;
		break;
	case VMX_INTERRUPTION_SOFT_INTERRUPT:
		if (!c->soft_injected)
			return; /* an instruction's, with RIP still at it, comes again by itself */
		event.kind = CPU_EVENT_SOFTWARE;
		vcpu->state.rip = c->soft_rip;
		break;
	default:
		return; /* as above */
	}
	vcpu->inject = event;
}

void vmx_take_back(struct vmx_vcpu *c)
{
	uint32_t info = vmread32(VMCS_IDT_VECTORING);

	c->vectoring = info;
	if (info & VMX_INTERRUPTION_VALID)
		take_event(c, info);
	else if (c->reason == VMX_REASON_EXCEPTION || c->reason == VMX_REASON_EPT_VIOLATION)
		mask_again(c);
}
