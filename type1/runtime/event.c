/* SPDX-License-Identifier: MIT */
/*
 * event.c - events: a count that signals raise, unless somebody takes each of them.
 */
#include "lib/bits.h"
#include "type1/runtime/event_port.h"

#include <linux/errno.h>

struct event *event_of_object(struct object *object)
{
	return CONTAINER_OF(object, struct event, object);
}

struct event *event_find(struct process *process, uint64_t handle)
{
	struct object *object = handle_find(process, handle, OBJECT_EVENT);

	return object ? event_of_object(object) : NULL;
}

static void event_end(struct object *object)
{
	heap_free(event_of_object(object));
}

int event_create(struct account *account, struct object **object)
{
	struct event *event = heap_alloc(sizeof(*event), account);

	if (!event)
		return -ENOMEM;
	object_init(&event->object, OBJECT_EVENT, event_end);
	*object = &event->object;
	return 0;
}

void event_signal(struct event *event)
{
	spin_lock(&event->lock);
	if (event->watch) {
		event->watch(event->watch_arg);
	} else {
		event->count++;
		if (event->link)
			port_signal(event->link);
	}
	spin_unlock(&event->lock);
}
