/* SPDX-License-Identifier: MIT */
/*
 * The rules that a VM entry has for the guest's state that is in no register: what the CPU does,
 * what blocks events, debug exceptions that wait, and the link to another VMCS; and for the PDPTEs.
 * Intel SDM volume 3C, sections 27.3.1.5 and 27.3.1.6.
 */
#include "hypervisor/x86/vmx/check_internal.h"

#define DEBUGCTL_BTF (UINT64_C(1) << 1)
#define VECTOR_DEBUG 1u
#define VECTOR_MACHINE_CHECK 18u
#define OTHER_EVENT_MTF 0u /* a pending exit by the monitor trap flag */
#define LINK_POINTER_OFFSET UINT64_C(0xfff)
#define PDPTE_RESERVED UINT64_C(0x1e6) /* bits 2:1 and 8:5 */

static bool is_exception(const struct vmx_check *check, uint32_t vector)
{
	return vmx_injects(check, VMX_INTERRUPTION_HARD_EXCEPTION) &&
	       (check->controls.entry_interruption & VMX_INTERRUPTION_VECTOR) == vector;
}

static bool has_activity(const struct vmx_check *check, uint32_t activity)
{
	switch (activity) {
	case VMX_ACTIVITY_ACTIVE:
		return true;
	case VMX_ACTIVITY_HLT:
		return check->cpu.misc & VMX_MISC_ACTIVITY_HLT;
	case VMX_ACTIVITY_SHUTDOWN:
		return check->cpu.misc & VMX_MISC_ACTIVITY_SHUTDOWN;
	case VMX_ACTIVITY_WAIT_FOR_SIPI:
		return check->cpu.misc & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
	default:
		return false;
	}
}

/* Whether the event that the entry injects wakes a CPU that does this. */
static bool may_inject(const struct vmx_check *check, uint32_t activity)
{
	switch (activity) {
	case VMX_ACTIVITY_HLT:
		return vmx_injects(check, VMX_INTERRUPTION_EXTERNAL) ||
		       vmx_injects(check, VMX_INTERRUPTION_NMI) ||
		       is_exception(check, VECTOR_DEBUG) ||
		       is_exception(check, VECTOR_MACHINE_CHECK) ||
		       (vmx_injects(check, VMX_INTERRUPTION_OTHER) &&
			(check->controls.entry_interruption & VMX_INTERRUPTION_VECTOR) ==
				OTHER_EVENT_MTF);
	case VMX_ACTIVITY_SHUTDOWN:
		return vmx_injects(check, VMX_INTERRUPTION_NMI) ||
		       is_exception(check, VECTOR_MACHINE_CHECK);
	case VMX_ACTIVITY_WAIT_FOR_SIPI:
		return false;
	default:
		return true;
	}
}

static bool check_activity(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint32_t activity = check->guest.activity;
	uint32_t blocked =
		check->guest.interruptibility & (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS);

	if (!has_activity(check, activity))
		return vmx_violate(violation, "activity state", activity,
				   "it must be one that IA32_VMX_MISC tells of");
	if (activity == VMX_ACTIVITY_HLT &&
	    VMX_AR_DPL(check->guest.segment[VMX_SS].access_rights) != 0)
		return vmx_violate(violation, "activity state", activity,
				   "it must not be HLT where SS's DPL is not 0");
	if (activity != VMX_ACTIVITY_ACTIVE && blocked)
		return vmx_violate(violation, "activity state", activity,
				   "it must be active where STI or MOV SS blocks");
	if ((check->controls.entry_interruption & VMX_INTERRUPTION_VALID) &&
	    !may_inject(check, activity))
		return vmx_violate(violation, "activity state", activity,
				   "it must not be one that the injected event can't end");
	if (activity == VMX_ACTIVITY_WAIT_FOR_SIPI && vmx_loads(check, VMX_ENTRY_TO_SMM))
		return vmx_violate(violation, "activity state", activity,
				   "it must not be wait-for-SIPI at an entry to SMM");
	return false;
}

static bool check_blocking(const struct vmx_check *check, struct vmx_violation *violation)
{
	static const char field[] = "interruptibility state";
	uint32_t state = check->guest.interruptibility;
	bool sti = state & VMX_BLOCKING_BY_STI, mov_ss = state & VMX_BLOCKING_BY_MOV_SS;
	bool smi = state & VMX_BLOCKING_BY_SMI;

	if (state & VMX_INTERRUPTIBILITY_RESERVED)
		return vmx_violate(violation, field, state, "bits 31:5 must be 0");
	if (sti && mov_ss)
		return vmx_violate(violation, field, state, "not both STI and MOV SS may block");
	if (sti && !(check->guest.rflags & RFLAGS_IF))
		return vmx_violate(violation, field, state,
				   "STI must not block where RFLAGS.IF is 0");
	if ((sti || mov_ss) && vmx_injects(check, VMX_INTERRUPTION_EXTERNAL))
		return vmx_violate(violation, field, state,
				   "neither STI nor MOV SS may block an external interrupt that is "
				   "injected");
	if (mov_ss && vmx_injects(check, VMX_INTERRUPTION_NMI))
		return vmx_violate(violation, field, state,
				   "MOV SS must not block an NMI that is injected");
	if (smi && !check->cpu.smm)
		return vmx_violate(violation, field, state, "SMIs must not be blocked outside SMM");
	if (!smi && vmx_loads(check, VMX_ENTRY_TO_SMM))
		return vmx_violate(violation, field, state,
				   "SMIs must be blocked at an entry to SMM");
	if (sti && check->cpu.nmi_needs_no_sti_block && vmx_injects(check, VMX_INTERRUPTION_NMI))
		return vmx_violate(violation, field, state,
				   "STI must not block an NMI that is injected, on this CPU");
	if ((state & VMX_BLOCKING_BY_NMI) && (check->controls.pin & VMX_PIN_VIRTUAL_NMIS) &&
	    vmx_injects(check, VMX_INTERRUPTION_NMI))
		return vmx_violate(
			violation, field, state,
			"NMIs must not be blocked where one is injected, with virtual NMIs");
	if ((state & VMX_ENCLAVE_INTERRUPTION) && (mov_ss || !check->cpu.sgx))
		return vmx_violate(
			violation, field, state,
			"an enclave is interrupted only where MOV SS does not block, on a CPU "
			"with SGX");
	return false;
}

/* A single step that waits must be told of where the instruction that ended can't be seen again. */
static bool check_pending_step(const struct vmx_check *check, struct vmx_violation *violation)
{
	const struct vmx_guest_state *guest = &check->guest;
	bool steps = (guest->rflags & RFLAGS_TF) && !(guest->debugctl & DEBUGCTL_BTF);
	bool blocked = guest->interruptibility & (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS);
	bool waits = guest->pending_debug & VMX_PENDING_DEBUG_BS;

	if ((!blocked && guest->activity != VMX_ACTIVITY_HLT) || waits == steps)
		return false;
	return vmx_violate(
		violation, "pending debug exceptions", guest->pending_debug,
		steps ? "BS must be 1 where RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF 0, in HLT or "
			"where STI or MOV SS blocks"
		      : "BS must be 0 where RFLAGS.TF is 0 or IA32_DEBUGCTL.BTF 1, in HLT or "
			"where STI or MOV SS blocks");
}

static bool check_pending_debug(const struct vmx_check *check, struct vmx_violation *violation)
{
	static const char field[] = "pending debug exceptions";
	uint64_t pending = check->guest.pending_debug;
	uint64_t defined = VMX_PENDING_DEBUG_B_MASK | VMX_PENDING_DEBUG_ENABLED |
			   VMX_PENDING_DEBUG_BS | VMX_PENDING_DEBUG_RTM;

	if (check->cpu.bus_lock)
		defined |= VMX_PENDING_DEBUG_BUS_LOCK;
	if (pending & ~defined)
		return vmx_violate(
			violation, field, pending,
			"bits 10:4, 11 (but with bus-lock detection), 13, 15 and 63:17 must be "
			"0");
	if (check_pending_step(check, violation))
		return true;
	if (!(pending & VMX_PENDING_DEBUG_RTM))
		return false;
	if (pending != (VMX_PENDING_DEBUG_RTM | VMX_PENDING_DEBUG_ENABLED))
		return vmx_violate(violation, field, pending,
				   "where RTM (bit 16) is 1 bit 12 must be too, and all others 0");
	if (!check->cpu.rtm)
		return vmx_violate(violation, field, pending,
				   "RTM (bit 16) must be 0 on a CPU without RTM");
	if (check->guest.interruptibility & VMX_BLOCKING_BY_MOV_SS)
		return vmx_violate(violation, field, pending,
				   "RTM (bit 16) must be 0 where MOV SS blocks");
	return false;
}

static bool check_link(const struct vmx_check *check, struct vmx_violation *violation)
{
	static const char field[] = "VMCS link pointer";
	uint64_t link = check->guest.link_pointer;
	uint32_t revision = check->guest.link_revision;
	bool shadowing = check->controls.secondary & VMX_SECONDARY_VMCS_SHADOWING;
	bool stays_in_smm = check->cpu.smm && !vmx_loads(check, VMX_ENTRY_TO_SMM);

	if (link == VMX_LINK_POINTER_NONE)
		return false;
	if (link & LINK_POINTER_OFFSET)
		return vmx_violate(violation, field, link, "bits 11:0 must be 0");
	if (!vmx_fits_physical(check, link))
		return vmx_violate(violation, field, link,
				   "bits beyond the physical address width must be 0");
	if ((revision & VMX_REVISION_MASK) != check->cpu.revision)
		return vmx_violate(violation, field, link,
				   "where it points, the CPU's VMCS revision must stand");
	if (((revision & VMX_REVISION_SHADOW) != 0) != shadowing)
		return vmx_violate(violation, field, link,
				   "where it points, bit 31 must be the VMCS shadowing control");
	if (!stays_in_smm && link == check->cpu.vmcs)
		return vmx_violate(violation, field, link, "it must not be the current VMCS");
	if (stays_in_smm && link == check->cpu.executive_vmcs)
		return vmx_violate(violation, field, link, "it must not be the executive VMCS");
	return false;
}

bool vmx_check_events(const struct vmx_check *check, struct vmx_violation *violation)
{
	return check_activity(check, violation) || check_blocking(check, violation) ||
	       check_pending_debug(check, violation) || check_link(check, violation);
}

/* With EPT they are fields of the VMCS; without it the CPU reads them where CR3 points. */
bool vmx_check_pdptes(const struct vmx_check *check, struct vmx_violation *violation)
{
	static const char *const names[4] = {"PDPTE0", "PDPTE1", "PDPTE2", "PDPTE3"};
	const struct vmx_guest_state *guest = &check->guest;

	if (!(guest->cr0 & CR0_PG) || !(guest->cr4 & CR4_PAE) || vmx_is_ia32e(check) ||
	    !(check->controls.secondary & VMX_SECONDARY_EPT))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t pdpte = guest->pdpte[i];

		if ((pdpte & PTE_P) &&
		    ((pdpte & PDPTE_RESERVED) || !vmx_fits_physical(check, pdpte)))
			return vmx_violate(violation, names[i], pdpte,
					   "reserved bits (2:1, 8:5 and those beyond the physical "
					   "address width) must be 0 where P is 1");
	}
	return false;
}
