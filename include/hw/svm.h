/* SPDX-License-Identifier: MIT */
/*
 * svm.h - AMD's Secure Virtual Machine: the virtual machine control block, its exit codes, MSRs and
 * CPUID bits.  AMD64 Architecture Programmer's Manual volume 2 (APM2), chapter 15 and appendices B
 * and C.
 */
#ifndef DYAD_HW_SVM_H
#define DYAD_HW_SVM_H

#include <stddef.h>
#include <stdint.h>

/* CPUID leaf 8000_000A, EDX; APM3 appendix E.4.9. EBX is the count of ASIDs. */
#define SVM_FEATURE_NESTED_PAGING (1u << 0)
#define SVM_FEATURE_NEXT_RIP (1u << 3)
#define SVM_FEATURE_TSC_RATIO (1u << 4)
#define SVM_FEATURE_CLEAN_BITS (1u << 5)
#define SVM_FEATURE_FLUSH_BY_ASID (1u << 6)
#define SVM_FEATURE_DECODE_ASSISTS (1u << 7)
#define SVM_FEATURE_PAUSE_FILTER (1u << 10)
#define SVM_FEATURE_AVIC (1u << 13)
#define SVM_FEATURE_X2AVIC (1u << 18)
#define SVM_FEATURE_VNMI (1u << 25)

/* Intercepts, APM2 appendix B, in the order of the fields. */
#define SVM_INTERCEPT_CR_READ(n) (1u << (n))
#define SVM_INTERCEPT_CR_WRITE(n) (1u << (16 + (n)))
#define SVM_INTERCEPT_DR_ALL 0x00ff00ffu /* DR0 to DR7, reads and writes */

#define SVM_INTERCEPT_INTR (1u << 0) /* of misc1 from here */
#define SVM_INTERCEPT_NMI (1u << 1)
#define SVM_INTERCEPT_SMI (1u << 2)
#define SVM_INTERCEPT_INIT (1u << 3)
#define SVM_INTERCEPT_VINTR (1u << 4)
#define SVM_INTERCEPT_CR0_SELECTIVE (1u << 5) /* writes that change more than TS and MP */
#define SVM_INTERCEPT_RDPMC (1u << 15)
#define SVM_INTERCEPT_CPUID (1u << 18)
#define SVM_INTERCEPT_RSM (1u << 19)
#define SVM_INTERCEPT_PUSHF (1u << 16)
#define SVM_INTERCEPT_POPF (1u << 17)
#define SVM_INTERCEPT_IRET (1u << 20)
#define SVM_INTERCEPT_INT_N (1u << 21)
#define SVM_INTERCEPT_INVD (1u << 22)
#define SVM_INTERCEPT_PAUSE (1u << 23)
#define SVM_INTERCEPT_HLT (1u << 24)
#define SVM_INTERCEPT_INVLPGA (1u << 26)
#define SVM_INTERCEPT_IOIO (1u << 27)
#define SVM_INTERCEPT_MSR (1u << 28)
#define SVM_INTERCEPT_FERR_FREEZE (1u << 30)
#define SVM_INTERCEPT_SHUTDOWN (1u << 31)

#define SVM_INTERCEPT_VMRUN (1u << 0) /* of misc2 from here; must be set */
#define SVM_INTERCEPT_VMMCALL (1u << 1)
#define SVM_INTERCEPT_VMLOAD (1u << 2)
#define SVM_INTERCEPT_VMSAVE (1u << 3)
#define SVM_INTERCEPT_STGI (1u << 4)
#define SVM_INTERCEPT_CLGI (1u << 5)
#define SVM_INTERCEPT_SKINIT (1u << 6)
#define SVM_INTERCEPT_WBINVD (1u << 9)
#define SVM_INTERCEPT_MONITOR (1u << 10)
#define SVM_INTERCEPT_MWAIT (1u << 11)
#define SVM_INTERCEPT_XSETBV (1u << 13)
#define SVM_INTERCEPT_RDPRU (1u << 14)

#define SVM_TLB_KEEP 0
#define SVM_TLB_FLUSH_ALL 1
#define SVM_TLB_FLUSH_ASID 3

/* vmcb_control.virtual_interrupt */
#define SVM_V_TPR UINT64_C(0xff)
#define SVM_V_IRQ (UINT64_C(1) << 8)
#define SVM_V_NMI (UINT64_C(1) << 11)      /* one waits; APM2 section 15.21.10 */
#define SVM_V_NMI_MASK (UINT64_C(1) << 12) /* they are masked */
#define SVM_V_INTR_PRIORITY(n) ((uint64_t)(n) << 16)
#define SVM_V_IGNORE_TPR (UINT64_C(1) << 20)
#define SVM_V_INTR_MASKING (UINT64_C(1) << 24)
#define SVM_V_INTR_VECTOR(vector) ((uint64_t)(vector) << 32)
#define SVM_V_NMI_ENABLE (UINT64_C(1) << 26)
#define SVM_X2AVIC_ENABLE (UINT64_C(1) << 30) /* APM2 section 15.29.4.1 */
#define SVM_AVIC_ENABLE (UINT64_C(1) << 31)

#define SVM_INTERRUPT_SHADOW UINT64_C(1)
#define SVM_NESTED_PAGING UINT64_C(1)

/* EVENTINJ and EXITINTINFO, APM2 sections 15.20 and 15.7.2. */
#define SVM_EVENT_VECTOR UINT64_C(0xff)
#define SVM_EVENT_TYPE_SHIFT 8
#define SVM_EVENT_TYPE_MASK 7u
#define SVM_EVENT_INTR 0u
#define SVM_EVENT_NMI 2u
#define SVM_EVENT_EXCEPTION 3u
#define SVM_EVENT_SOFTWARE 4u
#define SVM_EVENT_HAS_ERROR (UINT64_C(1) << 11)
#define SVM_EVENT_VALID (UINT64_C(1) << 31)
#define SVM_EVENT_ERROR_SHIFT 32

/* Clean bits, APM2 section 15.15.3: what the CPU may have kept since the last VMRUN. */
#define SVM_CLEAN_INTERCEPTS (1u << 0) /* and the TSC offset */
#define SVM_CLEAN_MAPS (1u << 1)
#define SVM_CLEAN_ASID (1u << 2)
#define SVM_CLEAN_VIRTUAL_INTERRUPT (1u << 3)
#define SVM_CLEAN_DEBUG (1u << 6) /* DR6 and DR7 */
#define SVM_CLEAN_CR2 (1u << 9)
#define SVM_CLEAN_ALL 0x3ffu /* that this hypervisor knows of */

struct vmcb_control {
	uint32_t intercept_cr, intercept_dr, intercept_exceptions;
	uint32_t intercept_misc1, intercept_misc2, intercept_misc3;
	uint8_t reserved_018[0x3c - 0x18];
	uint16_t pause_threshold, pause_count;
	uint64_t io_map, msr_map; /* physical addresses */
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control, reserved_05d[3];
	uint64_t virtual_interrupt;
	uint64_t interrupt_shadow;
	uint64_t exit_code, exit_info1, exit_info2, exit_interrupt;
	uint64_t nested_paging;
	uint64_t avic_base; /* guest physical; AVIC's fields: APM2 section 15.29.4.2 */
	uint8_t reserved_0a0[0xa8 - 0xa0];
	uint64_t event_injection;
	uint64_t nested_cr3;
	uint64_t lbr_virtualization;
	uint32_t clean, reserved_0c4;
	uint64_t next_rip;
	uint8_t fetched_count, fetched[15];
	uint64_t avic_page, reserved_0e8, avic_logical_ids, avic_physical_ids;
	uint8_t reserved_100[0x400 - 0x100];
};

struct vmcb_segment {
	uint16_t selector, attributes;
	uint32_t limit;
	uint64_t base;
};

/* vmcb_segment.attributes: bits 40 to 47 and 52 to 55 of a descriptor. */
#define VMCB_SEGMENT_TYPE 0xfu
#define VMCB_SEGMENT_S (1u << 4)
#define VMCB_SEGMENT_DPL_SHIFT 5
#define VMCB_SEGMENT_P (1u << 7)
#define VMCB_SEGMENT_AVL (1u << 8)
#define VMCB_SEGMENT_L (1u << 9)
#define VMCB_SEGMENT_DB (1u << 10)
#define VMCB_SEGMENT_G (1u << 11)

struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_0a0[0xcb - 0xa0];
	uint8_t cpl;
	uint32_t reserved_0cc;
	uint64_t efer;
	uint8_t reserved_0d8[0x148 - 0xd8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_180[0x1d8 - 0x180];
	uint64_t rsp;
	uint8_t reserved_1e0[0x1f8 - 0x1e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_248[0x268 - 0x248];
	uint64_t pat, debug_control, branch_from, branch_to, exception_from, exception_to;
	uint8_t reserved_298[0xc00 - 0x298];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};

_Static_assert(sizeof(struct vmcb) == 0x1000, "a page");
_Static_assert(offsetof(struct vmcb_control, pause_count) == 0x3e, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, tsc_offset) == 0x50, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, asid) == 0x58, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, tlb_control) == 0x5c, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, virtual_interrupt) == 0x60, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, exit_code) == 0x70, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, nested_paging) == 0x90, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, avic_base) == 0x98, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, event_injection) == 0xa8, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, nested_cr3) == 0xb0, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, clean) == 0xc0, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, next_rip) == 0xc8, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, avic_page) == 0xe0, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_control, avic_physical_ids) == 0xf8, "APM2 table B-1");
_Static_assert(sizeof(struct vmcb_control) == 0x400, "APM2 table B-1");
_Static_assert(offsetof(struct vmcb_save, tr) == 0x90, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, cpl) == 0xcb, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, efer) == 0xd0, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, cr4) == 0x148, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, rip) == 0x178, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, rsp) == 0x1d8, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, rax) == 0x1f8, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, cr2) == 0x240, "APM2 table B-2");
_Static_assert(offsetof(struct vmcb_save, pat) == 0x268, "APM2 table B-2");

/* Exit codes, APM2 appendix C. */
#define SVM_EXIT_CR_READ(n) (0x00u + (n))
#define SVM_EXIT_CR_WRITE(n) (0x10u + (n))
#define SVM_EXIT_DR_READ(n) (0x20u + (n))
#define SVM_EXIT_DR_WRITE(n) (0x30u + (n))
#define SVM_EXIT_EXCEPTION(n) (0x40u + (n))
#define SVM_EXIT_INTR 0x60u
#define SVM_EXIT_NMI 0x61u
#define SVM_EXIT_SMI 0x62u
#define SVM_EXIT_INIT 0x63u
#define SVM_EXIT_VINTR 0x64u
#define SVM_EXIT_CR0_SELECTIVE 0x65u
#define SVM_EXIT_RDPMC 0x6fu
#define SVM_EXIT_CPUID 0x72u
#define SVM_EXIT_RSM 0x73u
#define SVM_EXIT_PUSHF 0x70u
#define SVM_EXIT_POPF 0x71u
#define SVM_EXIT_IRET 0x74u
#define SVM_EXIT_INT_N 0x75u
#define SVM_EXIT_INVD 0x76u
#define SVM_EXIT_PAUSE 0x77u
#define SVM_EXIT_HLT 0x78u
#define SVM_EXIT_INVLPGA 0x7au
#define SVM_EXIT_IOIO 0x7bu
#define SVM_EXIT_MSR 0x7cu
#define SVM_EXIT_FERR_FREEZE 0x7eu
#define SVM_EXIT_SHUTDOWN 0x7fu
#define SVM_EXIT_VMRUN 0x80u
#define SVM_EXIT_VMMCALL 0x81u
#define SVM_EXIT_VMLOAD 0x82u
#define SVM_EXIT_VMSAVE 0x83u
#define SVM_EXIT_STGI 0x84u
#define SVM_EXIT_CLGI 0x85u
#define SVM_EXIT_SKINIT 0x86u
#define SVM_EXIT_WBINVD 0x89u
#define SVM_EXIT_MONITOR 0x8au
#define SVM_EXIT_MWAIT 0x8bu
#define SVM_EXIT_XSETBV 0x8du
#define SVM_EXIT_RDPRU 0x8eu
#define SVM_EXIT_NESTED_FAULT 0x400u
#define SVM_EXIT_AVIC_INCOMPLETE_IPI 0x401u
#define SVM_EXIT_AVIC_NOACCEL 0x402u
#define SVM_EXIT_INVALID 0xffffffffu /* the low half of -1 */

/* EXITINFO1 of an exit for a port, APM2 section 15.10.2; EXITINFO2 is the next instruction's RIP */
#define SVM_IO_IN (1u << 0)
#define SVM_IO_STRING (1u << 2)
#define SVM_IO_REP (1u << 3)
#define SVM_IO_SIZE_SHIFT 4 /* 3 bits: 1, 2, 4 */
#define SVM_IO_PORT_SHIFT 16

/* EXITINFO1 of an exit for an MSR */
#define SVM_MSR_WRITE 1u

/* EXITINFO1 of a nested page fault, APM2 section 15.25.6: a page fault's error code, and */
#define SVM_NESTED_FAULT_FINAL (UINT64_C(1) << 32) /* at the final address */
#define SVM_NESTED_FAULT_TABLE (UINT64_C(1) << 33) /* while the guest's tables were walked */

/*
 * The physical APIC ID table, APM2 section 15.29.5.2: a page of entries, by the guest's APIC ID,
 * with the physical address of the backing page in bits 51 to 12.  In the VMCB the table's address
 * has the last index in its lower bits.
 */
#define SVM_AVIC_VALID (UINT64_C(1) << 63)
#define SVM_AVIC_RUNNING (UINT64_C(1) << 62)
#define SVM_AVIC_HOST_ID UINT64_C(0xfff) /* the host's APIC ID of the CPU that it runs on */

/* An IPI that AVIC has not delivered, APM2 section 15.29.9.1: EXITINFO1 is ICR as written, the
 * reason stands in the upper half of EXITINFO2. */
#define SVM_AVIC_REASON_SHIFT 32
#define SVM_AVIC_NOT_RUNNING 1u /* IRR of all targets has it, but one or more don't run */

/* An access that AVIC leaves to the hypervisor, APM2 section 15.29.9.2: EXITINFO1; of EOI,
 * EXITINFO2 has the vector. */
#define SVM_AVIC_WRITE (UINT64_C(1) << 32)
#define SVM_AVIC_OFFSET UINT64_C(0xff0)
#define SVM_AVIC_VECTOR UINT64_C(0xff)

/* The maps, APM2 sections 15.10.1 and 15.11: a set bit is an intercept. */
#define SVM_IO_MAP_ORDER 2u /* 12 KiB are used */
#define SVM_MSR_MAP_ORDER 1u
#define SVM_MSR_MAP_RANGE 0x800u /* bytes for each of the ranges of 0x2000 MSRs, 2 bits each */

#endif
