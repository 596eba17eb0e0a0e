/* SPDX-License-Identifier: MIT */
/*
 * port.h - a client's port: the switch's ends of the rings in the client's channel
 * (abi/switch.h).  The client is hostile: its memory is read once, and only what was copied is
 * judged.  Makes no system call.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_PORT_H
#define DYAD_TYPE1_SERVICES_SWITCH_PORT_H

#include "abi/switch.h"
#include "type1/process/frame_queue.h"
#include "type1/services/switch/frame.h"

struct port {
	struct switch_channel *shared;
	struct frame_queue transmit, receive; /* seen by the client */
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

/* Writes a frame as the client takes it, or drops it, or what there is no room for. */
void port_put(struct port *port, const struct frame *frame);
/* Tells the client of what was put.  Whether it is to be signalled. */
bool port_flush(struct port *port);

#endif
