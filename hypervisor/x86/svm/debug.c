/* SPDX-License-Identifier: MIT */
/*
 * debug.c - debug registers, and what the caller's debugger wants: steps, breakpoints.
 *
 * DR0 to DR3 are the guest's own in the CPU from its first access, or while it has breakpoints on,
 * until the inner loop is left; before that accesses exit.  While a debugger has them the guest's
 * are in the state alone, and its accesses are emulated.  #DB always exits: a guest can make one
 * that raises the next without end, in which no interrupt is taken.  An access to a port exits
 * before the CPU looks for breakpoints on it.
 */
#include "hypervisor/x86/svm/svm.h"

static void intercept(struct svm_vcpu *c, bool want)
{
	c->vmcb->control.intercept_dr = want ? SVM_INTERCEPT_DR_ALL : 0;
	c->clean &= ~SVM_CLEAN_INTERCEPTS;
}

/* The host's are kept by whoever sets them; VMRUN clears DR7 on the way out. */
void svm_debug_load(struct svm_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;

	c->host_dr7 = read_dr7();
	if (c->host_dr7 & DR7_ANY)
		save_debug_addresses(c->host_dr);
	if (vcpu->debug_hardware)
		load_debug_addresses(vcpu->debug_dr);
	else if (vcpu->state.dr7 & DR7_ANY)
		svm_debug_take(c);
}

void svm_debug_take(struct svm_vcpu *c)
{
	load_debug_addresses(c->vcpu.state.dr);
	c->debug_live = true;
	intercept(c, false);
}

void svm_debug_put(struct svm_vcpu *c)
{
	if (c->debug_live) {
		save_debug_addresses(c->vcpu.state.dr);
		c->debug_live = false;
		intercept(c, true);
	}
	if (c->host_dr7 & DR7_ANY) {
		load_debug_addresses(c->host_dr);
		write_dr7(c->host_dr7);
	}
	if (c->vmcb->save.dr6 != DR6_ONES)
		write_dr6(DR6_ONES);
}

/* Whether a step is under way: ours, or the debugger's. */
static bool is_stepping(const struct svm_vcpu *c)
{
	return c->stepping_event || c->vcpu.debug_step;
}

void svm_debug_enter(struct svm_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;
	struct vmcb *v = c->vmcb;
	uint64_t dr7 = vcpu->debug_hardware ? vcpu->debug_dr7 | DR7_ONES : vcpu->state.dr7;

	if (v->save.dr6 != vcpu->state.dr6 || v->save.dr7 != dr7) {
		v->save.dr6 = vcpu->state.dr6;
		v->save.dr7 = dr7;
		c->clean &= ~SVM_CLEAN_DEBUG;
	}
	c->stepping = is_stepping(c);
	c->stepping_tf = vcpu->state.rflags & RFLAGS_TF;
	if (c->stepping)
		v->save.rflags |= RFLAGS_TF | RFLAGS_RF;
}

void svm_debug_leave(struct svm_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;

	s->dr6 = c->vmcb->save.dr6;
	if (!c->vcpu.debug_hardware)
		s->dr7 = c->vmcb->save.dr7;
	if (c->stepping && !c->stepping_tf)
		s->rflags &= ~RFLAGS_TF;
}

static void tell(struct svm_vcpu *c, unsigned vector, struct exit *exit)
{
	struct cpu_state *s = &c->vcpu.state;

	svm_sync_state(&c->vcpu);
	exit->kind = EXIT_DEBUG;
	exit->debug.vector = vector;
	exit->debug.dr6 = s->dr6;
	exit->debug.dr7 = c->vmcb->save.dr7;
	exit->debug.rip = s->segment[CPU_CS].base + s->rip;
}

bool svm_debug_step_done(struct svm_vcpu *c, struct exit *exit)
{
	if (!c->access.step_done)
		return false;
	c->access.step_done = false;
	tell(c, CPU_VECTOR_DB, exit);
	exit->debug.dr6 = DR6_ONES | DR6_BS;
	return true;
}

enum svm_next svm_debug_exception(struct svm_vcpu *c, unsigned vector, struct exit *exit)
{
	struct vcpu *vcpu = &c->vcpu;
	struct cpu_state *s = &vcpu->state;

	if (vector == CPU_VECTOR_BP) {
		tell(c, vector, exit);
		return SVM_CORE;
	}
	if ((vcpu->debug_step && (s->dr6 & DR6_BS)) ||
	    (vcpu->debug_hardware && (s->dr6 & DR6_B_MASK))) {
		tell(c, vector, exit);
		s->dr6 &= ~(DR6_BS | DR6_B_MASK);
		return SVM_CORE;
	}
	if (c->stepping_event && (s->dr6 & DR6_BS) && !c->stepping_tf) {
		s->dr6 &= ~DR6_BS;
		if (!(s->dr6 & (DR6_B_MASK | DR6_BT)))
			return SVM_CORE; /* the step is done: the core looks at what waits */
	}
	vcpu_raise(vcpu, CPU_VECTOR_DB, false, 0);
	return SVM_CORE;
}
