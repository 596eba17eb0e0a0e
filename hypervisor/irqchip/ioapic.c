/* SPDX-License-Identifier: MIT */
/*
 * ioapic.c - the I/O APIC (Intel 82093AA data sheet): 24 inputs, each with an entry that says what
 * message it sends.
 *
 * An edge-triggered input sends one when its line rises, unless it is masked: then the edge is lost
 * (section 3.2.4).  A level-triggered one sends while its line is high and the last message has
 * been ended by an EOI (remote IRR).  Messages are delivered with the chip's lock; what follows an
 * EOI happens without it.
 */
#include "hypervisor/irqchip/chips.h"
#include "lib/bits.h"

#define PIN_BIT(pin) (UINT32_C(1) << (pin))

static uint8_t rte_vector(uint64_t rte)
{
	return rte & IOAPIC_RTE_VECTOR;
}

/* Which vectors ioapic_eoi() is wanted for; after any change of an entry. [lock] */
static void note_vectors(struct ioapic *ioapic)
{
	uint64_t vectors[APIC_VECTORS / 64] = {0};

	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t rte = ioapic->rte[pin];

		if (!(rte & IOAPIC_RTE_MASKED) || rte & IOAPIC_RTE_REMOTE_IRR)
			vectors[rte_vector(rte) / 64] |= BIT(rte_vector(rte) % 64);
	}
	for (unsigned i = 0; i < ARRAY_COUNT(vectors); i++)
		__atomic_store_n(&ioapic->vectors[i], vectors[i], __ATOMIC_RELEASE);
}

bool ioapic_handles(const struct irqchip *chip, uint8_t vector)
{
	return __atomic_load_n(&chip->ioapic.vectors[vector / 64], __ATOMIC_ACQUIRE) &
	       BIT(vector % 64);
}

/* Sends the pin's message, if it may be sent now. [lock] */
static int service(struct irqchip *chip, unsigned pin)
{
	struct ioapic *ioapic = &chip->ioapic;
	uint64_t rte = ioapic->rte[pin];
	struct apic_message message = {
		.destination = (uint32_t)(rte >> IOAPIC_RTE_DESTINATION_SHIFT),
		.mode = (enum apic_mode)(rte >> IOAPIC_RTE_MODE_SHIFT & IOAPIC_RTE_MODE_MASK),
		.vector = rte_vector(rte),
		.logical = rte & IOAPIC_RTE_LOGICAL,
		.level = rte & IOAPIC_RTE_LEVEL,
	};
	int taken;

	if (rte & IOAPIC_RTE_MASKED || (message.level && rte & IOAPIC_RTE_REMOTE_IRR))
		return INTERRUPT_IGNORED;
	message.lowest = message.mode == APIC_MODE_LOWEST;
	taken = apic_deliver(chip, &message);
	if (!message.level)
		ioapic->delivered |= PIN_BIT(pin);
	else if (taken >= 0)
		ioapic->rte[pin] |= IOAPIC_RTE_REMOTE_IRR;
	return taken;
}

/* [lock] */
static int set_line(struct irqchip *chip, unsigned pin, bool level)
{
	struct ioapic *ioapic = &chip->ioapic;
	bool was = ioapic->irr & PIN_BIT(pin);
	bool is_level = ioapic->rte[pin] & IOAPIC_RTE_LEVEL;

	if (!level) {
		ioapic->irr &= ~PIN_BIT(pin);
		ioapic->delivered &= ~PIN_BIT(pin);
		return 1;
	}
	if (was && !is_level)
		return INTERRUPT_COALESCED;
	ioapic->irr |= PIN_BIT(pin);
	if (is_level && ioapic->rte[pin] & IOAPIC_RTE_REMOTE_IRR)
		return INTERRUPT_COALESCED;
	return service(chip, pin);
}

int ioapic_set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level)
{
	struct ioapic *ioapic = &chip->ioapic;
	int taken;

	host_spin_lock(&ioapic->lock);
	if (level)
		ioapic->sources[pin] |= (uint8_t)source;
	else
		ioapic->sources[pin] &= (uint8_t)~source;
	taken = set_line(chip, pin, ioapic->sources[pin]);
	host_spin_unlock(&ioapic->lock);
	return taken;
}

void ioapic_eoi(struct irqchip *chip, uint8_t vector, bool level)
{
	struct ioapic *ioapic = &chip->ioapic;
	uint32_t pins = 0;

	host_spin_lock(&ioapic->lock);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		if (rte_vector(ioapic->rte[pin]) == vector)
			pins |= PIN_BIT(pin);
	}
	host_spin_unlock(&ioapic->lock);

	/* Devices that want to know take their lines down before the lines are looked at again. */
	for (uint32_t set = pins; set; set &= set - 1)
		irqchip_acknowledged(chip, KVM_IRQCHIP_IOAPIC, (unsigned)__builtin_ctz(set));
	if (!level)
		return;

	host_spin_lock(&ioapic->lock);
	for (uint32_t set = pins; set; set &= set - 1) {
		unsigned pin = (unsigned)__builtin_ctz(set);

		if (rte_vector(ioapic->rte[pin]) != vector ||
		    !(ioapic->rte[pin] & IOAPIC_RTE_LEVEL))
			continue;
		ioapic->rte[pin] &= ~IOAPIC_RTE_REMOTE_IRR;
		if (ioapic->irr & PIN_BIT(pin))
			service(chip, pin);
	}
	note_vectors(ioapic);
	host_spin_unlock(&ioapic->lock);
}

/* --- Registers -------------------------------------------------------------------------------- */

/* Section 3.2. [lock] */
static uint32_t read_index(const struct ioapic *ioapic)
{
	unsigned pin = (ioapic->select - IOAPIC_REDIRECTION) / 2u;

	switch (ioapic->select) {
	case IOAPIC_ID:
	case IOAPIC_ARBITRATION:
		return (uint32_t)ioapic->id << IOAPIC_ID_SHIFT;
	case IOAPIC_VERSION:
		return IOAPIC_VERSION_VALUE;
	}
	if (ioapic->select < IOAPIC_REDIRECTION || pin >= IOAPIC_PINS)
		return 0;
	return (uint32_t)(ioapic->rte[pin] >> (ioapic->select % 2 ? 32 : 0));
}

uint32_t ioapic_read(struct irqchip *chip, unsigned offset)
{
	struct ioapic *ioapic = &chip->ioapic;
	uint32_t value = 0;

	host_spin_lock(&ioapic->lock);
	if (offset == IOAPIC_SELECT)
		value = ioapic->select;
	else if (offset == IOAPIC_WINDOW)
		value = read_index(ioapic);
	host_spin_unlock(&ioapic->lock);
	return value;
}

/* [lock] */
static void write_rte(struct ioapic *ioapic, unsigned pin, bool high, uint32_t value)
{
	uint64_t *rte = &ioapic->rte[pin];

	if (high)
		*rte = (*rte & ~IOAPIC_RTE_WRITABLE_HIGH) |
		       ((uint64_t)value << 32 & IOAPIC_RTE_WRITABLE_HIGH);
	else
		*rte = (*rte & ~IOAPIC_RTE_WRITABLE_LOW) | (value & IOAPIC_RTE_WRITABLE_LOW);
	/* An edge has no remote IRR: guests go there and back to clear it. */
	if (!(*rte & IOAPIC_RTE_LEVEL))
		*rte &= ~IOAPIC_RTE_REMOTE_IRR;
	note_vectors(ioapic);
}

static void write_redirection(struct irqchip *chip, unsigned pin, bool high, uint32_t value)
{
	struct ioapic *ioapic = &chip->ioapic;
	bool was_masked, is_masked;

	host_spin_lock(&ioapic->lock);
	was_masked = ioapic->rte[pin] & IOAPIC_RTE_MASKED;
	write_rte(ioapic, pin, high, value);
	is_masked = ioapic->rte[pin] & IOAPIC_RTE_MASKED;
	if (ioapic->rte[pin] & IOAPIC_RTE_LEVEL && ioapic->irr & PIN_BIT(pin) && !is_masked)
		service(chip, pin);
	host_spin_unlock(&ioapic->lock);
	if (was_masked && !is_masked)
		irqchip_unmasked(chip, KVM_IRQCHIP_IOAPIC, pin);
}

void ioapic_write(struct irqchip *chip, unsigned offset, uint32_t value)
{
	struct ioapic *ioapic = &chip->ioapic;
	unsigned select, pin;

	host_spin_lock(&ioapic->lock);
	if (offset == IOAPIC_SELECT)
		ioapic->select = (uint8_t)value;
	select = ioapic->select;
	if (offset == IOAPIC_WINDOW && select == IOAPIC_ID)
		ioapic->id = value >> IOAPIC_ID_SHIFT & IOAPIC_ID_MASK;
	host_spin_unlock(&ioapic->lock);
	if (offset != IOAPIC_WINDOW || select < IOAPIC_REDIRECTION)
		return;
	pin = (select - IOAPIC_REDIRECTION) / 2;
	if (pin < IOAPIC_PINS)
		write_redirection(chip, pin, select % 2, value);
}

/* --- State ------------------------------------------------------------------------------------ */

void ioapic_init(struct irqchip *chip)
{
	host_spin_init(&chip->ioapic.lock);
	chip->ioapic.base = IOAPIC_BASE_DEFAULT;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		chip->ioapic.rte[pin] = IOAPIC_RTE_MASKED;
}

void ioapic_get(struct irqchip *chip, struct kvm_ioapic_state *state)
{
	struct ioapic *ioapic = &chip->ioapic;

	host_spin_lock(&ioapic->lock);
	*state = (struct kvm_ioapic_state){
		.base_address = ioapic->base,
		.ioregsel = ioapic->select,
		.id = ioapic->id,
		.irr = ioapic->irr & ~ioapic->delivered,
	};
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		state->redirtbl[pin].bits = ioapic->rte[pin];
	host_spin_unlock(&ioapic->lock);
}

void ioapic_set(struct irqchip *chip, const struct kvm_ioapic_state *state)
{
	const uint64_t valid =
		IOAPIC_RTE_WRITABLE_LOW | IOAPIC_RTE_WRITABLE_HIGH | IOAPIC_RTE_REMOTE_IRR;
	struct ioapic *ioapic = &chip->ioapic;

	host_spin_lock(&ioapic->lock);
	__atomic_store_n(&ioapic->base, state->base_address & ~UINT64_C(0xff), __ATOMIC_RELAXED);
	ioapic->select = (uint8_t)state->ioregsel;
	ioapic->id = state->id & IOAPIC_ID_MASK;
	ioapic->irr = 0;
	ioapic->delivered = 0;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		ioapic->rte[pin] = state->redirtbl[pin].bits & valid;
		ioapic->sources[pin] = 0;
	}
	note_vectors(ioapic);
	/* Lines that were high and not yet sent on: again, as their caller has them. */
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		if (!(state->irr & PIN_BIT(pin)))
			continue;
		ioapic->sources[pin] = LINE_SOURCE_CALLER;
		set_line(chip, pin, true);
	}
	host_spin_unlock(&ioapic->lock);
}
