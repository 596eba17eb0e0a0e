/* SPDX-License-Identifier: MIT */
/*
 * fake_backend.h - a backend for tests of the core: it runs no instructions but gives the exits
 * that a test has put down for it, and notes what it was asked.
 */
#ifndef DYAD_TESTS_FAKE_BACKEND_H
#define DYAD_TESTS_FAKE_BACKEND_H

#include "hypervisor/vm.h"
#include "hypervisor/x86/backend.h"

extern const struct backend fake_backend;

/*
 * What run() does in place of the guest: by default the exits that were put down, in their order,
 * then what a signal does: KVM_RUN ends with -EINTR.
 */
extern void (*fake_backend_run)(struct vcpu *vcpu, struct exit *exit);
void fake_backend_exit(const struct exit *exit);

/* What the last run() was given to deliver, which it takes as delivered. */
extern struct cpu_event fake_backend_injected;
extern unsigned fake_backend_runs, fake_backend_kicks;
extern bool fake_backend_wanted_window, fake_backend_wanted_nmi_window;
/* complete_access() */
extern unsigned fake_backend_completions;
extern uint64_t fake_backend_completed_data;
/* memory_changed() and memory_written(): how often, and the last range */
extern unsigned fake_backend_changes, fake_backend_writes;
extern uint64_t fake_backend_range_gpa, fake_backend_range_size;
extern unsigned fake_backend_state_changes;
extern unsigned fake_backend_stops;       /* vm_stop(), while all vCPUs were there */
extern unsigned fake_backend_ended_vcpus; /* vcpu_destroy() */

void fake_backend_reset(void);

#endif
