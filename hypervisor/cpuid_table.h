/* SPDX-License-Identifier: MIT */
/*
 * cpuid_table.h - names that the files about CPUID share: the registers' order, the XSAVE area's
 * components (Intel SDM volume 1, section 13.1).
 */
#ifndef DYAD_HYPERVISOR_CPUID_TABLE_H
#define DYAD_HYPERVISOR_CPUID_TABLE_H

#include <stdint.h>

enum { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

#define CPUID_LEAF_HYPERVISOR 0x40000000u
#define CPUID_VENDOR_INTEL_EBX 0x756e6547u /* "Genu" */

#define XCR0_X87 (UINT64_C(1) << 0)
#define XCR0_SSE (UINT64_C(1) << 1)
#define XCR0_AVX (UINT64_C(1) << 2)
#define XCR0_PKRU (UINT64_C(1) << 9)

#define XSAVE_LEGACY_SIZE 576u /* x87, SSE and the header */
#define XSAVE_HEADER_SIZE 64u
#define XSAVE_XMM_SIZE 256u
#define XSAVE_INITIAL_FCW 0x37f
#define XSAVE_YMM_SIZE 256u
#define XSAVE_PKRU_SIZE 8u

#endif
