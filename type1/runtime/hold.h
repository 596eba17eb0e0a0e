/* SPDX-License-Identifier: MIT */
/*
 * hold.h - ranges of a space that a device may use: while there are holds on it, no page of the
 * range goes, since who would take it away waits.
 */
#ifndef DYAD_TYPE1_HOLD_H
#define DYAD_TYPE1_HOLD_H

#include "type1/runtime/process.h"

struct hold {
	struct space *space;          /* [const] */
	uint64_t address, size;       /* [const] bytes */
	struct hold *next, *previous; /* [space's hold_lock] of the space */
	struct hold *next_of_channel; /* dma.c's */
};

/* Pages that were there before may go meanwhile: they are looked up behind this. */
void hold_begin(struct hold *hold, struct space *space, uint64_t address, uint64_t size);
/* The space may be gone as soon as this is called. */
void hold_end(struct hold *hold);

/* Returns with the space's lock, and no hold on the range.  -EINTR: the current process ends. */
int hold_lock_space(struct space *space, uint64_t address, uint64_t size);
/* Waits for all holds of a space in which no more begin. */
void hold_wait_all(struct space *space);

#endif
