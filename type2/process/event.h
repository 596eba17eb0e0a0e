/* SPDX-License-Identifier: MIT */
/*
 * event.h - an event, as event.c and host_event.c share it.
 */
#ifndef DYAD_TYPE2_PROCESS_EVENT_H
#define DYAD_TYPE2_PROCESS_EVENT_H

#include "host.h"
#include "type2/process/futex.h"
#include "type2/process/process.h"

struct os_event {
	int fd;
	struct process_watch *watch;
	void (*fired)(void *);
	void *arg;

	/* Its creator's and the core's; guarded by the lock of all events, as is next. */
	unsigned references;
	struct os_event *next;

	/* The core's watch: what follows is host_event.c's. */
	futex_word lock;
	struct host_event_watch *_Atomic core; /* changes with lock held */
	unsigned delivering;                   /* lock: how many call core's signalled() now */
	futex_word delivered;                  /* counts those that have ended */
};

/* One more reference to the event of that number, or NULL.  Any thread. */
struct os_event *event_get(int32_t number);
void event_put(struct os_event *event);

#endif
