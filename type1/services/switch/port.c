/* SPDX-License-Identifier: MIT */
/*
 * port.c - a client's port (port.h).
 */
#include "type1/services/switch/port.h"

#include "lib/bytes.h"
#include "type1/services/switch/forward.h"

void port_init(struct port *port, struct switch_channel *shared)
{
	*port = (struct port){.shared = shared};
	frame_queue_init(&port->transmit, &shared->transmit, shared->sent);
	frame_queue_init(&port->receive, &shared->receive, shared->received);
}

bool port_broken(const struct port *port)
{
	return ring_broken(&port->transmit.ring) || ring_broken(&port->receive.ring);
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
	uint32_t size;
	const uint8_t *bytes = frame_queue_next(&port->transmit, &size);

	if (!bytes)
		return false;
	if (size < FRAME_HEADER + ETHERNET_HEADER || !frame_read(frame, bytes, size)) {
		frame->size = 0;
		port->bad++;
	}
	return true;
}

void port_give_back(struct port *port)
{
	frame_queue_release(&port->transmit);
}

bool port_wait(struct port *port)
{
	return frame_queue_wait(&port->transmit);
}

/* --- What it receives */

/* Where a frame of size bytes is to be written, behind its header; NULL: there is no room. */
static uint8_t *port_add(struct port *port, const struct virtio_net_hdr_v1 *header, uint32_t size)
{
	uint8_t *bytes = frame_queue_add(&port->receive, (uint32_t)FRAME_HEADER + size);

	if (!bytes) {
		port->full++;
		return NULL;
	}
	memcpy(bytes, header, FRAME_HEADER);
	port->received++;
	return bytes + FRAME_HEADER;
}

static void port_put_whole(struct port *port, const struct frame *frame)
{
	uint8_t *to = port_add(port, &frame->header, frame->size);

	if (to)
		frame_write(frame, to);
}

static bool port_put_part(struct port *port, const struct frame *frame, uint32_t n)
{
	static const struct virtio_net_hdr_v1 finished = {.num_buffers = 1};
	uint8_t *to = port_add(port, &finished, frame_part_size(frame, n));

	if (to)
		frame_write_part(frame, n, to);
	return to;
}

void port_put(struct port *port, const struct frame *frame)
{
	uint64_t takes = __atomic_load_n(&port->shared->offloads, __ATOMIC_RELAXED);
	bool put = true;

	if (!(frame->needs & ~takes)) {
		port_put_whole(port, frame);
		return;
	}
	/* Without one of its parts the rest is of no use, and no work is done for it. */
	for (uint32_t n = 0; n < frame->segments.count && put; n++)
		put = port_put_part(port, frame, n);
}

bool port_flush(struct port *port)
{
	return frame_queue_publish(&port->receive);
}
