/* SPDX-License-Identifier: MIT */
/*
 * requests.h - what other threads ask of a vCPU's thread: to forget what it has cached.
 *
 * A request is served before the vCPU runs another block.  Some requesters need to know that it has
 * been: they wait, counted as outside meanwhile so that nobody waits for them in turn.
 */
#ifndef DYAD_SOFT_REQUESTS_H
#define DYAD_SOFT_REQUESTS_H

#include "hypervisor/x86/soft/soft.h"

int soft_requests_create(struct soft_vcpu *c);
void soft_requests_destroy(struct soft_vcpu *c);

/* By the thread that runs the vCPU. */
void soft_requests_enter(struct soft_vcpu *c); /* run() begins: serves what there is */
void soft_requests_leave(struct soft_vcpu *c);
void soft_requests_serve(struct soft_vcpu *c);

/*
 * To one vCPU, by any thread; they return how far its requests must be served for this one to be.
 * Code: blocks of count guest-physical pages from gpa are void.  Protect: no right to write to the
 * page of gpa may be cached.  Flush: nothing of gpa..gpa+size may be cached.
 */
uint64_t soft_request_code(struct soft_vcpu *c, uint64_t gpa, uint64_t count);
uint64_t soft_request_protect(struct soft_vcpu *c, uint64_t gpa);
uint64_t soft_request_flush(struct soft_vcpu *c, uint64_t gpa, uint64_t size);

/* Waits until they are; self is the caller's vCPU if it is inside run(), else NULL. */
void soft_request_wait(struct soft_vcpu *c, uint64_t sequence, struct soft_vcpu *self);

/* Makes the vCPU leave its blocks: the run loop looks at what there is.  Any context. */
void soft_interrupt(struct soft_vcpu *c);

#endif
