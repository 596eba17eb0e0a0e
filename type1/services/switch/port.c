/* SPDX-License-Identifier: MIT */
/*
 * port.c - a client's port (port.h).
 */
#include "type1/services/switch/port.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/switch/offload.h"

#define NET_HEADER sizeof(struct virtio_net_hdr_v1)

void port_init(struct port *port, struct switch_channel *shared)
{
	*port = (struct port){.shared = shared};
	ring_init(&port->transmit, &shared->transmit, SWITCH_RING);
	ring_init(&port->receive, &shared->receive, SWITCH_RING);
}

bool port_broken(const struct port *port)
{
	return ring_broken(&port->transmit) || ring_broken(&port->receive);
}

bool port_read_settings(const struct port *port, struct switch_port *settings)
{
	/* Acquire: the rest was written before. */
	if (__atomic_load_n(&port->shared->port.ready, __ATOMIC_ACQUIRE) != 1)
		return false;
	memcpy(settings, &port->shared->port, sizeof(*settings));
	return true;
}

void port_set_state(struct port *port, int state)
{
	__atomic_store_n(&port->shared->state, (uint32_t)state, __ATOMIC_RELEASE);
}

/* --- Frames */

void frame_of(struct frame *frame, const uint8_t *bytes, uint32_t size)
{
	memset(&frame->header, 0, sizeof(frame->header));
	memcpy(frame->ethernet, bytes, ETHERNET_HEADER);
	frame->rest = bytes + ETHERNET_HEADER;
	frame->size = size;
}

static void frame_copy(const struct frame *frame, uint8_t *to)
{
	memcpy(to, frame->ethernet, ETHERNET_HEADER);
	memcpy(to + ETHERNET_HEADER, frame->rest, frame->size - ETHERNET_HEADER);
}

void frame_write(const struct frame *frame, uint8_t *to)
{
	frame_copy(frame, to);
	offload_finish(&frame->header, to, frame->size);
}

const uint8_t *frame_gathered(const struct frame *frame)
{
	static uint8_t packet[SWITCH_PACKET_MAX];
	uint32_t skip = NET_HEADER, done = 0, part;

	for (uint32_t i = 0; done < frame->size; i++, done += part, skip = 0) {
		const struct switch_frame *from = &frame->ring[(frame->place + i) % SWITCH_RING];

		part = MIN(frame->size - done, SWITCH_PART - skip);
		memcpy(packet + done, from->bytes + skip, part);
	}
	memcpy(packet, frame->ethernet, ETHERNET_HEADER);
	return packet;
}

/* --- What the client sends */

/* The parts of the next frame, and its size with the virtio header, 0: they are none.  What the
 * client has produced is more than what was taken. */
static uint32_t take_parts(struct port *port, uint32_t *size)
{
	uint32_t most = ring_filled(&port->transmit) - port->taken, parts = 0, part;

	*size = 0;
	do {
		if (parts == MIN(most, (uint32_t)SWITCH_PARTS_MAX)) {
			*size = 0;
			return parts;
		}
		part = __atomic_load_n(
			&port->shared->sent[ring_place(&port->transmit, port->taken + parts)].size,
			__ATOMIC_RELAXED);
		*size = parts * SWITCH_PART + (part & ~SWITCH_MORE);
		parts++;
	} while (part == (SWITCH_PART | SWITCH_MORE));
	if (part > SWITCH_PART)
		*size = 0;
	return parts;
}

/* Whether a frame of that size, with its virtio header, is one: by copies of its first bytes. */
static bool take_headers(struct frame *frame, const struct switch_frame *first, uint32_t size)
{
	uint8_t start[SEGMENT_HEADERS_MAX];
	uint32_t have;

	if (size < NET_HEADER + ETHERNET_HEADER || size > NET_HEADER + SWITCH_PACKET_MAX)
		return false;
	memcpy(&frame->header, first->bytes, NET_HEADER);
	size -= NET_HEADER;
	have = MIN(size, (uint32_t)sizeof(start));
	memcpy(start, first->bytes + NET_HEADER, have);
	/* The copies before they are judged: the compiler may not read the client's again. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(frame->ethernet, start, ETHERNET_HEADER);
	frame->rest = first->bytes + NET_HEADER + ETHERNET_HEADER;
	frame->size = size;
	if (frame_is_packet(frame))
		return segments_find(&frame->segments, &frame->header, start, have, size);
	return size <= ETHERNET_FRAME_MAX && offload_possible(&frame->header, size);
}

bool port_take(struct port *port, struct frame *frame)
{
	uint32_t parts, size;

	if (ring_filled(&port->transmit) <= port->taken)
		return false;
	parts = take_parts(port, &size);
	frame->ring = port->shared->sent;
	frame->place = ring_place(&port->transmit, port->taken);
	port->taken += parts;
	if (!take_headers(frame, &frame->ring[frame->place], size)) {
		frame->size = 0;
		port->bad++;
	}
	return true;
}

void port_give_back(struct port *port)
{
	/* A client that waits for room isn't told: it drops frames, as a card does. */
	if (port->taken)
		(void)ring_consume(&port->transmit, port->taken);
	port->taken = 0;
}

bool port_wait(struct port *port)
{
	return ring_wait(&port->transmit, 0);
}

/* --- What it receives */

/* Room for that many parts, or the frame is dropped and counted. */
static bool has_room(struct port *port, uint32_t parts)
{
	if (port->room - port->put < parts)
		port->room = ring_room(&port->receive);
	if (port->room - port->put >= parts)
		return true;
	port->full++;
	return false;
}

static struct switch_frame *next_entry(struct port *port)
{
	return &port->shared->received[ring_place(&port->receive, port->put++)];
}

/* As it is: part by part, but for what was copied and judged. */
static void put_packet(struct port *port, const struct frame *frame)
{
	struct virtio_net_hdr_v1 header = frame->header;
	uint32_t left = NET_HEADER + frame->size;
	uint32_t parts = (left + SWITCH_PART - 1) / SWITCH_PART;

	if (!has_room(port, parts))
		return;
	header.num_buffers = 1;
	for (uint32_t i = 0; i < parts; i++) {
		const struct switch_frame *from = &frame->ring[(frame->place + i) % SWITCH_RING];
		struct switch_frame *entry = next_entry(port);
		uint32_t part = MIN(left, (uint32_t)SWITCH_PART);
		uint32_t own = i ? 0 : NET_HEADER + ETHERNET_HEADER;

		left -= part;
		entry->size = (uint16_t)(part | (left ? SWITCH_MORE : 0));
		if (!i) {
			memcpy(entry->bytes, &header, NET_HEADER);
			memcpy(entry->bytes + NET_HEADER, frame->ethernet, ETHERNET_HEADER);
		}
		memcpy(entry->bytes + own, from->bytes + own, part - own);
	}
	port->received++;
}

/* For a client that knows of no such thing. */
static void put_segments(struct port *port, const struct frame *frame)
{
	static const struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	uint32_t count = segments_count(&frame->segments);
	const uint8_t *packet = frame_gathered(frame);

	for (uint32_t i = 0; i < count && has_room(port, 1); i++) {
		struct switch_frame *entry = next_entry(port);

		memcpy(entry->bytes, &header, NET_HEADER);
		entry->size = (uint16_t)(NET_HEADER + segment_write(&frame->segments, packet, i,
								    entry->bytes + NET_HEADER));
		port->received++;
	}
}

static void put_frame(struct port *port, const struct frame *frame, bool open)
{
	struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	struct switch_frame *entry;

	if (!has_room(port, 1))
		return;
	entry = next_entry(port);
	entry->size = (uint16_t)(NET_HEADER + frame->size);
	if (open && (frame->header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.checksum_start = frame->header.checksum_start;
		header.checksum_offset = frame->header.checksum_offset;
		frame_copy(frame, entry->bytes + NET_HEADER);
	} else {
		frame_write(frame, entry->bytes + NET_HEADER);
	}
	memcpy(entry->bytes, &header, NET_HEADER);
	port->received++;
}

void port_put(struct port *port, const struct frame *frame)
{
	uint32_t accepts = __atomic_load_n(&port->shared->accepts, __ATOMIC_RELAXED);

	if (!frame_is_packet(frame))
		put_frame(port, frame, accepts & SWITCH_ACCEPTS_CHECKSUM);
	else if (segments_accepted(&frame->header, accepts))
		put_packet(port, frame);
	else
		put_segments(port, frame);
}

bool port_flush(struct port *port)
{
	bool signal = port->put && ring_produce(&port->receive, port->put);

	port->put = port->room = 0;
	return signal;
}
