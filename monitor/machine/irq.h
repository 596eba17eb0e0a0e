/* SPDX-License-Identifier: MIT */
/*
 * irq.h - how a device raises an interrupt, without knowing who takes it.
 */
#ifndef DYAD_MONITOR_MACHINE_IRQ_H
#define DYAD_MONITOR_MACHINE_IRQ_H

#include <stdbool.h>
#include <stdint.h>

/* A pin of a device, soldered to a global system interrupt. */
struct irq_pin {
	void (*set)(void *context, uint32_t gsi, bool level); /* any thread */
	void *context;
	uint32_t gsi;
};

static inline void irq_pin_set(const struct irq_pin *pin, bool level)
{
	if (pin->set)
		pin->set(pin->context, pin->gsi, level);
}

/*
 * Where message-signalled interrupts go: a device asks for vectors, keeps each one's message up to
 * date and signals it.  In the machine a vector is a GSI with an MSI route, an irqfd and its event.
 */
struct msi_sink_ops {
	/* Takes count vectors; *first is the number of the first.  -ENOSPC when there are no more.
	 */
	int (*claim)(void *context, unsigned count, uint32_t *first);
	/* From now on the vector stands for this message; enabled false: signals go nowhere. */
	void (*route)(void *context, uint32_t vector, bool enabled, uint64_t address,
		      uint32_t data);
	/* Sends the vector's message.  Any thread. */
	void (*signal)(void *context, uint32_t vector);
};

struct msi_sink {
	const struct msi_sink_ops *ops;
	void *context;
};

#endif
