/* SPDX-License-Identifier: MIT */
/*
 * inside.h - which CPU a vCPU is inside the guest on, or about to be: how backends on hardware are
 * reached from other CPUs.
 */
#ifndef DYAD_HYPERVISOR_X86_INSIDE_H
#define DYAD_HYPERVISOR_X86_INSIDE_H

#include "hypervisor/vcpu.h"

/* Before the looks at what the entry depends on (vcpu.kicked, stage2.generation): whoever changes
 * that looks at this afterwards. */
static inline void inside_begin(struct vcpu *vcpu, unsigned cpu)
{
	__atomic_store_n(&vcpu->inside, cpu + 1, __ATOMIC_SEQ_CST);
}

/* The guest was not entered. */
static inline void inside_give_up(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->inside, 0, __ATOMIC_RELEASE);
}

/* After all that the guest did with what it had in its TLB. */
static inline void inside_end(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->entries, vcpu->entries + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&vcpu->inside, 0, __ATOMIC_RELEASE);
}

/* backend.h's kick(). */
void inside_kick(struct vcpu *vcpu);
/* stage2.flush: returns when no vCPU of the VM is inside with what it had before. */
void inside_flush(struct vm *vm);

#endif
