/* SPDX-License-Identifier: MIT */
/*
 * vmx.h - Intel's VMX: the MSRs that tell what a CPU has of it, the VMCS's fields, controls, exit
 * reasons.  Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3C (SDM3),
 * chapters 25 to 29 and appendices A to C (as numbered since 2023).  vmx_guest.h has the formats of
 * the guest's state.
 */
#ifndef DYAD_HW_VMX_H
#define DYAD_HW_VMX_H

#include <stdint.h>

#include "hw/vmx_guest.h"

/* --- Capabilities, SDM3 appendix A ------------------------------------------------------------ */

#define MSR_VMX_BASIC 0x480u
#define VMX_BASIC_MEMORY_TYPE_SHIFT 50 /* 4 bits: of the regions that the CPU keeps */
#define VMX_BASIC_TRUE_CONTROLS (UINT64_C(1) << 55)
/* Controls: bits 31:0 are those that must be 1, 63:32 those that may be. */
#define MSR_VMX_PIN 0x481u
#define MSR_VMX_PRIMARY 0x482u
#define MSR_VMX_EXIT 0x483u
#define MSR_VMX_ENTRY 0x484u
#define MSR_VMX_MISC 0x485u
#define VMX_MISC_TIMER_SHIFT(misc)                                                                 \
	((unsigned)(misc)&0x1f)                      /* of the TSC, to the preemption timer        \
						      */
#define VMX_MISC_INJECT_LENGTH_0 (UINT64_C(1) << 30) /* INT n may be injected with length 0 */
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_SECONDARY 0x48bu
#define MSR_VMX_EPT_VPID 0x48cu
#define VMX_EPT_LEVELS_4 (UINT64_C(1) << 6)
#define VMX_EPT_LEVELS_5 (UINT64_C(1) << 7)
#define VMX_EPT_WRITE_BACK (UINT64_C(1) << 14)
#define VMX_EPT_2_MIB (UINT64_C(1) << 16)
#define VMX_EPT_1_GIB (UINT64_C(1) << 17)
#define VMX_EPT_INVEPT (UINT64_C(1) << 20)
#define VMX_EPT_ACCESSED (UINT64_C(1) << 21) /* accessed and dirty flags */
#define VMX_EPT_INVEPT_SINGLE (UINT64_C(1) << 25)
#define VMX_EPT_INVEPT_ALL (UINT64_C(1) << 26)
#define VMX_VPID_INVVPID (UINT64_C(1) << 32)
#define VMX_VPID_INVVPID_ALL (UINT64_C(1) << 42)
#define MSR_VMX_TRUE_PIN 0x48du
#define MSR_VMX_TRUE_PRIMARY 0x48eu
#define MSR_VMX_TRUE_EXIT 0x48fu
#define MSR_VMX_TRUE_ENTRY 0x490u

/* --- Controls, SDM3 tables 25-5 to 25-15 ------------------------------------------------------ */

#define VMX_PIN_EXTERNAL_INTERRUPT (1u << 0)
#define VMX_PIN_NMI (1u << 3)
#define VMX_PIN_PREEMPTION_TIMER (1u << 6)

#define VMX_PRIMARY_INTERRUPT_WINDOW (1u << 2)
#define VMX_PRIMARY_TSC_OFFSET (1u << 3)
#define VMX_PRIMARY_HLT (1u << 7)
#define VMX_PRIMARY_INVLPG (1u << 9)
#define VMX_PRIMARY_MWAIT (1u << 10)
#define VMX_PRIMARY_RDPMC (1u << 11)
#define VMX_PRIMARY_RDTSC (1u << 12)
#define VMX_PRIMARY_CR3_LOAD (1u << 15)
#define VMX_PRIMARY_CR3_STORE (1u << 16)
#define VMX_PRIMARY_CR8_LOAD (1u << 19)
#define VMX_PRIMARY_CR8_STORE (1u << 20)
#define VMX_PRIMARY_NMI_WINDOW (1u << 22)
#define VMX_PRIMARY_MOV_DR (1u << 23)
#define VMX_PRIMARY_IO (1u << 24)
#define VMX_PRIMARY_MSR_BITMAPS (1u << 28)
#define VMX_PRIMARY_MONITOR (1u << 29)
#define VMX_PRIMARY_PAUSE (1u << 30)
#define VMX_PRIMARY_SECONDARY (1u << 31)

#define VMX_SECONDARY_RDTSCP (1u << 3)
#define VMX_SECONDARY_VPID (1u << 5)
#define VMX_SECONDARY_WBINVD (1u << 6)
#define VMX_SECONDARY_PAUSE_LOOP (1u << 10)
#define VMX_SECONDARY_INVPCID (1u << 12)
#define VMX_SECONDARY_ENCLS (1u << 15)
#define VMX_SECONDARY_XSAVES (1u << 20)
#define VMX_SECONDARY_TSC_SCALING (1u << 25)
#define VMX_TSC_MULTIPLIER_BITS 48 /* behind the point */

#define VMX_EXIT_SAVE_DEBUG_CONTROLS (1u << 2)
#define VMX_EXIT_HOST_64 (1u << 9)
#define VMX_EXIT_LOAD_EFER (1u << 21)

/* --- The VMCS's fields, SDM3 appendix B ------------------------------------------------------- */

#define VMCS_VPID 0x0000u
#define VMCS_GUEST_SELECTOR(n) (0x0800u + 2 * (n)) /* n: enum vmx_segment_register */
#define VMCS_HOST_ES 0x0c00u
#define VMCS_HOST_CS 0x0c02u
#define VMCS_HOST_SS 0x0c04u
#define VMCS_HOST_DS 0x0c06u
#define VMCS_HOST_FS 0x0c08u
#define VMCS_HOST_GS 0x0c0au
#define VMCS_HOST_TR 0x0c0cu

#define VMCS_MSR_BITMAPS 0x2004u
#define VMCS_TSC_OFFSET 0x2010u
#define VMCS_EPT_POINTER 0x201au
#define VMCS_XSS_EXITING 0x202cu
#define VMCS_ENCLS_EXITING 0x202eu
#define VMCS_TSC_MULTIPLIER 0x2032u
#define VMCS_GUEST_PHYSICAL 0x2400u
#define VMCS_LINK_POINTER 0x2800u
#define VMCS_GUEST_DEBUGCTL 0x2802u
#define VMCS_GUEST_EFER 0x2806u
#define VMCS_GUEST_PDPTE(n) (0x280au + 2 * (n))
#define VMCS_HOST_EFER 0x2c02u

#define VMCS_PIN 0x4000u
#define VMCS_PRIMARY 0x4002u
#define VMCS_EXCEPTIONS 0x4004u
#define VMCS_PAGE_FAULT_MASK 0x4006u
#define VMCS_PAGE_FAULT_MATCH 0x4008u
#define VMCS_CR3_TARGETS 0x400au
#define VMCS_EXIT_CONTROLS 0x400cu
#define VMCS_EXIT_MSR_STORES 0x400eu
#define VMCS_EXIT_MSR_LOADS 0x4010u
#define VMCS_ENTRY_CONTROLS 0x4012u
#define VMCS_ENTRY_MSR_LOADS 0x4014u
#define VMCS_ENTRY_INTERRUPTION 0x4016u
#define VMCS_ENTRY_ERROR 0x4018u
#define VMCS_ENTRY_LENGTH 0x401au
#define VMCS_SECONDARY 0x401eu
#define VMCS_PAUSE_GAP 0x4020u
#define VMCS_PAUSE_WINDOW 0x4022u
#define VMCS_INSTRUCTION_ERROR 0x4400u
#define VMCS_EXIT_REASON 0x4402u
#define VMCS_EXIT_INTERRUPTION 0x4404u
#define VMCS_EXIT_ERROR 0x4406u
#define VMCS_IDT_VECTORING 0x4408u
#define VMCS_IDT_VECTORING_ERROR 0x440au
#define VMCS_EXIT_LENGTH 0x440cu
#define VMCS_GUEST_LIMIT(n) (0x4800u + 2 * (n))
#define VMCS_GUEST_GDTR_LIMIT 0x4810u
#define VMCS_GUEST_IDTR_LIMIT 0x4812u
#define VMCS_GUEST_ACCESS_RIGHTS(n) (0x4814u + 2 * (n))
#define VMCS_GUEST_INTERRUPTIBILITY 0x4824u
#define VMCS_GUEST_ACTIVITY 0x4826u
#define VMCS_GUEST_SYSENTER_CS 0x482au
#define VMCS_PREEMPTION_TIMER 0x482eu
#define VMCS_HOST_SYSENTER_CS 0x4c00u

#define VMCS_CR0_MASK 0x6000u
#define VMCS_CR4_MASK 0x6002u
#define VMCS_CR0_SHADOW 0x6004u
#define VMCS_CR4_SHADOW 0x6006u
#define VMCS_EXIT_QUALIFICATION 0x6400u
#define VMCS_GUEST_CR0 0x6800u
#define VMCS_GUEST_CR3 0x6802u
#define VMCS_GUEST_CR4 0x6804u
#define VMCS_GUEST_BASE(n) (0x6806u + 2 * (n))
#define VMCS_GUEST_GDTR_BASE 0x6816u
#define VMCS_GUEST_IDTR_BASE 0x6818u
#define VMCS_GUEST_DR7 0x681au
#define VMCS_GUEST_RSP 0x681cu
#define VMCS_GUEST_RIP 0x681eu
#define VMCS_GUEST_RFLAGS 0x6820u
#define VMCS_GUEST_PENDING_DEBUG 0x6822u
#define VMCS_GUEST_SYSENTER_ESP 0x6824u
#define VMCS_GUEST_SYSENTER_EIP 0x6826u
#define VMCS_HOST_CR0 0x6c00u
#define VMCS_HOST_CR3 0x6c02u
#define VMCS_HOST_CR4 0x6c04u
#define VMCS_HOST_FS_BASE 0x6c06u
#define VMCS_HOST_GS_BASE 0x6c08u
#define VMCS_HOST_TR_BASE 0x6c0au
#define VMCS_HOST_GDTR_BASE 0x6c0cu
#define VMCS_HOST_IDTR_BASE 0x6c0eu
#define VMCS_HOST_SYSENTER_ESP 0x6c10u
#define VMCS_HOST_SYSENTER_EIP 0x6c12u
#define VMCS_HOST_RSP 0x6c14u
#define VMCS_HOST_RIP 0x6c16u

/* --- Exit reasons, SDM3 appendix C; in bits 15:0 ---------------------------------------------- */

#define VMX_REASON_ENTRY_FAILED (1u << 31) /* the guest has not run */
#define VMX_REASON_BASIC 0xffffu

#define VMX_REASON_EXCEPTION 0u /* or an NMI */
#define VMX_REASON_EXTERNAL_INTERRUPT 1u
#define VMX_REASON_TRIPLE_FAULT 2u
#define VMX_REASON_INIT 3u
#define VMX_REASON_SIPI 4u
#define VMX_REASON_INTERRUPT_WINDOW 7u
#define VMX_REASON_NMI_WINDOW 8u
#define VMX_REASON_TASK_SWITCH 9u
#define VMX_REASON_CPUID 10u
#define VMX_REASON_GETSEC 11u
#define VMX_REASON_HLT 12u
#define VMX_REASON_INVD 13u
#define VMX_REASON_RDPMC 15u
#define VMX_REASON_RSM 17u
#define VMX_REASON_VMCALL 18u
#define VMX_REASON_VMCLEAR 19u /* to VMXON, 27: VMX's instructions */
#define VMX_REASON_VMXON 27u
#define VMX_REASON_CONTROL_REGISTER 28u
#define VMX_REASON_DEBUG_REGISTER 29u
#define VMX_REASON_IO 30u
#define VMX_REASON_RDMSR 31u
#define VMX_REASON_WRMSR 32u
#define VMX_REASON_INVALID_STATE 33u
#define VMX_REASON_MSR_LOADING 34u
#define VMX_REASON_MWAIT 36u
#define VMX_REASON_MONITOR 39u
#define VMX_REASON_PAUSE 40u
#define VMX_REASON_MACHINE_CHECK 41u
#define VMX_REASON_EPT_VIOLATION 48u
#define VMX_REASON_EPT_MISCONFIGURED 49u
#define VMX_REASON_INVEPT 50u
#define VMX_REASON_PREEMPTION_TIMER 52u
#define VMX_REASON_INVVPID 53u
#define VMX_REASON_WBINVD 54u
#define VMX_REASON_XSETBV 55u
#define VMX_REASON_ENCLS 60u

/* Exit qualifications, SDM3 section 28.2.1. */
#define VMX_CONTROL_REGISTER(qualification) ((unsigned)(qualification)&0xf)
#define VMX_CONTROL_ACCESS(qualification) ((unsigned)((qualification) >> 4) & 3)
#define VMX_CONTROL_ACCESS_TO 0u
#define VMX_CONTROL_ACCESS_FROM 1u
#define VMX_CONTROL_GENERAL(qualification) ((unsigned)((qualification) >> 8) & 0xf)
#define VMX_IO_SIZE(qualification) (((unsigned)(qualification)&7) + 1)
#define VMX_IO_IN (1u << 3)
#define VMX_IO_STRING (1u << 4)
#define VMX_IO_PORT_SHIFT 16
#define VMX_TASK_SOURCE(qualification) ((unsigned)((qualification) >> 30) & 3)
#define VMX_EPT_VIOLATION_WRITE (1u << 1)
#define VMX_EPT_VIOLATION_LINEAR (1u << 7) /* it is an instruction's access, or a walk for one */
#define VMX_EPT_VIOLATION_TRANSLATED (1u << 8) /* it is no access of a walk */
#define VMX_UNBLOCKED_NMI (1u << 12) /* of these, and in interruption information: by IRET */

/* --- EPT, SDM3 section 29.3 ------------------------------------------------------------------- */

#define EPT_READ (UINT64_C(1) << 0)
#define EPT_WRITE (UINT64_C(1) << 1)
#define EPT_EXECUTE (UINT64_C(1) << 2)
#define EPT_TYPE_WRITE_BACK (UINT64_C(6) << 3)
#define EPT_IGNORE_PAT (UINT64_C(1) << 6)
#define EPT_LARGE (UINT64_C(1) << 7)
#define EPT_A (UINT64_C(1) << 8)
#define EPT_D (UINT64_C(1) << 9)

/* The EPT pointer. */
#define EPTP_WRITE_BACK UINT64_C(6)
#define EPTP_LEVELS(n) ((uint64_t)((n)-1) << 3)
#define EPTP_ACCESSED (UINT64_C(1) << 6)

/* INVEPT's and INVVPID's types, SDM3 chapter 31. */
#define INVEPT_SINGLE 1u
#define INVEPT_ALL 2u
#define INVVPID_ALL 2u

#endif
