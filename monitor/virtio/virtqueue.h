/* SPDX-License-Identifier: MIT */
/*
 * virtqueue.h - the split virtqueue, device side (virtio 1.2 section 2.7), with indirect
 * descriptors and event indices.
 *
 * Everything in the rings is the guest's and may change at any moment: each field is read once, and
 * what was read is checked before it is used.  A queue that breaks the rules is reported once
 * (-EINVAL) and gives nothing more until the device is reset.
 * Locks: the owner's device lock.
 */
#ifndef DYAD_MONITOR_VIRTIO_VIRTQUEUE_H
#define DYAD_MONITOR_VIRTIO_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/machine/memory.h"
#include "os.h"

#define VIRTQUEUE_SIZE_MAX 1024

struct virtqueue {
	const struct guest_memory *memory;
	/* As the driver set them; frozen while live. */
	uint16_t size; /* a power of two */
	gpa_t descriptors_gpa, available_gpa, used_gpa;
	bool live;
	/* Since it is live. */
	bool event_index; /* VIRTIO_F_EVENT_IDX was negotiated */
	bool indirect;    /* VIRTIO_F_INDIRECT_DESC was negotiated */
	bool broken;
	bool suspended; /* the device may not touch memory now: nothing is taken */
	uint8_t *descriptors, *available, *used; /* host addresses, checked when it went live */
	uint16_t next_available;                 /* the available ring's index to take next */
	/*
	 * The available index as last read: what stands before it needs no further look at the line
	 * that the driver writes.  Equal to next_available while broken or suspended.
	 */
	uint16_t known_available;
	uint16_t next_used;      /* the used ring's index to fill next */
	uint16_t signalled_used; /* next_used when an interrupt was last considered */
	bool signalled_valid;
};

/* A descriptor chain: first what the device reads, then what it writes. */
struct virtqueue_chain {
	uint16_t head;
	uint16_t readable_count, writable_count;
	uint32_t readable_bytes, writable_bytes; /* each below 2^32, checked */
	struct os_iov *iov; /* readable_count + writable_count of them; the caller's array */
};

/*
 * Takes the queue live with the addresses and size in it: -EINVAL when a ring is misaligned (2.7),
 * not wholly in RAM, or size is no power of two in [1, max_size].
 */
int virtqueue_start(struct virtqueue *queue, uint16_t max_size, bool event_index, bool indirect);
/* Back to not live, indices 0; addresses and size to 0. */
void virtqueue_reset(struct virtqueue *queue);

/* Nothing more is taken from the queue until it is reset; for faults found outside it. */
void virtqueue_break(struct virtqueue *queue);
/* While suspended the queue gives nothing, as if it were empty; chains wait for the end of that. */
void virtqueue_suspend(struct virtqueue *queue, bool suspended);

/*
 * Takes the next chain, with its segments written to chain->iov (iov_max of them at the most, which
 * is also what bounds the walk). 1: there was one; 0: none waits, or the queue is not live;
 * -EINVAL: the driver broke a rule (a loop, an index out of range, a segment outside RAM or of
 * length 0, more than iov_max segments, readable after writable, nested indirect, lengths over
 * 2^32); the queue is broken now.
 */
int virtqueue_pop(struct virtqueue *queue, struct virtqueue_chain *chain, unsigned iov_max);
/* Undoes the last pop of which nothing was used (network: too few buffers yet). */
void virtqueue_unpop(struct virtqueue *queue);
/*
 * Gives the chain back, with written bytes in its writable part; visible to the driver at once.  On
 * a queue that is not live this does nothing, here and below.
 */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);
/*
 * The same for a batch: fill entry number index (0, 1, ...) behind the used index, then publish
 * count of them together (network receive with merged buffers).
 */
void virtqueue_fill(struct virtqueue *queue, uint16_t index, uint16_t head, uint32_t written);
void virtqueue_publish(struct virtqueue *queue, uint16_t count);
/* Whether the driver wants an interrupt for what was pushed since it was asked last. */
bool virtqueue_should_interrupt(struct virtqueue *queue);
/*
 * Doorbells on or off.  After switching on, true: chains came meanwhile, so look again before
 * waiting (the fence between the two is inside).
 */
bool virtqueue_enable_doorbell(struct virtqueue *queue);
void virtqueue_disable_doorbell(struct virtqueue *queue);

#endif
