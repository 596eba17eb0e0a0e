/* SPDX-License-Identifier: MIT */
/*
 * msr.h - model-specific registers that Dyad sets or reads (Intel SDM volume 4; AMD APM volume 2,
 * appendix A).
 */
#ifndef DYAD_HW_MSR_H
#define DYAD_HW_MSR_H

/* Both makers' (Intel SDM volume 4, table 2-2) */
#define MSR_TSC 0x10u
#define MSR_PLATFORM_ID 0x17u
#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_DEFAULT UINT64_C(0xfee00000)
#define APIC_BASE_BOOT_CPU (UINT64_C(1) << 8)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)
#define MSR_FEATURE_CONTROL 0x3au
#define FEATURE_CONTROL_LOCKED (UINT64_C(1) << 0)
#define MSR_TSC_ADJUST 0x3bu
#define MSR_MICROCODE_UPDATE 0x79u
#define MSR_MICROCODE_REVISION 0x8bu
#define MSR_PMC0 0xc1u
#define MSR_PLATFORM_INFO 0xceu
#define MSR_MTRR_CAP 0xfeu
#define MTRR_CAP_FIXED (UINT64_C(1) << 8)
#define MTRR_CAP_WRITE_COMBINING (UINT64_C(1) << 10)
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_MCG_CAP 0x179u
#define MCG_CAP_BANKS UINT64_C(0xff)
#define MCG_CAP_CTL_P (UINT64_C(1) << 8)
#define MCG_CAP_SER_P (UINT64_C(1) << 24)
#define MSR_MCG_STATUS 0x17au
#define MCG_STATUS_RIPV (UINT64_C(1) << 0)
#define MCG_STATUS_MCIP (UINT64_C(1) << 2)
#define MSR_MCG_CTL 0x17bu
#define MSR_PERF_EVENT_SELECT0 0x186u
#define MSR_PERF_STATUS 0x198u
#define MSR_MISC_ENABLE 0x1a0u
#define MISC_ENABLE_FAST_STRINGS (1u << 0)
#define MISC_ENABLE_BTS_UNAVAILABLE (1u << 11)
#define MISC_ENABLE_PEBS_UNAVAILABLE (1u << 12)
#define MSR_DEBUG_CONTROL 0x1d9u
#define MSR_LAST_BRANCH_FROM 0x1dbu
#define MSR_LAST_BRANCH_TO 0x1dcu
#define MSR_LAST_EXCEPTION_FROM 0x1ddu
#define MSR_LAST_EXCEPTION_TO 0x1deu
#define MSR_PAT 0x277u
#define PAT_RESET UINT64_C(0x0007040600070406)

#define MSR_MTRR_PHYSICAL_BASE0 0x200u /* and mask, of each */
#define MSR_MTRR_FIX64K 0x250u
#define MSR_MTRR_FIX16K_80000 0x258u
#define MSR_MTRR_FIX16K_A0000 0x259u
#define MSR_MTRR_FIX4K_C0000 0x268u
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MTRR_TYPE_WRITE_BACK 6u
#define MTRR_DEF_TYPE_FIXED (1u << 10)
#define MTRR_DEF_TYPE_ENABLE (1u << 11)
#define MTRR_MASK_VALID (UINT64_C(1) << 11)

#define MSR_MC0_CTL 0x400u /* CTL, STATUS, ADDR, MISC of each bank */
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST 0x8ffu
#define MSR_XSS 0xda0u

#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
#define MSR_TSC_RATIO 0xc0000104u /* APM2 section 15.30.5: of guests' TSCs, in units of 2^-32 */

/* AMD's (APM2 appendix A; the processor programming references) */
#define MSR_K7_EVENT_SELECT0 0xc0010000u /* four, then the four counters */
#define MSR_SYSCFG 0xc0010010u
#define MSR_HWCR 0xc0010015u
#define HWCR_TSC_FREQUENCY_SELECT (UINT64_C(1) << 24)
#define MSR_IORR_BASE0 0xc0010016u
#define MSR_TOP_MEM 0xc001001au
#define MSR_TOP_MEM2 0xc001001du
#define MSR_NORTHBRIDGE_CONFIG 0xc001001fu
#define MSR_MCE_REDIRECT 0xc0010022u
#define MSR_HARDWARE_THERMAL 0xc001003eu
#define MSR_INTERRUPT_PENDING 0xc0010055u
#define MSR_MMIO_CONFIG_BASE 0xc0010058u
#define MSR_PSTATE_LIMIT 0xc0010061u
#define MSR_PSTATE_DEF0 0xc0010064u
#define MSR_VM_CR 0xc0010114u
#define VM_CR_SVME_DISABLE (UINT64_C(1) << 4)
#define VM_CR_LOCK (UINT64_C(1) << 3)
#define MSR_IGNORE_NEXT_INIT 0xc0010115u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define MSR_OSVW_LENGTH 0xc0010140u
#define MSR_OSVW_STATUS 0xc0010141u
#define MSR_F15H_EVENT_SELECT0 0xc0010200u /* six, each with its counter */
#define MSR_LS_CONFIG 0xc0011020u
#define MSR_DC_CONFIG 0xc0011022u
#define MSR_BU_CONFIG2 0xc001102au
#define MSR_DECODE_CONFIG 0xc0011029u
#define DECODE_CONFIG_LFENCE_SERIALIZES (UINT64_C(1) << 1)

#endif
