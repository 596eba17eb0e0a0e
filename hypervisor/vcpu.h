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
#include "hypervisor/x86/backend.h"
#include "hypervisor/x86/cpu.h"

struct lapic;
struct vm;

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
	bool in_guest; /* [any] between the run loop's entry and exit of backend->run() */

	/* [own] to the backend */
	struct cpu_event inject;
	bool want_window, want_nmi_window;
	/* What the caller's debugger asked for (KVM_SET_GUEST_DEBUG). */
	bool debug_step, debug_software, debug_hardware;
	uint64_t debug_dr[4], debug_dr7;

	/* [own] An exception that the core found while it finished an exit; the backend delivers
	 * it. */
	struct cpu_event exception;
	uint64_t exception_address; /* CR2 of a page fault */

	struct lapic *lapic; /* [const] NULL without an in-core irqchip */
	struct kvm_run *run; /* [const] shared with the caller, who may change it at any time */
};

/*
 * Makes the vCPU leave the guest, or its halt, and look at what there is to do.  Any context.
 */
void vcpu_kick(struct vcpu *vcpu);

/* Raises an exception at the instruction that is being finished, RIP still at it. [own] */
void vcpu_raise(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);

#endif
