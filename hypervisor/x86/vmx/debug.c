/* SPDX-License-Identifier: MIT */
/*
 * debug.c - debug registers, and what the caller's debugger wants: steps, breakpoints.
 *
 * DR0 to DR3 and DR6 are the guest's own in the CPU from its first access, or while it has
 * breakpoints on, until the inner loop is left; before that accesses exit.  While a debugger has
 * them the guest's are in the state alone, and its accesses are emulated.  DR7 is the VMCS's.  #DB
 * always exits: a guest can make one that raises the next without end, in which no interrupt is
 * taken.  An access to a port exits before the CPU looks for breakpoints on it.
 */
#include "hypervisor/x86/vmx/vmx.h"

static void intercept(struct vmx_vcpu *c, bool want)
{
	c->debug_live = !want;
	vmx_set_primary(c, VMX_PRIMARY_MOV_DR, want);
}

/* The host's are kept by whoever sets them; an exit clears DR7. */
void vmx_debug_load(struct vmx_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;

	c->host_dr7 = read_dr7();
	if (c->host_dr7 & DR7_ANY)
		save_debug_addresses(c->host_dr);
	if (vcpu->debug_hardware)
		load_debug_addresses(vcpu->debug_dr);
	else if (vcpu->state.dr7 & DR7_ANY)
		vmx_debug_take(c);
}

void vmx_debug_take(struct vmx_vcpu *c)
{
	load_debug_addresses(c->vcpu.state.dr);
	write_dr6(c->vcpu.state.dr6);
	intercept(c, false);
}

void vmx_debug_put(struct vmx_vcpu *c)
{
	if (c->debug_live) {
		save_debug_addresses(c->vcpu.state.dr);
		if (c->vcpu.state.dr6 != DR6_ONES)
			write_dr6(DR6_ONES);
		intercept(c, true);
	}
	if (c->host_dr7 & DR7_ANY) {
		load_debug_addresses(c->host_dr);
		write_dr7(c->host_dr7);
	}
}

void vmx_debug_enter(struct vmx_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;
	uint64_t dr7 = vcpu->debug_hardware ? vcpu->debug_dr7 | DR7_ONES : vcpu->state.dr7;

	if (c->dr7 != dr7) {
		c->dr7 = dr7;
		vmwrite(VMCS_GUEST_DR7, dr7);
	}
	if (c->debug_live && vcpu->state.dr6 != read_dr6())
		write_dr6(vcpu->state.dr6);
	c->stepping = vcpu->debug_step;
	c->stepping_tf = vcpu->state.rflags & RFLAGS_TF;
}

void vmx_debug_leave(struct vmx_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;

	if (c->debug_live) {
		s->dr6 = read_dr6();
		s->dr7 = c->dr7 = vmread(VMCS_GUEST_DR7);
	}
	if (c->stepping && !c->stepping_tf)
		s->rflags &= ~RFLAGS_TF;
}

static void tell(struct vmx_vcpu *c, unsigned vector, struct exit *exit)
{
	struct cpu_state *s = &c->vcpu.state;

	vmx_sync_state(&c->vcpu);
	exit->kind = EXIT_DEBUG;
	exit->debug.vector = vector;
	exit->debug.dr6 = s->dr6;
	exit->debug.dr7 = c->dr7;
	exit->debug.rip = s->segment[CPU_CS].base + s->rip;
}

bool vmx_debug_step_done(struct vmx_vcpu *c, struct exit *exit)
{
	if (!c->access.step_done)
		return false;
	c->access.step_done = false;
	tell(c, CPU_VECTOR_DB, exit);
	exit->debug.dr6 = DR6_ONES | DR6_BS;
	return true;
}

/* DR6 as the exception would have left it; SDM3 table 28-1. */
static void take_dr6(struct vmx_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;
	uint64_t pending = vmread(VMCS_EXIT_QUALIFICATION) & (DR6_B_MASK | DR6_BD | DR6_BS);

	s->dr6 = (s->dr6 & ~DR6_B_MASK) | pending;
}

enum vmx_next vmx_debug_exception(struct vmx_vcpu *c, unsigned vector, struct exit *exit)
{
	struct vcpu *vcpu = &c->vcpu;
	struct cpu_state *s = &vcpu->state;

	if (vector == CPU_VECTOR_BP) {
		tell(c, vector, exit);
		return VMX_CORE;
	}
	/* INT1 stands in front of itself, unlike a trap. */
	if (VMX_INTERRUPTION_TYPE(c->interruption) == VMX_INTERRUPTION_PRIVILEGED_EXCEPTION)
		s->rip += vmread32(VMCS_EXIT_LENGTH);
	take_dr6(c);
	if ((vcpu->debug_step && (s->dr6 & DR6_BS)) ||
	    (vcpu->debug_hardware && (s->dr6 & DR6_B_MASK))) {
		tell(c, vector, exit);
		s->dr6 &= ~(DR6_BS | DR6_B_MASK);
		return VMX_CORE;
	}
	s->dr7 &= ~DR7_GD;
	vcpu_raise(vcpu, CPU_VECTOR_DB, false, 0);
	return VMX_CORE;
}
