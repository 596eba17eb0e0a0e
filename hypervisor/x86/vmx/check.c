/* SPDX-License-Identifier: MIT */
/*
 * The rules that a VM entry has for the guest's control and debug registers, MSRs, descriptor
 * tables, RIP, RFLAGS and SSP, and the order of all: Intel SDM volume 3C,
 * sections 27.3.1.1, 27.3.1.3 and 27.3.1.4.  The CPU is one with 64 bits: rules of others are not
 * here.
 */
#include "hypervisor/x86/vmx/check.h"
#include "hypervisor/x86/vmx/check_internal.h"

/* In CR3, of the address width that linear-address masking takes. */
#define CR3_LAM_MASK (UINT64_C(3) << 61)
#define CR4_CET (UINT64_C(1) << 23)
#define S_CET_SUPPRESS (UINT64_C(1) << 10)
#define S_CET_TRACKER (UINT64_C(1) << 11)
/* Bits 3, 5, 15 and 22 to 63. */
#define RFLAGS_RESERVED_ZERO (~(RFLAGS_LOADABLE | RFLAGS_RESERVED_ONE))

static bool check_cr0(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t cr0 = check->guest.cr0, exempt = CR0_NW | CR0_CD;

	if (vmx_is_unrestricted(check))
		exempt |= CR0_PE | CR0_PG;
	if (check->cpu.cr0_fixed0 & ~cr0 & ~exempt)
		return vmx_violate(
			violation, "CR0", cr0,
			"bits that IA32_VMX_CR0_FIXED0 has must be 1 (for an unrestricted "
			"guest not PE and PG)");
	if (cr0 & ~check->cpu.cr0_fixed1 & ~exempt)
		return vmx_violate(violation, "CR0", cr0,
				   "bits that IA32_VMX_CR0_FIXED1 lacks must be 0");
	if ((cr0 & CR0_PG) && !(cr0 & CR0_PE))
		return vmx_violate(violation, "CR0", cr0, "PE must be 1 where PG is");
	if (vmx_is_ia32e(check) && !(cr0 & CR0_PG))
		return vmx_violate(violation, "CR0", cr0, "PG must be 1 for an IA-32e mode guest");
	return false;
}

static bool check_cr4(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t cr4 = check->guest.cr4;

	if (check->cpu.cr4_fixed0 & ~cr4)
		return vmx_violate(violation, "CR4", cr4,
				   "bits that IA32_VMX_CR4_FIXED0 has must be 1");
	if (cr4 & ~check->cpu.cr4_fixed1)
		return vmx_violate(violation, "CR4", cr4,
				   "bits that IA32_VMX_CR4_FIXED1 lacks must be 0");
	if ((cr4 & CR4_CET) && !(check->guest.cr0 & CR0_WP))
		return vmx_violate(violation, "CR4", cr4, "CET must be 0 where CR0.WP is");
	if (vmx_is_ia32e(check) && !(cr4 & CR4_PAE))
		return vmx_violate(violation, "CR4", cr4, "PAE must be 1 for an IA-32e mode guest");
	if (!vmx_is_ia32e(check) && (cr4 & CR4_PCIDE))
		return vmx_violate(violation, "CR4", cr4,
				   "PCIDE must be 0 but for an IA-32e mode guest");
	return false;
}

static bool check_cr3_dr7(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t cr3 = check->guest.cr3, dr7 = check->guest.dr7;

	if (!vmx_fits_physical(check, check->cpu.lam ? cr3 & ~CR3_LAM_MASK : cr3))
		return vmx_violate(violation, "CR3", cr3,
				   "bits beyond the physical address width must be 0");
	if (vmx_loads(check, VMX_ENTRY_LOAD_DEBUG_CONTROLS) && !vmx_fits_32_bits(dr7))
		return vmx_violate(violation, "DR7", dr7, "bits 63:32 must be 0");
	return false;
}

/* An MSR whose only rule is that its reserved bits are 0, if a control loads it. */
struct reserved_rule {
	uint32_t loaded_by;
	const char *name;
	uint64_t value, reserved;
};

static bool check_reserved(const struct vmx_check *check, struct vmx_violation *violation)
{
	const struct vmx_guest_state *guest = &check->guest;
	const struct vmx_check_cpu *cpu = &check->cpu;
	const struct reserved_rule rules[] = {
		{VMX_ENTRY_LOAD_DEBUG_CONTROLS, "IA32_DEBUGCTL", guest->debugctl,
		 cpu->debugctl_reserved},
		{VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL, "IA32_PERF_GLOBAL_CTRL", guest->perf_global_ctrl,
		 cpu->perf_global_ctrl_reserved},
		{VMX_ENTRY_LOAD_EFER, "IA32_EFER", guest->efer, cpu->efer_reserved},
		{VMX_ENTRY_LOAD_BNDCFGS, "IA32_BNDCFGS", guest->bndcfgs, cpu->bndcfgs_reserved},
		{VMX_ENTRY_LOAD_RTIT_CTL, "IA32_RTIT_CTL", guest->rtit_ctl, cpu->rtit_ctl_reserved},
		{VMX_ENTRY_LOAD_CET, "IA32_S_CET", guest->s_cet, cpu->s_cet_reserved},
		{VMX_ENTRY_LOAD_LBR_CTL, "IA32_LBR_CTL", guest->lbr_ctl, cpu->lbr_ctl_reserved},
		{VMX_ENTRY_LOAD_PKRS, "IA32_PKRS", guest->pkrs, ~UINT64_C(0xffffffff)},
		{VMX_ENTRY_LOAD_UINV, "UINV", guest->uinv, ~UINT64_C(0xff)},
	};

	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (vmx_loads(check, rules[i].loaded_by) && (rules[i].value & rules[i].reserved))
			return vmx_violate(violation, rules[i].name, rules[i].value,
					   "reserved bits must be 0");
	}
	return false;
}

/* An address that must be canonical: always, or if a control loads it. */
struct address_rule {
	uint32_t loaded_by; /* 0: always */
	const char *name;
	uint64_t value;
};

static bool check_addresses(const struct vmx_check *check, struct vmx_violation *violation)
{
	const struct vmx_guest_state *guest = &check->guest;
	const struct address_rule rules[] = {
		{0, "IA32_SYSENTER_ESP", guest->sysenter_esp},
		{0, "IA32_SYSENTER_EIP", guest->sysenter_eip},
		{VMX_ENTRY_LOAD_BNDCFGS, "IA32_BNDCFGS", guest->bndcfgs},
		{VMX_ENTRY_LOAD_CET, "IA32_S_CET", guest->s_cet},
		{VMX_ENTRY_LOAD_CET, "IA32_INTERRUPT_SSP_TABLE_ADDR", guest->interrupt_ssp_table},
		{0, "GDTR base", guest->gdtr.base},
		{0, "IDTR base", guest->idtr.base},
	};

	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].loaded_by && !vmx_loads(check, rules[i].loaded_by))
			continue;
		if (!vmx_is_canonical(check, rules[i].value))
			return vmx_violate(violation, rules[i].name, rules[i].value,
					   "the address must be canonical");
	}
	return false;
}

/* UC, WC, WT, WP, WB or UC-. */
static bool is_memory_type(uint8_t type)
{
	return type < 8 && type != 2 && type != 3;
}

static bool check_pat(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t pat = check->guest.pat;

	if (!vmx_loads(check, VMX_ENTRY_LOAD_PAT))
		return false;
	for (unsigned entry = 0; entry < 8; entry++) {
		if (!is_memory_type((uint8_t)(pat >> 8 * entry)))
			return vmx_violate(violation, "IA32_PAT", pat,
					   "each byte must be 0, 1, 4, 5, 6 or 7");
	}
	return false;
}

static bool check_efer(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t efer = check->guest.efer;
	bool lma = efer & EFER_LMA, lme = efer & EFER_LME;

	if (!vmx_loads(check, VMX_ENTRY_LOAD_EFER))
		return false;
	if (lma != vmx_is_ia32e(check))
		return vmx_violate(violation, "IA32_EFER", efer,
				   "LMA must be what the IA-32e mode guest control is");
	if ((check->guest.cr0 & CR0_PG) && lma != lme)
		return vmx_violate(violation, "IA32_EFER", efer,
				   "LMA must be what LME is where CR0.PG is 1");
	return false;
}

static bool check_s_cet(const struct vmx_check *check, struct vmx_violation *violation)
{
	const uint64_t both = S_CET_SUPPRESS | S_CET_TRACKER;

	if (vmx_loads(check, VMX_ENTRY_LOAD_CET) && (check->guest.s_cet & both) == both)
		return vmx_violate(violation, "IA32_S_CET", check->guest.s_cet,
				   "SUPPRESS and TRACKER must not both be 1");
	return false;
}

static bool check_tables(const struct vmx_check *check, struct vmx_violation *violation)
{
	static const char rule[] = "bits 31:16 must be 0";

	if (check->guest.gdtr.limit >> 16)
		return vmx_violate(violation, "GDTR limit", check->guest.gdtr.limit, rule);
	if (check->guest.idtr.limit >> 16)
		return vmx_violate(violation, "IDTR limit", check->guest.idtr.limit, rule);
	return false;
}

/* The bits above the width are equal, whatever the highest one below it is: less than canonical. */
static bool fits_linear(const struct vmx_check *check, uint64_t address)
{
	uint64_t above = ~UINT64_C(0) << check->cpu.linear_bits;

	return (address & above) == 0 || (address & above) == above;
}

static bool check_rip(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t rip = check->guest.rip;

	if (vmx_is_ia32e(check) && (check->guest.segment[VMX_CS].access_rights & VMX_AR_L)) {
		if (!fits_linear(check, rip))
			return vmx_violate(violation, "RIP", rip,
					   "bits beyond the linear address width must be equal");
	} else if (!vmx_fits_32_bits(rip)) {
		return vmx_violate(violation, "RIP", rip,
				   "bits 63:32 must be 0 but in 64-bit mode");
	}
	return false;
}

static bool check_ssp(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t ssp = check->guest.ssp;

	if (!vmx_loads(check, VMX_ENTRY_LOAD_CET))
		return false;
	if (ssp & 3)
		return vmx_violate(violation, "SSP", ssp, "bits 1:0 must be 0");
	if (!fits_linear(check, ssp))
		return vmx_violate(violation, "SSP", ssp,
				   "bits beyond the linear address width must be equal");
	return false;
}

static bool check_rflags(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint64_t rflags = check->guest.rflags;

	if (rflags & RFLAGS_RESERVED_ZERO)
		return vmx_violate(violation, "RFLAGS", rflags,
				   "bits 3, 5, 15 and 63:22 must be 0");
	if (!(rflags & RFLAGS_RESERVED_ONE))
		return vmx_violate(violation, "RFLAGS", rflags, "bit 1 must be 1");
	if ((rflags & RFLAGS_VM) && vmx_is_ia32e(check))
		return vmx_violate(violation, "RFLAGS", rflags,
				   "VM must be 0 for an IA-32e mode guest");
	if ((rflags & RFLAGS_VM) && !(check->guest.cr0 & CR0_PE))
		return vmx_violate(violation, "RFLAGS", rflags, "VM must be 0 where CR0.PE is");
	if (!(rflags & RFLAGS_IF) && vmx_injects(check, VMX_INTERRUPTION_EXTERNAL))
		return vmx_violate(violation, "RFLAGS", rflags,
				   "IF must be 1 where an external interrupt is injected");
	return false;
}

bool vmx_check_guest_state(const struct vmx_check *check, struct vmx_violation *violation)
{
	return check_cr0(check, violation) || check_cr4(check, violation) ||
	       check_cr3_dr7(check, violation) || check_reserved(check, violation) ||
	       check_addresses(check, violation) || check_pat(check, violation) ||
	       check_efer(check, violation) || check_s_cet(check, violation) ||
	       vmx_check_segments(check, violation) || check_tables(check, violation) ||
	       check_rip(check, violation) || check_rflags(check, violation) ||
	       check_ssp(check, violation) || vmx_check_events(check, violation) ||
	       vmx_check_pdptes(check, violation);
}
