/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the loop as events and timers of the same process see it.
 */
#ifndef DYAD_TYPE1_PROCESS_LOOP_H
#define DYAD_TYPE1_PROCESS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os.h"

#define LOOP_BATCH 32

struct os_loop {
	uint64_t port;
	struct os_event *wake; /* signalled by loop_wake() */
	_Atomic bool stopping;
	/* The keys that PORT_WAIT gave, while they are dispatched: addresses of events.  0: one
	 * that ended meanwhile.  Loop thread. */
	uint64_t batch[LOOP_BATCH];
	unsigned batch_count;

	struct os_mutex lock;
	struct os_timer *timers; /* lock; the armed ones, by deadline */
	uint64_t waiting_until;  /* lock; the deadline that the loop waits for now; 0: it doesn't */
};

/* What waiting_until is when there is no deadline. */
#define LOOP_FOR_EVER UINT64_MAX

struct os_event {
	uint64_t handle;
	struct os_loop *loop; /* who watches it, or NULL */
	void (*fired)(void *);
	void *arg;
};

/* Makes one of an event's handle, which os_event_destroy() closes. */
int event_adopt(uint64_t handle, struct os_event **event);

/* Makes a wait under way, or the next, end.  Any thread. */
void loop_wake(struct os_loop *loop);

/* --- timer.c, on the loop thread */

/* Until when the loop may wait: 0 for ever.  Those who set an earlier deadline wake it. */
uint64_t timers_begin_wait(struct os_loop *loop);
/* The loop is back; fires the first timer if it is due. */
void timers_end_wait(struct os_loop *loop);

#endif
