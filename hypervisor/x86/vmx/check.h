/* SPDX-License-Identifier: MIT */
/*
 * check.h - the rules that a VM entry has for the guest's state, so that one that failed can be
 * explained: which field breaks which rule.  Intel SDM volume 3C, section 27.3.1 (26.3.1 before
 * 2023), in about its order; but those of FRED, which no guest is offered.
 *
 * A pure function of what it is given; the backend reads the fields out of the VMCS after a failed
 * entry, and a test can fill them in by hand.
 */
#ifndef DYAD_HYPERVISOR_X86_VMX_CHECK_H
#define DYAD_HYPERVISOR_X86_VMX_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* In the order in which the VMCS numbers them. */
enum vmx_segment_register {
	VMX_ES,
	VMX_CS,
	VMX_SS,
	VMX_DS,
	VMX_FS,
	VMX_GS,
	VMX_LDTR,
	VMX_TR,
	VMX_SEGMENTS
};

struct vmx_segment {
	uint16_t selector;
	uint32_t access_rights; /* VMX_AR_* */
	uint32_t limit;
	uint64_t base;
};

struct vmx_table { /* GDTR, IDTR */
	uint64_t base;
	uint32_t limit;
};

/* The fields of the guest-state area that there are rules for.  Those that only some CPUs have are
 * looked at when the control that loads them is set. */
struct vmx_guest_state {
	uint64_t cr0, cr3, cr4, dr7;
	uint64_t rip, rflags;
	struct vmx_segment segment[VMX_SEGMENTS];
	struct vmx_table gdtr, idtr;

	uint64_t debugctl, sysenter_esp, sysenter_eip;
	uint64_t perf_global_ctrl, pat, efer, bndcfgs, rtit_ctl, lbr_ctl, pkrs;
	uint64_t s_cet, ssp, interrupt_ssp_table;
	uint16_t uinv;

	uint32_t activity;         /* VMX_ACTIVITY_* */
	uint32_t interruptibility; /* VMX_BLOCKING_* */
	uint64_t pending_debug;    /* VMX_PENDING_DEBUG_* */
	uint64_t link_pointer;
	uint32_t link_revision; /* the first 4 bytes where the link pointer points, if it does */
	uint64_t pdpte[4];
};

/* The controls that the rules depend on, as they stand in the VMCS. */
struct vmx_check_controls {
	uint32_t pin, secondary; /* secondary: 0 where they are not active */
	uint32_t entry;
	uint32_t entry_interruption; /* the VM-entry interruption-information field */
};

/* The CPU as the rules see it. */
struct vmx_check_cpu {
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* the MSRs of these names */
	uint64_t misc;                                           /* IA32_VMX_MISC */
	uint32_t revision;                                       /* of its VMCS */
	uint64_t vmcs;                                           /* the current one's address */
	uint8_t physical_bits;
	uint8_t linear_bits; /* 48, or 57 if it can page with 5 levels, whatever CR4.LA57 is */

	/* Bits that are reserved in these MSRs. */
	uint64_t debugctl_reserved, perf_global_ctrl_reserved, efer_reserved, bndcfgs_reserved;
	uint64_t rtit_ctl_reserved, lbr_ctl_reserved, s_cet_reserved;

	bool lam;                /* CR3 has bits for linear-address masking */
	bool sgx, rtm, bus_lock; /* CPUID: enclaves, transactions, debug exceptions of bus locks */
	bool nmi_needs_no_sti_block; /* it injects no NMI into a guest that blocks by STI */
	bool smm;                    /* the entry is made in system-management mode */
	uint64_t executive_vmcs;     /* in that mode: the executive-VMCS pointer */
};

struct vmx_check {
	struct vmx_guest_state guest;
	struct vmx_check_controls controls;
	struct vmx_check_cpu cpu;
};

/* What is wrong: strings that live for ever, for a line such as "CS.AR is 0x93: the type must ...".
 */
struct vmx_violation {
	const char *field;
	const char *rule;
	uint64_t value; /* of the field */
};

/* Whether the guest's state breaks a rule; if so, violation tells the first.  Any context. */
bool vmx_check_guest_state(const struct vmx_check *check, struct vmx_violation *violation);

#endif
