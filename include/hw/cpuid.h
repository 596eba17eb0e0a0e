/* SPDX-License-Identifier: MIT */
/*
 * cpuid.h - the CPUID leaves and bits that Dyad sets or reads (Intel SDM volume 2, CPUID; AMD APM
 * volume 3, appendix E).
 */
#ifndef DYAD_HW_CPUID_H
#define DYAD_HW_CPUID_H

#define CPUID_LEAF_VENDOR 0x0u
#define CPUID_LEAF_FEATURES 0x1u
#define CPUID_LEAF_CACHES 0x4u
#define CPUID_LEAF_TOPOLOGY 0xbu
#define CPUID_LEAF_TOPOLOGY_V2 0x1fu
#define CPUID_LEAF_EXTENDED_FEATURES 0x80000001u
#define CPUID_LEAF_ADDRESS_SIZES 0x80000008u
#define CPUID_LEAF_AMD_CACHES 0x8000001du
#define CPUID_LEAF_AMD_TOPOLOGY 0x8000001eu
#define CPUID_LEAF_AMD_SVM 0x8000000au

/* Leaf 1 */
#define CPUID_1_EBX_LOGICAL_COUNT_SHIFT 16 /* 8 bits */
#define CPUID_1_EBX_APIC_ID_SHIFT 24       /* 8 bits */
#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_1_EDX_HTT (1u << 28)

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
#define CPUID_80000001_ECX_CMP_LEGACY (1u << 1)
#define CPUID_80000001_ECX_SVM (1u << 2)
#define CPUID_80000001_ECX_TOPOLOGY_EXTENSIONS (1u << 22)

/* Leaf 0x80000008 */
#define CPUID_80000008_ECX_APIC_ID_BITS_SHIFT 12 /* 4 bits; bits 7..0: cores, less one */

#endif
