/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - which device has which vector of which CPU (interrupt.h).
 */
#include "type1/runtime/interrupt.h"

#include <linux/errno.h>

#include "hw/apic.h"
#include "hw/msr.h"
#include "lib/bits.h"

#define SLOTS 64u             /* of a CPU: vectors from VECTOR_DEVICE on */
#define DESTINATION_MAX 0xfeu /* an APIC ID in a message has 8 bits, and all ones are all CPUs */

static struct vectors {
	struct spin lock;
	uint64_t taken;              /* [lock] a bit each */
	unsigned count;              /* [lock] of them */
	struct event *events[SLOTS]; /* [lock] */
} vectors[CPUS_MAX];

static void take_interrupt(struct trap_frame *frame)
{
	struct vectors *here = &vectors[this_cpu()->number];
	struct event *event;

	apic_eoi();
	spin_lock(&here->lock);
	event = here->events[frame->vector - VECTOR_DEVICE];
	if (event)
		event_signal(event);
	spin_unlock(&here->lock);
}

void interrupt_init(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		trap_set_handler((uint8_t)(VECTOR_DEVICE + i), take_interrupt);
}

int interrupt_alloc(struct interrupt *interrupt)
{
	struct vectors *least = NULL;
	unsigned count = SLOTS, here;
	int err = -ENOSPC;

	/* Two at the same time may choose the same CPU: it has room for both, or one is refused. */
	for (unsigned i = 0; i < cpu_count; i++) {
		here = __atomic_load_n(&vectors[i].count, __ATOMIC_RELAXED);
		if (here < count && cpus[i]->apic_id <= DESTINATION_MAX) {
			count = here;
			least = &vectors[i];
		}
	}
	if (!least)
		return err;
	spin_lock(&least->lock);
	if (~least->taken) {
		interrupt->cpu = (uint8_t)(least - vectors);
		interrupt->slot = (uint8_t)__builtin_ctzll(~least->taken);
		least->taken |= BIT(interrupt->slot);
		least->count++;
		err = 0;
	}
	spin_unlock(&least->lock);
	return err;
}

void interrupt_set_event(const struct interrupt *interrupt, struct event *event)
{
	struct vectors *of = &vectors[interrupt->cpu];

	spin_lock(&of->lock);
	of->events[interrupt->slot] = event;
	spin_unlock(&of->lock);
}

void interrupt_free(const struct interrupt *interrupt)
{
	struct vectors *of = &vectors[interrupt->cpu];

	spin_lock(&of->lock);
	of->events[interrupt->slot] = NULL;
	of->taken &= ~BIT(interrupt->slot);
	of->count--;
	spin_unlock(&of->lock);
}

uint32_t interrupt_message(const struct interrupt *interrupt, uint32_t *data)
{
	*data = VECTOR_DEVICE + interrupt->slot;
	return (uint32_t)APIC_BASE_DEFAULT | cpus[interrupt->cpu]->apic_id
						     << MSI_ADDRESS_DESTINATION_SHIFT;
}
