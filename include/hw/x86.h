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

#define CR4_VME (UINT64_C(1) << 0)
#define CR4_PVI (UINT64_C(1) << 1)
#define CR4_TSD (UINT64_C(1) << 2)
#define CR4_DE (UINT64_C(1) << 3)
#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_MCE (UINT64_C(1) << 6)
#define CR4_PGE (UINT64_C(1) << 7)
#define CR4_PCE (UINT64_C(1) << 8)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP (UINT64_C(1) << 11)
#define CR4_LA57 (UINT64_C(1) << 12)
#define CR4_VMXE (UINT64_C(1) << 13)
#define CR4_FSGSBASE (UINT64_C(1) << 16)
#define CR4_PCIDE (UINT64_C(1) << 17)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)
#define CR4_PKE (UINT64_C(1) << 22)

/* CR3, APM2 sections 3.1.2 and 5.5.1. */
#define CR3_PCID_MASK UINT64_C(0xfff)
#define CR3_NO_FLUSH (UINT64_C(1) << 63) /* in what MOV writes; never in the register */

/* EFER, APM2 section 3.1.7. */
#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)
#define EFER_SVME (UINT64_C(1) << 12)
#define EFER_LMSLE (UINT64_C(1) << 13)
#define EFER_FFXSR (UINT64_C(1) << 14)
#define EFER_AIBRSE (UINT64_C(1) << 21) /* automatic IBRS */

/* RFLAGS, APM2 section 3.1.6. */
#define RFLAGS_CF (UINT64_C(1) << 0)
#define RFLAGS_RESERVED_ONE (UINT64_C(1) << 1) /* reads as one */
#define RFLAGS_PF (UINT64_C(1) << 2)
#define RFLAGS_AF (UINT64_C(1) << 4)
#define RFLAGS_ZF (UINT64_C(1) << 6)
#define RFLAGS_SF (UINT64_C(1) << 7)
#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_IF (UINT64_C(1) << 9)
#define RFLAGS_DF (UINT64_C(1) << 10)
#define RFLAGS_OF (UINT64_C(1) << 11)
#define RFLAGS_IOPL (UINT64_C(3) << 12)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_NT (UINT64_C(1) << 14)
#define RFLAGS_RF (UINT64_C(1) << 16)
#define RFLAGS_VM (UINT64_C(1) << 17)
#define RFLAGS_AC (UINT64_C(1) << 18)
#define RFLAGS_VIF (UINT64_C(1) << 19)
#define RFLAGS_VIP (UINT64_C(1) << 20)
#define RFLAGS_ID (UINT64_C(1) << 21)
#define RFLAGS_LOADABLE UINT64_C(0x3f7fd5) /* all of them that are not fixed */

/* Debug registers, APM2 section 13.1.1. */
#define DR6_B0 (UINT64_C(1) << 0) /* B1 to B3 follow */
#define DR6_B_MASK UINT64_C(0xf)
#define DR6_BD (UINT64_C(1) << 13)
#define DR6_BS (UINT64_C(1) << 14)
#define DR6_BT (UINT64_C(1) << 15)
#define DR6_ONES UINT64_C(0xffff0ff0) /* what reads as one, and stands after reset */
#define DR7_ONES UINT64_C(0x400)
#define DR7_ENABLE(i) (UINT64_C(3) << (2 * (i))) /* L and G */
#define DR7_LE_GE (UINT64_C(3) << 8)
#define DR7_LOCAL UINT64_C(0x155) /* L0 to L3 and LE: a task switch clears them */
#define DR7_GD (UINT64_C(1) << 13)
#define DR7_WRITABLE UINT64_C(0xffff23ff)
#define DR7_TYPE(dr7, i) ((unsigned)((dr7) >> (16 + 4 * (i))) & 3)
#define DR7_LENGTH(dr7, i) ((unsigned)((dr7) >> (18 + 4 * (i))) & 3)
#define DR7_TYPE_EXECUTE 0u
#define DR7_TYPE_WRITE 1u
#define DR7_TYPE_IO 2u
#define DR7_TYPE_ACCESS 3u

/* Selectors, and the error codes that name one; APM2 sections 4.5.1 and 8.4.1. */
#define SELECTOR_RPL 3u
#define SELECTOR_LDT 4u
#define SELECTOR_INDEX 0xfff8u
#define ERROR_CODE_EXT 1u /* an event from outside, or an exception, was being delivered */
#define ERROR_CODE_IDT 2u /* the index is the IDT's */

/* The error code of a page fault, APM2 section 8.4.2. */
#define PAGE_FAULT_P 1u
#define PAGE_FAULT_WRITE 2u
#define PAGE_FAULT_USER 4u
#define PAGE_FAULT_RESERVED 8u
#define PAGE_FAULT_FETCH 0x10u
#define PAGE_FAULT_PK 0x20u

/* Where a processor begins after reset, APM2 section 14.1.3. */
#define RESET_RIP UINT64_C(0xfff0)
#define RESET_CS_BASE UINT64_C(0xffff0000)

/* Page table entries in long mode, APM2 sections 5.3 and 5.4. */
#define PTE_P (UINT64_C(1) << 0)
#define PTE_RW (UINT64_C(1) << 1)
#define PTE_US (UINT64_C(1) << 2)
#define PTE_PWT (UINT64_C(1) << 3)
#define PTE_PCD (UINT64_C(1) << 4)
#define PTE_A (UINT64_C(1) << 5)
#define PTE_D (UINT64_C(1) << 6)
#define PTE_PS (UINT64_C(1) << 7) /* a large page instead of a table */
#define PTE_G (UINT64_C(1) << 8)  /* stays in the TLB when CR3 is loaded */
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

/* Bits of the type of a code or data segment, APM2 sections 4.7.2 and 4.7.3. */
#define SEGMENT_TYPE_ACCESSED 1u
#define SEGMENT_TYPE_WRITABLE 2u    /* data */
#define SEGMENT_TYPE_READABLE 2u    /* code */
#define SEGMENT_TYPE_EXPAND_DOWN 4u /* data */
#define SEGMENT_TYPE_CONFORMING 4u  /* code */
#define SEGMENT_TYPE_CODE 8u

/* Types of system segments and gates, APM2 section 4.7.4 and, of long mode, 4.8.3. */
#define SYSTEM_TYPE_TSS16 1u
#define SYSTEM_TYPE_LDT 2u
#define SYSTEM_TYPE_TSS16_BUSY 3u
#define SYSTEM_TYPE_CALL_GATE16 4u
#define SYSTEM_TYPE_TASK_GATE 5u
#define SYSTEM_TYPE_INTERRUPT_GATE16 6u
#define SYSTEM_TYPE_TRAP_GATE16 7u
#define SYSTEM_TYPE_TSS32 9u
#define SYSTEM_TYPE_TSS32_BUSY 11u
#define SYSTEM_TYPE_CALL_GATE32 12u /* in long mode of 64 bits, as the next two */
#define SYSTEM_TYPE_INTERRUPT_GATE32 14u
#define SYSTEM_TYPE_TRAP_GATE32 15u
#define SYSTEM_TYPE_TSS_BUSY 2u /* the bit that makes a TSS's type a busy one's */

#define DESCRIPTOR_ACCESSED (UINT64_C(1) << DESCRIPTOR_TYPE_SHIFT)
#define DESCRIPTOR_TSS_BUSY (UINT64_C(1) << 41)
#define DESCRIPTOR_DPL_SHIFT 45
#define DESCRIPTOR_AVL (UINT64_C(1) << 52)

/* The three forms of the task state segment: offsets of their fields, APM2 section 12.2. */
#define TSS32_BACK_LINK 0
#define TSS32_ESP0 4 /* SS0 4 bytes behind it; then those of levels 1 and 2 */
#define TSS32_CR3 28
#define TSS32_EIP 32
#define TSS32_EFLAGS 36
#define TSS32_EAX 40 /* the eight general registers in their order */
#define TSS32_ES 72  /* the six segment registers in their order, 4 bytes each */
#define TSS32_LDT 96
#define TSS32_TRAP 100 /* bit 0: #DB on the switch to the task */
#define TSS32_IO_MAP 102
#define TSS32_SIZE 104
#define TSS16_BACK_LINK 0
#define TSS16_SP0 2 /* SS0 2 bytes behind it; then those of levels 1 and 2 */
#define TSS16_IP 14
#define TSS16_FLAGS 16
#define TSS16_AX 18
#define TSS16_ES 34 /* ES, CS, SS, DS */
#define TSS16_LDT 42
#define TSS16_SIZE 44
#define TSS64_RSP0 4
#define TSS64_IST1 36
#define TSS64_IO_MAP 102

/* XCR0, and the components of XSAVE areas, APM2 section 11.5.2. */
#define XCR0_X87 (UINT64_C(1) << 0)
#define XCR0_SSE (UINT64_C(1) << 1)
#define XCR0_AVX (UINT64_C(1) << 2)
#define XCR0_PKRU (UINT64_C(1) << 9)

#endif
