/* SPDX-License-Identifier: MIT */
/*
 * layout.h - what switch.S knows of C's structures; vmcs.c asserts that it is so.
 */
#ifndef DYAD_HYPERVISOR_X86_VMX_LAYOUT_H
#define DYAD_HYPERVISOR_X86_VMX_LAYOUT_H

/* Offsets in cpu_state.gpr; RSP is the VMCS's. */
#define VMX_RAX 0
#define VMX_RCX 8
#define VMX_RDX 16
#define VMX_RBX 24
#define VMX_RBP 40
#define VMX_RSI 48
#define VMX_RDI 56
#define VMX_R(n) (64 + 8 * ((n)-8))

#define VMX_FIELD_HOST_RSP 0x6c14
#define VMX_MSR_SPEC_CTRL 0x48

/* Flags of vmx_switch(). */
#define VMX_SWITCH_LAUNCHED 1
#define VMX_SWITCH_FILL_RETURNS 2
#define VMX_SWITCH_CLEAR_BUFFERS 4
#define VMX_SWITCH_CLEAR_HISTORY 8
#define VMX_SWITCH_RENEW_IBRS 16

#endif
