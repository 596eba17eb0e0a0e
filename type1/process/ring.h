/* SPDX-License-Identifier: MIT */
/*
 * ring.h - one end of a ring in shared memory (abi/ring.h).
 *
 * What this end counts it keeps for itself, and what the other end writes it reads once and checks:
 * a count that can't be makes the ring broken, which then looks empty (or full) for ever.  Who has
 * the end closes the channel when it finds ring_broken().  The entries are the other end's memory
 * as well: they are copied before they are looked at.
 *
 * One thread at a time uses an end.
 */
#ifndef DYAD_TYPE1_PROCESS_RING_H
#define DYAD_TYPE1_PROCESS_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/ring.h"

struct ring {
	struct ring_header *header;
	uint32_t size;  /* entries: a power of two */
	uint32_t count; /* this end's: head of a producer, tail of a consumer */
	bool broken;
};

/* Of a channel that is new at both ends. */
static inline void ring_init(struct ring *ring, struct ring_header *header, uint32_t size)
{
	*ring = (struct ring){.header = header, .size = size};
}

static inline bool ring_broken(const struct ring *ring)
{
	return ring->broken;
}

/* Where the nth entry from this end's count on stands. */
static inline uint32_t ring_place(const struct ring *ring, uint32_t n)
{
	return (ring->count + n) & (ring->size - 1);
}

/* --- The producer */

/* How many entries can be written now. */
static inline uint32_t ring_room(struct ring *ring)
{
	/* Acquire: the consumer has read what is written over next. */
	uint32_t used = ring->count - __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);

	if (used > ring->size)
		ring->broken = true;
	return ring->broken ? 0 : ring->size - used;
}

/* The next count entries, at most ring_room(), are written.  Whether the consumer is to be
 * signalled. */
static inline bool ring_produce(struct ring *ring, uint32_t count)
{
	uint32_t wake_at;

	ring->count += count;
	__atomic_store_n(&ring->header->head, ring->count, __ATOMIC_RELEASE);
	/* Head before wake_at, against ring_wait()'s wake_at before head: one of the two ends sees
	 * what the other wrote.  And head before ring_room()'s tail, against ring_consume(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wake_at = __atomic_load_n(&ring->header->wake_at, __ATOMIC_RELAXED);
	return ring->count - wake_at - 1 < count;
}

/* --- The consumer */

/* How many entries there are to be read. */
static inline uint32_t ring_filled(struct ring *ring)
{
	/* Acquire: the entries were written before. */
	uint32_t filled = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE) - ring->count;

	if (filled > ring->size)
		ring->broken = true;
	return ring->broken ? 0 : filled;
}

/* The next count entries, at most ring_filled(), are read.  Whether the ring was full: a producer
 * that waits for room is to be signalled. */
static inline bool ring_consume(struct ring *ring, uint32_t count)
{
	uint32_t before = ring->count;

	ring->count += count;
	__atomic_store_n(&ring->header->tail, ring->count, __ATOMIC_RELEASE);
	/* Tail before head, against ring_produce(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&ring->header->head, __ATOMIC_RELAXED) - before >= ring->size;
}

/* Asks for a signal when there are more than `more` entries.  False: there are already, and the
 * consumer goes on reading. */
static inline bool ring_wait(struct ring *ring, uint32_t more)
{
	__atomic_store_n(&ring->header->wake_at, ring->count + more, __ATOMIC_RELAXED);
	/* Wake_at before head, against ring_produce(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring_filled(ring) <= more;
}

#endif
