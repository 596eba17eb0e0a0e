/* SPDX-License-Identifier: MIT */
/*
 * vmx_guest.h - the formats of fields in the guest-state area of Intel's VMCS, and the bits of the
 * controls that decide what a guest's state may be.  Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 3C (SDM3), chapters 25 and 27 (as numbered since 2023).
 */
#ifndef DYAD_HW_VMX_GUEST_H
#define DYAD_HW_VMX_GUEST_H

#include <stdint.h>

/* Access rights of a segment register, SDM3 table 25-2: a descriptor's bits, and one more. */
#define VMX_AR_TYPE 0xfu
#define VMX_AR_S (1u << 4) /* code or data, not a system segment */
#define VMX_AR_DPL_SHIFT 5
#define VMX_AR_DPL(ar) ((ar) >> VMX_AR_DPL_SHIFT & 3)
#define VMX_AR_P (1u << 7)
#define VMX_AR_AVL (1u << 12)
#define VMX_AR_L (1u << 13)
#define VMX_AR_DB (1u << 14)
#define VMX_AR_G (1u << 15)
#define VMX_AR_UNUSABLE (1u << 16)
#define VMX_AR_RESERVED 0xfffe0f00u
#define VMX_AR_V8086 0xf3u /* of all segments in virtual-8086 mode */

/* The activity state, SDM3 section 25.4.2. */
#define VMX_ACTIVITY_ACTIVE 0u
#define VMX_ACTIVITY_HLT 1u
#define VMX_ACTIVITY_SHUTDOWN 2u
#define VMX_ACTIVITY_WAIT_FOR_SIPI 3u

/* The interruptibility state, SDM3 table 25-3. */
#define VMX_BLOCKING_BY_STI (1u << 0)
#define VMX_BLOCKING_BY_MOV_SS (1u << 1)
#define VMX_BLOCKING_BY_SMI (1u << 2)
#define VMX_BLOCKING_BY_NMI (1u << 3)
#define VMX_ENCLAVE_INTERRUPTION (1u << 4)
#define VMX_INTERRUPTIBILITY_RESERVED 0xffffffe0u

/* Pending debug exceptions, SDM3 table 25-4. */
#define VMX_PENDING_DEBUG_B_MASK UINT64_C(0xf)
#define VMX_PENDING_DEBUG_BUS_LOCK (UINT64_C(1) << 11)
#define VMX_PENDING_DEBUG_ENABLED (UINT64_C(1) << 12) /* a breakpoint that is enabled was met */
#define VMX_PENDING_DEBUG_BS (UINT64_C(1) << 14)
#define VMX_PENDING_DEBUG_RTM (UINT64_C(1) << 16)

#define VMX_LINK_POINTER_NONE (~UINT64_C(0))

/* The revision identifier in a VMCS region's first 4 bytes, SDM3 section 25.2. */
#define VMX_REVISION_MASK 0x7fffffffu
#define VMX_REVISION_SHADOW (1u << 31)

/* VM-entry controls, SDM3 table 25-15. */
#define VMX_ENTRY_LOAD_DEBUG_CONTROLS (1u << 2)
#define VMX_ENTRY_IA32E_GUEST (1u << 9)
#define VMX_ENTRY_TO_SMM (1u << 10)
#define VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL (1u << 13)
#define VMX_ENTRY_LOAD_PAT (1u << 14)
#define VMX_ENTRY_LOAD_EFER (1u << 15)
#define VMX_ENTRY_LOAD_BNDCFGS (1u << 16)
#define VMX_ENTRY_LOAD_RTIT_CTL (1u << 18)
#define VMX_ENTRY_LOAD_UINV (1u << 19)
#define VMX_ENTRY_LOAD_CET (1u << 20)
#define VMX_ENTRY_LOAD_LBR_CTL (1u << 21)
#define VMX_ENTRY_LOAD_PKRS (1u << 22)

/* VM-execution controls: pin-based (SDM3 table 25-5), and the secondary processor-based ones
 * (25-7). */
#define VMX_PIN_VIRTUAL_NMIS (1u << 5)
#define VMX_SECONDARY_EPT (1u << 1)
#define VMX_SECONDARY_UNRESTRICTED_GUEST (1u << 7)
#define VMX_SECONDARY_VMCS_SHADOWING (1u << 14)

/* Interruption information, SDM3 section 25.8.3 (at entries) and 25.9.2 (at exits). */
#define VMX_INTERRUPTION_VECTOR 0xffu
#define VMX_INTERRUPTION_TYPE_SHIFT 8 /* 3 bits */
#define VMX_INTERRUPTION_TYPE(info) ((info) >> VMX_INTERRUPTION_TYPE_SHIFT & 7)
#define VMX_INTERRUPTION_EXTERNAL 0u
#define VMX_INTERRUPTION_NMI 2u
#define VMX_INTERRUPTION_HARD_EXCEPTION 3u
#define VMX_INTERRUPTION_SOFT_INTERRUPT 4u
#define VMX_INTERRUPTION_PRIVILEGED_EXCEPTION 5u
#define VMX_INTERRUPTION_SOFT_EXCEPTION 6u
#define VMX_INTERRUPTION_OTHER 7u
#define VMX_INTERRUPTION_ERROR_CODE (1u << 11)
#define VMX_INTERRUPTION_VALID (1u << 31)

/* IA32_VMX_MISC: the activity states that the CPU has beside the active one, SDM3 appendix A.6. */
#define VMX_MISC_ACTIVITY_HLT (UINT64_C(1) << 6)
#define VMX_MISC_ACTIVITY_SHUTDOWN (UINT64_C(1) << 7)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI (UINT64_C(1) << 8)

#endif
