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

/* --- What the client sends */

bool port_take(struct port *port, struct frame *frame)
{
	const struct switch_frame *entry;
	uint32_t size;

	if (ring_filled(&port->transmit) <= port->taken)
		return false;
	entry = &port->shared->sent[ring_place(&port->transmit, port->taken)];
	port->taken++;
	size = __atomic_load_n(&entry->size, __ATOMIC_RELAXED);
	frame->size = 0;
	if (size >= NET_HEADER + ETHERNET_HEADER && size <= NET_HEADER + ETHERNET_FRAME_MAX) {
		memcpy(&frame->header, entry->bytes, NET_HEADER);
		memcpy(frame->ethernet, entry->bytes + NET_HEADER, ETHERNET_HEADER);
		frame->rest = entry->bytes + NET_HEADER + ETHERNET_HEADER;
		/* The copies before they are judged: the compiler may not read the client's again.
		 */
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		size -= NET_HEADER;
		if (offload_possible(&frame->header, size))
			frame->size = size;
	}
	if (!frame->size)
		port->bad++;
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

void port_put(struct port *port, const struct frame *frame)
{
	/* What checksums the sender left open is done here: the client needs to know of nothing. */
	static const struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	struct switch_frame *entry;

	if (port->put >= port->room)
		port->room = ring_room(&port->receive);
	if (port->put >= port->room) {
		port->full++;
		return;
	}
	entry = &port->shared->received[ring_place(&port->receive, port->put)];
	entry->size = (uint16_t)(NET_HEADER + frame->size);
	memcpy(entry->bytes, &header, NET_HEADER);
	frame_write(frame, entry->bytes + NET_HEADER);
	port->put++;
	port->received++;
}

bool port_flush(struct port *port)
{
	bool signal = port->put && ring_produce(&port->receive, port->put);

	port->put = port->room = 0;
	return signal;
}

/* --- Frames */

void frame_of(struct frame *frame, const uint8_t *bytes, uint32_t size)
{
	memset(&frame->header, 0, sizeof(frame->header));
	memcpy(frame->ethernet, bytes, ETHERNET_HEADER);
	frame->rest = bytes + ETHERNET_HEADER;
	frame->size = size;
}

void frame_write(const struct frame *frame, uint8_t *to)
{
	memcpy(to, frame->ethernet, ETHERNET_HEADER);
	memcpy(to + ETHERNET_HEADER, frame->rest, frame->size - ETHERNET_HEADER);
	offload_finish(&frame->header, to, frame->size);
}
