/* SPDX-License-Identifier: MIT */
/*
 * fake_kvm.h - a hypervisor for tests: it records what it is asked and runs a script of exits in
 * place of a guest.  Threads run to their end inside os_thread_start().
 */
#ifndef DYAD_TESTS_FAKE_KVM_H
#define DYAD_TESTS_FAKE_KVM_H

#include <linux/kvm.h>
#include <stdint.h>

#include "os.h"

#define FAKE_KVM_RUN_SIZE 8192

/* What KVM_RUN does next: fills in the shared page and returns result. */
struct fake_exit {
	int64_t result;
	void (*fill)(struct kvm_run *run);
	void (*check)(const struct kvm_run
			      *run); /* at the KVM_RUN after, before the next fill; or NULL */
};

struct os_kvm *fake_kvm_create(void);
void fake_kvm_destroy(struct os_kvm *system);
/* The exits that vCPU 0 makes, ended by one whose fill is NULL and result 0: KVM_EXIT_SHUTDOWN. */
void fake_kvm_set_script(struct os_kvm *system, const struct fake_exit *script);
/* KVM_CHECK_EXTENSION(capability) answers 0. */
void fake_kvm_withhold(struct os_kvm *system, uint32_t capability);
/* From now on this command answers with error (negative); 0 takes that back. */
void fake_kvm_fail(struct os_kvm *system, uint32_t command, int error);

/* What was asked for. */
unsigned fake_kvm_count(const struct os_kvm *system, uint32_t command);
const struct kvm_irq_routing_entry *fake_kvm_route(const struct os_kvm *system, uint32_t gsi,
						   uint32_t type, uint32_t chip);
unsigned fake_kvm_open_objects(const struct os_kvm *system); /* VMs and vCPUs not closed yet */
const struct kvm_sregs *fake_kvm_sregs(const struct os_kvm *system);
const struct kvm_regs *fake_kvm_regs(const struct os_kvm *system);
/* What KVM_GET_REGS and KVM_GET_SREGS say from now on. */
void fake_kvm_set_state(struct os_kvm *system, const struct kvm_regs *regs,
			const struct kvm_sregs *sregs);

#endif
