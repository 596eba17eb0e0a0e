/* SPDX-License-Identifier: MIT */
/*
 * x86.h - architectural bits of x86-64 that stand in registers and in memory: control registers,
 * EFER, page table entries, segment descriptors.  AMD64 Architecture Programmer's Manual volume 2
 * (APM2).
 */
#ifndef DYAD_HW_X86_H
#define DYAD_HW_X86_H

#include <stdint.h>

/* Control registers, APM2 section 3.1. */
#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_PGE (UINT64_C(1) << 7)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_LA57 (UINT64_C(1) << 12)
#define CR4_OSXSAVE (UINT64_C(1) << 18)

/* EFER, APM2 section 3.1.7. */
#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

/* RFLAGS, APM2 section 3.1.6. */
#define RFLAGS_RESERVED_ONE (UINT64_C(1) << 1) /* reads as one */
#define RFLAGS_IF (UINT64_C(1) << 9)

/* Where a processor begins after reset, APM2 section 14.1.3. */
#define RESET_RIP UINT64_C(0xfff0)
#define RESET_CS_BASE UINT64_C(0xffff0000)

/* Page table entries in long mode, APM2 sections 5.3 and 5.4. */
#define PTE_P (UINT64_C(1) << 0)
#define PTE_RW (UINT64_C(1) << 1)
#define PTE_US (UINT64_C(1) << 2)
#define PTE_A (UINT64_C(1) << 5)
#define PTE_D (UINT64_C(1) << 6)
#define PTE_PS (UINT64_C(1) << 7) /* a large page instead of a table */
#define PTE_NX (UINT64_C(1) << 63)

#define X86_PAGE_SIZE UINT64_C(0x1000)
#define X86_LARGE_PAGE_SIZE UINT64_C(0x200000)
#define PAGE_TABLE_ENTRIES 512

/* Types of segments, APM2 sections 4.7.2, 4.7.3 and 4.8.3. */
#define SEGMENT_TYPE_DATA_WRITABLE 0x3u /* and accessed */
#define SEGMENT_TYPE_CODE_READABLE 0xbu /* and accessed */
#define SEGMENT_TYPE_TSS32_BUSY 0xbu    /* a system segment; in long mode the 64-bit TSS */

/* Segment descriptors, APM2 sections 4.7 and 4.8. */
#define DESCRIPTOR_TYPE_SHIFT 40
#define DESCRIPTOR_S (UINT64_C(1) << 44) /* code or data, not a system segment */
#define DESCRIPTOR_P (UINT64_C(1) << 47)
#define DESCRIPTOR_L (UINT64_C(1) << 53)  /* 64-bit code */
#define DESCRIPTOR_DB (UINT64_C(1) << 54) /* 32-bit */
#define DESCRIPTOR_G (UINT64_C(1) << 55)  /* the limit counts pages */
#define DESCRIPTOR_LIMIT_MAX (UINT64_C(0xf) << 48 | UINT64_C(0xffff))
#define TSS_LIMIT UINT64_C(0x67) /* of a TSS without an I/O permission map; bits 0 to 15 */

#endif
