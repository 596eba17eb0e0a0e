/* SPDX-License-Identifier: MIT */
/*
 * check_internal.h - what the files of the checker share: check.c has control registers, MSRs,
 * tables, RIP and RFLAGS, check_segments.c segment registers, check_events.c the state that is in
 * no register, and PDPTEs.  Each function returns whether a rule is broken, and if so tells which.
 */
#ifndef DYAD_HYPERVISOR_X86_VMX_CHECK_INTERNAL_H
#define DYAD_HYPERVISOR_X86_VMX_CHECK_INTERNAL_H

#include "hw/vmx_guest.h"
#include "hw/x86.h"
#include "hypervisor/x86/vmx/check.h"

bool vmx_check_segments(const struct vmx_check *check, struct vmx_violation *violation);
bool vmx_check_events(const struct vmx_check *check, struct vmx_violation *violation);
bool vmx_check_pdptes(const struct vmx_check *check, struct vmx_violation *violation);

static inline bool vmx_violate(struct vmx_violation *violation, const char *field, uint64_t value,
			       const char *rule)
{
	*violation = (struct vmx_violation){.field = field, .value = value, .rule = rule};
	return true;
}

/* By the addresses that the CPU can have, not by those that the guest has turned on. */
static inline bool vmx_is_canonical(const struct vmx_check *check, uint64_t linear)
{
	unsigned unused = 64 - check->cpu.linear_bits;

	return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

static inline bool vmx_fits_physical(const struct vmx_check *check, uint64_t address)
{
	return address >> check->cpu.physical_bits == 0;
}

static inline bool vmx_fits_32_bits(uint64_t value)
{
	return value >> 32 == 0;
}

static inline bool vmx_loads(const struct vmx_check *check, uint32_t entry_control)
{
	return check->controls.entry & entry_control;
}

static inline bool vmx_is_ia32e(const struct vmx_check *check)
{
	return check->controls.entry & VMX_ENTRY_IA32E_GUEST;
}

static inline bool vmx_is_unrestricted(const struct vmx_check *check)
{
	return check->controls.secondary & VMX_SECONDARY_UNRESTRICTED_GUEST;
}

/* Whether the entry injects an event of this type. */
static inline bool vmx_injects(const struct vmx_check *check, uint32_t type)
{
	uint32_t info = check->controls.entry_interruption;

	return (info & VMX_INTERRUPTION_VALID) && VMX_INTERRUPTION_TYPE(info) == type;
}

#endif
