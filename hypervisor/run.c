/* SPDX-License-Identifier: MIT */
/*
 * run.c - the run loop: what came for the vCPU, what is delivered to it next, the guest, its exit.
 */
#include "hypervisor/run.h"

#include <linux/errno.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/async_fault.h"
#include "hypervisor/clock.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

/* --- What came -------------------------------------------------------------------------------- */

static void take_init(struct vcpu *vcpu)
{
	uint64_t base = lapic_get_base(vcpu->lapic);

	vcpu_reset(vcpu, true);
	lapic_init(vcpu->lapic);
	vcpu->mp_state =
		base & APIC_BASE_BOOT_CPU ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
}

void run_start_up(struct vcpu *vcpu, uint8_t vector)
{
	struct cpu_segment *cs = &vcpu->state.segment[CPU_CS];

	vcpu_sync_state(vcpu);
	vcpu->sipi_vector = vector;
	cs->selector = (uint16_t)(vector << 8);
	cs->base = (uint64_t)vector << 12;
	vcpu->state.rip = 0;
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	vcpu->vm->backend->state_changed(vcpu);
}

/* The CPU latches one NMI while another is served (Intel SDM volume 3, section 6.7.1). */
static void take_nmis(struct vcpu *vcpu, uint32_t count)
{
	bool served = vcpu->state.nmi_masked || vcpu->inject.kind == CPU_EVENT_NMI;
	uint32_t most = served ? 1 : NMI_PENDING_MAX;

	if (vcpu->nmi_pending < most)
		vcpu->nmi_pending = MIN(vcpu->nmi_pending + count, most);
}

void run_take_signals(struct vcpu *vcpu)
{
	uint8_t vector = 0;
	uint32_t signals;

	if (!vcpu->lapic)
		return;
	signals = lapic_take_signals(vcpu->lapic, &vector);
	if (signals & LAPIC_SIGNAL_INIT)
		take_init(vcpu);
	if ((signals & LAPIC_SIGNAL_SIPI) && vcpu->mp_state == KVM_MP_STATE_INIT_RECEIVED)
		run_start_up(vcpu, vector);
	take_nmis(vcpu,
		  ((signals & LAPIC_SIGNAL_NMI) != 0) + ((signals & LAPIC_SIGNAL_NMI_SECOND) != 0));
}

static void take_requests(struct vcpu *vcpu)
{
	uint32_t requests;

	if (!__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED))
		return;
	requests = __atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);
	if (requests & VCPU_REQUEST_CLOCK)
		clock_write_page(vcpu);
	if (requests & VCPU_REQUEST_ASYNC)
		async_fault_deliver(vcpu);
	if ((requests & VCPU_REQUEST_UNHALT) && vcpu->mp_state == KVM_MP_STATE_HALTED)
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
}

/* --- What is delivered ------------------------------------------------------------------------ */

/* A CPU that halts is behind the instruction that the shadow is for, whatever its caller has set.
 */
static bool is_shadowed(const struct vcpu *vcpu)
{
	return (vcpu->state.sti_shadow || vcpu->state.mov_ss_shadow) &&
	       vcpu->mp_state != KVM_MP_STATE_HALTED;
}

static bool takes_interrupts(const struct vcpu *vcpu)
{
	return (vcpu->state.rflags & RFLAGS_IF) && !vcpu->debug_block_interrupts;
}

static bool has_interrupt(struct vcpu *vcpu)
{
	return vcpu->queued_interrupt >= 0 || (vcpu->lapic && lapic_pending(vcpu->lapic) >= 0);
}

static struct lapic_taken take_interrupt(struct vcpu *vcpu, bool offer)
{
	int vector = vcpu->queued_interrupt;

	vcpu->queued_interrupt = -1;
	if (vector >= 0 || !vcpu->lapic)
		return (struct lapic_taken){vector, true};
	return lapic_acknowledge(vcpu->lapic, offer);
}

/*
 * Chooses what the backend delivers before the next instruction, one thing at a time: an exception
 * belongs to the instruction before, then come NMIs, then interrupts (APM2 section 8.5).  What
 * can't be taken yet gets a window: the backend exits when it can be.  offer: see
 * lapic_acknowledge().
 */
static void choose_event(struct vcpu *vcpu, bool offer)
{
	bool others = true;

	vcpu->want_window = vcpu->want_nmi_window = false;
	if (vcpu->inject.kind == CPU_EVENT_NONE && vcpu->exception.kind != CPU_EVENT_NONE) {
		vcpu->inject = vcpu->exception;
		vcpu->exception.kind = CPU_EVENT_NONE;
	}
	if (vcpu->nmi_pending) {
		if (vcpu->inject.kind == CPU_EVENT_NONE && !vcpu->state.nmi_masked &&
		    !is_shadowed(vcpu)) {
			vcpu->inject =
				(struct cpu_event){.kind = CPU_EVENT_NMI, .vector = CPU_VECTOR_NMI};
			vcpu->nmi_pending--;
		}
		vcpu->want_nmi_window = vcpu->nmi_pending;
	}
	if (vcpu->inject.kind == CPU_EVENT_NONE && takes_interrupts(vcpu) && !is_shadowed(vcpu)) {
		struct lapic_taken taken = take_interrupt(vcpu, offer);

		if (taken.vector < 0)
			return;
		others = taken.others;
		vcpu->inject = (struct cpu_event){.kind = CPU_EVENT_INTERRUPT,
						  .vector = (uint8_t)taken.vector};
	}
	vcpu->want_window = others && !vcpu->debug_block_interrupts && has_interrupt(vcpu);
}

/* --- A caller that has its own interrupt controller ------------------------------------------- */

static bool ready_for_caller(const struct vcpu *vcpu)
{
	return !vcpu->lapic && vcpu->inject.kind == CPU_EVENT_NONE && vcpu->queued_interrupt < 0 &&
	       takes_interrupts(vcpu) && !is_shadowed(vcpu);
}

static bool caller_wants_window(const struct vcpu *vcpu)
{
	return !vcpu->lapic &&
	       __atomic_load_n(&vcpu->run->request_interrupt_window, __ATOMIC_RELAXED);
}

/* --- Halts ------------------------------------------------------------------------------------ */

/* Else it waits for INIT or a start-up IPI, and takes nothing. */
static bool runs_or_halts(const struct vcpu *vcpu)
{
	return vcpu->mp_state == KVM_MP_STATE_RUNNABLE || vcpu->mp_state == KVM_MP_STATE_HALTED;
}

/* Until a kick; -EINTR when something came for the thread. */
static int block(struct vcpu *vcpu)
{
	int err = 0;

	/* Before the look at kicked: who sets it after that look sees that we wait. */
	__atomic_store_n(&vcpu->blocked, true, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&vcpu->kicked, __ATOMIC_SEQ_CST))
		err = host_wait(&vcpu->waiter);
	__atomic_store_n(&vcpu->blocked, false, __ATOMIC_SEQ_CST);
	return err;
}

/* --- The loop --------------------------------------------------------------------------------- */

/* Maybe in a signal handler on the vCPU's own thread. */
static void interrupted(struct host_run *run_state)
{
	struct vcpu *vcpu = CONTAINER_OF(run_state, struct vcpu, run_state);

	__atomic_store_n(&vcpu->kicked, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
		vcpu->vm->backend->kick(vcpu);
}

static bool is_page_fault(const struct cpu_event *event)
{
	return event->kind == CPU_EVENT_EXCEPTION && event->vector == CPU_VECTOR_PF;
}

static enum run_step enter_guest(struct vcpu *vcpu)
{
	struct exit *exit = &vcpu->exit;

	exit->kind = EXIT_NONE;
	exit->access.refused = false;
	vcpu_enter_guest(vcpu);
	vcpu->vm->backend->run(vcpu, exit);
	vcpu_leave_guest(vcpu);
	/* One whose delivery isn't done carries its address where the caller finds it. */
	if (is_page_fault(&vcpu->inject))
		vcpu->state.cr2 = vcpu->exception_address;
	return exit->kind == EXIT_NONE ? RUN_GO_ON : run_handle_exit(vcpu, exit);
}

static int64_t run_until_exit(struct vcpu *vcpu)
{
	for (;;) {
		/* Before the look at what there is to do: whoever comes later kicks anew. */
		__atomic_store_n(&vcpu->kicked, false, __ATOMIC_SEQ_CST);
		if (host_run_interrupted(&vcpu->run_state))
			return -EINTR;
		if (vcpu->lapic && lapic_has_signals(vcpu->lapic))
			run_take_signals(vcpu);
		take_requests(vcpu);
		if (runs_or_halts(vcpu))
			choose_event(vcpu, !vcpu->vm->backend->fast);
		/* What is delivered ends a halt. */
		if (vcpu->mp_state == KVM_MP_STATE_HALTED && vcpu->inject.kind != CPU_EVENT_NONE)
			vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
		if (vcpu->mp_state != KVM_MP_STATE_RUNNABLE) {
			if (block(vcpu) < 0)
				return -EINTR;
			continue;
		}
		if (caller_wants_window(vcpu)) {
			if (ready_for_caller(vcpu)) {
				vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
				return 0;
			}
			vcpu->want_window = true;
		}
		if (enter_guest(vcpu) == RUN_LEAVE)
			return 0;
	}
}

bool run_look_fast(struct vcpu *vcpu)
{
	if (!vcpu->lapic || vcpu->nmi_pending || vcpu->debug_step || lapic_has_flag(vcpu->lapic))
		return false;
	/*
	 * Before all looks at what others want, as in run_until_exit().  Who waits for vCPUs to
	 * leave the guest says so before its kick.
	 */
	__atomic_store_n(&vcpu->kicked, false, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) ||
	    __atomic_load_n(&vcpu->vm->waiting_count, __ATOMIC_SEQ_CST) ||
	    lapic_has_signals(vcpu->lapic))
		return false;
	choose_event(vcpu, false);
	return true;
}

/* The data that the caller read for the guest from its device: copied once, as it may change. */
static void complete_access(struct vcpu *vcpu)
{
	const struct exit_access *access = &vcpu->exit.access;
	const uint8_t *from = access->space == EXIT_SPACE_PORT
				      ? (const uint8_t *)vcpu->run + RUN_PORT_DATA
				      : vcpu->run->mmio.data;

	vcpu->access_pending = false;
	vcpu->vm->backend->complete_access(vcpu,
					   access->write ? 0 : load_sized(from, access->size));
}

/*
 * The caller wants to see the vCPU after the access that it has completed, not in front of it: the
 * backend ends the instruction under way before it looks at kicked.
 */
static int64_t finish_instruction(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->kicked, true, __ATOMIC_SEQ_CST);
	vcpu->want_window = vcpu->want_nmi_window = false;
	return enter_guest(vcpu) == RUN_LEAVE ? 0 : -EINTR;
}

static void tell_state(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->ready_for_interrupt_injection = vcpu->lapic ? 1 : ready_for_caller(vcpu);
	run->if_flag = (vcpu->state.rflags & RFLAGS_IF) != 0;
	run->flags = 0;
	run->cr8 = vcpu->lapic ? lapic_get_tpr(vcpu->lapic) : vcpu->cr8;
	run->apic_base = vcpu->lapic ? lapic_get_base(vcpu->lapic) : vcpu->apic_base;
}

int64_t run_vcpu(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	bool completed = vcpu->access_pending;
	int64_t result;

	if (__atomic_load_n(&run->kvm_valid_regs, __ATOMIC_RELAXED) ||
	    __atomic_load_n(&run->kvm_dirty_regs, __ATOMIC_RELAXED))
		return -EINVAL; /* KVM_CAP_SYNC_REGS isn't served */
	host_run_begin(&vcpu->run_state, interrupted);
	if (is_page_fault(&vcpu->inject)) /* as the caller has set it, maybe */
		vcpu->exception_address = vcpu->state.cr2;
	if (!vcpu->lapic)
		vcpu->cr8 = run->cr8 & 0xf;
	if (completed)
		complete_access(vcpu);
	/* After host_run_begin(): who sets it and then kicks is seen by one of the two. */
	if (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
		result = run_until_exit(vcpu);
	else
		result = completed ? finish_instruction(vcpu) : -EINTR;
	if (result == -EINTR)
		run->exit_reason = KVM_EXIT_INTR;
	/* While the backend is still told when the thread loses its CPU. */
	if (vcpu->vm->backend->left)
		vcpu->vm->backend->left(vcpu);
	host_run_end(&vcpu->run_state);
	tell_state(vcpu);
	return result;
}
