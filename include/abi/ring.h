/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the rings in a channel's shared memory: one producer, one consumer, entries of a fixed
 * size that each protocol (store.h, switch.h, console.h) defines.
 *
 * The producer writes an entry, then raises head (release); the consumer reads head (acquire), then
 * the entry, then raises tail.  Both count without end; the entry's place is the count modulo the
 * ring's size.  Whoever is told less than it can trust: a count that is further ahead than the ring
 * is long is the other end's fault, and ends the channel.
 *
 * Signals are asked for: the consumer writes to wake_at the head that it wants to be told of before
 * it waits, then looks at head once more; the producer signals when it has raised head past wake_at
 * (virtio's event index, 2.7.7).  So two ends that are both busy make no system call.
 */
#ifndef DYAD_ABI_RING_H
#define DYAD_ABI_RING_H

#include <stdint.h>

struct ring_header {
	uint32_t head; /* [producer] */
	uint32_t reserved_4[15];
	uint32_t tail;    /* [consumer] */
	uint32_t wake_at; /* [consumer] */
	uint32_t reserved_72[14];
};
_Static_assert(sizeof(struct ring_header) == 128, "a cache line for each side");

#endif
