/* SPDX-License-Identifier: MIT */
/*
 * cpuid.h - the CPUID leaves and bits that Dyad sets or reads (Intel SDM volume 2, CPUID; AMD APM
 * volume 3, appendix E).
 */
#ifndef DYAD_HW_CPUID_H
#define DYAD_HW_CPUID_H

#define CPUID_LEAF_VENDOR 0x0u
#define CPUID_LEAF_FEATURES 0x1u
#define CPUID_LEAF_CACHE_DESCRIPTORS 0x2u
#define CPUID_LEAF_CACHES 0x4u
#define CPUID_LEAF_TOPOLOGY 0xbu
#define CPUID_LEAF_TOPOLOGY_V2 0x1fu
#define CPUID_LEAF_EXTENDED_FEATURES 0x80000001u
#define CPUID_LEAF_ADDRESS_SIZES 0x80000008u
#define CPUID_LEAF_AMD_CACHES 0x8000001du
#define CPUID_LEAF_AMD_TOPOLOGY 0x8000001eu
#define CPUID_LEAF_AMD_SVM 0x8000000au

#define CPUID_LEAF_THERMAL 0x6u
#define CPUID_LEAF_STRUCTURED 0x7u
#define CPUID_LEAF_XSAVE 0xdu
#define CPUID_LEAF_EXTENDED_MAX 0x80000000u
#define CPUID_LEAF_BRAND0 0x80000002u
#define CPUID_LEAF_BRAND2 0x80000004u
#define CPUID_LEAF_AMD_L1 0x80000005u
#define CPUID_LEAF_AMD_L2 0x80000006u
#define CPUID_LEAF_POWER 0x80000007u
#define CPUID_LEAF_AMD_FPU 0x8000001au
#define CPUID_LEAF_AMD_EXTENDED2 0x80000021u

/* Leaf 1 */
#define CPUID_1_EBX_LOGICAL_COUNT_SHIFT 16 /* 8 bits */
#define CPUID_1_EBX_APIC_ID_SHIFT 24       /* 8 bits */
#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_1_ECX_SSE3 (1u << 0)
#define CPUID_1_ECX_PCLMULQDQ (1u << 1)
#define CPUID_1_ECX_SSSE3 (1u << 9)
#define CPUID_1_ECX_FMA (1u << 12)
#define CPUID_1_ECX_CX16 (1u << 13)
#define CPUID_1_ECX_PCID (1u << 17)
#define CPUID_1_ECX_SSE4_1 (1u << 19)
#define CPUID_1_ECX_SSE4_2 (1u << 20)
#define CPUID_1_ECX_X2APIC (1u << 21)
#define CPUID_1_ECX_MOVBE (1u << 22)
#define CPUID_1_ECX_POPCNT (1u << 23)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_AES (1u << 25)
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_1_ECX_OSXSAVE (1u << 27)
#define CPUID_1_ECX_AVX (1u << 28)
#define CPUID_1_ECX_F16C (1u << 29)
#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
/* FPU VME DE PSE TSC MSR PAE MCE CX8, then APIC */
#define CPUID_1_EDX_LOW 0x1ffu
#define CPUID_1_EDX_APIC (1u << 9)
#define CPUID_1_EDX_SEP (1u << 11)
/* MTRR PGE MCA CMOV PAT PSE36 */
#define CPUID_1_EDX_MIDDLE 0x3f000u
#define CPUID_1_EDX_MTRR (1u << 12)
#define CPUID_1_EDX_CLFLUSH (1u << 19)
#define CPUID_1_EDX_MMX (1u << 23)
#define CPUID_1_EDX_FXSR (1u << 24)
#define CPUID_1_EDX_SSE (1u << 25)
#define CPUID_1_EDX_SSE2 (1u << 26)
#define CPUID_1_EDX_HTT (1u << 28)

/* Leaf 6 */
#define CPUID_6_EAX_ARAT (1u << 2)

/* Leaf 7, subleaf 0 */
#define CPUID_7_EBX_FSGSBASE (1u << 0)
#define CPUID_7_EBX_TSC_ADJUST (1u << 1)
#define CPUID_7_EBX_BMI1 (1u << 3)
#define CPUID_7_EBX_AVX2 (1u << 5)
#define CPUID_7_EBX_FDP_EXCEPTION_ONLY (1u << 6)
#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_BMI2 (1u << 8)
#define CPUID_7_EBX_ERMS (1u << 9)
#define CPUID_7_EBX_INVPCID (1u << 10)
#define CPUID_7_EBX_RTM (1u << 11)
#define CPUID_7_EBX_NO_FPU_SELECTORS (1u << 13)
#define CPUID_7_EBX_RDSEED (1u << 18)
#define CPUID_7_EBX_ADX (1u << 19)
#define CPUID_7_EBX_SMAP (1u << 20)
#define CPUID_7_EBX_CLFLUSHOPT (1u << 23)
#define CPUID_7_EBX_CLWB (1u << 24)
#define CPUID_7_EBX_SHA (1u << 29)
#define CPUID_7_ECX_UMIP (1u << 2)
#define CPUID_7_ECX_PKU (1u << 3)
#define CPUID_7_ECX_OSPKE (1u << 4)
#define CPUID_7_ECX_VAES (1u << 9)
#define CPUID_7_ECX_VPCLMULQDQ (1u << 10)
#define CPUID_7_ECX_LA57 (1u << 16)
#define CPUID_7_ECX_RDPID (1u << 22)
#define CPUID_7_EDX_FSRM (1u << 4)
#define CPUID_7_EDX_MD_CLEAR (1u << 10) /* VERW overwrites the CPU's buffers */
#define CPUID_7_EDX_IBPB (1u << 26)     /* and IBRS */
#define CPUID_7_EDX_L1D_FLUSH (1u << 28)
#define CPUID_7_EDX_ARCH_CAPABILITIES (1u << 29)

/* Leaf 0xd, subleaf 1 */
#define CPUID_D1_EAX_XSAVEOPT (1u << 0)
#define CPUID_D1_EAX_XSAVEC (1u << 1)
#define CPUID_D1_EAX_XGETBV1 (1u << 2)
#define CPUID_D1_EAX_XSAVES (1u << 3)

/* Leaf 4, and AMD's 0x8000001d, which has the same form */
#define CPUID_4_EAX_TYPE_MASK 0x1fu
#define CPUID_4_EAX_LEVEL_SHIFT 5    /* 3 bits */
#define CPUID_4_EAX_SHARING_SHIFT 14 /* 12 bits: logical processors that share it, less one */
#define CPUID_4_EAX_CORES_SHIFT 26   /* 6 bits: cores in the package, less one; zero on AMD */

/* Leaves 0xb and 0x1f: one level a subleaf */
#define CPUID_TOPOLOGY_LEVEL_THREAD 1u
#define CPUID_TOPOLOGY_LEVEL_CORE 2u
#define CPUID_TOPOLOGY_LEVEL_SHIFT 8

/* Leaf 0x80000001 */
#define CPUID_80000001_ECX_LAHF (1u << 0)
#define CPUID_80000001_ECX_CMP_LEGACY (1u << 1)
#define CPUID_80000001_ECX_CR8_LEGACY (1u << 4)
#define CPUID_80000001_ECX_ABM (1u << 5)
#define CPUID_80000001_ECX_SSE4A (1u << 6)
#define CPUID_80000001_ECX_MISALIGNED_SSE (1u << 7)
#define CPUID_80000001_ECX_PREFETCHW (1u << 8)
#define CPUID_80000001_ECX_SVM (1u << 2)
#define CPUID_80000001_ECX_TOPOLOGY_EXTENSIONS (1u << 22)
#define CPUID_80000001_EDX_SYSCALL (1u << 11)
#define CPUID_80000001_EDX_NX (1u << 20)
#define CPUID_80000001_EDX_MMX_EXTENSIONS (1u << 22)
#define CPUID_80000001_EDX_FFXSR (1u << 25)
#define CPUID_80000001_EDX_GIB_PAGES (1u << 26)
#define CPUID_80000001_EDX_RDTSCP (1u << 27)
#define CPUID_80000001_EDX_LM (1u << 29)

/* Leaf 0x80000007 */
#define CPUID_80000007_EDX_INVARIANT_TSC (1u << 8)

/* Leaf 0x80000021 */
#define CPUID_80000021_EAX_NO_NESTED_DATA_BREAKPOINTS (1u << 0)
#define CPUID_80000021_EAX_LFENCE_SERIALIZES (1u << 2)
#define CPUID_80000021_EAX_NULL_SELECTOR_CLEARS_BASE (1u << 6)
#define CPUID_80000021_EAX_AUTOMATIC_IBRS (1u << 8) /* EFER.AIBRSE */
#define CPUID_80000021_EAX_SRSO_NO (1u << 29)       /* no speculative return stack overflow */
#define CPUID_80000021_ECX_TSA_SQ_NO (1u << 1)      /* no transient scheduler attacks */
#define CPUID_80000021_ECX_TSA_L1_NO (1u << 2)

/* Leaf 0x80000008 */
#define CPUID_80000008_EBX_CLZERO (1u << 0)
#define CPUID_80000008_EBX_FP_ERROR_POINTERS (1u << 2) /* FXRSTOR, XRSTOR always restore them */
#define CPUID_80000008_EBX_BTC_NO (1u << 29)           /* no branch type confusion */
#define CPUID_80000008_ECX_APIC_ID_BITS_SHIFT 12       /* 4 bits; bits 7..0: cores, less one */

#endif
