/* SPDX-License-Identifier: MIT */
/*
 * clock.h - a VM's time: its vCPUs' time-stamp counters, and the clock that guests read from memory
 * (kvmclock).
 */
#ifndef DYAD_HYPERVISOR_CLOCK_H
#define DYAD_HYPERVISOR_CLOCK_H

#include <linux/kvm.h>
#include <stdint.h>

struct vcpu;
struct vm;

void clock_create(struct vm *vm); /* at zero, and so are its TSCs */

/* A new vCPU's TSC: as the others', and at the VM's rate. */
void clock_create_tsc(struct vcpu *vcpu);
/* Now. [own] */
uint64_t clock_tsc(const struct vcpu *vcpu);
/* The guest, or the caller, changed a TSC. [own] */
void clock_set_tsc_offset(struct vcpu *vcpu, uint64_t offset);
/* The caller sets it to value: as it sets one vCPU after another, those meant to be equal are. */
void clock_set_tsc(struct vcpu *vcpu, uint64_t value);

/*
 * KVM_SET_TSC_KHZ and KVM_GET_TSC_KHZ: the rate in kHz, of vCPUs to come or of one (then [own], and
 * its TSC is what it would be had it always counted so since it was set).  0 is the host's, and so
 * is what differs from it by 250 millionths or less.  -EINVAL: another rate, and the backend can't
 * scale, or not so far.
 */
int clock_set_vm_tsc_khz(struct vm *vm, uint64_t khz);
int clock_set_tsc_khz(struct vcpu *vcpu, uint64_t khz);
uint32_t clock_vm_tsc_khz(struct vm *vm);
uint32_t clock_tsc_khz(const struct vcpu *vcpu);

/* Writes the vCPU's kvmclock page, if the guest has one. [own] */
void clock_write_page(struct vcpu *vcpu);
/* Writes the time of the day at which the VM's clock was zero. */
void clock_write_wall(struct vm *vm, uint64_t gpa);

/* KVM_GET_CLOCK and KVM_SET_CLOCK. */
void clock_get(struct vm *vm, struct kvm_clock_data *data);
int clock_set(struct vm *vm, const struct kvm_clock_data *data);
/* KVM_HC_CLOCK_PAIRING: the wall clock and the TSC at one moment; what the guest gets in RAX. */
int64_t clock_pairing(struct vcpu *vcpu, uint64_t gpa, uint64_t type);

#endif
