/* SPDX-License-Identifier: MIT */
/*
 * inject.c - events into the guest, and exits when it can take what waits.  APM2 sections 15.20 and
 * 15.21.
 *
 * While an NMI is masked IRET exits: the mask ends with that instruction, so what comes after it is
 * where the next NMI can be taken.  If one waits TF makes the CPU exit there.
 *
 * A CPU with virtual NMIs knows the mask, and keeps one that waits, by itself (15.21.10).
 *
 * An interrupt that the guest can take at once is a virtual one (V_IRQ, 15.21.4), not an injected
 * event: it comes before the guest's first instruction as well, and QEMU's emulated CPU raises an
 * injected interrupt a second time when something stops it between VMRUN and that instruction,
 * whether the guest has interrupts disabled by then or not.
 */
#include "hypervisor/x86/svm/svm.h"

#define V_INTR_PRIORITY_MAX 0xf

static bool is_software_exception(const struct cpu_event *event)
{
	return event->vector == CPU_VECTOR_BP || event->vector == CPU_VECTOR_OF;
}

static uint64_t encode(const struct cpu_event *event)
{
	static const uint8_t types[] = {
		[CPU_EVENT_INTERRUPT] = SVM_EVENT_INTR,
		[CPU_EVENT_NMI] = SVM_EVENT_NMI,
		[CPU_EVENT_EXCEPTION] = SVM_EVENT_EXCEPTION,
		[CPU_EVENT_SOFTWARE] = SVM_EVENT_SOFTWARE,
	};
	uint64_t value = SVM_EVENT_VALID | event->vector |
			 (uint64_t)types[event->kind] << SVM_EVENT_TYPE_SHIFT;

	if (event->has_error)
		value |= SVM_EVENT_HAS_ERROR | (uint64_t)event->error << SVM_EVENT_ERROR_SHIFT;
	return value;
}

/* --- Interrupts ------------------------------------------------------------------------------- */

#define V_IRQ_NOW (SVM_V_IRQ | SVM_V_IGNORE_TPR | SVM_V_INTR_PRIORITY(V_INTR_PRIORITY_MAX))

/* V_IRQ is free, and what it does is the same: the guest takes it before anything else.  AVIC,
 * which may be on at this entry, ignores it. */
static bool can_be_virtual(const struct svm_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;

	return vcpu->inject.kind == CPU_EVENT_INTERRUPT && (vcpu->state.rflags & RFLAGS_IF) &&
	       !vcpu->state.sti_shadow && !vcpu->state.mov_ss_shadow && !vcpu->want_window &&
	       !vcpu->want_nmi_window && !vcpu->debug_step && !(c->entry_work & SVM_WORK_AVIC);
}

static void deliver_virtual(struct svm_vcpu *c)
{
	uint64_t *control = &c->vmcb->control.virtual_interrupt;

	c->virq = c->vcpu.inject.vector;
	*control |= V_IRQ_NOW | SVM_V_INTR_VECTOR(c->virq);
	c->clean &= ~SVM_CLEAN_VIRTUAL_INTERRUPT;
	c->exit_work |= SVM_WORK_VIRQ;
	c->vcpu.inject.kind = CPU_EVENT_NONE;
}

/* V_IRQ is still set if the guest has exited before it took the interrupt, or on the way to its
 * handler. */
static void take_virtual_back(struct svm_vcpu *c)
{
	uint64_t *control = &c->vmcb->control.virtual_interrupt;

	if (*control & SVM_V_IRQ)
		c->vcpu.inject = (struct cpu_event){.kind = CPU_EVENT_INTERRUPT, .vector = c->virq};
	*control &= ~(V_IRQ_NOW | SVM_V_INTR_VECTOR(UINT8_MAX));
	c->clean &= ~SVM_CLEAN_VIRTUAL_INTERRUPT;
	c->exit_work &= (uint8_t)~SVM_WORK_VIRQ;
}

/* --- Events ----------------------------------------------------------------------------------- */

static void deliver(struct svm_vcpu *c)
{
	struct vcpu *vcpu = &c->vcpu;
	struct cpu_event *event = &vcpu->inject;

	if (can_be_virtual(c)) {
		deliver_virtual(c);
		return;
	}
	if (event->kind == CPU_EVENT_NMI)
		vcpu->state.nmi_masked = true;
	if (event->kind == CPU_EVENT_EXCEPTION && event->vector == CPU_VECTOR_PF)
		vcpu->state.cr2 = vcpu->exception_address;
	if (event->kind == CPU_EVENT_EXCEPTION && cpu_is_fault(event->vector))
		vcpu->state.rflags |= RFLAGS_RF;
	c->vmcb->control.event_injection = encode(event);
	event->kind = CPU_EVENT_NONE;
}

static void set_window(struct svm_vcpu *c, bool want)
{
	struct vmcb_control *control = &c->vmcb->control;

	if (want == c->window)
		return;
	c->window = want;
	if (want) {
		control->intercept_misc1 |= SVM_INTERCEPT_VINTR;
		control->virtual_interrupt |= V_IRQ_NOW;
	} else {
		control->intercept_misc1 &= ~SVM_INTERCEPT_VINTR;
		control->virtual_interrupt &= ~V_IRQ_NOW;
	}
	c->clean &= ~(SVM_CLEAN_INTERCEPTS | SVM_CLEAN_VIRTUAL_INTERRUPT);
}

/* Of intercept_misc1: all of bits, or none. */
__attribute__((always_inline)) static inline void set_intercepts(struct svm_vcpu *c, uint32_t bits,
								 bool want)
{
	uint32_t *intercepts = &c->vmcb->control.intercept_misc1;

	if (want == ((*intercepts & bits) != 0))
		return;
	*intercepts ^= bits;
	c->clean &= ~SVM_CLEAN_INTERCEPTS;
}

/* --- NMIs by the CPU -------------------------------------------------------------------------- */

/* Whether one that waits is the CPU's to keep.  It has room for one: of two that wait for no other
 * NMI's end the second would not be there when the first is taken. */
static bool is_kept(const struct svm_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;

	return (c->exit_work & SVM_WORK_VNMI) && vcpu->want_nmi_window &&
	       (vcpu->nmi_pending == 1 || vcpu->state.nmi_masked);
}

void svm_vnmi_enter(struct svm_vcpu *c)
{
	uint64_t *control = &c->vmcb->control.virtual_interrupt;
	uint64_t value = *control & ~(SVM_V_NMI | SVM_V_NMI_MASK);

	if (c->vcpu.state.nmi_masked)
		value |= SVM_V_NMI_MASK;
	c->nmi_kept = is_kept(c);
	if (c->nmi_kept)
		value |= SVM_V_NMI;
	if (value == *control)
		return;
	*control = value;
	c->clean &= ~SVM_CLEAN_VIRTUAL_INTERRUPT;
}

static void vnmi_leave(struct svm_vcpu *c)
{
	uint64_t control = c->vmcb->control.virtual_interrupt;
	struct vcpu *vcpu = &c->vcpu;

	/* One whose delivery has exited masks none. */
	vcpu->state.nmi_masked = (control & SVM_V_NMI_MASK) && vcpu->inject.kind != CPU_EVENT_NMI;
	if (c->nmi_kept && !(control & SVM_V_NMI))
		vcpu->want_nmi_window = --vcpu->nmi_pending;
}

/* What would see a TF that is ours, or not be stepped. */
#define INTERCEPT_FLAGS (SVM_INTERCEPT_PUSHF | SVM_INTERCEPT_POPF | SVM_INTERCEPT_INT_N)

/* QEMU's emulated SVM, which has no next RIP either, forgets at VMRUN that the guest is behind STI:
 * V_IRQ would be taken before the instruction that is to come first. */
static bool forgets_shadow(const struct svm_vcpu *c)
{
	return !svm_features.next_rip && (c->vcpu.state.sti_shadow || c->vcpu.state.mov_ss_shadow);
}

__attribute__((noinline)) static void change_window(struct svm_vcpu *c)
{
	bool want = c->vcpu.want_window;

	c->stepping_event = want && forgets_shadow(c);
	set_window(c, want && !c->stepping_event);
	set_intercepts(c, INTERCEPT_FLAGS, c->stepping_event);
}

/* --- Entry and exit --------------------------------------------------------------------------- */

void svm_inject(struct svm_vcpu *c)
{
	struct vcpu *vcpu = &c->vcpu;
	bool event = vcpu->inject.kind != CPU_EVENT_NONE;

	c->vmcb->control.event_injection = 0;
	/* First: what is delivered may need V_IRQ, which the window has no use for any more. */
	if (vcpu->want_window || c->window || c->stepping_event)
		change_window(c);
	if (event)
		deliver(c);
	set_intercepts(c, SVM_INTERCEPT_IRET,
		       vcpu->state.nmi_masked && !(c->exit_work & (SVM_WORK_IRET | SVM_WORK_VNMI)));
	if (!vcpu->want_nmi_window || is_kept(c))
		return;
	if (event)
		host_kick_cpu(c->cpu); /* exits when the event is delivered, before its handler */
	else if (!vcpu->state.nmi_masked || (c->exit_work & SVM_WORK_IRET))
		c->stepping_event = true;
}

void svm_iret(struct svm_vcpu *c)
{
	c->exit_work |= SVM_WORK_IRET;
	c->nmi_iret_rip = c->vcpu.state.rip;
}

static void end_nmi(struct svm_vcpu *c)
{
	if (c->vcpu.state.rip == c->nmi_iret_rip)
		return;
	c->exit_work &= (uint8_t)~SVM_WORK_IRET;
	c->vcpu.state.nmi_masked = false;
}

/* Kept out of the way of the commonest. */
__attribute__((noinline)) static void work(struct svm_vcpu *c)
{
	if (c->exit_work & SVM_WORK_VIRQ)
		take_virtual_back(c);
	if (c->exit_work & SVM_WORK_IRET)
		end_nmi(c);
	if (c->exit_work & SVM_WORK_VNMI)
		vnmi_leave(c);
	if (c->exit_work & SVM_WORK_AVIC)
		svm_avic_leave(c);
}

static void take_event(struct svm_vcpu *c, uint64_t info)
{
	struct vcpu *vcpu = &c->vcpu;
	struct cpu_event event = {.vector = info & SVM_EVENT_VECTOR};

	switch (info >> SVM_EVENT_TYPE_SHIFT & SVM_EVENT_TYPE_MASK) {
	case SVM_EVENT_INTR:
		event.kind = CPU_EVENT_INTERRUPT;
		break;
	case SVM_EVENT_NMI:
		event.kind = CPU_EVENT_NMI;
		vcpu->state.nmi_masked = false;
		break;
	case SVM_EVENT_EXCEPTION:
		/* An instruction's, with RIP still at it, comes again by itself. */
		if (is_software_exception(&event))
			return;
		event.kind = CPU_EVENT_EXCEPTION;
		event.has_error = info & SVM_EVENT_HAS_ERROR;
		event.error = event.has_error ? (uint32_t)(info >> SVM_EVENT_ERROR_SHIFT) : 0;
		if (event.vector == CPU_VECTOR_PF)
			vcpu->exception_address = vcpu->state.cr2;
		break;
	default:
		return; /* INT n: as above */
	}
	vcpu->inject = event;
}

void svm_take_back(struct svm_vcpu *c)
{
	uint64_t info = c->vmcb->control.exit_interrupt;

	if (info & SVM_EVENT_VALID)
		take_event(c, info);
	if (c->exit_work)
		work(c);
}
