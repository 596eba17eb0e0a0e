/* SPDX-License-Identifier: MIT */
/*
 * frame_ring.h - frames that wait for the guest: a bounded queue in one piece of memory, of which
 * only what is used is ever touched.
 */
#ifndef DYAD_TYPE2_PROCESS_FRAME_RING_H
#define DYAD_TYPE2_PROCESS_FRAME_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_ring {
	uint8_t *memory;
	size_t size;
	size_t head, tail; /* where the oldest frame stands, and where the next will */
	unsigned count;
};

/* size is a multiple of 4096.  0 or -errno. */
int frame_ring_init(struct frame_ring *ring, size_t size);
void frame_ring_destroy(struct frame_ring *ring);
/* false: it is full. */
bool frame_ring_push(struct frame_ring *ring, const void *frame, uint32_t length);
/* The oldest frame, which stays until it is dropped; NULL: none. */
const uint8_t *frame_ring_peek(const struct frame_ring *ring, uint32_t *length);
void frame_ring_drop(struct frame_ring *ring);

#endif
