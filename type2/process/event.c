/* SPDX-License-Identifier: MIT */
/*
 * event.c - events: eventfds, which is what KVM_IRQFD and KVM_IOEVENTFD take.
 *
 * They are watched edge-triggered: each signal makes epoll report the descriptor once more,
 * whatever its counter is, so the loop need not read it.  A doorbell thus costs one system call,
 * not two.  The counter would take 2^64 signals to fill.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "type2/process/loop.h"

struct os_event {
	int fd;
	struct process_watch *watch;
	void (*fired)(void *);
	void *arg;
};

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
	*out = event;
	return 0;
}

void os_event_destroy(struct os_event *event)
{
	if (!event)
		return;
	process_loop_unwatch_fd(event->watch);
	close(event->fd);
	free(event);
}

void os_event_signal(struct os_event *event)
{
	int saved_errno = errno;
	uint64_t one = 1;

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
