/* SPDX-License-Identifier: MIT */
/*
 * lapic_eoi.c - the end of an interrupt: by the EOI register (Intel SDM volume 3, section 11.8.5),
 * or by the flag in guest memory that KVM's paravirtual interface has for it (MSR 0x4b564d04).
 *
 * The flag is set when an interrupt goes to the guest that nobody else needs to hear the end of,
 * and while no other waits; a guest that finds it set clears it instead of writing EOI.  It is
 * taken back before another interrupt may be delivered on top.
 */
#include "hypervisor/irqchip/chips.h"
#include "hypervisor/memory.h"
#include "hypervisor/vcpu.h"

#define PV_EOI_FLAG 1u

void lapic_eoi(struct lapic *lapic)
{
	int vector = lapic_highest(lapic, APIC_ISR);
	uint32_t bit;
	bool level;

	if (vector < 0)
		return;
	bit = 1u << vector % 32;
	level = lapic_reg(lapic, APIC_TMR + (unsigned)vector / 32 * 16) & bit;
	__atomic_fetch_and(&lapic->regs[(APIC_ISR + (unsigned)vector / 32 * 16) / 4], ~bit,
			   __ATOMIC_SEQ_CST);
	__atomic_store_n(&lapic->in_service, lapic->in_service - 1, __ATOMIC_RELAXED);
	/* The PIT counts the ends of its edges as well. */
	if (level || ioapic_handles(lapic->chip, (uint8_t)vector))
		ioapic_eoi(lapic->chip, (uint8_t)vector, level);
}

void lapic_set_pv_eoi(struct lapic *lapic, uint64_t gpa)
{
	lapic_pv_eoi_sync(lapic, true);
	lapic->pv_eoi_gpa = gpa;
}

bool lapic_has_flag(const struct lapic *lapic)
{
	return lapic->pv_eoi_set;
}

void lapic_pv_eoi_sync(struct lapic *lapic, bool take_back)
{
	uint8_t flag;

	if (!lapic->pv_eoi_set)
		return;
	if (memory_read(lapic->vcpu->vm, lapic->pv_eoi_gpa, &flag, sizeof(flag)) < 0) {
		lapic->pv_eoi_set = false; /* the guest took its page away: it will write EOI */
		return;
	}
	if (!(flag & PV_EOI_FLAG)) {
		lapic->pv_eoi_set = false;
		lapic_eoi(lapic);
	} else if (take_back) {
		flag &= (uint8_t)~PV_EOI_FLAG;
		lapic->pv_eoi_set = false;
		memory_write(lapic->vcpu->vm, lapic->pv_eoi_gpa, &flag, sizeof(flag));
	}
}

void lapic_pv_eoi_offer(struct lapic *lapic)
{
	int vector;
	uint8_t flag;

	if (!lapic->pv_eoi_gpa)
		return;
	vector = lapic_highest(lapic, APIC_ISR);
	if (vector < 0 || lapic_highest(lapic, APIC_IRR) >= 0 ||
	    lapic_reg(lapic, APIC_TMR + (unsigned)vector / 32 * 16) & 1u << vector % 32 ||
	    ioapic_handles(lapic->chip, (uint8_t)vector))
		return;
	if (memory_read(lapic->vcpu->vm, lapic->pv_eoi_gpa, &flag, sizeof(flag)) < 0)
		return;
	flag |= PV_EOI_FLAG;
	if (memory_write(lapic->vcpu->vm, lapic->pv_eoi_gpa, &flag, sizeof(flag)) == 0)
		lapic->pv_eoi_set = true;
}
