/* SPDX-License-Identifier: MIT */
/*
 * run.h - KVM_RUN: the loop that runs a vCPU until its caller has something to do.
 */
#ifndef DYAD_HYPERVISOR_RUN_H
#define DYAD_HYPERVISOR_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/x86/backend.h"

struct vcpu;

/* struct kvm_run, and the page for the data of port accesses. */
#define RUN_SIZE 8192
#define RUN_PORT_DATA 4096

/* 0 with an exit in the shared page, or -errno. [own] */
int64_t run_vcpu(struct vcpu *vcpu);

/* INIT, start-up IPIs and NMIs that have come. [own] */
void run_take_signals(struct vcpu *vcpu);

/* A start-up IPI, for a vCPU that has had its INIT. [own] */
void run_start_up(struct vcpu *vcpu, uint8_t vector);

/* An exit of the backend: whether KVM_RUN goes on, or ends with what is in the shared page. */
enum run_step { RUN_GO_ON, RUN_LEAVE };
enum run_step run_handle_exit(struct vcpu *vcpu, const struct exit *exit);

/*
 * The same for exits that need neither the caller nor anything that sleeps: between exit and entry,
 * on hosts in kernel mode.  Atomic.
 */
enum run_fast {
	RUN_FAST_NO,    /* not one of those: nothing was done; run() returns the exit */
	RUN_FAST_AGAIN, /* done: on into the guest */
	RUN_FAST_LEAVE, /* done: run() returns, without an exit, for the core to look at what came
			 */
};
enum run_fast run_handle_fast(struct vcpu *vcpu, struct exit *exit);

/*
 * After RUN_FAST_LEAVE, an exception that was raised, or a kick: does what the core would do about
 * it, and chooses what is delivered next, if that needs nothing that sleeps.  True: on into the
 * guest; false: run() returns, without an exit.  Atomic.
 */
bool run_look_fast(struct vcpu *vcpu);

/* The instruction at RIP, of length bytes, is done: RIP, shadows, RF, and #DB by TF. [own] */
void run_finish(struct vcpu *vcpu, uint8_t length);

/* KVM_HC_*: the guest's VMCALL or VMMCALL; its result is in RAX. */
void run_hypercall(struct vcpu *vcpu);
/* Whether the one that is asked for neither sleeps nor reaches guest memory. */
bool run_hypercall_is_atomic(const struct vcpu *vcpu);

#endif
