/* SPDX-License-Identifier: MIT */
/*
 * layout.h - what switch.S knows of C's structures; vmcb.c asserts that it is so.
 */
#ifndef DYAD_HYPERVISOR_X86_SVM_LAYOUT_H
#define DYAD_HYPERVISOR_X86_SVM_LAYOUT_H

/* Offsets in cpu_state.gpr; RAX and RSP are the VMCB's. */
#define SVM_RCX 8
#define SVM_RDX 16
#define SVM_RBX 24
#define SVM_RBP 40
#define SVM_RSI 48
#define SVM_RDI 56
#define SVM_R(n) (64 + 8 * ((n)-8))

/* Flags of svm_switch(). */
#define SVM_SWITCH_FILL_RETURNS 1
#define SVM_SWITCH_CLEAR_BUFFERS 2

#endif
