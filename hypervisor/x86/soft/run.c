/* SPDX-License-Identifier: MIT */
/*
 * run.c - the run loop: between blocks, what is there for the vCPU besides its next instruction.
 *
 * Most of the time it goes from block to block without coming back here.  It does for events and
 * exits, for instructions that change what blocks depend on, and for each instruction that must be
 * looked at on its own ("stepping"): with TF or a debugger's step, breakpoints, in the shadow of
 * STI and MOV SS, and when a device has answered it.
 */
#include "hypervisor/x86/soft/run.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/requests.h"
#include "hypervisor/x86/soft/tlb.h"

/* From now on, until soft_interrupt(), blocks go on by themselves. */
static void arm(struct soft_vcpu *c)
{
	if (__atomic_load_n(&c->enter_indirect, __ATOMIC_RELAXED) == soft_enter_indirect &&
	    __atomic_load_n(&c->enter, __ATOMIC_RELAXED) == soft_enter)
		return;
	__atomic_store_n(&c->enter, soft_enter, __ATOMIC_RELAXED);
	__atomic_store_n(&c->enter_far, soft_enter_far, __ATOMIC_RELAXED);
	__atomic_store_n(&c->enter_indirect, soft_enter_indirect, __ATOMIC_RELAXED);
	/* Before the looks at requests and kicked: who comes after those calls soft_interrupt(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void forget_accesses(struct soft_vcpu *c)
{
	c->accesses = c->access_next = 0;
	c->delivering = false;
}

/* The loop's functions return whether it goes on. */

static bool deliver(struct soft_vcpu *c, const struct cpu_event *event, uint64_t address)
{
	struct vcpu *vcpu = &c->vcpu;
	struct cpu_event copy = *event;

	c->pending = NULL;
	c->delivering = true;
	if (soft_deliver(c, &copy, address)) {
		if (event == &vcpu->inject)
			vcpu->inject.kind = CPU_EVENT_NONE;
		forget_accesses(c);
		return true;
	}
	c->access_next = 0;
	if (c->exit->kind == EXIT_ACCESS) {
		/* Again when the device has answered. */
		vcpu->inject = copy;
		vcpu->exception_address = address;
	} else {
		vcpu->inject.kind = CPU_EVENT_NONE;
		forget_accesses(c);
	}
	return false;
}

/* What a block, a fetch or a breakpoint stopped with. */
static bool handle_stop(struct soft_vcpu *c)
{
	enum soft_stop_kind stop = c->stop;
	struct cpu_event fault = c->fault;

	c->stop = SOFT_RUNNING;
	c->pending = NULL;
	if (stop == SOFT_RUNNING)
		return true;
	c->access_next = 0;
	if (stop == SOFT_EXIT) {
		if (c->exit->kind != EXIT_ACCESS)
			forget_accesses(c);
		return false;
	}
	forget_accesses(c);
	c->debug_hits = 0;
	/* An interrupt that the core has taken already comes first; the fault comes again. */
	if (c->vcpu.inject.kind != CPU_EVENT_NONE && stop == SOFT_FAULT)
		return true;
	return deliver(c, &fault, c->fault_address);
}

static bool is_shadowed(const struct soft_vcpu *c)
{
	return c->vcpu.state.sti_shadow || c->vcpu.state.mov_ss_shadow;
}

/* Whether the core waits for a moment that is now. */
static bool is_window_open(struct soft_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;

	if (is_shadowed(c))
		return false;
	if (vcpu->want_nmi_window && !vcpu->state.nmi_masked) {
		soft_exit(c, EXIT_NMI_WINDOW, 0);
		return true;
	}
	if (vcpu->want_window && (vcpu->state.rflags & RFLAGS_IF)) {
		soft_exit(c, EXIT_INTERRUPT_WINDOW, 0);
		return true;
	}
	return false;
}

/* The next instruction on its own. */
static bool run_one(struct soft_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;
	bool trace = s->rflags & RFLAGS_TF;
	const struct soft_op *op = soft_block_find(c, true);
	uint64_t resume = s->rflags & RFLAGS_RF;

	if (!op)
		return handle_stop(c);
	soft_interrupt(c); /* the block's end leads nowhere but here */
	c->stepping = trace || c->vcpu.debug_step || c->watching;
	s->sti_shadow = s->mov_ss_shadow = false;
	s->rflags &= ~RFLAGS_RF;
	c->traced = false;
	op->run(c, op);
	c->stepping = false;
	if (c->stop != SOFT_RUNNING) {
		if (c->stop == SOFT_EXIT && c->exit->kind == EXIT_ACCESS)
			s->rflags |= resume;
		return handle_stop(c);
	}
	forget_accesses(c);
	if ((trace || c->vcpu.debug_step || c->debug_hits) && soft_debug_retired(c, trace))
		return handle_stop(c);
	return true;
}

static bool run_blocks(struct soft_vcpu *c)
{
	const struct soft_op *op = soft_block_find(c, false);

	if (!op)
		return handle_stop(c);
	c->vcpu.state.rflags &= ~RFLAGS_RF;
	op->run(c, op);
	if (SOFT_LIKELY(c->stop == SOFT_RUNNING) && SOFT_LIKELY(!c->debug_hits))
		return true;
	if (c->stop == SOFT_RUNNING && !soft_debug_retired(c, false))
		return true;
	return handle_stop(c);
}

static bool iterate(struct soft_vcpu *c)
{
	struct vcpu *vcpu = &c->vcpu;
	bool finishing = c->accesses && !c->delivering;

	arm(c);
	soft_requests_serve(c);
	if (!finishing) {
		if (__atomic_load_n(&vcpu->kicked, __ATOMIC_SEQ_CST) && !c->delivering)
			return false;
		if (vcpu->inject.kind != CPU_EVENT_NONE)
			return deliver(c, &vcpu->inject, vcpu->exception_address);
		if ((vcpu->want_window || vcpu->want_nmi_window) && is_window_open(c))
			return false;
		if (c->fetching && !(vcpu->state.rflags & RFLAGS_RF) && soft_debug_fetch(c))
			return handle_stop(c);
	}
	if (finishing || is_shadowed(c) || c->fetching || c->watching || vcpu->debug_step ||
	    (vcpu->state.rflags & RFLAGS_TF))
		return run_one(c);
	return run_blocks(c);
}

#define VENDOR_AMD_EBX 0x68747541u /* "Auth" of AuthenticAMD; CPUID leaf 0 */

static void take_vendor(struct soft_vcpu *c)
{
	const struct kvm_cpuid_entry2 *entry = cpuid_find(&c->vcpu, 0, 0);
	bool amd = !entry || entry->ebx == VENDOR_AMD_EBX;

	if (amd != c->amd)
		soft_blocks_flush(c); /* the decoder asks, too */
	c->amd = amd;
}

/* The core has set registers: as MOV to CR0 and CR3 would. */
static void take_state(struct soft_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;

	c->state_changed = false;
	take_vendor(c);
	forget_accesses(c);
	c->debug_hits = 0;
	soft_tlb_flush_all(c);
	soft_cr3_changed(c, true);
	if ((s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA))
		soft_load_pdptes(c, s->cr3);
}

void soft_run(struct vcpu *vcpu, struct exit *exit)
{
	struct soft_vcpu *c = soft_of(vcpu);

	exit->kind = EXIT_NONE;
	c->exit = exit;
	c->stop = SOFT_RUNNING;
	c->pending = NULL;
	soft_requests_enter(c);
	soft_flags_load(c);
	if (c->state_changed)
		take_state(c);
	soft_native_enter(c);
	soft_changed(c);
	while (iterate(c))
		;
	soft_native_leave(c);
	soft_flags_sync(c);
	c->stop = SOFT_RUNNING;
	soft_requests_leave(c);
}
