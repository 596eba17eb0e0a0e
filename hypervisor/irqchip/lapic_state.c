/* SPDX-License-Identifier: MIT */
/*
 * lapic_state.c - the local APIC's registers as KVM_GET_LAPIC and KVM_SET_LAPIC lay them out: a
 * register page.  In x2APIC mode the ID stands where xAPIC has it, as KVM does unless its caller
 * asks for the other format.
 */
#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"
#include "lib/bits.h"

int lapic_get(struct lapic *lapic, struct kvm_lapic_state *state)
{
	lapic_pv_eoi_sync(lapic, true);
	for (unsigned offset = 0; offset < KVM_APIC_REG_SIZE; offset += 4)
		store_le32(state->regs + offset, lapic_reg(lapic, offset));
	if (lapic_is_x2apic(lapic))
		store_le32(state->regs + APIC_ID, lapic->vcpu->id << APIC_ID_SHIFT);
	store_le32(state->regs + APIC_PPR, lapic_ppr(lapic));
	store_le32(state->regs + APIC_CURRENT_COUNT, lapic_timer_count(lapic));
	return 0;
}

static uint32_t saved(const struct kvm_lapic_state *state, unsigned offset)
{
	return load_le32(state->regs + offset);
}

/* Which bits a register may have at all; what the guest could not have set is not taken. */
static uint32_t valid_bits(unsigned offset)
{
	if (offset % 16)
		return 0;
	if (offset >= APIC_ISR && offset < APIC_ESR)
		return offset % 0x80 ? UINT32_MAX : ~(BIT(APIC_VECTOR_FIRST) - 1) & UINT32_MAX;
	switch (offset) {
	case APIC_TPR:
	case APIC_ESR:
		return 0xff;
	case APIC_ICR:
		return APIC_ICR_WRITABLE;
	case APIC_ICR_HIGH:
	case APIC_INITIAL_COUNT:
		return UINT32_MAX;
	case APIC_DIVIDE:
		return APIC_DIVIDE_MASK;
	case APIC_LVT_TIMER:
		return APIC_VECTOR_MASK | APIC_LVT_MASKED | APIC_TIMER_MODE_MASK;
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERFORMANCE:
		return APIC_VECTOR_MASK | APIC_MODE_MASK | APIC_LVT_MASKED;
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
		return APIC_VECTOR_MASK | APIC_MODE_MASK | APIC_LVT_POLARITY | APIC_LVT_LEVEL |
		       APIC_LVT_MASKED;
	case APIC_LVT_ERROR:
		return APIC_VECTOR_MASK | APIC_LVT_MASKED;
	default:
		return 0;
	}
}

void lapic_count_in_service(struct lapic *lapic)
{
	uint32_t count = 0;

	for (unsigned offset = APIC_ISR; offset < APIC_TMR; offset += 16)
		for (uint32_t bits = lapic_reg(lapic, offset); bits; bits &= bits - 1)
			count++;
	__atomic_store_n(&lapic->in_service, count, __ATOMIC_RELAXED);
}

int lapic_set(struct lapic *lapic, const struct kvm_lapic_state *state)
{
	bool x2apic = lapic_is_x2apic(lapic);
	uint32_t id = lapic->vcpu->id;

	lapic_pv_eoi_sync(lapic, true);
	lapic_timer_stop(lapic);
	for (unsigned offset = 0; offset < KVM_APIC_REG_SIZE; offset += 4)
		lapic_set_reg(lapic, offset, saved(state, offset) & valid_bits(offset));
	lapic_count_in_service(lapic);
	lapic_set_reg(lapic, APIC_VERSION, APIC_VERSION_VALUE);
	lapic_set_reg(lapic, APIC_DFR, saved(state, APIC_DFR) | APIC_DFR_CLUSTER);
	lapic_set_reg(lapic, APIC_ID, x2apic ? id : saved(state, APIC_ID) & 0xffu << APIC_ID_SHIFT);
	lapic_set_reg(lapic, APIC_LDR,
		      x2apic ? lapic_x2apic_ldr(id) : saved(state, APIC_LDR) & APIC_LDR_MASK);
	lapic_write_svr(lapic, saved(state, APIC_SVR));
	apic_map_update(lapic);
	__atomic_store_n(&lapic->irr_any, true, __ATOMIC_SEQ_CST);
	lapic_timer_start(lapic, saved(state, APIC_CURRENT_COUNT));
	vcpu_kick(lapic->vcpu);
	return 0;
}
