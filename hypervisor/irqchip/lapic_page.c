/* SPDX-License-Identifier: MIT */
/*
 * lapic_page.c - the local APIC lent to hardware: apic_page.h.
 */
#include "hypervisor/apic_page.h"
#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"

bool apic_page_can_lend(const struct vcpu *vcpu)
{
	const struct lapic *lapic = vcpu->lapic;
	const struct apic_map *map = &lapic->chip->map;

	/* What the guest's flag says of an interrupt's end is the core's to find out. */
	if (!lapic_is_software_enabled(lapic) || lapic_has_flag(lapic))
		return false;
	return lapic_is_x2apic(lapic) && __atomic_load_n(&map->enabled, __ATOMIC_SEQ_CST) ==
						 __atomic_load_n(&map->x2apic, __ATOMIC_SEQ_CST);
}

/* Vectors whose end goes to the I/O APIC, which tells those that wait for it. */
static uint32_t heard_of(const struct lapic *lapic, unsigned word)
{
	const uint64_t *vectors = &lapic->chip->ioapic.vectors[word / 2];
	uint64_t handled = __atomic_load_n(vectors, __ATOMIC_SEQ_CST);

	return lapic_reg(lapic, APIC_TMR + word * 16) | (uint32_t)(handled >> word % 2 * 32);
}

void apic_page_lend(struct vcpu *vcpu, uint32_t *page)
{
	struct lapic *lapic = vcpu->lapic;

	for (unsigned offset = 0; offset < KVM_APIC_REG_SIZE; offset += 16)
		if (offset < APIC_TMR || offset >= APIC_ESR)
			page[offset / 4] = lapic_reg(lapic, offset);
	page[APIC_PPR / 4] = lapic_ppr(lapic);
	for (unsigned i = 0; i < APIC_PAGE_WORDS; i++) {
		uint32_t *from = apic_page_word(lapic->regs, APIC_IRR, i);
		uint32_t irr = __atomic_exchange_n(from, 0, __ATOMIC_SEQ_CST);

		/* Before IRR's bits are there to be taken, and after they were set. */
		*apic_page_word(page, APIC_TMR, i) = heard_of(lapic, i);
		__atomic_fetch_or(apic_page_word(page, APIC_IRR, i), irr, __ATOMIC_SEQ_CST);
	}
}

void apic_page_take_back(struct vcpu *vcpu, uint32_t *page)
{
	struct lapic *lapic = vcpu->lapic;
	uint32_t any = 0;

	lapic_set_reg(lapic, APIC_TPR, page[APIC_TPR / 4] & 0xff);
	lapic_set_reg(lapic, APIC_ICR, page[APIC_ICR / 4] & APIC_ICR_WRITABLE);
	lapic_set_reg(lapic, APIC_ICR_HIGH, page[APIC_ICR_HIGH / 4]);
	for (unsigned i = 0; i < APIC_PAGE_WORDS; i++) {
		uint32_t *from = apic_page_word(page, APIC_IRR, i);
		uint32_t irr = __atomic_exchange_n(from, 0, __ATOMIC_SEQ_CST);

		lapic_set_reg(lapic, APIC_ISR + i * 16, *apic_page_word(page, APIC_ISR, i));
		__atomic_fetch_or(apic_page_word(lapic->regs, APIC_IRR, i), irr, __ATOMIC_SEQ_CST);
		any |= irr;
	}
	lapic_count_in_service(lapic);
	if (any)
		__atomic_store_n(&lapic->irr_any, true, __ATOMIC_SEQ_CST);
}

void apic_page_accept(struct vcpu *vcpu, const uint32_t irr[APIC_PAGE_WORDS])
{
	struct lapic *lapic = vcpu->lapic;

	for (unsigned i = 0; i < APIC_PAGE_WORDS; i++)
		for (uint32_t bits = irr[i]; bits; bits &= bits - 1)
			if (lapic_is_enabled(lapic))
				lapic_accept_vector(
					lapic, (uint8_t)(i * 32 + (unsigned)__builtin_ctz(bits)),
					false);
}
