/* SPDX-License-Identifier: MIT */
/*
 * host_event.c - events are the runtime's (process.h), by their handles.
 *
 * Who signals an event calls its watch, with the event's lock held and interrupts off.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/host/private.h"
#include "type1/runtime/process.h"

struct watch_private {
	struct event *event; /* NULL: it watches nothing */
};

/* Whether a watch is being called on that CPU. */
static bool delivering[CPUS_MAX];

static struct event *event_of(struct host_event *event)
{
	return (struct event *)event;
}

int host_event_get(int32_t number, struct host_event **event)
{
	struct process *process = process_current();
	struct event *found;

	if (!process || number < 0)
		return -EBADF;
	found = event_find(process, (uint64_t)number);
	*event = (struct host_event *)found;
	return found ? 0 : -EBADF;
}

void host_event_put(struct host_event *event)
{
	object_put(&event_of(event)->object);
}

/*
 * A watch may lead here again (an irqfd whose end is another irqfd's beginning).  A circle of them
 * would not end, so the inner signal is lost, and with it an interrupt of a caller that joined
 * events so.
 */
void host_event_signal(struct host_event *event)
{
	uint64_t flags = irq_save();

	if (!delivering[this_cpu()->number])
		event_signal(event_of(event));
	irq_restore(flags);
}

static void deliver(void *arg)
{
	struct host_event_watch *watch = arg;
	bool *here = &delivering[this_cpu()->number];

	*here = true;
	watch->signalled(watch);
	*here = false;
}

/* The caller's reference to the event lasts longer than its watch. */
int host_event_watch(struct host_event *host_event, struct host_event_watch *watch,
		     void (*signalled)(struct host_event_watch *watch))
{
	struct watch_private *private = HOST_PRIVATE(watch, struct watch_private);
	struct event *event = event_of(host_event);
	int err = 0;

	watch->signalled = signalled;
	private->event = NULL;
	spin_lock(&event->lock);
	if (event->watch) {
		err = -EBUSY;
	} else {
		private->event = event;
		event->watch = deliver;
		event->watch_arg = watch;
		if (event->count) /* what came before */
			deliver(watch);
		event->count = 0;
	}
	spin_unlock(&event->lock);
	return err;
}

/* signalled() runs with the event's lock, so no more behind this. */
void host_event_unwatch(struct host_event_watch *watch)
{
	struct event *event = HOST_PRIVATE(watch, struct watch_private)->event;

	if (!event)
		return;
	spin_lock(&event->lock);
	event->watch = NULL;
	spin_unlock(&event->lock);
}
