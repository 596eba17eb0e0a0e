/* SPDX-License-Identifier: MIT */
/*
 * event_port.h - events and ports, for each other and for the system calls.
 */
#ifndef DYAD_TYPE1_EVENT_PORT_H
#define DYAD_TYPE1_EVENT_PORT_H

#include "type1/runtime/process.h"

/* What joins an event to a port: the port's, which keeps the event. */
struct event_port_link {
	struct event *event;                    /* [const] */
	struct port *port;                      /* [const] */
	uint64_t key;                           /* [const] */
	struct event_port_link *next_of_port;   /* [port's mutex] */
	struct event_port_link *next_signalled; /* [port's lock] */
	bool signalled;                         /* [port's lock] it stands in that list */
};

int event_create(struct account *account, struct object **object);
struct event *event_of_object(struct object *object);

int port_create(struct account *account, struct object **object);
/* -EBUSY: a port has it, or a watch; -ENOMEM. */
int port_watch(struct object *port, struct event *event, uint64_t key, struct account *account);
int port_unwatch(struct object *port, struct event *event); /* -ENOENT */
/* At most room keys; see TYPE1_PORT_WAIT.  -EBUSY: another thread waits there; -EINTR. */
int64_t port_wait(struct object *port, uint64_t deadline, uint64_t *keys, unsigned room);
/* Of an event, with its lock: any context. */
void port_signal(struct event_port_link *link);

#endif
