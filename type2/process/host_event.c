/* SPDX-License-Identifier: MIT */
/*
 * host_event.c - events as the core sees them.  Only events of this process's os.h can be named.
 *
 * Whoever signals an event that is watched calls the watch itself.  No lock is held meanwhile,
 * since what the core does then may signal other events.
 */
#include <errno.h>
#include <unistd.h>

#include "type2/process/event.h"
#include "type2/process/host_process.h"

struct watch_private {
	struct os_event *event; /* NULL: it watches nothing */
};
_Static_assert(sizeof(struct watch_private) <= sizeof(((struct host_event_watch *)0)->opaque),
	       "fits the opaque part");

static struct os_event *event_of(struct host_event *event)
{
	return (struct os_event *)event;
}

static struct watch_private *watch_private(struct host_event_watch *watch)
{
	return (struct watch_private *)watch->opaque;
}

int host_event_get(int32_t number, struct host_event **event)
{
	struct os_event *found = event_get(number);

	if (!found)
		return -EBADF;
	*event = (struct host_event *)found;
	return 0;
}

void host_event_put(struct host_event *event)
{
	event_put(event_of(event));
}

void host_event_signal(struct host_event *event)
{
	os_event_signal(event_of(event));
}

bool host_event_deliver(struct os_event *event)
{
	struct host_event_watch *watch;

	/* First without the lock: an event that nobody watches is signalled in handlers as well. */
	if (!atomic_load(&event->core))
		return false;
	futex_lock(&event->lock);
	watch = atomic_load(&event->core);
	if (watch)
		event->delivering++;
	futex_unlock(&event->lock);
	if (!watch)
		return false;
	watch->signalled(watch);
	futex_lock(&event->lock);
	event->delivering--;
	futex_unlock(&event->lock);
	if (!atomic_load(&event->core)) {
		atomic_fetch_add(&event->delivered, 1);
		futex_wake(&event->delivered, INT32_MAX);
	}
	return true;
}

int host_event_watch(struct host_event *handle, struct host_event_watch *watch,
		     void (*signalled)(struct host_event_watch *watch))
{
	struct os_event *event = event_of(handle);
	uint64_t count;
	int error = 0;

	watch->signalled = signalled;
	watch_private(watch)->event = event;
	futex_lock(&event->lock);
	if (atomic_load(&event->core))
		error = -EBUSY;
	else
		atomic_store(&event->core, watch);
	futex_unlock(&event->lock);
	if (error) {
		watch_private(watch)->event = NULL;
		return error;
	}
	/* What came before. */
	if (read(event->fd, &count, sizeof(count)) > 0)
		host_event_deliver(event);
	return 0;
}

void host_event_unwatch(struct host_event_watch *watch)
{
	struct os_event *event = watch_private(watch)->event;

	if (!event)
		return;
	futex_lock(&event->lock);
	atomic_store(&event->core, NULL);
	while (event->delivering) {
		uint32_t delivered = atomic_load(&event->delivered);

		futex_unlock(&event->lock);
		futex_wait(&event->delivered, delivered);
		futex_lock(&event->lock);
	}
	futex_unlock(&event->lock);
	watch_private(watch)->event = NULL;
}
