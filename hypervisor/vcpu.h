/* SPDX-License-Identifier: MIT */
/*
 * vcpu.h - a virtual CPU: its state, what is to be delivered to it, and the loop that runs it.
 *
 * Fields are tagged: [own] the thread that runs or commands the vCPU, which holds its mutex; [any]
 * any thread, atomically; [const] set when made.
 */
#ifndef DYAD_HYPERVISOR_VCPU_H
#define DYAD_HYPERVISOR_VCPU_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "hypervisor/msr_state.h"
#include "hypervisor/x86/backend.h"
#include "hypervisor/x86/cpu.h"

struct async_faults;
struct lapic;
struct vm;

/* What the guest's CPUID table lets it set; made anew whenever the caller gives another table. */
struct vcpu_limits {
	uint64_t cr4, efer, xcr0; /* the bits that may be one */
	uint8_t physical_bits;    /* of a guest physical address */
};

#define NMI_PENDING_MAX 2

/* What another thread asks of the vCPU: bits of vcpu->requests, set before vcpu_kick(). */
#define VCPU_REQUEST_CLOCK 1u  /* write the kvmclock page anew */
#define VCPU_REQUEST_UNHALT 2u /* leave the halt, if in one */
#define VCPU_REQUEST_ASYNC 4u  /* tell the guest of pages that were fetched */

struct vcpu {
	struct cpu_state
		state; /* [own] first, so that generated code reaches it with short offsets */

	struct vm *vm;  /* [const] */
	uint32_t id;    /* [const] the caller's number; the APIC ID at the start */
	uint32_t index; /* [const] in vm->vcpus */

	struct host_mutex mutex; /* one command or run at a time */
	struct host_run run_state;
	struct host_waiter waiter;

	/*
	 * [any] Something wants the vCPU out of the guest: set before backend->kick(), cleared by
	 * the run loop before it looks at what there is to do.
	 */
	bool kicked;
	bool blocked;         /* [any] the run loop waits, or is about to */
	bool in_guest;        /* [any] between the run loop's entry and exit of backend->run() */
	uint32_t guest_exits; /* [any] counts how often in_guest went false */

	/* Of backends on hardware, x86/inside.h.  [any] 0, or 1 + the CPU in whose inner loop it
	 * is; counts up at each exit of the guest. */
	uint32_t inside, entries;
	uint32_t requests; /* [any] VCPU_REQUEST_* */

	/* [own] to the backend */
	struct cpu_event inject;
	bool want_window, want_nmi_window;
	/* What the caller's debugger asked for (KVM_SET_GUEST_DEBUG). */
	bool debug_step, debug_software, debug_hardware;
	bool debug_block_interrupts; /* none is delivered meanwhile */

	bool access_pending; /* [own] see exit */
	uint64_t debug_dr[4], debug_dr7;

	/* [own] An exception that the core found while it finished an exit; the backend delivers
	 * it. */
	struct cpu_event exception;
	uint64_t exception_address; /* CR2 of a page fault */

	/*
	 * [own] Waiting for their turn behind inject: NMIs (NMI_PENDING_MAX at the most; a backend
	 * whose CPU has taken one by itself counts it off), and an
	 * interrupt that the caller queued (KVM_INTERRUPT, KVM_SET_VCPU_EVENTS): -1 for none.
	 */
	uint32_t nmi_pending;
	int32_t queued_interrupt;

	uint32_t mp_state; /* [own] KVM_MP_STATE_*; of the values only those of x86 */
	uint32_t sipi_vector;

	/* [own] The last one.  With access_pending it is a device access that the caller works on,
	 * completed when it runs the vCPU again. */
	struct exit exit;

	/* [own] CPUID as the caller set it, and what follows from it. */
	struct kvm_cpuid_entry2 *cpuid;
	struct vcpu_limits limits;
	uint32_t cpuid_count;

	uint32_t tsc_khz; /* [own] the rate of its TSC; 0: the host's */

	struct msr_state msr; /* [own] those that nothing else in state holds */

	struct async_faults *async_faults; /* [own] NULL until the guest asks for them */

	uint64_t cr8, apic_base; /* [own] without an in-core local APIC */

	struct lapic *lapic; /* [const] NULL without an in-core irqchip */
	struct kvm_run *run; /* [const] shared with the caller, who may change it at any time */
};

/*
 * Makes the vCPU leave the guest, or its halt, and look at what there is to do.  Any context.
 */
void vcpu_kick(struct vcpu *vcpu);

/*
 * Around what holds pointers into the slots or caches of the guest's memory: backend->run().  The
 * thread that runs the vCPU.
 */
void vcpu_enter_guest(struct vcpu *vcpu);
void vcpu_leave_guest(struct vcpu *vcpu);

/* Makes vcpu->state whole: before segments and the like are looked at or changed. [own] */
void vcpu_sync_state(struct vcpu *vcpu);

/* RESET, or INIT (which keeps what a CPU keeps, APM2 section 14.1.3); not the local APIC's. [own]
 */
void vcpu_reset(struct vcpu *vcpu, bool init);

/* Raises an exception at the instruction that is being finished, RIP still at it. [own] */
void vcpu_raise(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);

#endif
