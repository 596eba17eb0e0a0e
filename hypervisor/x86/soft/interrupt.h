/* SPDX-License-Identifier: MIT */
/* interrupt.h - one attempt to bring an event to its handler; within the system part. */
#ifndef DYAD_SOFT_INTERRUPT_H
#define DYAD_SOFT_INTERRUPT_H

#include "hypervisor/x86/soft/system.h"

struct delivery {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	bool software; /* INT n, INT3, INTO: the gate's DPL counts */
	bool external; /* faults on the way have EXT set: all but those, INT1 among them */
	bool resume;   /* RF is set in the flags that are pushed: a fault's */
	uint64_t rip;  /* to be pushed */
};

/* Through the IDT, as the current mode does it.  false: a fault, or an exit, nothing changed (but
 * for what a task switch had done). */
bool interrupt_deliver(struct soft_vcpu *c, const struct delivery *delivery);

#endif
