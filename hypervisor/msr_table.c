/* SPDX-License-Identifier: MIT */
/*
 * msr_table.c - the model-specific registers that the core serves, and what is special about some.
 *
 * Where the makers differ, a guest of either finds what its kernel asks for at the start: Intel's
 * and AMD's stand side by side.  A register that isn't here does not exist: #GP.
 */
#include "hypervisor/msr_table.h"

#include <linux/kvm_para.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/async_fault.h"
#include "hypervisor/clock.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/msr.h"
#include "hypervisor/vm.h"
#include "hypervisor/x86/mode.h"
#include "lib/bits.h"
#include "lib/bytes.h"

#define ANY UINT64_MAX
#define MICROCODE_REVISION 0x01000065u /* what Linux asks for as its lowest on AMD */
#define MICROCODE_VALUE ((uint64_t)MICROCODE_REVISION << 32)
#define MCE_BANKS 10
#define MCG_CAP_DEFAULT (MCG_CAP_CTL_P | MCG_CAP_SER_P | MCE_BANKS)
#define MISC_ENABLE_WRITABLE 0x0000000400c51889u

/* --- The CPU's own ---------------------------------------------------------------------------- */

static uint64_t *address_place(struct vcpu *vcpu, uint32_t index)
{
	switch (index) {
	case MSR_FS_BASE:
		return &vcpu->state.segment[CPU_FS].base;
	case MSR_GS_BASE:
		return &vcpu->state.segment[CPU_GS].base;
	case MSR_KERNEL_GS_BASE:
		return &vcpu->state.kernel_gs_base;
	case MSR_LSTAR:
		return &vcpu->state.lstar;
	case MSR_CSTAR:
		return &vcpu->state.cstar;
	case MSR_SYSENTER_ESP:
		return &vcpu->state.sysenter_esp;
	default:
		return &vcpu->state.sysenter_eip;
	}
}

static bool address_read(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value)
{
	(void)by_guest;
	*value = *address_place(vcpu, index);
	return true;
}

static bool address_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)by_guest;
	if (!cpu_is_canonical(&vcpu->state, value))
		return false;
	*address_place(vcpu, index) = value;
	return true;
}

static bool efer_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	struct cpu_state *state = &vcpu->state;

	(void)index;
	if (value & ~vcpu->limits.efer)
		return false;
	if (by_guest) {
		if ((state->cr0 & CR0_PG) && ((value ^ state->efer) & EFER_LME))
			return false;
		value = (value & ~EFER_LMA) | (state->efer & EFER_LMA);
	}
	state->efer = value;
	return true;
}

/* Each byte is a memory type: uncached, combining, through, protected, back, or UC- (7). */
static bool is_memory_type(uint8_t type, bool pat)
{
	return type <= 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

static bool are_memory_types(uint64_t value, bool pat)
{
	for (unsigned i = 0; i < 8; i++)
		if (!is_memory_type((uint8_t)(value >> (8 * i)), pat))
			return false;
	return true;
}

static bool pat_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	(void)by_guest;
	if (!are_memory_types(value, true))
		return false;
	vcpu->state.pat = value;
	return true;
}

static bool apic_base_read(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value)
{
	(void)index;
	(void)by_guest;
	*value = vcpu->lapic ? lapic_get_base(vcpu->lapic) : vcpu->apic_base;
	return true;
}

static bool apic_base_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	if (vcpu->lapic)
		return lapic_set_base(vcpu->lapic, value, by_guest);
	vcpu->apic_base = value;
	return true;
}

/* --- Time ------------------------------------------------------------------------------------- */

static bool tsc_read(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value)
{
	(void)index;
	(void)by_guest;
	*value = clock_tsc(vcpu);
	return true;
}

static bool tsc_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	uint64_t before = vcpu->state.tsc_offset;

	(void)index;
	if (by_guest) {
		clock_set_tsc_offset(vcpu, before + value - clock_tsc(vcpu));
		vcpu->msr.tsc_adjust += vcpu->state.tsc_offset - before;
	} else {
		clock_set_tsc(vcpu, value);
	}
	return true;
}

static bool tsc_adjust_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	if (by_guest)
		clock_set_tsc_offset(vcpu, vcpu->state.tsc_offset + value - vcpu->msr.tsc_adjust);
	vcpu->msr.tsc_adjust = value;
	return true;
}

static bool wall_clock_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	vcpu->msr.kvm_wall_clock = value;
	if (by_guest)
		clock_write_wall(vcpu->vm, value);
	return true;
}

static bool system_time_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	(void)by_guest;
	vcpu->msr.kvm_system_time = value;
	clock_write_page(vcpu);
	return true;
}

/* --- Memory types ----------------------------------------------------------------------------- */

static bool mtrr_fixed_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	unsigned i = 0;

	(void)by_guest;
	if (!are_memory_types(value, false))
		return false;
	if (index >= MSR_MTRR_FIX4K_C0000)
		i = 3 + (index - MSR_MTRR_FIX4K_C0000);
	else if (index >= MSR_MTRR_FIX16K_80000)
		i = 1 + (index - MSR_MTRR_FIX16K_80000);
	vcpu->msr.mtrr_fixed[i] = value;
	return true;
}

static bool mtrr_fixed_read(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value)
{
	unsigned i = 0;

	(void)by_guest;
	if (index >= MSR_MTRR_FIX4K_C0000)
		i = 3 + (index - MSR_MTRR_FIX4K_C0000);
	else if (index >= MSR_MTRR_FIX16K_80000)
		i = 1 + (index - MSR_MTRR_FIX16K_80000);
	*value = vcpu->msr.mtrr_fixed[i];
	return true;
}

static bool mtrr_variable_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	uint64_t reserved = ~(BIT(vcpu->limits.physical_bits) - 1);
	bool mask = (index - MSR_MTRR_PHYSICAL_BASE0) & 1;

	if (mask)
		reserved |= MTRR_MASK_VALID - 1;
	else
		reserved |= 0xf00;
	/* The caller's table of CPUID may be narrower than that of the state it brings. */
	if (!by_guest)
		reserved &= 0xfff;
	if (value & reserved || (!mask && !is_memory_type(value & 0xff, false)))
		return false;
	vcpu->msr.mtrr_variable[index - MSR_MTRR_PHYSICAL_BASE0] = value;
	return true;
}

static bool mtrr_default_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	(void)by_guest;
	if (value & ~(uint64_t)(MTRR_DEF_TYPE_FIXED | MTRR_DEF_TYPE_ENABLE | 0xff) ||
	    !is_memory_type(value & 0xff, false))
		return false;
	vcpu->msr.mtrr_def_type = value;
	return true;
}

/* --- Machine checks: the banks are there and empty -------------------------------------------- */

static bool mcg_ctl_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	if (!(vcpu->msr.mcg_cap & MCG_CAP_CTL_P) || (by_guest && value && value != ANY))
		return false;
	vcpu->msr.mcg_ctl = value;
	return true;
}

static bool mce_read(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value)
{
	uint32_t i = index - MSR_MC0_CTL;

	(void)by_guest;
	if (i >= 4 * (vcpu->msr.mcg_cap & MCG_CAP_BANKS))
		return false;
	*value = vcpu->msr.mce[i];
	return true;
}

/* CTL: all or nothing, but for what Linux clears of bank 4 on AMD; STATUS: only cleared. */
static bool mce_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	uint32_t i = index - MSR_MC0_CTL;

	if (i >= 4 * (vcpu->msr.mcg_cap & MCG_CAP_BANKS))
		return false;
	if (by_guest && i % 4 == 0 && value && (value | BIT(10) | 1) != ANY)
		return false;
	if (by_guest && i % 4 == 1 && value)
		return false;
	vcpu->msr.mce[i] = value;
	return true;
}

/* --- AMD's, KVM's ----------------------------------------------------------------------------- */

/* HWCR: what a guest sets without effect here (as KVM lets it), and the bit that says that the TSC
 * counts at the full rate. */
#define HWCR_IGNORED UINT64_C(0x148) /* IgnneEm, FFDIS, McStatusWrEn's neighbour */
#define HWCR_WRITABLE (BIT(18) | HWCR_TSC_FREQUENCY_SELECT)

static bool hwcr_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	(void)by_guest;
	value &= ~HWCR_IGNORED;
	if (value & ~HWCR_WRITABLE)
		return false;
	vcpu->msr.hwcr = value;
	return true;
}

#define PV_EOI_FLAGS UINT64_C(3) /* bit 0: on; bit 1: reserved */

static bool pv_eoi_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)index;
	(void)by_guest;
	if (!vcpu->lapic || (value & PV_EOI_FLAGS & ~(uint64_t)KVM_MSR_ENABLED))
		return false;
	vcpu->msr.kvm_pv_eoi = value;
	lapic_set_pv_eoi(vcpu->lapic, value & KVM_MSR_ENABLED ? value & ~PV_EOI_FLAGS : 0);
	return true;
}

static bool async_fault_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	(void)by_guest;
	switch (index) {
	case MSR_KVM_ASYNC_PF_EN:
		return async_fault_set_area(vcpu, value);
	case MSR_KVM_ASYNC_PF_INT:
		return async_fault_set_vector(vcpu, value);
	default:
		return async_fault_acknowledge(vcpu, value);
	}
}

/* --- The table -------------------------------------------------------------------------------- */

#define PLACE(member, bits) .offset = offsetof(struct vcpu, member), .writable = (bits)
#define ZERO_IGNORED .flags = MSR_IGNORE /* reads as zero, writes are lost */

const struct msr msr_table[] = {
	{.first = MSR_TSC, .count = 1, .flags = MSR_SAVE, .read = tsc_read, .write = tsc_write},
	{.first = MSR_KVM_WALL_CLOCK,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.kvm_wall_clock, ANY),
	 .write = wall_clock_write},
	{.first = MSR_KVM_SYSTEM_TIME,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.kvm_system_time, ANY),
	 .write = system_time_write},
	{.first = MSR_PLATFORM_ID, .count = 1, .flags = MSR_READ_ONLY},
	{.first = MSR_APIC_BASE, .count = 1, .read = apic_base_read, .write = apic_base_write},
	{.first = MSR_FEATURE_CONTROL,
	 .count = 1,
	 .flags = MSR_READ_ONLY,
	 PLACE(msr.feature_control, ANY)},
	{.first = MSR_TSC_ADJUST,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.tsc_adjust, ANY),
	 .write = tsc_adjust_write},
	{.first = MSR_MICROCODE_UPDATE, .count = 1, ZERO_IGNORED},
	{.first = MSR_MICROCODE_REVISION,
	 .count = 1,
	 .flags = MSR_SAVE | MSR_FEATURE | MSR_IGNORE,
	 PLACE(msr.microcode, ANY),
	 .constant = MICROCODE_VALUE},
	{.first = MSR_PMC0, .count = 4, ZERO_IGNORED},
	{.first = MSR_PLATFORM_INFO,
	 .count = 1,
	 .flags = MSR_SAVE | MSR_FEATURE | MSR_READ_ONLY,
	 PLACE(msr.platform_info, ANY)},
	{.first = MSR_MTRR_CAP,
	 .count = 1,
	 .flags = MSR_READ_ONLY,
	 .constant = MTRR_CAP_FIXED | MTRR_CAP_WRITE_COMBINING | MSR_MTRR_VARIABLE},
	{.first = MSR_SYSENTER_CS,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(state.sysenter_cs, UINT32_MAX)},
	{.first = MSR_SYSENTER_ESP,
	 .count = 2,
	 .flags = MSR_SAVE,
	 .read = address_read,
	 .write = address_write},
	{.first = MSR_MCG_CAP, .count = 1, .flags = MSR_READ_ONLY, PLACE(msr.mcg_cap, ANY)},
	{.first = MSR_MCG_STATUS, .count = 1, .flags = MSR_SAVE, PLACE(msr.mcg_status, 7)},
	{.first = MSR_MCG_CTL, .count = 1, PLACE(msr.mcg_ctl, ANY), .write = mcg_ctl_write},
	{.first = MSR_PERF_EVENT_SELECT0, .count = 4, ZERO_IGNORED},
	{.first = MSR_PERF_STATUS, .count = 1, .flags = MSR_READ_ONLY},
	{.first = MSR_MISC_ENABLE,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.misc_enable, MISC_ENABLE_WRITABLE)},
	{.first = MSR_DEBUG_CONTROL, .count = 1, PLACE(msr.debug_control, 3)},
	{.first = MSR_LAST_BRANCH_FROM, .count = 4, ZERO_IGNORED},
	{.first = MSR_MTRR_PHYSICAL_BASE0,
	 .count = 2 * MSR_MTRR_VARIABLE,
	 PLACE(msr.mtrr_variable, ANY),
	 .write = mtrr_variable_write},
	{.first = MSR_MTRR_FIX64K, .count = 1, .read = mtrr_fixed_read, .write = mtrr_fixed_write},
	{.first = MSR_MTRR_FIX16K_80000,
	 .count = 2,
	 .read = mtrr_fixed_read,
	 .write = mtrr_fixed_write},
	{.first = MSR_MTRR_FIX4K_C0000,
	 .count = 8,
	 .read = mtrr_fixed_read,
	 .write = mtrr_fixed_write},
	{.first = MSR_PAT,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(state.pat, ANY),
	 .write = pat_write},
	{.first = MSR_MTRR_DEF_TYPE,
	 .count = 1,
	 PLACE(msr.mtrr_def_type, ANY),
	 .write = mtrr_default_write},
	{.first = MSR_MC0_CTL,
	 .count = 4 * MSR_MCE_BANKS_MAX,
	 .read = mce_read,
	 .write = mce_write},
	{.first = MSR_XSS, .count = 1, .flags = MSR_SAVE, PLACE(state.xss, 0)},
	{.first = MSR_KVM_WALL_CLOCK_NEW,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.kvm_wall_clock, ANY),
	 .write = wall_clock_write},
	{.first = MSR_KVM_SYSTEM_TIME_NEW,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.kvm_system_time, ANY),
	 .write = system_time_write},
	{.first = MSR_KVM_ASYNC_PF_EN,
	 .count = 1,
	 .flags = MSR_SAVE | MSR_ASYNC_FAULT,
	 PLACE(msr.kvm_async_area, ANY),
	 .write = async_fault_write},
	{.first = MSR_KVM_PV_EOI_EN,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.kvm_pv_eoi, ANY),
	 .write = pv_eoi_write},
	{.first = MSR_KVM_POLL_CONTROL,
	 .count = 1,
	 .flags = MSR_SAVE,
	 PLACE(msr.kvm_poll_control, 1)},
	{.first = MSR_KVM_ASYNC_PF_INT,
	 .count = 1,
	 .flags = MSR_SAVE | MSR_ASYNC_FAULT,
	 PLACE(msr.kvm_async_vector, ANY),
	 .write = async_fault_write},
	{.first = MSR_KVM_ASYNC_PF_ACK,
	 .count = 1,
	 .flags = MSR_SAVE | MSR_ASYNC_FAULT,
	 .write = async_fault_write},
	{.first = MSR_EFER, .count = 1, PLACE(state.efer, ANY), .write = efer_write},
	{.first = MSR_STAR, .count = 1, .flags = MSR_SAVE, PLACE(state.star, ANY)},
	{.first = MSR_LSTAR,
	 .count = 2,
	 .flags = MSR_SAVE,
	 .read = address_read,
	 .write = address_write},
	{.first = MSR_SFMASK, .count = 1, .flags = MSR_SAVE, PLACE(state.sfmask, UINT32_MAX)},
	{.first = MSR_FS_BASE, .count = 3, .read = address_read, .write = address_write},
	{.first = MSR_TSC_AUX, .count = 1, .flags = MSR_SAVE, PLACE(state.tsc_aux, UINT32_MAX)},
	{.first = MSR_K7_EVENT_SELECT0, .count = 8, ZERO_IGNORED},
	{.first = MSR_SYSCFG, .count = 1, ZERO_IGNORED},
	{.first = MSR_HWCR, .count = 1, PLACE(msr.hwcr, ANY), .write = hwcr_write},
	{.first = MSR_IORR_BASE0, .count = 4, ZERO_IGNORED},
	{.first = MSR_TOP_MEM, .count = 1, ZERO_IGNORED},
	{.first = MSR_TOP_MEM2, .count = 1, ZERO_IGNORED},
	{.first = MSR_NORTHBRIDGE_CONFIG, .count = 1, ZERO_IGNORED},
	{.first = MSR_MCE_REDIRECT, .count = 1, ZERO_IGNORED},
	{.first = MSR_INTERRUPT_PENDING, .count = 1, ZERO_IGNORED},
	{.first = MSR_MMIO_CONFIG_BASE, .count = 1, ZERO_IGNORED},
	{.first = MSR_PSTATE_LIMIT, .count = 3, ZERO_IGNORED},
	{.first = MSR_PSTATE_DEF0, .count = 8, ZERO_IGNORED},
	{.first = MSR_VM_CR,
	 .count = 1,
	 .flags = MSR_IGNORE,
	 .constant = VM_CR_SVME_DISABLE | VM_CR_LOCK},
	{.first = MSR_IGNORE_NEXT_INIT, .count = 1, ZERO_IGNORED},
	{.first = MSR_OSVW_LENGTH, .count = 1, .flags = MSR_READ_ONLY, PLACE(msr.osvw_length, ANY)},
	{.first = MSR_OSVW_STATUS, .count = 1, .flags = MSR_READ_ONLY, PLACE(msr.osvw_status, ANY)},
	{.first = MSR_F15H_EVENT_SELECT0, .count = 12, ZERO_IGNORED},
	{.first = MSR_LS_CONFIG, .count = 1, ZERO_IGNORED},
	{.first = MSR_DC_CONFIG, .count = 1, ZERO_IGNORED},
	{.first = MSR_DECODE_CONFIG,
	 .count = 1,
	 .flags = MSR_FEATURE | MSR_IGNORE,
	 .constant = DECODE_CONFIG_LFENCE_SERIALIZES},
	{.first = MSR_BU_CONFIG2, .count = 1, ZERO_IGNORED},
};

const unsigned msr_table_count = ARRAY_COUNT(msr_table);

void msr_reset(struct vcpu *vcpu)
{
	memset(&vcpu->msr, 0, sizeof(vcpu->msr));
	vcpu->msr.misc_enable = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_BTS_UNAVAILABLE |
				MISC_ENABLE_PEBS_UNAVAILABLE;
	vcpu->msr.mcg_cap = MCG_CAP_DEFAULT;
	vcpu->msr.microcode = MICROCODE_VALUE;
	vcpu->msr.hwcr = HWCR_TSC_FREQUENCY_SELECT;
	vcpu->msr.kvm_poll_control = 1;
}
