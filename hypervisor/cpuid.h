/* SPDX-License-Identifier: MIT */
/*
 * cpuid.h - which CPU a guest sees: what the core and its backend can offer on this host, and what
 * the caller made of it for each vCPU.
 */
#ifndef DYAD_HYPERVISOR_CPUID_H
#define DYAD_HYPERVISOR_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

struct backend;
struct vcpu;

#define CPUID_ENTRIES_LIMIT 256

/* KVM_GET_SUPPORTED_CPUID and KVM_GET_EMULATED_CPUID; user is a struct kvm_cpuid2. */
int cpuid_supported(const struct backend *backend, uint64_t user);
int cpuid_emulated(const struct backend *backend, uint64_t user);
/* KVM_SET_CPUID2, KVM_SET_CPUID and KVM_GET_CPUID2.  By the vCPU's owner. */
int cpuid_set2(struct vcpu *vcpu, uint64_t user);
int cpuid_set(struct vcpu *vcpu, uint64_t user);
int cpuid_get2(struct vcpu *vcpu, uint64_t user);

/* The bits of XCR0 that a guest of this backend may have on this host. */
uint64_t cpuid_supported_xcr0(const struct backend *backend);

/* What the guest's table says of a leaf, or NULL; index counts where the leaf has several. [own] */
const struct kvm_cpuid_entry2 *cpuid_find(const struct vcpu *vcpu, uint32_t leaf, uint32_t index);

/* Makes vcpu->limits anew from the table. [own] */
void cpuid_update_limits(struct vcpu *vcpu);
/* Whether the guest's table has the bits of register i (EAX, EBX, ECX, EDX) of a leaf. [own] */
bool cpuid_has(const struct vcpu *vcpu, uint32_t leaf, unsigned i, uint32_t bits);

/* The instruction: what the guest reads, with the bits that follow its control registers. [own] */
void cpuid_execute(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

#endif
