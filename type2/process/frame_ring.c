/* SPDX-License-Identifier: MIT */
/*
 * frame_ring.c - each frame stands in one piece behind its length, on an 8-byte boundary.  Where a
 * frame does not fit before the end, a length that no frame has says that the next stands at the
 * start.
 */
#include "type2/process/frame_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/bits.h"

#define FRAME_ALIGNMENT 8
#define FRAME_WRAP UINT32_MAX

int frame_ring_init(struct frame_ring *ring, size_t size)
{
	*ring = (struct frame_ring){.size = size};
	ring->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ring->memory == MAP_FAILED)
		return -errno;
	return 0;
}

void frame_ring_destroy(struct frame_ring *ring)
{
	munmap(ring->memory, ring->size);
}

static size_t frame_ring_space(uint32_t length)
{
	return align_up(sizeof(length) + (size_t)length, FRAME_ALIGNMENT);
}

bool frame_ring_push(struct frame_ring *ring, const void *frame, uint32_t length)
{
	size_t space = frame_ring_space(length);

	/* From the start when empty, so that little traffic touches little memory. */
	if (!ring->count)
		ring->head = ring->tail = 0;
	if (ring->tail < ring->head || (ring->tail == ring->head && ring->count)) {
		if (ring->head - ring->tail < space)
			return false;
	} else if (ring->size - ring->tail < space) {
		if (ring->head < space)
			return false;
		if (ring->tail < ring->size)
			store_le32(ring->memory + ring->tail, FRAME_WRAP);
		ring->tail = 0;
	}
	store_le32(ring->memory + ring->tail, length);
	memcpy(ring->memory + ring->tail + sizeof(length), frame, length);
	ring->tail += space;
	ring->count++;
	return true;
}

/* Where the oldest frame really stands. */
static size_t frame_ring_oldest(const struct frame_ring *ring)
{
	if (ring->head == ring->size || load_le32(ring->memory + ring->head) == FRAME_WRAP)
		return 0;
	return ring->head;
}

const uint8_t *frame_ring_peek(const struct frame_ring *ring, uint32_t *length)
{
	size_t at;

	if (!ring->count)
		return NULL;
	at = frame_ring_oldest(ring);
	*length = load_le32(ring->memory + at);
	return ring->memory + at + sizeof(*length);
}

void frame_ring_drop(struct frame_ring *ring)
{
	size_t at = frame_ring_oldest(ring);

	ring->head = at + frame_ring_space(load_le32(ring->memory + at));
	ring->count--;
}
