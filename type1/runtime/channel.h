/* SPDX-License-Identifier: MIT */
/*
 * channel.h - services and their channels: memory that two processes share, and an event for each.
 *
 * Locks in their order: a service's, a channel's mutex, the client's space, a channel's lock, an
 * event's.
 */
#ifndef DYAD_TYPE1_CHANNEL_H
#define DYAD_TYPE1_CHANNEL_H

#include "type1/runtime/hold.h"

/* --- Services: a process of the image, whichever time it is started */

struct service {
	struct object object; /* first: kind OBJECT_SERVICE; lives for ever */
	struct spin lock;
	bool ended;                /* [lock] for good */
	struct listener *listener; /* [lock] or NULL */
	struct channel *first;     /* [lock] those that wait to be accepted, in their order */
};
void service_init(struct service *service);
/* Whether its process is started again, or not: then those who wait are told.  Task. */
void service_set_ended(struct service *service, bool ended);

/* --- Channels */

enum channel_side { CHANNEL_CLIENT, CHANNEL_SERVICE, CHANNEL_SIDES };
#define CHANNEL_HOLDS_MAX 4096u
#define CHANNEL_HOLD_LISTS 64u

struct channel_end {
	struct object object;    /* first */
	struct channel *channel; /* [const] once it is one's end; a reference */
	enum channel_side side;  /* [const] */
	struct process *process; /* [const] whose it is, and who ends it */
	struct event *event;     /* [const] a reference */
	uint64_t address;        /* [channel's mutex] of the memory; 0: not mapped yet */
};

struct channel {
	struct object object;       /* first: references of the ends, and of the service's list */
	struct service *service;    /* [const] */
	struct object *memory;      /* [const] */
	uint64_t size;              /* [const] of it */
	struct type1_client client; /* [const] */
	struct mutex mutex;
	struct spin lock;
	struct channel_end *ends[CHANNEL_SIDES]; /* [mutex and lock] NULL: not there */
	bool gone[CHANNEL_SIDES];                /* [lock] it was there, or won't be */
	struct channel *next;                    /* [service's lock] */
	bool queued;                             /* [service's lock] */
	struct hold *holds[CHANNEL_HOLD_LISTS];  /* [mutex] by their address */
	unsigned hold_count;                     /* [mutex] */
};

/* dma.c: the service's end is gone.  Its devices are, before. */
void dma_end_all(struct channel *channel);

#endif
