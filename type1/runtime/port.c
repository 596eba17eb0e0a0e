/* SPDX-License-Identifier: MIT */
/*
 * port.c - ports: where one thread waits for many events.
 *
 * Locks in their order: the port's mutex, an event's, the port's spin lock.
 */
#include "type1/runtime/event_port.h"

#include <linux/errno.h>

#include "lib/bits.h"

struct port {
	struct object object; /* first */
	struct mutex mutex;
	struct event_port_link *links; /* [mutex] */
	bool busy;                     /* [mutex] a thread waits */
	struct spin lock;
	struct event_port_link *first, **last; /* [lock] signalled, in that order */
	struct waiter waiter;
};

static struct port *of_object(struct object *object)
{
	return CONTAINER_OF(object, struct port, object);
}

void port_signal(struct event_port_link *link)
{
	struct port *port = link->port;

	spin_lock(&port->lock);
	if (!link->signalled) {
		link->signalled = true;
		link->next_signalled = NULL;
		*port->last = link;
		port->last = &link->next_signalled;
		waiter_wake(&port->waiter);
	}
	spin_unlock(&port->lock);
}

/* The first that was signalled leaves the list. */
static struct event_port_link *next_signalled(struct port *port)
{
	struct event_port_link *link;

	spin_lock(&port->lock);
	link = port->first;
	if (link) {
		port->first = link->next_signalled;
		if (!port->first)
			port->last = &port->first;
		link->signalled = false;
	}
	spin_unlock(&port->lock);
	return link;
}

/* With the mutex: the link's event is nobody's any more. */
static void unlink_event(struct port *port, struct event_port_link **at)
{
	struct event_port_link *link = *at, **each;

	spin_lock(&link->event->lock);
	link->event->link = NULL;
	spin_unlock(&link->event->lock);
	spin_lock(&port->lock);
	if (link->signalled) {
		for (each = &port->first; *each != link; each = &(*each)->next_signalled)
			;
		*each = link->next_signalled;
		if (port->last == &link->next_signalled)
			port->last = each;
	}
	spin_unlock(&port->lock);
	*at = link->next_of_port;
	object_put(&link->event->object);
	heap_free(link);
}

static void port_end(struct object *object)
{
	struct port *port = of_object(object);

	while (port->links)
		unlink_event(port, &port->links);
	heap_free(port);
}

int port_create(struct account *account, struct object **object)
{
	struct port *port = heap_alloc(sizeof(*port), account);

	if (!port)
		return -ENOMEM;
	object_init(&port->object, OBJECT_PORT, port_end);
	mutex_init(&port->mutex);
	waiter_init(&port->waiter);
	port->last = &port->first;
	*object = &port->object;
	return 0;
}

int port_watch(struct object *object, struct event *event, uint64_t key, struct account *account)
{
	struct port *port = of_object(object);
	struct event_port_link *link = heap_alloc(sizeof(*link), account);
	int err = 0;

	if (!link)
		return -ENOMEM;
	link->event = event;
	link->port = port;
	link->key = key;
	object_get(&event->object);
	mutex_lock(&port->mutex);
	spin_lock(&event->lock);
	if (event->link || event->watch) {
		err = -EBUSY;
	} else {
		event->link = link;
		link->next_of_port = port->links;
		port->links = link;
		if (event->count) /* what came before */
			port_signal(link);
	}
	spin_unlock(&event->lock);
	mutex_unlock(&port->mutex);
	if (err) {
		object_put(&event->object);
		heap_free(link);
	}
	return err;
}

int port_unwatch(struct object *object, struct event *event)
{
	struct port *port = of_object(object);
	struct event_port_link **each;
	int err = -ENOENT;

	mutex_lock(&port->mutex);
	for (each = &port->links; *each && (*each)->event != event; each = &(*each)->next_of_port)
		;
	if (*each) {
		unlink_event(port, each);
		err = 0;
	}
	mutex_unlock(&port->mutex);
	return err;
}

/* With the mutex: takes the events that were signalled. */
static unsigned take_keys(struct port *port, uint64_t *keys, unsigned room)
{
	struct event_port_link *link;
	unsigned count = 0;

	while (count < room && (link = next_signalled(port))) {
		spin_lock(&link->event->lock);
		if (link->event->count)
			keys[count++] = link->key;
		link->event->count = 0;
		spin_unlock(&link->event->lock);
	}
	return count;
}

int64_t port_wait(struct object *object, uint64_t deadline, uint64_t *keys, unsigned room)
{
	struct port *port = of_object(object);
	int64_t result = 0;
	int err = 0;

	mutex_lock(&port->mutex);
	if (port->busy) {
		mutex_unlock(&port->mutex);
		return -EBUSY;
	}
	port->busy = true;
	for (;;) {
		result = take_keys(port, keys, room);
		if (result || err || (deadline && deadline <= clock_now()))
			break;
		mutex_unlock(&port->mutex);
		err = waiter_wait_killable(&port->waiter, deadline);
		mutex_lock(&port->mutex);
	}
	port->busy = false;
	mutex_unlock(&port->mutex);
	return result || err != -EINTR ? result : err;
}
