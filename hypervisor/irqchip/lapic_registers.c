/* SPDX-License-Identifier: MIT */
/*
 * lapic_registers.c - the local APIC's registers as the guest reads and writes them: in memory
 * (xAPIC; Intel SDM volume 3, section 11.4.1) and by MSRs (x2APIC; 11.12.1).
 */
#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"
#include "lib/bits.h"

#define BITMAP_END (APIC_IRR + 0x80)

/* The bits of an LVT entry that can be written, SDM 11.5.1; 0 for what is none. */
static uint32_t lvt_writable(const struct lapic *lapic, unsigned offset)
{
	const uint32_t common = APIC_VECTOR_MASK | APIC_LVT_MASKED;

	switch (offset) {
	case APIC_LVT_TIMER:
		return common | (lapic->has_deadline ? APIC_TIMER_MODE_MASK : APIC_TIMER_PERIODIC);
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERFORMANCE:
		return common | APIC_MODE_MASK;
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
		return common | APIC_MODE_MASK | APIC_LVT_POLARITY | APIC_LVT_LEVEL;
	case APIC_LVT_ERROR:
		return common;
	default:
		return 0;
	}
}

/* --- Both ways -------------------------------------------------------------------------------- */

bool lapic_read(struct lapic *lapic, unsigned offset, uint32_t *value)
{
	lapic_pv_eoi_sync(lapic, true);
	if (offset >= APIC_ISR && offset < BITMAP_END) {
		*value = lapic_reg(lapic, offset);
		return true;
	}
	switch (offset) {
	case APIC_ID:
	case APIC_VERSION:
	case APIC_TPR:
	case APIC_LDR:
	case APIC_SVR:
	case APIC_ESR:
	case APIC_ICR:
	case APIC_LVT_TIMER:
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERFORMANCE:
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
	case APIC_LVT_ERROR:
	case APIC_INITIAL_COUNT:
	case APIC_DIVIDE:
		*value = lapic_reg(lapic, offset);
		return true;
	case APIC_PPR:
		*value = lapic_ppr(lapic);
		return true;
	case APIC_CURRENT_COUNT:
		*value = lapic_timer_count(lapic);
		return true;
	default:
		return false;
	}
}

void lapic_write_svr(struct lapic *lapic, uint32_t value)
{
	lapic_set_reg(lapic, APIC_SVR,
		      value & (APIC_SVR_VECTOR | APIC_SVR_ENABLE | APIC_SVR_FOCUS));
	if (value & APIC_SVR_ENABLE)
		return;
	/* Disabled by software, all LVT entries are masked: SDM 11.4.7.2. */
	for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
		lapic_set_reg(lapic, lvt, lapic_reg(lapic, lvt) | APIC_LVT_MASKED);
}

static void write_lvt(struct lapic *lapic, unsigned offset, uint32_t value)
{
	value &= lvt_writable(lapic, offset);
	if (!lapic_is_software_enabled(lapic))
		value |= APIC_LVT_MASKED;
	if (offset == APIC_LVT_TIMER)
		lapic_timer_set_lvt(lapic, value);
	else
		lapic_set_reg(lapic, offset, value);
}

/* Those of both modes. */
void lapic_write(struct lapic *lapic, unsigned offset, uint32_t value)
{
	lapic_pv_eoi_sync(lapic, true);
	if (lvt_writable(lapic, offset)) {
		write_lvt(lapic, offset, value);
		return;
	}
	switch (offset) {
	case APIC_TPR:
		lapic_set_reg(lapic, APIC_TPR, value & 0xff);
		break;
	case APIC_EOI:
		lapic_eoi(lapic);
		break;
	case APIC_SVR:
		lapic_write_svr(lapic, value);
		break;
	case APIC_ESR: /* SDM 11.5.3: a write brings in what has been noted since the last */
		lapic_set_reg(lapic, APIC_ESR,
			      __atomic_exchange_n(&lapic->errors, 0, __ATOMIC_RELAXED));
		break;
	case APIC_INITIAL_COUNT:
		/* In TSC-deadline mode it is ignored: SDM 11.5.4.1. */
		if ((lapic_reg(lapic, APIC_LVT_TIMER) & APIC_TIMER_MODE_MASK) ==
		    APIC_TIMER_DEADLINE)
			break;
		lapic_set_reg(lapic, APIC_INITIAL_COUNT, value);
		lapic_timer_start(lapic, value);
		break;
	case APIC_DIVIDE:
		lapic_timer_set_divide(lapic, value);
		break;
	default:
		break;
	}
}

/* --- xAPIC ------------------------------------------------------------------------------------ */

static void xapic_write(struct lapic *lapic, unsigned offset, uint32_t value)
{
	switch (offset) {
	case APIC_ID:
		lapic_set_reg(lapic, APIC_ID, value & 0xffu << APIC_ID_SHIFT);
		apic_map_update(lapic);
		break;
	case APIC_LDR:
		lapic_set_reg(lapic, APIC_LDR, value & APIC_LDR_MASK);
		apic_map_update(lapic);
		break;
	case APIC_DFR:
		lapic_set_reg(lapic, APIC_DFR, value | APIC_DFR_CLUSTER);
		apic_map_update(lapic);
		break;
	case APIC_ICR:
		lapic_pv_eoi_sync(lapic, true);
		lapic_set_reg(lapic, APIC_ICR, value & APIC_ICR_WRITABLE);
		lapic_send_icr(lapic, value, lapic_reg(lapic, APIC_ICR_HIGH) >> APIC_ID_SHIFT);
		break;
	case APIC_ICR_HIGH:
		lapic_set_reg(lapic, APIC_ICR_HIGH, value & 0xffu << APIC_ID_SHIFT);
		break;
	default:
		lapic_write(lapic, offset, value);
		break;
	}
}

static bool xapic_read(struct lapic *lapic, unsigned offset, uint32_t *value)
{
	switch (offset) {
	case APIC_APR:
		*value = lapic_apr(lapic);
		return true;
	case APIC_DFR:
	case APIC_ICR_HIGH:
		*value = lapic_reg(lapic, offset);
		return true;
	case APIC_EOI:
	case APIC_RRD:
		*value = 0;
		return true;
	default:
		return lapic_read(lapic, offset, value);
	}
}

bool lapic_memory(struct lapic *lapic, uint64_t gpa, uint8_t size, bool write, uint64_t *data)
{
	uint64_t base = lapic->base & APIC_BASE_ADDRESS;
	unsigned offset = (unsigned)(gpa - base), byte = offset % 16;
	uint32_t value = 0;

	if (gpa < base || gpa - base >= APIC_SIZE)
		return false;
	/* Nothing answers there when the APIC is off or speaks by MSRs. */
	if (!lapic_is_enabled(lapic) || lapic_is_x2apic(lapic)) {
		if (!write)
			*data = size_mask(size);
		return true;
	}
	if (write) {
		/* Anything but a whole register is undefined, SDM 11.4.1: it does nothing. */
		if (size == 4 && byte == 0)
			xapic_write(lapic, offset, (uint32_t)*data);
		return true;
	}
	if (!xapic_read(lapic, offset - byte, &value))
		lapic_error(lapic, APIC_ESR_ILLEGAL_REGISTER);
	*data = byte + size <= 4 ? value >> 8 * byte & size_mask(size) : 0;
	return true;
}

/* --- x2APIC, and the TSC deadline ------------------------------------------------------------- */

/* Bits that may be one in a write; for EOI and ESR none, SDM table 11-6.  False: read only. */
static bool x2apic_writable(const struct lapic *lapic, unsigned offset, uint64_t *bits)
{
	*bits = lvt_writable(lapic, offset);
	if (*bits) {
		/* What is read-only is not reserved: Linux sets both of LVT0 when it ends. */
		*bits |= APIC_LVT_PENDING | APIC_LVT_REMOTE_IRR;
		return true;
	}
	switch (offset) {
	case APIC_TPR:
	case APIC_SELF_IPI:
		*bits = 0xff;
		return true;
	case APIC_EOI:
	case APIC_ESR:
		*bits = 0;
		return true;
	case APIC_SVR:
		*bits = APIC_SVR_VECTOR | APIC_SVR_ENABLE | APIC_SVR_FOCUS;
		return true;
	case APIC_ICR:
		*bits = UINT64_C(0xffffffff00000000) | APIC_ICR_WRITABLE;
		return true;
	case APIC_INITIAL_COUNT:
		*bits = UINT32_MAX;
		return true;
	case APIC_DIVIDE:
		*bits = APIC_DIVIDE_MASK;
		return true;
	default:
		return false;
	}
}

bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value)
{
	unsigned offset = (msr - MSR_X2APIC_FIRST) * 16;
	uint32_t low;

	if (msr == MSR_TSC_DEADLINE) {
		*value = lapic_timer_deadline(lapic);
		return lapic->has_deadline;
	}
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !lapic_is_x2apic(lapic) ||
	    !lapic_read(lapic, offset, &low))
		return false;
	*value = low;
	if (offset == APIC_ICR)
		*value |= (uint64_t)lapic_reg(lapic, APIC_ICR_HIGH) << 32;
	return true;
}

static void x2apic_write_icr(struct lapic *lapic, uint64_t value)
{
	if (lapic_has_flag(lapic))
		lapic_pv_eoi_sync(lapic, true);
	lapic_set_reg(lapic, APIC_ICR, (uint32_t)value);
	lapic_set_reg(lapic, APIC_ICR_HIGH, (uint32_t)(value >> 32));
	lapic_send_icr(lapic, (uint32_t)value, (uint32_t)(value >> 32));
}

bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value)
{
	unsigned offset = (msr - MSR_X2APIC_FIRST) * 16;
	uint64_t writable;

	if (msr == MSR_TSC_DEADLINE) {
		if (lapic->has_deadline)
			lapic_timer_set_deadline(lapic, value);
		return lapic->has_deadline;
	}
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !lapic_is_x2apic(lapic) ||
	    !x2apic_writable(lapic, offset, &writable) || value & ~writable)
		return false;
	if (offset == APIC_ICR)
		x2apic_write_icr(lapic, value);
	else if (offset == APIC_SELF_IPI)
		lapic_send_self(lapic, (uint8_t)value);
	else
		lapic_write(lapic, offset, (uint32_t)value);
	return true;
}
