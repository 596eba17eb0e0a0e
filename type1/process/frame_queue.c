/* SPDX-License-Identifier: MIT */
/*
 * frame_queue.c - one end of a ring of frames (frame_queue.h).
 */
#include "type1/process/frame_queue.h"

#include "lib/bits.h"

void frame_queue_init(struct frame_queue *queue, struct ring_header *header, uint8_t *memory)
{
	*queue = (struct frame_queue){0};
	queue->memory = memory;
	ring_init(&queue->ring, header, SWITCH_RING);
}

static struct switch_frame *frame_at(const struct frame_queue *queue, uint32_t place)
{
	return (struct switch_frame *)(void *)(queue->memory + (size_t)place * SWITCH_UNIT);
}

/* Of a frame of size bytes. */
static uint32_t frame_units(uint32_t size)
{
	return ((uint32_t)sizeof(struct switch_frame) + size + SWITCH_UNIT - 1) / SWITCH_UNIT;
}

uint8_t *frame_queue_add(struct frame_queue *queue, uint32_t size)
{
	uint32_t place = ring_place(&queue->ring, queue->pending), units = frame_units(size);
	uint32_t skipped = units > SWITCH_RING - place ? SWITCH_RING - place : 0;
	struct switch_frame *frame;

	if (queue->room < queue->pending + skipped + units)
		queue->room = ring_room(&queue->ring);
	if (queue->room < queue->pending + skipped + units)
		return NULL;
	if (skipped)
		frame_at(queue, place)->size = 0;
	frame = frame_at(queue, skipped ? 0 : place);
	frame->size = size;
	queue->pending += skipped + units;
	return frame->bytes;
}

bool frame_queue_publish(struct frame_queue *queue)
{
	bool signal = queue->pending && ring_produce(&queue->ring, queue->pending);

	queue->pending = queue->room = 0;
	return signal;
}

const uint8_t *frame_queue_next(struct frame_queue *queue, uint32_t *size)
{
	uint32_t left;

	while ((left = ring_filled(&queue->ring)) > queue->pending) {
		uint32_t place = ring_place(&queue->ring, queue->pending), units;
		struct switch_frame *frame = frame_at(queue, place);

		left -= queue->pending;
		*size = __atomic_load_n(&frame->size, __ATOMIC_RELAXED);
		units = *size ? frame_units(MIN(*size, SWITCH_FRAME_MAX)) : SWITCH_RING - place;
		if (*size > SWITCH_FRAME_MAX || units > left || units > SWITCH_RING - place) {
			queue->ring.broken = true;
			return NULL;
		}
		queue->pending += units;
		if (*size)
			return frame->bytes;
	}
	return NULL;
}

void frame_queue_release(struct frame_queue *queue)
{
	/* A producer that waits for room isn't told: it drops frames, as a card does. */
	if (queue->pending)
		(void)ring_consume(&queue->ring, queue->pending);
	queue->pending = 0;
}

bool frame_queue_wait(struct frame_queue *queue)
{
	return ring_wait(&queue->ring, 0);
}

uint64_t frame_needs(const struct virtio_net_hdr_v1 *header)
{
	uint64_t needs = 0;

	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		needs |= BIT(VIRTIO_NET_F_GUEST_CSUM);
	switch (header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		needs |= BIT(VIRTIO_NET_F_GUEST_TSO4);
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		needs |= BIT(VIRTIO_NET_F_GUEST_TSO6);
		break;
	default:
		/* Nobody agrees to that here. */
		needs = UINT64_MAX;
	}
	if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		needs |= BIT(VIRTIO_NET_F_GUEST_ECN);
	return needs;
}
