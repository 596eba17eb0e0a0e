/* SPDX-License-Identifier: MIT */
/*
 * msr.h - the model-specific registers of a vCPU, as the guest and the caller reach them.
 */
#ifndef DYAD_HYPERVISOR_MSR_H
#define DYAD_HYPERVISOR_MSR_H

#include <stdbool.h>
#include <stdint.h>

struct backend;
struct vcpu;

/* As after RESET. */
void msr_reset(struct vcpu *vcpu);

/* false: there is none, or value is none that it takes; the guest gets #GP(0). [own] */
bool msr_read(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest);

/* Whether it is one of the local APIC's: x2APIC's and IA32_TSC_DEADLINE. */
bool msr_is_lapic(uint32_t index);

/* KVM_GET_MSRS and KVM_SET_MSRS on a vCPU: how many were read or set, or -errno; user is a struct
 * kvm_msrs. [own] */
int64_t msr_get_list(struct vcpu *vcpu, uint64_t user);
int64_t msr_set_list(struct vcpu *vcpu, uint64_t user);
/* KVM_GET_MSRS on the system: those that say what the CPU is. */
int64_t msr_get_features(uint64_t user);
/* KVM_GET_MSR_INDEX_LIST and KVM_GET_MSR_FEATURE_INDEX_LIST; user is a struct kvm_msr_list. */
int msr_index_list(uint64_t user);
int msr_feature_index_list(uint64_t user);

#endif
