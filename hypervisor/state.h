/* SPDX-License-Identifier: MIT */
/*
 * state.h - a vCPU's state as the ABI's structures carry it: what the caller gets, and sets after
 * it has been checked.  All by the thread that owns the vCPU; setters return -EINVAL and leave all
 * as it was when a value is none that a CPU could have.
 */
#ifndef DYAD_HYPERVISOR_STATE_H
#define DYAD_HYPERVISOR_STATE_H

#include <linux/kvm.h>
#include <stdint.h>

struct vcpu;

/* state_registers.c */
void state_get_regs(struct vcpu *vcpu, struct kvm_regs *regs);
int state_set_regs(struct vcpu *vcpu, const struct kvm_regs *regs);
void state_get_sregs(struct vcpu *vcpu, struct kvm_sregs *sregs);
int state_set_sregs(struct vcpu *vcpu, const struct kvm_sregs *sregs);
void state_get_sregs2(struct vcpu *vcpu, struct kvm_sregs2 *sregs);
int state_set_sregs2(struct vcpu *vcpu, const struct kvm_sregs2 *sregs);
void state_get_debug(struct vcpu *vcpu, struct kvm_debugregs *debug);
int state_set_debug(struct vcpu *vcpu, const struct kvm_debugregs *debug);

/* state_vector.c: the XSAVE area's are in the standard form, CPU_XSAVE_SIZE bytes */
void state_get_fpu(struct vcpu *vcpu, struct kvm_fpu *fpu);
int state_set_fpu(struct vcpu *vcpu, const struct kvm_fpu *fpu);
void state_get_xsave(struct vcpu *vcpu, struct kvm_xsave *xsave);
int state_set_xsave(struct vcpu *vcpu, const struct kvm_xsave *xsave);
void state_get_xcrs(struct vcpu *vcpu, struct kvm_xcrs *xcrs);
int state_set_xcrs(struct vcpu *vcpu, const struct kvm_xcrs *xcrs);

/* state_events.c */
void state_get_events(struct vcpu *vcpu, struct kvm_vcpu_events *events);
int state_set_events(struct vcpu *vcpu, const struct kvm_vcpu_events *events);
void state_get_mp(struct vcpu *vcpu, struct kvm_mp_state *mp);
int state_set_mp(struct vcpu *vcpu, const struct kvm_mp_state *mp);
int state_queue_interrupt(struct vcpu *vcpu, const struct kvm_interrupt *interrupt);
int state_queue_nmi(struct vcpu *vcpu);
int state_set_guest_debug(struct vcpu *vcpu, const struct kvm_guest_debug *debug);
void state_translate(struct vcpu *vcpu, struct kvm_translation *translation);

#endif
