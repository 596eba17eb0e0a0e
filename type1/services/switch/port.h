/* SPDX-License-Identifier: MIT */
/*
 * port.h - a client's port: the switch's ends of the rings in the client's channel
 * (abi/switch.h).  The client is hostile: its memory is read once, and only what was copied is
 * judged.  Makes no system call.
 *
 * A frame is copied once, from where it came in to where it goes: only its headers are copied
 * before, since they decide.  One that is finished for somebody who doesn't accept it as it is, and
 * is to be cut up, is copied twice.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_PORT_H
#define DYAD_TYPE1_SERVICES_SWITCH_PORT_H

#include "abi/switch.h"
#include "hw/virtio.h"
#include "type1/process/ring.h"
#include "type1/services/switch/forward.h"
#include "type1/services/switch/segment.h"

/* One that came in and has not gone on: until its sender's memory is given back. */
struct frame {
	struct virtio_net_hdr_v1 header;
	uint8_t ethernet[ETHERNET_HEADER];
	uint32_t size; /* without the virtio header */
	const uint8_t
		*rest; /* of the first part, behind the Ethernet header: may change at any time */
	/* What is to be cut up (header.gso_type): all its parts, the first at `place` of a ring. */
	const struct switch_frame *ring;
	uint32_t place;
	struct segments segments;
};

struct port {
	struct switch_channel *shared;
	struct ring transmit, receive; /* seen by the client */
	uint32_t taken;                /* parts read whose memory is not given back yet */
	uint32_t put, room;            /* parts written that the client doesn't know of; for all */
	uint64_t received, bad,
		full; /* frames: put; sent but no frames; not put for want of room */
};

void port_init(struct port *port, struct switch_channel *shared);
/* Whether the client asks for something that can't be: then its channel is to be closed. */
bool port_broken(const struct port *port);
/* What the client asks of its port.  False: it hasn't, yet. */
bool port_read_settings(const struct port *port, struct switch_port *settings);
void port_set_state(struct port *port, int state);

/* The next frame that the client sends; false: there is none. One that is no frame has size 0. */
bool port_take(struct port *port, struct frame *frame);
/* Gives back the memory of all that were taken. */
void port_give_back(struct port *port);
/* Asks for a signal when there are more.  False: there are. */
bool port_wait(struct port *port);

/* Writes a frame, or drops it. */
void port_put(struct port *port, const struct frame *frame);
/* Tells the client of what was put.  Whether it is to be signalled. */
bool port_flush(struct port *port);

/* A frame in a buffer that nobody else writes to, and that has room for ETHERNET_HEADER bytes. */
void frame_of(struct frame *frame, const uint8_t *bytes, uint32_t size);
/* Whether it is to be cut up. */
static inline bool frame_is_packet(const struct frame *frame)
{
	return frame->header.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}
/* Writes one that isn't, with its checksum completed, to frame->size bytes. */
void frame_write(const struct frame *frame, uint8_t *to);
/* One that is, in one piece: a copy that stays until the next call, for segment_write(). */
const uint8_t *frame_gathered(const struct frame *frame);

#endif
