/* SPDX-License-Identifier: MIT */
/*
 * The rules that a VM entry has for the guest's segment registers: Intel SDM volume 3C, section
 * 27.3.1.2.  Each register's fields are looked at in the manual's order: selector, base, limit,
 * access rights.
 */
#include "hypervisor/x86/vmx/check_internal.h"

#define TYPE_BIT(type) (1u << (type))
#define TYPES_CODE_ACCESSED (TYPE_BIT(9) | TYPE_BIT(11) | TYPE_BIT(13) | TYPE_BIT(15))
#define TYPES_SS (TYPE_BIT(3) | TYPE_BIT(7))
/* Accessed: data, or code that can be read. */
#define TYPES_DATA                                                                                 \
	(TYPE_BIT(1) | TYPE_BIT(3) | TYPE_BIT(5) | TYPE_BIT(7) | TYPE_BIT(11) | TYPE_BIT(15))
#define SEGMENT_TYPE_CODE_CONFORMING (SEGMENT_TYPE_CODE | SEGMENT_TYPE_CONFORMING)
/* Real mode's CS, which only an unrestricted guest has. */
#define SEGMENT_TYPE_REAL_MODE SEGMENT_TYPE_DATA_WRITABLE
#define V8086_LIMIT 0xffffu
#define LIMIT_LOW 0xfffu
#define LIMIT_HIGH 0xfff00000u

/* The parts of a register, as the violation names them. */
static const struct {
	const char *selector, *base, *limit, *access_rights;
} names[VMX_SEGMENTS] = {
	[VMX_ES] = {"ES selector", "ES base", "ES limit", "ES access rights"},
	[VMX_CS] = {"CS selector", "CS base", "CS limit", "CS access rights"},
	[VMX_SS] = {"SS selector", "SS base", "SS limit", "SS access rights"},
	[VMX_DS] = {"DS selector", "DS base", "DS limit", "DS access rights"},
	[VMX_FS] = {"FS selector", "FS base", "FS limit", "FS access rights"},
	[VMX_GS] = {"GS selector", "GS base", "GS limit", "GS access rights"},
	[VMX_LDTR] = {"LDTR selector", "LDTR base", "LDTR limit", "LDTR access rights"},
	[VMX_TR] = {"TR selector", "TR base", "TR limit", "TR access rights"},
};

static uint32_t type_of(const struct vmx_check *check, enum vmx_segment_register reg)
{
	return check->guest.segment[reg].access_rights & VMX_AR_TYPE;
}

static uint32_t dpl_of(const struct vmx_check *check, enum vmx_segment_register reg)
{
	return VMX_AR_DPL(check->guest.segment[reg].access_rights);
}

static uint32_t rpl_of(const struct vmx_check *check, enum vmx_segment_register reg)
{
	return check->guest.segment[reg].selector & SELECTOR_RPL;
}

static bool is_usable(const struct vmx_check *check, enum vmx_segment_register reg)
{
	return !(check->guest.segment[reg].access_rights & VMX_AR_UNUSABLE);
}

static bool violate_access_rights(const struct vmx_check *check, enum vmx_segment_register reg,
				  struct vmx_violation *violation, const char *rule)
{
	return vmx_violate(violation, names[reg].access_rights,
			   check->guest.segment[reg].access_rights, rule);
}

static bool check_v8086(const struct vmx_check *check, enum vmx_segment_register reg,
			struct vmx_violation *violation)
{
	const struct vmx_segment *segment = &check->guest.segment[reg];

	if (segment->base != (uint64_t)segment->selector << 4)
		return vmx_violate(violation, names[reg].base, segment->base,
				   "the base must be 16 times the selector in virtual-8086 mode");
	if (segment->limit != V8086_LIMIT)
		return vmx_violate(violation, names[reg].limit, segment->limit,
				   "the limit must be 0xffff in virtual-8086 mode");
	if (segment->access_rights != VMX_AR_V8086)
		return violate_access_rights(check, reg, violation,
					     "they must be 0xf3 in virtual-8086 mode");
	return false;
}

/* What code, data, LDT and TSS have in common. */
static bool check_form(const struct vmx_check *check, enum vmx_segment_register reg,
		       struct vmx_violation *violation)
{
	const struct vmx_segment *segment = &check->guest.segment[reg];
	bool pages = segment->access_rights & VMX_AR_G;

	if (!(segment->access_rights & VMX_AR_P))
		return violate_access_rights(check, reg, violation, "P must be 1");
	if (segment->access_rights & VMX_AR_RESERVED)
		return violate_access_rights(check, reg, violation,
					     "bits 11:8 and 31:17 must be 0");
	if (pages && (segment->limit & LIMIT_LOW) != LIMIT_LOW)
		return violate_access_rights(check, reg, violation,
					     "G must be 0 where one of the limit's bits 11:0 is");
	if (!pages && (segment->limit & LIMIT_HIGH))
		return violate_access_rights(check, reg, violation,
					     "G must be 1 where one of the limit's bits 31:20 is");
	return false;
}

/* That of code and data of CS, SS, DS and ES are 32 bits wide, the others' are addresses. */
static bool check_base(const struct vmx_check *check, enum vmx_segment_register reg,
		       struct vmx_violation *violation)
{
	uint64_t base = check->guest.segment[reg].base;

	switch (reg) {
	case VMX_FS:
	case VMX_GS:
	case VMX_TR:
	case VMX_LDTR:
		if ((reg != VMX_LDTR || is_usable(check, reg)) && !vmx_is_canonical(check, base))
			return vmx_violate(violation, names[reg].base, base,
					   "the base must be canonical");
		return false;
	default:
		if ((reg == VMX_CS || is_usable(check, reg)) && !vmx_fits_32_bits(base))
			return vmx_violate(violation, names[reg].base, base,
					   "bits 63:32 must be 0");
		return false;
	}
}

static bool check_cs(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint32_t type = type_of(check, VMX_CS), dpl = dpl_of(check, VMX_CS);
	uint32_t access_rights = check->guest.segment[VMX_CS].access_rights;
	bool real_mode = vmx_is_unrestricted(check) && type == SEGMENT_TYPE_REAL_MODE;

	if (!real_mode && !(TYPE_BIT(type) & TYPES_CODE_ACCESSED))
		return violate_access_rights(check, VMX_CS, violation,
					     vmx_is_unrestricted(check)
						     ? "the type must be 3, 9, 11, 13 or 15"
						     : "the type must be 9, 11, 13 or 15 without "
						       "unrestricted guest");
	if (!(access_rights & VMX_AR_S))
		return violate_access_rights(check, VMX_CS, violation, "S must be 1");
	if (real_mode && dpl != 0)
		return violate_access_rights(check, VMX_CS, violation,
					     "DPL must be 0 where the type is 3");
	if ((type & SEGMENT_TYPE_CODE_CONFORMING) == SEGMENT_TYPE_CODE &&
	    dpl != dpl_of(check, VMX_SS))
		return violate_access_rights(
			check, VMX_CS, violation,
			"DPL must be SS's where the type is 9 or 11 (non-conforming code)");
	if ((type & SEGMENT_TYPE_CODE_CONFORMING) == SEGMENT_TYPE_CODE_CONFORMING &&
	    dpl > dpl_of(check, VMX_SS))
		return violate_access_rights(
			check, VMX_CS, violation,
			"DPL must not be above SS's where the type is 13 or 15 (conforming code)");
	if (vmx_is_ia32e(check) && (access_rights & VMX_AR_L) && (access_rights & VMX_AR_DB))
		return violate_access_rights(check, VMX_CS, violation,
					     "D/B must be 0 in 64-bit mode (L is 1)");
	return check_form(check, VMX_CS, violation);
}

/* Its privilege level counts even if it is not usable. */
static bool check_ss(const struct vmx_check *check, struct vmx_violation *violation)
{
	bool usable = is_usable(check, VMX_SS);
	uint32_t dpl = dpl_of(check, VMX_SS);

	if (!vmx_is_unrestricted(check) && rpl_of(check, VMX_SS) != rpl_of(check, VMX_CS))
		return vmx_violate(violation, names[VMX_SS].selector,
				   check->guest.segment[VMX_SS].selector,
				   "RPL must be CS's without unrestricted guest");
	if (usable && !(TYPE_BIT(type_of(check, VMX_SS)) & TYPES_SS))
		return violate_access_rights(check, VMX_SS, violation, "the type must be 3 or 7");
	if (usable && !(check->guest.segment[VMX_SS].access_rights & VMX_AR_S))
		return violate_access_rights(check, VMX_SS, violation, "S must be 1");
	if (!vmx_is_unrestricted(check) && dpl != rpl_of(check, VMX_SS))
		return violate_access_rights(check, VMX_SS, violation,
					     "DPL must be RPL without unrestricted guest");
	if (dpl != 0 && type_of(check, VMX_CS) == SEGMENT_TYPE_REAL_MODE)
		return violate_access_rights(check, VMX_SS, violation,
					     "DPL must be 0 where CS's type is 3");
	if (dpl != 0 && !(check->guest.cr0 & CR0_PE))
		return violate_access_rights(check, VMX_SS, violation,
					     "DPL must be 0 where CR0.PE is");
	return usable && check_form(check, VMX_SS, violation);
}

/* DS, ES, FS or GS. */
static bool check_data(const struct vmx_check *check, enum vmx_segment_register reg,
		       struct vmx_violation *violation)
{
	uint32_t type = type_of(check, reg);

	if (!is_usable(check, reg))
		return false;
	if (!(TYPE_BIT(type) & TYPES_DATA))
		return violate_access_rights(
			check, reg, violation,
			"the type must be accessed (bit 0), and readable (bit 1) if it is code");
	if (!(check->guest.segment[reg].access_rights & VMX_AR_S))
		return violate_access_rights(check, reg, violation, "S must be 1");
	if (!vmx_is_unrestricted(check) &&
	    (type & SEGMENT_TYPE_CODE_CONFORMING) != SEGMENT_TYPE_CODE_CONFORMING &&
	    dpl_of(check, reg) < rpl_of(check, reg))
		return violate_access_rights(check, reg, violation,
					     "DPL must not be below RPL without unrestricted guest "
					     "(but of conforming code)");
	return check_form(check, reg, violation);
}

static bool check_tr(const struct vmx_check *check, struct vmx_violation *violation)
{
	uint32_t type = type_of(check, VMX_TR);

	if (!is_usable(check, VMX_TR))
		return violate_access_rights(check, VMX_TR, violation, "it must be usable");
	if (vmx_is_ia32e(check) && type != SYSTEM_TYPE_TSS32_BUSY)
		return violate_access_rights(check, VMX_TR, violation,
					     "the type must be 11 for an IA-32e mode guest");
	if (type != SYSTEM_TYPE_TSS16_BUSY && type != SYSTEM_TYPE_TSS32_BUSY)
		return violate_access_rights(check, VMX_TR, violation,
					     "the type must be 3 or 11 (a busy TSS)");
	if (check->guest.segment[VMX_TR].access_rights & VMX_AR_S)
		return violate_access_rights(check, VMX_TR, violation, "S must be 0");
	return check_form(check, VMX_TR, violation);
}

static bool check_ldtr(const struct vmx_check *check, struct vmx_violation *violation)
{
	if (!is_usable(check, VMX_LDTR))
		return false;
	if (type_of(check, VMX_LDTR) != SYSTEM_TYPE_LDT)
		return violate_access_rights(check, VMX_LDTR, violation,
					     "the type must be 2 (an LDT)");
	if (check->guest.segment[VMX_LDTR].access_rights & VMX_AR_S)
		return violate_access_rights(check, VMX_LDTR, violation, "S must be 0");
	return check_form(check, VMX_LDTR, violation);
}

static bool check_system(const struct vmx_check *check, enum vmx_segment_register reg,
			 struct vmx_violation *violation)
{
	uint16_t selector = check->guest.segment[reg].selector;

	if ((reg == VMX_TR || is_usable(check, reg)) && (selector & SELECTOR_LDT))
		return vmx_violate(violation, names[reg].selector, selector,
				   "it must be in the GDT (TI must be 0)");
	if (check_base(check, reg, violation))
		return true;
	return reg == VMX_TR ? check_tr(check, violation) : check_ldtr(check, violation);
}

static bool check_code_or_data(const struct vmx_check *check, enum vmx_segment_register reg,
			       struct vmx_violation *violation)
{
	if (check->guest.rflags & RFLAGS_VM)
		return check_v8086(check, reg, violation);
	if (check_base(check, reg, violation))
		return true;
	switch (reg) {
	case VMX_CS:
		return check_cs(check, violation);
	case VMX_SS:
		return check_ss(check, violation);
	default:
		return check_data(check, reg, violation);
	}
}

bool vmx_check_segments(const struct vmx_check *check, struct vmx_violation *violation)
{
	for (enum vmx_segment_register reg = VMX_ES; reg <= VMX_GS; reg++) {
		if (check_code_or_data(check, reg, violation))
			return true;
	}
	return check_system(check, VMX_TR, violation) || check_system(check, VMX_LDTR, violation);
}
