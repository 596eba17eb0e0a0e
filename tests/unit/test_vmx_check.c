/* SPDX-License-Identifier: MIT */
/*
 * The checker of guest states: valid ones of every mode pass, and each rule of the manual is broken
 * once, alone, by a change to one of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hw/msr.h"
#include "hw/vmx_guest.h"
#include "hw/x86.h"
#include "hypervisor/x86/vmx/check.h"

#define PHYSICAL_BITS 46
#define LINEAR_BITS 48
#define REVISION 0x2bu
#define CURRENT_VMCS 0x5000u
#define NOT_CANONICAL UINT64_C(0x0000800000000000)

#define CODE_64 (0xbu | VMX_AR_S | VMX_AR_P | VMX_AR_L | VMX_AR_G)
#define CODE_32 (0xbu | VMX_AR_S | VMX_AR_P | VMX_AR_DB | VMX_AR_G)
#define CODE_16 (0xbu | VMX_AR_S | VMX_AR_P)
#define CODE_CONFORMING (0xfu | VMX_AR_S | VMX_AR_P | VMX_AR_DB | VMX_AR_G)
#define DATA_32 (0x3u | VMX_AR_S | VMX_AR_P | VMX_AR_DB | VMX_AR_G)
#define DATA_16 (0x3u | VMX_AR_S | VMX_AR_P)
#define TSS (0xbu | VMX_AR_P)
#define TSS_16 (0x3u | VMX_AR_P)
#define LDT (0x2u | VMX_AR_P)
#define DPL(level) ((uint32_t)(level) << VMX_AR_DPL_SHIFT)

#define INJECT(type, vector)                                                                       \
	(VMX_INTERRUPTION_VALID | (type) << VMX_INTERRUPTION_TYPE_SHIFT | (vector))

enum mode {
	REAL,         /* an unrestricted guest, paging off */
	V8086,        /* with paging */
	PROTECTED_16, /* paging on, as without unrestricted guest */
	PROTECTED_32,
	PAE,
	COMPATIBILITY,
	LONG,       /* 64-bit code */
	UNPAGED_32, /* unrestricted: protected mode, paging off */
	USER_64,    /* 64-bit code at CPL 3 */
	MODES
};

static void set_segments(struct vmx_guest_state *guest, uint32_t code, uint32_t data)
{
	uint32_t limit = data & VMX_AR_G ? 0xffffffff : 0xffff;

	for (unsigned reg = VMX_ES; reg <= VMX_GS; reg++)
		guest->segment[reg] = (struct vmx_segment){16, data, limit, 0};
	guest->segment[VMX_CS] = (struct vmx_segment){8, code, limit, 0};
	guest->segment[VMX_LDTR] = (struct vmx_segment){0, VMX_AR_UNUSABLE, 0, 0};
	guest->segment[VMX_TR] = (struct vmx_segment){24, TSS, 0x67, 0x9000};
}

/* What real mode and virtual-8086 mode have in common: bases that are 16 times the selectors. */
static void set_real_segments(struct vmx_guest_state *guest, uint32_t code, uint32_t data)
{
	set_segments(guest, code, data);
	for (unsigned reg = VMX_ES; reg <= VMX_GS; reg++) {
		guest->segment[reg].selector = (uint16_t)(0x100 * (reg + 1));
		guest->segment[reg].base = 0x1000u * (reg + 1);
	}
}

static void set_user_segments(struct vmx_guest_state *guest)
{
	for (unsigned reg = VMX_ES; reg <= VMX_GS; reg++) {
		guest->segment[reg].selector |= 3;
		guest->segment[reg].access_rights |= DPL(3);
	}
}

/* A CPU with all that there are rules for, and a guest in 64-bit mode. */
static void set_up_long(struct vmx_check *check)
{
	*check = (struct vmx_check){
		.guest =
			{
				.cr0 = CR0_PE | CR0_NE | CR0_PG | CR0_WP,
				.cr3 = 0x1000,
				.cr4 = CR4_PAE | UINT64_C(0x2000),
				.dr7 = DR7_ONES,
				.rip = UINT64_C(0xffff800000001000),
				.rflags = RFLAGS_RESERVED_ONE | RFLAGS_IF,
				.gdtr = {UINT64_C(0xffff800000000000), 0xffff},
				.idtr = {UINT64_C(0x00007ffffffff000), 0xfff},
				.sysenter_esp = UINT64_C(0xffff800000000000),
				.sysenter_eip = UINT64_C(0xffffffffffffffff),
				.pat = PAT_RESET,
				.efer = EFER_LME | EFER_LMA | EFER_SCE,
				.link_pointer = VMX_LINK_POINTER_NONE,
			},
		.controls =
			{
				.secondary = VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED_GUEST,
				.entry = VMX_ENTRY_IA32E_GUEST | VMX_ENTRY_LOAD_DEBUG_CONTROLS |
					 VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER,
			},
		.cpu =
			{
				.cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
				.cr0_fixed1 = 0xffffffff,
				.cr4_fixed0 = UINT64_C(0x2000),
				.cr4_fixed1 = UINT64_C(0xbfffff),
				.misc = VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN |
					VMX_MISC_ACTIVITY_WAIT_FOR_SIPI,
				.revision = REVISION,
				.vmcs = CURRENT_VMCS,
				.physical_bits = PHYSICAL_BITS,
				.linear_bits = LINEAR_BITS,
				.debugctl_reserved = ~UINT64_C(0xffc3),
				.perf_global_ctrl_reserved = ~UINT64_C(0x70000000f),
				.efer_reserved = ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE),
				.bndcfgs_reserved = 0xffc,
				.rtit_ctl_reserved = ~UINT64_C(0xffff),
				.lbr_ctl_reserved = ~UINT64_C(0x7f000f),
				.s_cet_reserved = 0x3c0,
			},
	};
	set_segments(&check->guest, CODE_64, DATA_32);
}

/* What all guests outside IA-32e mode differ in. */
static void set_up_legacy(struct vmx_check *check)
{
	set_up_long(check);
	check->controls.entry &= ~VMX_ENTRY_IA32E_GUEST;
	check->guest.efer = 0;
	check->guest.cr4 &= ~CR4_PAE;
	check->guest.rip = 0x1000;
	check->guest.gdtr.base = 0x2000;
}

static void set_up(struct vmx_check *check, enum mode mode)
{
	struct vmx_guest_state *guest = &check->guest;

	switch (mode) {
	case REAL:
		set_up_legacy(check);
		guest->cr0 = CR0_NE | CR0_NW | CR0_CD;
		set_real_segments(guest, DATA_16, DATA_16);
		break;
	case V8086:
		set_up_legacy(check);
		check->controls.secondary &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
		guest->rflags |= RFLAGS_VM;
		set_real_segments(guest, VMX_AR_V8086, VMX_AR_V8086);
		break;
	case PROTECTED_16:
		set_up_legacy(check);
		check->controls.secondary &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
		set_segments(guest, CODE_16, DATA_16);
		guest->segment[VMX_TR].access_rights = TSS_16;
		guest->segment[VMX_LDTR] = (struct vmx_segment){32, LDT, 0xf, 0xa000};
		break;
	case PROTECTED_32:
		set_up_legacy(check);
		check->controls.secondary &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
		set_segments(guest, CODE_32, DATA_32);
		break;
	case PAE:
		set_up_legacy(check);
		guest->cr4 |= CR4_PAE;
		set_segments(guest, CODE_32, DATA_32);
		for (unsigned i = 0; i < 3; i++)
			guest->pdpte[i] = (0x10000 + 0x1000 * i) | PTE_P | PTE_PCD;
		guest->pdpte[3] = ~PTE_P; /* not present: no rule */
		break;
	case COMPATIBILITY:
		set_up_long(check);
		guest->rip = 0x1000;
		set_segments(guest, CODE_32, DATA_32);
		break;
	case UNPAGED_32:
		set_up_legacy(check);
		guest->cr0 = CR0_PE | CR0_NE;
		guest->efer = EFER_LME; /* it waits for paging */
		set_segments(guest, CODE_32, DATA_32);
		break;
	case USER_64:
		set_up_long(check);
		check->controls.secondary &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
		guest->rip = 0x400000;
		set_user_segments(guest);
		break;
	default:
		set_up_long(check);
		break;
	}
}

static void test_valid_modes_pass(void **state)
{
	struct vmx_violation violation;
	struct vmx_check check;

	(void)state;
	for (enum mode mode = REAL; mode < MODES; mode++) {
		set_up(&check, mode);
		if (vmx_check_guest_state(&check, &violation))
			fail_msg("mode %d: %s is %#lx: %s", mode, violation.field, violation.value,
				 violation.rule);
	}
}

/* One field that is given another value. */
struct change {
	uint16_t offset, size; /* in struct vmx_check; size 0: no change */
	uint64_t value;
};

#define SET(member, to)                                                                            \
	{                                                                                          \
		offsetof(struct vmx_check, member), sizeof(((struct vmx_check *)NULL)->member), to \
	}
#define SEGMENT(reg, member, to) SET(guest.segment[reg].member, to)
#define ENTRY(bits) SET(controls.entry, ENTRY_LONG | (bits))
#define ENTRY_LONG                                                                                 \
	(VMX_ENTRY_IA32E_GUEST | VMX_ENTRY_LOAD_DEBUG_CONTROLS | VMX_ENTRY_LOAD_PAT |              \
	 VMX_ENTRY_LOAD_EFER)

struct example {
	enum mode mode;
	struct change changes[6];
	const char *field; /* NULL: it is valid */
	const char *rule;  /* a part of its words */
};

static void change(struct vmx_check *check, const struct change *changes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		memcpy((uint8_t *)check + changes[i].offset, &changes[i].value, changes[i].size);
}

static void test_examples(const struct example *examples, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct example *example = &examples[i];
		struct vmx_violation violation = {"none", "none", 0};
		struct vmx_check check;
		bool broken;

		set_up(&check, example->mode);
		change(&check, example->changes, 6);
		broken = vmx_check_guest_state(&check, &violation);
		if (broken != (example->field != NULL))
			fail_msg("example %u (%s: %s): got %s: %s", i,
				 example->field ? example->field : "valid",
				 example->field ? example->rule : "", violation.field,
				 violation.rule);
		if (broken && (strcmp(violation.field, example->field) != 0 ||
			       !strstr(violation.rule, example->rule)))
			fail_msg("example %u (%s: %s): got %s: %s", i, example->field,
				 example->rule, violation.field, violation.rule);
	}
}

#define TEST_EXAMPLES(table) test_examples(table, sizeof(table) / sizeof((table)[0]))

static void test_control_registers(void **state)
{
	static const struct example examples[] = {
		{LONG, {SET(guest.cr0, CR0_PE | CR0_PG)}, "CR0", "FIXED0"},
		{PROTECTED_32, {SET(guest.cr0, CR0_NE | CR0_PE)}, "CR0", "FIXED0"},
		{LONG,
		 {SET(guest.cr0, CR0_PE | CR0_PG | CR0_NE | UINT64_C(1) << 32)},
		 "CR0",
		 "FIXED1"},
		{UNPAGED_32, {SET(guest.cr0, CR0_PG | CR0_NE)}, "CR0", "PE must be 1"},
		{LONG, {SET(guest.cr0, CR0_PE | CR0_NE)}, "CR0", "PG must be 1"},
		{REAL, {SET(cpu.cr0_fixed0, CR0_NE), SET(cpu.cr0_fixed1, CR0_NE)}, NULL, NULL},
		{LONG, {SET(guest.cr4, CR4_PAE)}, "CR4", "FIXED0"},
		{LONG, {SET(guest.cr4, CR4_PAE | 0x2000 | UINT64_C(1) << 31)}, "CR4", "FIXED1"},
		{LONG,
		 {SET(guest.cr4, CR4_PAE | 0x2000 | 1 << 23), SET(cpu.cr4_fixed1, 0xffffff),
		  SET(guest.cr0, CR0_PE | CR0_NE | CR0_PG)},
		 "CR4",
		 "CET must be 0"},
		{LONG,
		 {SET(guest.cr4, CR4_PAE | 0x2000 | 1 << 23), SET(cpu.cr4_fixed1, 0xffffff)},
		 NULL,
		 NULL},
		{LONG, {SET(guest.cr4, 0x2000)}, "CR4", "PAE must be 1"},
		{PROTECTED_32, {SET(guest.cr4, 0x2000 | CR4_PCIDE)}, "CR4", "PCIDE must be 0"},
		{LONG, {SET(guest.cr4, 0x2000 | CR4_PAE | CR4_PCIDE)}, NULL, NULL},
		{LONG, {SET(guest.cr3, UINT64_C(1) << PHYSICAL_BITS)}, "CR3", "physical"},
		{LONG, {SET(guest.cr3, UINT64_C(1) << 63)}, "CR3", "physical"},
		{LONG, {SET(guest.cr3, UINT64_C(1) << 61)}, "CR3", "physical"},
		{LONG, {SET(guest.cr3, UINT64_C(3) << 61), SET(cpu.lam, true)}, NULL, NULL},
		{LONG, {SET(guest.dr7, UINT64_C(1) << 32)}, "DR7", "63:32"},
		{LONG,
		 {SET(guest.dr7, UINT64_C(1) << 32),
		  SET(controls.entry, ENTRY_LONG & ~VMX_ENTRY_LOAD_DEBUG_CONTROLS)},
		 NULL,
		 NULL},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_msrs(void **state)
{
	static const struct example examples[] = {
		{LONG, {SET(guest.debugctl, 4)}, "IA32_DEBUGCTL", "reserved"},
		{LONG, {SET(guest.sysenter_esp, NOT_CANONICAL)}, "IA32_SYSENTER_ESP", "canonical"},
		{LONG, {SET(guest.sysenter_eip, NOT_CANONICAL)}, "IA32_SYSENTER_EIP", "canonical"},
		{LONG,
		 {SET(guest.sysenter_eip, UINT64_C(0xff00000000000000)), SET(cpu.linear_bits, 57)},
		 NULL,
		 NULL},
		{LONG,
		 {SET(guest.perf_global_ctrl, 0x10), ENTRY(VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL)},
		 "IA32_PERF_GLOBAL_CTRL",
		 "reserved"},
		{LONG, {SET(guest.perf_global_ctrl, 0x10)}, NULL, NULL},
		{LONG, {SET(guest.pat, PAT_RESET + 2)}, "IA32_PAT", "each byte"},
		{LONG, {SET(guest.pat, UINT64_C(3) << 56)}, "IA32_PAT", "each byte"},
		{LONG, {SET(guest.pat, UINT64_C(8) << 24)}, "IA32_PAT", "each byte"},
		{LONG,
		 {SET(guest.pat, 2), SET(controls.entry, ENTRY_LONG & ~VMX_ENTRY_LOAD_PAT)},
		 NULL,
		 NULL},
		{LONG, {SET(guest.pat, UINT64_C(0x0706050401000000))}, NULL, NULL},
		{LONG, {SET(guest.efer, EFER_LME | EFER_LMA | EFER_SVME)}, "IA32_EFER", "reserved"},
		{LONG, {SET(guest.efer, EFER_LME)}, "IA32_EFER", "LMA must be what the"},
		{PAE, {SET(guest.efer, EFER_LMA | EFER_LME)}, "IA32_EFER", "LMA must be what the"},
		{LONG, {SET(guest.efer, EFER_LMA)}, "IA32_EFER", "LMA must be what LME"},
		{PAE, {SET(guest.efer, EFER_LME)}, "IA32_EFER", "LMA must be what LME"},
		{LONG,
		 {SET(guest.efer, 0), SET(controls.entry, ENTRY_LONG & ~VMX_ENTRY_LOAD_EFER)},
		 NULL,
		 NULL},
		{LONG,
		 {SET(guest.bndcfgs, 4), ENTRY(VMX_ENTRY_LOAD_BNDCFGS)},
		 "IA32_BNDCFGS",
		 "reserved"},
		{LONG,
		 {SET(guest.bndcfgs, NOT_CANONICAL), ENTRY(VMX_ENTRY_LOAD_BNDCFGS)},
		 "IA32_BNDCFGS",
		 "canonical"},
		{LONG, {SET(guest.bndcfgs, NOT_CANONICAL)}, NULL, NULL},
		{LONG,
		 {SET(guest.rtit_ctl, 1 << 16), ENTRY(VMX_ENTRY_LOAD_RTIT_CTL)},
		 "IA32_RTIT_CTL",
		 "reserved"},
		{LONG,
		 {SET(guest.lbr_ctl, 1 << 4), ENTRY(VMX_ENTRY_LOAD_LBR_CTL)},
		 "IA32_LBR_CTL",
		 "reserved"},
		{LONG,
		 {SET(guest.pkrs, UINT64_C(1) << 32), ENTRY(VMX_ENTRY_LOAD_PKRS)},
		 "IA32_PKRS",
		 "reserved"},
		{LONG, {SET(guest.uinv, 0x100), ENTRY(VMX_ENTRY_LOAD_UINV)}, "UINV", "reserved"},
		{LONG,
		 {SET(guest.s_cet, NOT_CANONICAL), ENTRY(VMX_ENTRY_LOAD_CET)},
		 "IA32_S_CET",
		 "canonical"},
		{LONG,
		 {SET(guest.s_cet, 0x40), ENTRY(VMX_ENTRY_LOAD_CET)},
		 "IA32_S_CET",
		 "reserved"},
		{LONG,
		 {SET(guest.s_cet, 0xc00), ENTRY(VMX_ENTRY_LOAD_CET)},
		 "IA32_S_CET",
		 "SUPPRESS and TRACKER"},
		{LONG, {SET(guest.s_cet, 0x400), ENTRY(VMX_ENTRY_LOAD_CET)}, NULL, NULL},
		{LONG,
		 {SET(guest.interrupt_ssp_table, NOT_CANONICAL), ENTRY(VMX_ENTRY_LOAD_CET)},
		 "IA32_INTERRUPT_SSP_TABLE_ADDR",
		 "canonical"},
		{LONG, {SET(guest.ssp, 2), ENTRY(VMX_ENTRY_LOAD_CET)}, "SSP", "bits 1:0"},
		{LONG,
		 {SET(guest.ssp, UINT64_C(1) << LINEAR_BITS), ENTRY(VMX_ENTRY_LOAD_CET)},
		 "SSP",
		 "linear address width"},
		{LONG, {SET(guest.ssp, NOT_CANONICAL), ENTRY(VMX_ENTRY_LOAD_CET)}, NULL, NULL},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_selectors_and_bases(void **state)
{
	static const struct example examples[] = {
		{LONG, {SEGMENT(VMX_TR, selector, 28)}, "TR selector", "TI must be 0"},
		{PROTECTED_16, {SEGMENT(VMX_LDTR, selector, 36)}, "LDTR selector", "TI must be 0"},
		{LONG, {SEGMENT(VMX_LDTR, selector, 36)}, NULL, NULL},
		{USER_64, {SEGMENT(VMX_SS, selector, 16)}, "SS selector", "RPL must be CS's"},
		{V8086,
		 {SEGMENT(VMX_SS, selector, 0x301), SEGMENT(VMX_SS, base, 0x3010)},
		 NULL,
		 NULL},
		{V8086, {SEGMENT(VMX_ES, base, 0x1001)}, "ES base", "16 times"},
		{V8086, {SEGMENT(VMX_CS, base, 0)}, "CS base", "16 times"},
		{V8086, {SEGMENT(VMX_GS, base, UINT64_C(1) << 32)}, "GS base", "16 times"},
		{V8086, {SEGMENT(VMX_SS, limit, 0xfffe)}, "SS limit", "0xffff"},
		{V8086, {SEGMENT(VMX_FS, limit, 0xfffff)}, "FS limit", "0xffff"},
		{V8086, {SEGMENT(VMX_CS, access_rights, 0xfb)}, "CS access rights", "0xf3"},
		{V8086, {SEGMENT(VMX_DS, access_rights, 0x93)}, "DS access rights", "0xf3"},
		{V8086,
		 {SEGMENT(VMX_ES, access_rights, 0xf3 | VMX_AR_UNUSABLE)},
		 "ES access rights",
		 "0xf3"},
		{LONG, {SEGMENT(VMX_FS, base, NOT_CANONICAL)}, "FS base", "canonical"},
		{LONG, {SEGMENT(VMX_GS, base, NOT_CANONICAL)}, "GS base", "canonical"},
		{LONG,
		 {SEGMENT(VMX_GS, base, NOT_CANONICAL),
		  SEGMENT(VMX_GS, access_rights, VMX_AR_UNUSABLE)},
		 "GS base",
		 "canonical"},
		{LONG, {SEGMENT(VMX_GS, base, UINT64_C(0xffff800000000000))}, NULL, NULL},
		{LONG, {SEGMENT(VMX_TR, base, NOT_CANONICAL)}, "TR base", "canonical"},
		{PROTECTED_16, {SEGMENT(VMX_LDTR, base, NOT_CANONICAL)}, "LDTR base", "canonical"},
		{LONG, {SEGMENT(VMX_LDTR, base, NOT_CANONICAL)}, NULL, NULL},
		{LONG, {SEGMENT(VMX_CS, base, UINT64_C(1) << 32)}, "CS base", "63:32"},
		{LONG, {SEGMENT(VMX_SS, base, UINT64_C(1) << 32)}, "SS base", "63:32"},
		{LONG, {SEGMENT(VMX_DS, base, UINT64_C(1) << 63)}, "DS base", "63:32"},
		{LONG, {SEGMENT(VMX_ES, base, UINT64_C(1) << 32)}, "ES base", "63:32"},
		{LONG,
		 {SEGMENT(VMX_ES, base, UINT64_C(1) << 32),
		  SEGMENT(VMX_ES, access_rights, VMX_AR_UNUSABLE)},
		 NULL,
		 NULL},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_code_segment(void **state)
{
	static const struct example examples[] = {
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, (CODE_64 & ~0xfu) | 10)},
		 "CS access rights",
		 "3, 9, 11, 13 or 15"},
		{LONG, {SEGMENT(VMX_CS, access_rights, (CODE_64 & ~0xfu) | 9)}, NULL, NULL},
		{PROTECTED_32,
		 {SEGMENT(VMX_CS, access_rights, DATA_32)},
		 "CS access rights",
		 "without unrestricted guest"},
		{UNPAGED_32, {SEGMENT(VMX_CS, access_rights, DATA_32)}, NULL, NULL},
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, CODE_64 & ~VMX_AR_S)},
		 "CS access rights",
		 "S must"},
		{UNPAGED_32,
		 {SEGMENT(VMX_CS, access_rights, DATA_32 | DPL(1))},
		 "CS access rights",
		 "DPL must be 0"},
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, CODE_64 | DPL(3))},
		 "CS access rights",
		 "non-conforming"},
		{USER_64,
		 {SEGMENT(VMX_CS, access_rights, CODE_64)},
		 "CS access rights",
		 "non-conforming"},
		{PROTECTED_32, {SEGMENT(VMX_CS, access_rights, CODE_CONFORMING)}, NULL, NULL},
		{PROTECTED_32,
		 {SEGMENT(VMX_CS, access_rights, CODE_CONFORMING | DPL(1))},
		 "CS access rights",
		 "(conforming code)"},
		{USER_64,
		 {SEGMENT(VMX_CS, access_rights, CODE_CONFORMING | DPL(1)), SET(guest.rip, 0)},
		 NULL,
		 NULL},
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, CODE_64 & ~VMX_AR_P)},
		 "CS access rights",
		 "P must"},
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, CODE_64 | 0x100)},
		 "CS access rights",
		 "11:8"},
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, CODE_64 | 1u << 17)},
		 "CS access rights",
		 "31:17"},
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, CODE_64 | VMX_AR_DB)},
		 "CS access rights",
		 "D/B"},
		{PAE, {SEGMENT(VMX_CS, access_rights, CODE_32 | VMX_AR_L)}, NULL, NULL},
		{LONG, {SEGMENT(VMX_CS, limit, 0xfffffffe)}, "CS access rights", "G must be 0"},
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, CODE_64 & ~VMX_AR_G)},
		 "CS access rights",
		 "G must be 1"},
		/* It counts even if it claims to be unusable. */
		{LONG,
		 {SEGMENT(VMX_CS, access_rights, VMX_AR_UNUSABLE)},
		 "CS access rights",
		 "the type"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_stack_segment(void **state)
{
	static const struct example examples[] = {
		{LONG,
		 {SEGMENT(VMX_SS, access_rights, (DATA_32 & ~0xfu) | 1)},
		 "SS access rights",
		 "3 or 7"},
		{LONG,
		 {SEGMENT(VMX_SS, access_rights, (DATA_32 & ~0xfu) | 11)},
		 "SS access rights",
		 "3 or 7"},
		{LONG, {SEGMENT(VMX_SS, access_rights, (DATA_32 & ~0xfu) | 7)}, NULL, NULL},
		{LONG, {SEGMENT(VMX_SS, access_rights, VMX_AR_UNUSABLE)}, NULL, NULL},
		{LONG,
		 {SEGMENT(VMX_SS, access_rights, DATA_32 & ~VMX_AR_S)},
		 "SS access rights",
		 "S must"},
		/* CS may conform, so that SS's alone is wrong. */
		{PROTECTED_32,
		 {SEGMENT(VMX_CS, access_rights, CODE_CONFORMING),
		  SEGMENT(VMX_SS, access_rights, DATA_32 | DPL(3))},
		 "SS access rights",
		 "DPL must be RPL"},
		{PROTECTED_32,
		 {SEGMENT(VMX_CS, access_rights, CODE_CONFORMING),
		  SEGMENT(VMX_SS, access_rights, VMX_AR_UNUSABLE | DPL(3))},
		 "SS access rights",
		 "DPL must be RPL"},
		{UNPAGED_32,
		 {SEGMENT(VMX_CS, access_rights, DATA_32),
		  SEGMENT(VMX_SS, access_rights, DATA_32 | DPL(3))},
		 "SS access rights",
		 "CS's type"},
		{REAL,
		 {SEGMENT(VMX_CS, access_rights, (CODE_16 & ~0xfu) | 15),
		  SEGMENT(VMX_SS, access_rights, DATA_16 | DPL(3))},
		 "SS access rights",
		 "CR0.PE"},
		{LONG,
		 {SEGMENT(VMX_SS, access_rights, DATA_32 & ~VMX_AR_P)},
		 "SS access rights",
		 "P must"},
		{LONG,
		 {SEGMENT(VMX_SS, access_rights, DATA_32 | 0x800)},
		 "SS access rights",
		 "11:8"},
		{LONG, {SEGMENT(VMX_SS, limit, 0xffff0000)}, "SS access rights", "G must be 0"},
		{LONG,
		 {SEGMENT(VMX_SS, access_rights, DATA_32 & ~VMX_AR_G)},
		 "SS access rights",
		 "G must be 1"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_data_segments(void **state)
{
	static const struct example examples[] = {
		{LONG,
		 {SEGMENT(VMX_DS, access_rights, (DATA_32 & ~0xfu) | 2)},
		 "DS access rights",
		 "accessed"},
		{LONG,
		 {SEGMENT(VMX_ES, access_rights, (DATA_32 & ~0xfu) | 9)},
		 "ES access rights",
		 "readable"},
		{LONG, {SEGMENT(VMX_ES, access_rights, (DATA_32 & ~0xfu) | 11)}, NULL, NULL},
		{LONG,
		 {SEGMENT(VMX_FS, access_rights, DATA_32 & ~VMX_AR_S)},
		 "FS access rights",
		 "S must"},
		{PROTECTED_32, {SEGMENT(VMX_GS, selector, 19)}, "GS access rights", "below RPL"},
		{LONG, {SEGMENT(VMX_GS, selector, 19)}, NULL, NULL},
		{PROTECTED_32,
		 {SEGMENT(VMX_GS, selector, 19), SEGMENT(VMX_GS, access_rights, CODE_CONFORMING)},
		 NULL,
		 NULL},
		{PROTECTED_32,
		 {SEGMENT(VMX_GS, selector, 19), SEGMENT(VMX_GS, access_rights, CODE_32)},
		 "GS access rights",
		 "below RPL"},
		{PROTECTED_32,
		 {SEGMENT(VMX_DS, selector, 3), SEGMENT(VMX_DS, access_rights, VMX_AR_UNUSABLE)},
		 NULL,
		 NULL},
		{LONG,
		 {SEGMENT(VMX_DS, access_rights, DATA_32 & ~VMX_AR_P)},
		 "DS access rights",
		 "P must"},
		{LONG,
		 {SEGMENT(VMX_DS, access_rights, DATA_32 | 1u << 31)},
		 "DS access rights",
		 "31:17"},
		{LONG, {SEGMENT(VMX_ES, limit, 0x7ff)}, "ES access rights", "G must be 0"},
		{LONG,
		 {SEGMENT(VMX_ES, access_rights, DATA_32 & ~VMX_AR_G)},
		 "ES access rights",
		 "G must be 1"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_system_segments_and_tables(void **state)
{
	static const struct example examples[] = {
		{LONG,
		 {SEGMENT(VMX_TR, access_rights, TSS | VMX_AR_UNUSABLE)},
		 "TR access rights",
		 "usable"},
		{LONG, {SEGMENT(VMX_TR, access_rights, TSS_16)}, "TR access rights", "IA-32e"},
		{PROTECTED_32,
		 {SEGMENT(VMX_TR, access_rights, 9 | VMX_AR_P)},
		 "TR access rights",
		 "3 or 11"},
		{LONG,
		 {SEGMENT(VMX_TR, access_rights, TSS | VMX_AR_S)},
		 "TR access rights",
		 "S must be 0"},
		{LONG,
		 {SEGMENT(VMX_TR, access_rights, TSS & ~VMX_AR_P)},
		 "TR access rights",
		 "P must"},
		{LONG, {SEGMENT(VMX_TR, access_rights, TSS | 0x200)}, "TR access rights", "11:8"},
		{LONG,
		 {SEGMENT(VMX_TR, access_rights, TSS | VMX_AR_G)},
		 "TR access rights",
		 "G must be 0"},
		{LONG, {SEGMENT(VMX_TR, limit, 0x100fff)}, "TR access rights", "G must be 1"},
		{PROTECTED_16,
		 {SEGMENT(VMX_LDTR, access_rights, 3 | VMX_AR_P)},
		 "LDTR access rights",
		 "an LDT"},
		{PROTECTED_16,
		 {SEGMENT(VMX_LDTR, access_rights, LDT | VMX_AR_S)},
		 "LDTR access rights",
		 "S must be 0"},
		{PROTECTED_16,
		 {SEGMENT(VMX_LDTR, access_rights, 2)},
		 "LDTR access rights",
		 "P must"},
		{PROTECTED_16,
		 {SEGMENT(VMX_LDTR, access_rights, LDT | 1u << 20)},
		 "LDTR access rights",
		 "31:17"},
		{PROTECTED_16,
		 {SEGMENT(VMX_LDTR, access_rights, LDT | VMX_AR_G)},
		 "LDTR access rights",
		 "G must be 0"},
		{PROTECTED_16,
		 {SEGMENT(VMX_LDTR, limit, 0x100fff)},
		 "LDTR access rights",
		 "G must be 1"},
		{LONG, {SET(guest.gdtr.base, NOT_CANONICAL)}, "GDTR base", "canonical"},
		{LONG, {SET(guest.idtr.base, NOT_CANONICAL)}, "IDTR base", "canonical"},
		{LONG, {SET(guest.gdtr.limit, 0x10000)}, "GDTR limit", "31:16"},
		{LONG, {SET(guest.idtr.limit, 0x80000000)}, "IDTR limit", "31:16"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_rip_and_rflags(void **state)
{
	static const struct example examples[] = {
		{PAE, {SET(guest.rip, UINT64_C(1) << 32)}, "RIP", "63:32"},
		{COMPATIBILITY, {SET(guest.rip, UINT64_C(1) << 32)}, "RIP", "63:32"},
		{LONG, {SET(guest.rip, UINT64_C(1) << LINEAR_BITS)}, "RIP", "linear address width"},
		{LONG, {SET(guest.rip, NOT_CANONICAL)}, NULL, NULL},
		{LONG, {SET(guest.rflags, 0x202 | 1 << 3)}, "RFLAGS", "63:22"},
		{LONG, {SET(guest.rflags, 0x202 | 1 << 5)}, "RFLAGS", "63:22"},
		{LONG, {SET(guest.rflags, 0x202 | 1 << 15)}, "RFLAGS", "63:22"},
		{LONG, {SET(guest.rflags, 0x202 | 1 << 22)}, "RFLAGS", "63:22"},
		{LONG, {SET(guest.rflags, 0x202 | UINT64_C(1) << 63)}, "RFLAGS", "63:22"},
		{LONG, {SET(guest.rflags, 0x200)}, "RFLAGS", "bit 1"},
		{V8086,
		 {ENTRY(0), SET(guest.efer, EFER_LME | EFER_LMA), SET(guest.cr4, 0x2000 | CR4_PAE)},
		 "RFLAGS",
		 "IA-32e"},
		{V8086,
		 {SET(guest.cr0, CR0_NE),
		  SET(controls.secondary, VMX_SECONDARY_UNRESTRICTED_GUEST)},
		 "RFLAGS",
		 "CR0.PE"},
		{LONG,
		 {SET(guest.rflags, 2),
		  SET(controls.entry_interruption, INJECT(VMX_INTERRUPTION_EXTERNAL, 32))},
		 "RFLAGS",
		 "IF must be 1"},
		{LONG,
		 {SET(guest.rflags, 2),
		  SET(controls.entry_interruption, INJECT(VMX_INTERRUPTION_NMI, 2))},
		 NULL,
		 NULL},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

#define ACTIVITY(to) SET(guest.activity, to)
#define BLOCK(bits) SET(guest.interruptibility, bits)
#define EVENT(type, vector)                                                                        \
	SET(controls.entry_interruption, INJECT(VMX_INTERRUPTION_##type, vector))

static void test_activity(void **state)
{
	static const char cannot_end[] = "can't end";
	static const struct example examples[] = {
		{LONG, {ACTIVITY(4)}, "activity state", "IA32_VMX_MISC"},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_HLT), SET(cpu.misc, 0)},
		 "activity state",
		 "IA32_VMX_MISC"},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_SHUTDOWN), SET(cpu.misc, 0)},
		 "activity state",
		 "IA32_VMX_MISC"},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_WAIT_FOR_SIPI), SET(cpu.misc, 0)},
		 "activity state",
		 "IA32_VMX_MISC"},
		{LONG, {ACTIVITY(VMX_ACTIVITY_HLT)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_SHUTDOWN)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_WAIT_FOR_SIPI)}, NULL, NULL},
		{USER_64, {ACTIVITY(VMX_ACTIVITY_HLT)}, "activity state", "SS's DPL"},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_HLT), BLOCK(VMX_BLOCKING_BY_STI)},
		 "activity state",
		 "must be active"},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_SHUTDOWN), BLOCK(VMX_BLOCKING_BY_MOV_SS)},
		 "activity state",
		 "must be active"},
		{LONG, {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(EXTERNAL, 32)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(NMI, 2)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(HARD_EXCEPTION, 1)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(HARD_EXCEPTION, 18)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(OTHER, 0)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(OTHER, 1)}, "activity state", cannot_end},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(HARD_EXCEPTION, 14)},
		 "activity state",
		 cannot_end},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_HLT), EVENT(SOFT_INTERRUPT, 1)},
		 "activity state",
		 cannot_end},
		{LONG, {ACTIVITY(VMX_ACTIVITY_SHUTDOWN), EVENT(NMI, 2)}, NULL, NULL},
		{LONG, {ACTIVITY(VMX_ACTIVITY_SHUTDOWN), EVENT(HARD_EXCEPTION, 18)}, NULL, NULL},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_SHUTDOWN), EVENT(EXTERNAL, 32)},
		 "activity state",
		 cannot_end},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_WAIT_FOR_SIPI), EVENT(NMI, 2)},
		 "activity state",
		 cannot_end},
		{LONG,
		 {ACTIVITY(VMX_ACTIVITY_WAIT_FOR_SIPI), ENTRY(VMX_ENTRY_TO_SMM),
		  SET(cpu.smm, true)},
		 "activity state",
		 "entry to SMM"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_interruptibility(void **state)
{
	static const char field[] = "interruptibility state";
	static const struct example examples[] = {
		{LONG, {BLOCK(1u << 5)}, field, "31:5"},
		{LONG, {BLOCK(1u << 31)}, field, "31:5"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_STI)}, NULL, NULL},
		{LONG, {BLOCK(VMX_BLOCKING_BY_MOV_SS | VMX_BLOCKING_BY_NMI)}, NULL, NULL},
		{LONG, {BLOCK(VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS)}, field, "not both"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_STI), SET(guest.rflags, 2)}, field, "RFLAGS.IF"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_STI), EVENT(EXTERNAL, 32)}, field, "external"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_MOV_SS), EVENT(EXTERNAL, 32)}, field, "external"},
		{LONG,
		 {BLOCK(VMX_BLOCKING_BY_MOV_SS), EVENT(NMI, 2)},
		 field,
		 "MOV SS must not block an NMI"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_SMI)}, field, "outside SMM"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_SMI), SET(cpu.smm, true)}, NULL, NULL},
		{LONG, {ENTRY(VMX_ENTRY_TO_SMM), SET(cpu.smm, true)}, field, "entry to SMM"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_STI), EVENT(NMI, 2)}, NULL, NULL},
		{LONG,
		 {BLOCK(VMX_BLOCKING_BY_STI), EVENT(NMI, 2), SET(cpu.nmi_needs_no_sti_block, true)},
		 field,
		 "on this CPU"},
		{LONG,
		 {BLOCK(VMX_BLOCKING_BY_NMI), EVENT(NMI, 2),
		  SET(controls.pin, VMX_PIN_VIRTUAL_NMIS)},
		 field,
		 "virtual NMIs"},
		{LONG, {BLOCK(VMX_BLOCKING_BY_NMI), EVENT(NMI, 2)}, NULL, NULL},
		{LONG, {BLOCK(VMX_ENCLAVE_INTERRUPTION)}, field, "enclave"},
		{LONG, {BLOCK(VMX_ENCLAVE_INTERRUPTION), SET(cpu.sgx, true)}, NULL, NULL},
		{LONG,
		 {BLOCK(VMX_ENCLAVE_INTERRUPTION | VMX_BLOCKING_BY_MOV_SS), SET(cpu.sgx, true)},
		 field,
		 "enclave"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

#define PENDING(bits) SET(guest.pending_debug, bits)

static void test_pending_debug(void **state)
{
	static const char field[] = "pending debug exceptions";
	static const uint64_t trap = RFLAGS_RESERVED_ONE | RFLAGS_IF | RFLAGS_TF;
	static const struct example examples[] = {
		{LONG,
		 {PENDING(0xf | VMX_PENDING_DEBUG_ENABLED | VMX_PENDING_DEBUG_BS)},
		 NULL,
		 NULL},
		{LONG, {PENDING(1 << 4)}, field, "must be 0"},
		{LONG, {PENDING(1 << 13)}, field, "must be 0"},
		{LONG, {PENDING(1 << 15)}, field, "must be 0"},
		{LONG, {PENDING(1 << 17)}, field, "must be 0"},
		{LONG, {PENDING(UINT64_C(1) << 63)}, field, "must be 0"},
		{LONG, {PENDING(VMX_PENDING_DEBUG_BUS_LOCK)}, field, "bus-lock"},
		{LONG, {PENDING(VMX_PENDING_DEBUG_BUS_LOCK), SET(cpu.bus_lock, true)}, NULL, NULL},
		{LONG,
		 {SET(guest.rflags, trap), BLOCK(VMX_BLOCKING_BY_STI)},
		 field,
		 "BS must be 1"},
		{LONG,
		 {SET(guest.rflags, trap), BLOCK(VMX_BLOCKING_BY_MOV_SS)},
		 field,
		 "BS must be 1"},
		{LONG,
		 {SET(guest.rflags, trap), ACTIVITY(VMX_ACTIVITY_HLT)},
		 field,
		 "BS must be 1"},
		{LONG, {SET(guest.rflags, trap)}, NULL, NULL},
		{LONG,
		 {SET(guest.rflags, trap), BLOCK(VMX_BLOCKING_BY_STI),
		  PENDING(VMX_PENDING_DEBUG_BS)},
		 NULL,
		 NULL},
		{LONG,
		 {BLOCK(VMX_BLOCKING_BY_STI), PENDING(VMX_PENDING_DEBUG_BS)},
		 field,
		 "BS must be 0"},
		{LONG,
		 {SET(guest.rflags, trap), BLOCK(VMX_BLOCKING_BY_STI),
		  PENDING(VMX_PENDING_DEBUG_BS), SET(guest.debugctl, 2)},
		 field,
		 "BS must be 0"},
		{LONG, {PENDING(VMX_PENDING_DEBUG_RTM), SET(cpu.rtm, true)}, field, "bit 12 must"},
		{LONG,
		 {PENDING(VMX_PENDING_DEBUG_RTM | VMX_PENDING_DEBUG_ENABLED | 1),
		  SET(cpu.rtm, true)},
		 field,
		 "all others 0"},
		{LONG,
		 {PENDING(VMX_PENDING_DEBUG_RTM | VMX_PENDING_DEBUG_ENABLED)},
		 field,
		 "without RTM"},
		{LONG,
		 {PENDING(VMX_PENDING_DEBUG_RTM | VMX_PENDING_DEBUG_ENABLED), SET(cpu.rtm, true)},
		 NULL,
		 NULL},
		{LONG,
		 {PENDING(VMX_PENDING_DEBUG_RTM | VMX_PENDING_DEBUG_ENABLED), SET(cpu.rtm, true),
		  BLOCK(VMX_BLOCKING_BY_MOV_SS)},
		 field,
		 "where MOV SS blocks"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

#define LINK(address, revision) SET(guest.link_pointer, address), SET(guest.link_revision, revision)

static void test_link_pointer(void **state)
{
	static const char field[] = "VMCS link pointer";
	static const struct example examples[] = {
		{LONG, {LINK(0x6000, REVISION)}, NULL, NULL},
		{LONG, {LINK(0x6800, REVISION)}, field, "11:0"},
		{LONG, {LINK(UINT64_C(1) << PHYSICAL_BITS, REVISION)}, field, "physical"},
		{LONG, {LINK(0x6000, REVISION + 1)}, field, "revision"},
		{LONG, {LINK(0x6000, REVISION | VMX_REVISION_SHADOW)}, field, "bit 31"},
		{LONG,
		 {LINK(0x6000, REVISION), SET(controls.secondary, VMX_SECONDARY_VMCS_SHADOWING)},
		 field,
		 "bit 31"},
		{LONG,
		 {LINK(0x6000, REVISION | VMX_REVISION_SHADOW),
		  SET(controls.secondary, VMX_SECONDARY_VMCS_SHADOWING)},
		 NULL,
		 NULL},
		{LONG, {LINK(CURRENT_VMCS, REVISION)}, field, "current VMCS"},
		{LONG,
		 {LINK(CURRENT_VMCS, REVISION), SET(cpu.smm, true),
		  SET(cpu.executive_vmcs, 0x7000)},
		 NULL,
		 NULL},
		{LONG,
		 {LINK(0x7000, REVISION), SET(cpu.smm, true), SET(cpu.executive_vmcs, 0x7000)},
		 field,
		 "executive VMCS"},
		{LONG,
		 {LINK(CURRENT_VMCS, REVISION), SET(cpu.smm, true), ENTRY(VMX_ENTRY_TO_SMM),
		  BLOCK(VMX_BLOCKING_BY_SMI)},
		 field,
		 "current VMCS"},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

static void test_pdptes(void **state)
{
	static const struct example examples[] = {
		{PAE, {SET(guest.pdpte[0], PTE_P | PTE_RW)}, "PDPTE0", "reserved"},
		{PAE, {SET(guest.pdpte[1], PTE_P | PTE_A)}, "PDPTE1", "reserved"},
		{PAE,
		 {SET(guest.pdpte[2], PTE_P | UINT64_C(1) << PHYSICAL_BITS)},
		 "PDPTE2",
		 "reserved"},
		{PAE, {SET(guest.pdpte[3], PTE_P | PTE_NX)}, "PDPTE3", "reserved"},
		/* Without EPT they are in memory, not in the VMCS; in long mode there are none. */
		{PAE,
		 {SET(guest.pdpte[0], PTE_P | PTE_RW), SET(controls.secondary, 0)},
		 NULL,
		 NULL},
		{LONG, {SET(guest.pdpte[0], PTE_P | PTE_RW)}, NULL, NULL},
		{PROTECTED_32, {SET(guest.pdpte[0], PTE_P | PTE_RW)}, NULL, NULL},
	};

	(void)state;
	TEST_EXAMPLES(examples);
}

/* What the log line is made of. */
static void test_violation_has_the_value(void **state)
{
	struct vmx_violation violation;
	struct vmx_check check;

	(void)state;
	set_up(&check, LONG);
	check.guest.segment[VMX_CS].access_rights = CODE_64 | VMX_AR_DB;
	assert_true(vmx_check_guest_state(&check, &violation));
	assert_int_equal(violation.value, CODE_64 | VMX_AR_DB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_modes_pass),
		cmocka_unit_test(test_control_registers),
		cmocka_unit_test(test_msrs),
		cmocka_unit_test(test_selectors_and_bases),
		cmocka_unit_test(test_code_segment),
		cmocka_unit_test(test_stack_segment),
		cmocka_unit_test(test_data_segments),
		cmocka_unit_test(test_system_segments_and_tables),
		cmocka_unit_test(test_rip_and_rflags),
		cmocka_unit_test(test_activity),
		cmocka_unit_test(test_interruptibility),
		cmocka_unit_test(test_pending_debug),
		cmocka_unit_test(test_link_pointer),
		cmocka_unit_test(test_pdptes),
		cmocka_unit_test(test_violation_has_the_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
