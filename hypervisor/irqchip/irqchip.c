/* SPDX-License-Identifier: MIT */
/*
 * irqchip.c - the VM's interrupt chips together: their life, their place in the guest's ports and
 * memory, their state, and who is told when an interrupt has ended.
 */
#include "hypervisor/irqchip/irqchip.h"

#include <linux/errno.h>

#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"
#include "lib/bits.h"

int irqchip_create(struct vm *vm, struct irqchip **chip)
{
	struct irqchip *made = host_alloc(sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	made->vm = vm;
	host_mutex_init(&made->irqfd_mutex);
	host_spin_init(&made->irqfd_lock);
	pic_init(made);
	ioapic_init(made);
	err = routing_create(made);
	if (err < 0) {
		host_free(made);
		return err;
	}
	*chip = made;
	return 0;
}

void irqchip_stop(struct irqchip *chip)
{
	irqfd_destroy_all(chip);
	if (irqchip_pit(chip))
		pit_stop(irqchip_pit(chip));
}

void irqchip_destroy(struct irqchip *chip)
{
	irqchip_stop(chip);
	host_free(chip->pit);
	routing_destroy(chip);
	host_free(chip);
}

/* --- The end of an interrupt ------------------------------------------------------------------ */

void irqchip_acknowledged(struct irqchip *chip, unsigned which, unsigned pin)
{
	int gsi = __atomic_load_n(&chip->gsi_of_pin[which][pin], __ATOMIC_RELAXED);

	if (gsi < 0)
		return;
	if (gsi == PIT_GSI && irqchip_pit(chip))
		pit_acknowledged(irqchip_pit(chip));
	if (__atomic_load_n(&chip->resamplers, __ATOMIC_SEQ_CST))
		irqfd_resample(chip, (uint32_t)gsi);
}

void irqchip_unmasked(struct irqchip *chip, unsigned which, unsigned pin)
{
	int gsi = __atomic_load_n(&chip->gsi_of_pin[which][pin], __ATOMIC_RELAXED);

	if (gsi == PIT_GSI && irqchip_pit(chip))
		pit_unmasked(irqchip_pit(chip));
}

/* --- Accesses --------------------------------------------------------------------------------- */

#define PORTS_END 0x100u /* of the chips', but for ELCR */

static bool owns_port(struct irqchip *chip, uint32_t port)
{
	struct pit *pit = irqchip_pit(chip);

	return port <= UINT16_MAX &&
	       (pic_owns((uint16_t)port) || (pit && pit_owns(pit, (uint16_t)port)));
}

static uint8_t read_port(struct irqchip *chip, uint16_t port)
{
	return pic_owns(port) ? pic_read(chip, port) : pit_read(chip->pit, port);
}

static void write_port(struct irqchip *chip, uint16_t port, uint8_t value)
{
	if (pic_owns(port))
		pic_write(chip, port, value);
	else
		pit_write(chip->pit, port, value);
}

/* The chips are 8 bits wide: a wider access is one to each of its ports, as the ISA bus has it. */
static void access_ports(struct irqchip *chip, uint16_t port, uint8_t size, bool write,
			 uint64_t *data)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++) {
		bool owned = owns_port(chip, port + i);

		if (write && owned)
			write_port(chip, (uint16_t)(port + i), (uint8_t)(*data >> 8 * i));
		else if (!write)
			value |= (uint64_t)(owned ? read_port(chip, (uint16_t)(port + i)) : 0xff)
				 << 8 * i;
	}
	if (!write)
		*data = value;
}

bool irqchip_port(struct vcpu *vcpu, uint16_t port, uint8_t size, bool write, uint64_t *data)
{
	struct irqchip *chip = vcpu->vm->irqchip;

	/* Most ports are others'. */
	if ((port >= PORTS_END && (port & ~1u) != PIC_ELCR_PORT) || !owns_port(chip, port))
		return false;
	access_ports(chip, port, size, write, data);
	return true;
}

static bool ioapic_memory(struct irqchip *chip, uint64_t gpa, uint8_t size, bool write,
			  uint64_t *data)
{
	uint64_t base = __atomic_load_n(&chip->ioapic.base, __ATOMIC_RELAXED);
	unsigned offset = (unsigned)(gpa - base);

	if (gpa < base || gpa - base >= IOAPIC_SIZE)
		return false;
	if (write)
		ioapic_write(chip, offset, (uint32_t)(*data & size_mask(size)));
	else
		*data = ioapic_read(chip, offset) & size_mask(size);
	return true;
}

bool irqchip_memory(struct vcpu *vcpu, uint64_t gpa, uint8_t size, bool write, uint64_t *data)
{
	return lapic_memory(vcpu->lapic, gpa, size, write, data) ||
	       ioapic_memory(vcpu->vm->irqchip, gpa, size, write, data);
}

/* --- State ------------------------------------------------------------------------------------ */

int irqchip_get(struct irqchip *chip, struct kvm_irqchip *state)
{
	switch (state->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_get(chip, state->chip_id, &state->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		ioapic_get(chip, &state->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

int irqchip_set(struct irqchip *chip, const struct kvm_irqchip *state)
{
	switch (state->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_set(chip, state->chip_id, &state->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		ioapic_set(chip, &state->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}
