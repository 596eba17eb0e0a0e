/* SPDX-License-Identifier: MIT */
/*
 * vcpu_life.h - what makes, ends and holds VMs and vCPUs, for those files of the core that do.
 */
#ifndef DYAD_HYPERVISOR_VCPU_LIFE_H
#define DYAD_HYPERVISOR_VCPU_LIFE_H

struct vcpu;
struct vm;

void vm_get(struct vm *vm); /* one more reference */
/* A vCPU has left the guest: tells those who wait for that. */
void vm_wake_waiting(struct vm *vm);

/* Ends a vCPU that nobody holds or runs any more. */
void vcpu_end(struct vcpu *vcpu);

#endif
