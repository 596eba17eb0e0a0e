/* SPDX-License-Identifier: MIT */
/*
 * interrupt.h - interrupts of devices, by messages (MSI): each is a vector of some CPU, and signals
 * an event.
 */
#ifndef DYAD_TYPE1_INTERRUPT_H
#define DYAD_TYPE1_INTERRUPT_H

#include "type1/runtime/process.h"

struct interrupt {
	uint8_t cpu, slot;
};
void interrupt_init(void); /* once */
/* A vector of the CPU that has fewest taken.  -ENOSPC.  Task. */
int interrupt_alloc(struct interrupt *interrupt);
/* The event that is signalled from now on, or NULL.  When it returns, the one before isn't any
 * more; the caller's reference keeps it as long. */
void interrupt_set_event(const struct interrupt *interrupt, struct event *event);
void interrupt_free(const struct interrupt *interrupt);
/* What the device writes, and where (Intel SDM volume 3, section 11.11). */
uint32_t interrupt_message(const struct interrupt *interrupt, uint32_t *data);

#endif
