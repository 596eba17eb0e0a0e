/* SPDX-License-Identifier: MIT */
/*
 * lapic_send.c - interprocessor interrupts: the interrupt command register (Intel SDM volume 3,
 * section 11.6.1), x2APIC's self IPI (11.12.11), and KVM's hypercall that sends to many at once.
 */
#include <linux/errno.h>
#include <linux/kvm_para.h>

#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"

static uint64_t shorthand_targets(const struct lapic *lapic, uint32_t shorthand)
{
	uint64_t self = UINT64_C(1) << lapic->vcpu->index;
	uint64_t enabled = __atomic_load_n(&lapic->chip->map.enabled, __ATOMIC_ACQUIRE);

	switch (shorthand) {
	case APIC_SHORTHAND_SELF:
		return self;
	case APIC_SHORTHAND_ALL:
		return enabled;
	default:
		return enabled & ~self;
	}
}

/* Kept out of the way of the commonest. */
__attribute__((noinline)) static void send_message(struct lapic *lapic, uint32_t low,
						   uint32_t destination)
{
	uint32_t shorthand = (low & APIC_ICR_SHORTHAND_MASK) >> APIC_ICR_SHORTHAND_SHIFT;
	struct apic_message message = {
		.destination = destination,
		.mode = (low & APIC_MODE_MASK) >> APIC_MODE_SHIFT,
		.vector = low & APIC_VECTOR_MASK,
		.logical = low & APIC_ICR_LOGICAL,
		.from_cpu = true,
	};

	message.lowest = message.mode == APIC_MODE_LOWEST;
	/* INIT level de-assert only ever synchronized arbitration IDs, which are no more. */
	if (message.mode == APIC_MODE_INIT && low & APIC_ICR_LEVEL && !(low & APIC_ICR_ASSERT))
		return;
	if ((message.mode == APIC_MODE_FIXED || message.lowest) &&
	    message.vector < APIC_VECTOR_FIRST) {
		lapic_error(lapic, APIC_ESR_SEND_ILLEGAL);
		return;
	}
	if (shorthand == APIC_SHORTHAND_NONE)
		apic_deliver(lapic->chip, &message);
	else
		apic_deliver_to(lapic->chip, shorthand_targets(lapic, shorthand), &message);
}

void lapic_send_icr(struct lapic *lapic, uint32_t low, uint32_t destination)
{
	const uint32_t special = APIC_MODE_MASK | APIC_ICR_LOGICAL | APIC_ICR_SHORTHAND_MASK;
	uint8_t vector = low & APIC_VECTOR_MASK;

	if (low & special || vector < APIC_VECTOR_FIRST ||
	    !apic_deliver_vector(lapic->chip, destination, vector))
		send_message(lapic, low, destination);
}

void lapic_send_self(struct lapic *lapic, uint8_t vector)
{
	lapic_send_icr(lapic, vector | APIC_SHORTHAND_SELF << APIC_ICR_SHORTHAND_SHIFT, 0);
}

int64_t lapic_send_pv_ipi(struct lapic *lapic, uint64_t low, uint64_t high, uint64_t base,
			  uint64_t icr, bool wide)
{
	const unsigned bits = wide ? 64 : 32;
	const uint64_t sets[] = {wide ? low : (uint32_t)low, wide ? high : (uint32_t)high};
	struct apic_message message = {
		.mode = (icr & APIC_MODE_MASK) >> APIC_MODE_SHIFT,
		.vector = icr & APIC_VECTOR_MASK,
		.from_cpu = true,
	};
	int64_t sent = 0;

	if (icr & (APIC_ICR_LOGICAL | APIC_ICR_SHORTHAND_MASK))
		return -KVM_EINVAL;
	for (unsigned half = 0; half < 2; half++) {
		for (uint64_t set = sets[half]; set; set &= set - 1) {
			uint64_t id = (uint32_t)base + half * bits + (unsigned)__builtin_ctzll(set);
			uint64_t targets =
				id < X2APIC_BROADCAST ? apic_find(lapic->chip, (uint32_t)id) : 0;

			sent += apic_deliver_to(lapic->chip, targets, &message) >= 0;
		}
	}
	return sent;
}
