/* SPDX-License-Identifier: MIT */
/*
 * async_fault.h - asynchronous page faults: a guest whose page has to be read from its host's disk
 * is told so, to do something else meanwhile, and told again when the page is there (Linux,
 * virt/kvm/x86/msr.rst: MSR_KVM_ASYNC_PF_EN, _INT, _ACK).
 *
 * "Not there" is a #PF whose CR2 is a token, with a flag in an area of the guest's memory; "there"
 * is an interrupt, with the token in that area.  One that can't be told (the guest isn't ready for
 * it, or ASYNC_FAULTS_MAX are under way) has its vCPU wait, as without all this.  For hosts that
 * have a host_fetcher.  All [own]: by the thread that runs or commands the vCPU.
 */
#ifndef DYAD_HYPERVISOR_ASYNC_FAULT_H
#define DYAD_HYPERVISOR_ASYNC_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/vcpu.h"

#define ASYNC_FAULTS_MAX 64

struct host_memory;

/* Writes to the three registers; false: #GP. */
bool async_fault_set_area(struct vcpu *vcpu, uint64_t value);
bool async_fault_set_vector(struct vcpu *vcpu, uint64_t value);
bool async_fault_acknowledge(struct vcpu *vcpu, uint64_t value);

/* For async_fault_can_take(), once the guest has asked for them. */
bool async_fault_is_possible(const struct vcpu *vcpu);

/* Whether the guest could be told now that a page isn't there; nothing of its memory is looked at.
 */
static inline bool async_fault_can_take(const struct vcpu *vcpu)
{
	return vcpu->async_faults && async_fault_is_possible(vcpu);
}

/*
 * The page at gpa has to be read from a disk: has that done, and raises the #PF.  False: nothing
 * was done, and the vCPU waits for its page.  By the vCPU's thread inside run(), after
 * async_fault_can_take().
 */
bool async_fault_begin(struct vcpu *vcpu, struct host_memory *memory, uint64_t gpa, bool write);

/* VCPU_REQUEST_ASYNC: tells of one page that is there, if the guest has taken the one before. */
void async_fault_deliver(struct vcpu *vcpu);

void async_fault_reset(struct vcpu *vcpu);   /* RESET, INIT: off */
void async_fault_destroy(struct vcpu *vcpu); /* waits for what is under way */

#endif
