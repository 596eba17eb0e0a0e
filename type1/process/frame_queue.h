/* SPDX-License-Identifier: MIT */
/*
 * frame_queue.h - one end of a ring of frames in a port's channel (abi/switch.h), on ring.h: which
 * frame stands where.  Used by a client's port, and by the switch.  Makes no system call.
 *
 * A frame's memory is the other end's as well: its size is read once, and is one that can be; what
 * is in it may change until it is copied.
 */
#ifndef DYAD_TYPE1_PROCESS_FRAME_QUEUE_H
#define DYAD_TYPE1_PROCESS_FRAME_QUEUE_H

#include "abi/switch.h"
#include "hw/virtio.h"
#include "type1/process/ring.h"

struct frame_queue {
	struct ring ring;
	uint8_t *memory;
	uint32_t pending; /* units: written, or read, that the other end doesn't know of */
	uint32_t room;    /* a producer's: for so many there was room when it last looked */
};

/* Of a channel that is new at both ends; memory: SWITCH_RING units. */
void frame_queue_init(struct frame_queue *queue, struct ring_header *header, uint8_t *memory);

/* --- The producer */

/* Where the next frame is to be written, size bytes with its header, 1 to SWITCH_FRAME_MAX.  NULL:
 * there is no room. */
uint8_t *frame_queue_add(struct frame_queue *queue, uint32_t size);
/* All that were added are written.  Whether the consumer is to be signalled. */
bool frame_queue_publish(struct frame_queue *queue);

/* --- The consumer */

/* The next frame, and its size with its header, 1 to SWITCH_FRAME_MAX.  NULL: there is none, or the
 * ring is broken. */
const uint8_t *frame_queue_next(struct frame_queue *queue, uint32_t *size);
/* Gives back the memory of all that were read. */
void frame_queue_release(struct frame_queue *queue);
/* Asks for a signal when there are more.  False: there are.  All that were read are given back. */
bool frame_queue_wait(struct frame_queue *queue);

/* --- Headers */

/* Which of VIRTIO_NET_F_GUEST_* a receiver must have agreed to for a frame with this header. */
uint64_t frame_needs(const struct virtio_net_hdr_v1 *header);

#endif
