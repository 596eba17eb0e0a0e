/* SPDX-License-Identifier: MIT */
/*
 * event.c - events: eventfds, which is what KVM_IRQFD and KVM_IOEVENTFD take.
 *
 * They are watched edge-triggered: each signal makes epoll report the descriptor once more,
 * whatever its counter is, so the loop need not read it.  A doorbell thus costs one system call,
 * not two.  The counter would take 2^64 signals to fill.
 *
 * The core that runs in this process names events by the same numbers, but needs no descriptor: a
 * signal of an event that it watches goes to it by a call.  So all events stand in a list.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "type2/process/event.h"
#include "type2/process/host_process.h"
#include "type2/process/loop.h"

/* All events that their creators have not destroyed. */
static struct {
	struct os_mutex lock;
	struct os_event *first;
} event_list;

int os_event_create(struct os_event **out)
{
	struct os_event *event = calloc(1, sizeof(*event));

	if (!event)
		return -ENOMEM;
	event->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event->fd < 0) {
		int error = errno;

		free(event);
		return -error;
	}
	event->references = 1;
	os_mutex_lock(&event_list.lock);
	event->next = event_list.first;
	event_list.first = event;
	os_mutex_unlock(&event_list.lock);
	*out = event;
	return 0;
}

struct os_event *event_get(int32_t number)
{
	struct os_event *event;

	os_mutex_lock(&event_list.lock);
	for (event = event_list.first; event && event->fd != number; event = event->next)
		;
	if (event)
		event->references++;
	os_mutex_unlock(&event_list.lock);
	return event;
}

void event_put(struct os_event *event)
{
	bool last;

	os_mutex_lock(&event_list.lock);
	last = --event->references == 0;
	os_mutex_unlock(&event_list.lock);
	if (!last)
		return;
	close(event->fd);
	free(event);
}

void os_event_destroy(struct os_event *event)
{
	struct os_event **at;

	if (!event)
		return;
	process_loop_unwatch_fd(event->watch);
	event->watch = NULL;
	os_mutex_lock(&event_list.lock);
	for (at = &event_list.first; *at != event; at = &(*at)->next)
		;
	*at = event->next;
	os_mutex_unlock(&event_list.lock);
	event_put(event);
}

void os_event_signal(struct os_event *event)
{
	int saved_errno = errno;
	uint64_t one = 1;

	if (host_event_deliver(event))
		return;
	if (write(event->fd, &one, sizeof(one)) < 0)
		errno = saved_errno;
}

int32_t os_event_handle(const struct os_event *event)
{
	return event->fd;
}

static void event_ready(void *arg, unsigned events)
{
	struct os_event *event = arg;

	(void)events;
	event->fired(event->arg);
}

int os_loop_watch(struct os_loop *loop, struct os_event *event, void (*fired)(void *), void *arg)
{
	if (event->watch)
		return -EBUSY;
	event->fired = fired;
	event->arg = arg;
	return process_loop_watch_fd(loop, event->fd, PROCESS_READABLE | PROCESS_EDGE, event_ready,
				     event, &event->watch);
}

void os_loop_unwatch(struct os_loop *loop, struct os_event *event)
{
	uint64_t count;

	(void)loop;
	if (!event->watch)
		return;
	process_loop_unwatch_fd(event->watch);
	event->watch = NULL;
	/* What was delivered is consumed: a later watch must not report it once more. */
	if (read(event->fd, &count, sizeof(count)) < 0)
		return;
}
