/* SPDX-License-Identifier: MIT */
/*
 * routing.c - which inputs of which chips, or which message, a GSI's line leads to
 * (KVM_SET_GSI_ROUTING), and messages by themselves (KVM_SIGNAL_MSI; Intel SDM volume 3, section
 * 11.11).
 *
 * A table of routes is never changed, but replaced; what a line needs of it is copied out with the
 * lock, so that the chips run without.
 */
#include <linux/errno.h>

#include "hypervisor/irqchip/chips.h"
#include "lib/bits.h"

/* --- Messages --------------------------------------------------------------------------------- */

/* The destination's upper bits, in address_hi, are only KVM's where its caller asks for them. */
static struct apic_message message_of(uint32_t address, uint32_t data)
{
	struct apic_message message = {
		.destination = address >> MSI_ADDRESS_DESTINATION_SHIFT & 0xff,
		.mode = data >> MSI_DATA_MODE_SHIFT & 7,
		.vector = (uint8_t)data,
		.logical = address & MSI_ADDRESS_LOGICAL,
		.level = data & MSI_DATA_LEVEL,
	};

	message.lowest = message.mode == APIC_MODE_LOWEST || address & MSI_ADDRESS_REDIRECT;
	return message;
}

int irqchip_signal_msi(struct irqchip *chip, const struct kvm_msi *msi)
{
	struct apic_message message = message_of(msi->address_lo, msi->data);

	if (msi->flags)
		return -EINVAL;
	return apic_deliver(chip, &message);
}

/* --- Making a table --------------------------------------------------------------------------- */

static int parse(const struct kvm_irq_routing_entry *entry, struct route *route)
{
	*route = (struct route){0};
	switch (entry->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (entry->flags || entry->u.irqchip.irqchip >= KVM_NR_IRQCHIPS ||
		    entry->u.irqchip.pin >= (entry->u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC
						     ? IOAPIC_PINS
						     : PIC_PINS))
			return -EINVAL;
		route->chip = (uint8_t)entry->u.irqchip.irqchip;
		route->pin = (uint8_t)entry->u.irqchip.pin;
		return 0;
	case KVM_IRQ_ROUTING_MSI:
		if (entry->flags & ~(uint32_t)KVM_MSI_VALID_DEVID)
			return -EINVAL;
		route->chip = ROUTE_MSI;
		route->message = message_of(entry->u.msi.address_lo, entry->u.msi.data);
		return 0;
	default:
		return -EINVAL;
	}
}

/* A GSI is one message, or at most one input of each chip. */
static int add(struct gsi_routes *gsi, const struct route *route)
{
	for (unsigned i = 0; i < gsi->count; i++) {
		if (gsi->route[i].chip == ROUTE_MSI || route->chip == ROUTE_MSI ||
		    gsi->route[i].chip == route->chip)
			return -EINVAL;
	}
	gsi->route[gsi->count++] = *route;
	return 0;
}

/* routes has room for all GSIs of the entries. */
static int fill(struct routes *routes, const struct kvm_irq_routing_entry *entries, uint32_t count)
{
	struct route route;
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++) {
		err = parse(&entries[i], &route);
		if (!err)
			err = add(&routes->gsi[entries[i].gsi], &route);
	}
	return err;
}

/* Which GSI leads to each chip's inputs. */
static void note_pins(struct irqchip *chip, const struct routes *routes)
{
	int16_t pins[KVM_NR_IRQCHIPS][IOAPIC_PINS];

	for (unsigned which = 0; which < KVM_NR_IRQCHIPS; which++) {
		for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
			pins[which][pin] = -1;
	}
	for (uint32_t gsi = 0; gsi < routes->count; gsi++) {
		for (unsigned i = 0; i < routes->gsi[gsi].count; i++) {
			const struct route *route = &routes->gsi[gsi].route[i];

			if (route->chip != ROUTE_MSI)
				pins[route->chip][route->pin] = (int16_t)gsi;
		}
	}
	for (unsigned which = 0; which < KVM_NR_IRQCHIPS; which++) {
		for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
			__atomic_store_n(&chip->gsi_of_pin[which][pin], pins[which][pin],
					 __ATOMIC_RELAXED);
	}
}

int irqchip_set_routing(struct irqchip *chip, const struct kvm_irq_routing_entry *entries,
			uint32_t count)
{
	struct routes *made, *old;
	uint32_t gsis = 0;
	int err;

	if (count > GSI_COUNT)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (entries[i].gsi >= GSI_COUNT)
			return -EINVAL;
		gsis = MAX(gsis, entries[i].gsi + 1);
	}
	made = host_alloc(sizeof(*made) + gsis * sizeof(made->gsi[0]));
	if (!made)
		return -ENOMEM;
	made->count = gsis;
	err = fill(made, entries, count);
	if (err < 0) {
		host_free(made);
		return err;
	}
	host_spin_lock(&chip->routes_lock);
	old = chip->routes;
	chip->routes = made;
	note_pins(chip, made);
	host_spin_unlock(&chip->routes_lock);
	host_free(old);
	return 0;
}

/* As KVM_CREATE_IRQCHIP leaves it: GSI n is input n of the PICs, and of the I/O APIC. */
int routing_create(struct irqchip *chip)
{
	struct kvm_irq_routing_entry entries[2 * PIC_PINS + IOAPIC_PINS];
	uint32_t count = 0;

	host_spin_init(&chip->routes_lock);
	for (uint32_t gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		struct kvm_irq_routing_entry entry = {.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP};

		if (gsi < 2 * PIC_PINS) {
			entry.u.irqchip.irqchip = gsi / PIC_PINS;
			entry.u.irqchip.pin = gsi % PIC_PINS;
			entries[count++] = entry;
		}
		entry.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entry.u.irqchip.pin = gsi;
		entries[count++] = entry;
	}
	return irqchip_set_routing(chip, entries, count);
}

void routing_destroy(struct irqchip *chip)
{
	host_free(chip->routes);
}

/* --- Lines ------------------------------------------------------------------------------------ */

static int set_route(struct irqchip *chip, const struct route *route, enum line_source source,
		     bool level)
{
	switch (route->chip) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		return pic_set_line(chip, route->chip * PIC_PINS + route->pin, source, level);
	case KVM_IRQCHIP_IOAPIC:
		return ioapic_set_line(chip, route->pin, source, level);
	default: /* a message has no falling edge */
		return level ? apic_deliver(chip, &route->message) : INTERRUPT_IGNORED;
	}
}

int routing_set_line(struct irqchip *chip, uint32_t gsi, enum line_source source, bool level)
{
	struct gsi_routes routes = {0};
	int result = INTERRUPT_IGNORED;

	host_spin_lock(&chip->routes_lock);
	if (gsi < chip->routes->count)
		routes = chip->routes->gsi[gsi];
	host_spin_unlock(&chip->routes_lock);
	for (unsigned i = 0; i < routes.count; i++) {
		int taken = set_route(chip, &routes.route[i], source, level);

		if (taken >= 0)
			result = taken + (result < 0 ? 0 : result);
	}
	return result;
}

int irqchip_set_line(struct irqchip *chip, uint32_t gsi, bool level)
{
	return routing_set_line(chip, gsi, LINE_SOURCE_CALLER, level);
}
