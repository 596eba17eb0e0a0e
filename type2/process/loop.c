/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the loop: one epoll set.  A watch is what epoll gives back for a descriptor.
 *
 * One epoll_wait() takes up to LOOP_BATCH events, and all of them are dispatched before the loop
 * looks whether it is to stop, because edge-triggered ones would not be reported again.  A watch
 * that ends while a batch is dispatched stays allocated until the batch is through, since the batch
 * may still name it.
 */
#include "type2/process/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOP_BATCH 32

struct process_watch {
	struct os_loop *loop;
	int fd;
	unsigned events;
	bool registered; /* the descriptor is in the epoll set */
	bool ended;
	void (*ready)(void *arg, unsigned events);
	void *arg;
	struct process_watch *next_ended;
};

struct os_loop {
	int epoll;
	int stop_event;
	atomic_bool stopping;
	bool dispatching;
	struct process_watch *ended; /* freed after the batch */
	struct loop_hook *hooks;
};

int os_loop_create(struct os_loop **out)
{
	struct os_loop *loop = calloc(1, sizeof(*loop));
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int error;

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		error = errno;
		goto free_loop;
	}
	loop->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->stop_event < 0) {
		error = errno;
		goto close_epoll;
	}
	/* data.ptr NULL: only there to end epoll_wait() */
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->stop_event, &event) < 0) {
		error = errno;
		goto close_event;
	}
	*out = loop;
	return 0;
close_event:
	close(loop->stop_event);
close_epoll:
	close(loop->epoll);
free_loop:
	free(loop);
	return -error;
}

void os_loop_destroy(struct os_loop *loop)
{
	if (!loop)
		return;
	close(loop->stop_event);
	close(loop->epoll);
	free(loop);
}

void os_loop_stop(struct os_loop *loop)
{
	int saved_errno = errno;
	uint64_t one = 1;

	atomic_store(&loop->stopping, true);
	/* Fails only when the counter is full, and then the wake-up is on its way already. */
	if (write(loop->stop_event, &one, sizeof(one)) < 0)
		errno = saved_errno;
}

static uint32_t loop_epoll_events(unsigned events)
{
	return (events & PROCESS_READABLE ? EPOLLIN : 0) |
	       (events & PROCESS_WRITABLE ? EPOLLOUT : 0) | (events & PROCESS_EDGE ? EPOLLET : 0);
}

static unsigned loop_watch_events(uint32_t events)
{
	return (events & EPOLLIN ? PROCESS_READABLE : 0) |
	       (events & EPOLLOUT ? PROCESS_WRITABLE : 0) |
	       (events & (EPOLLHUP | EPOLLERR) ? PROCESS_HANGUP : 0);
}

static void loop_free_ended(struct os_loop *loop)
{
	while (loop->ended) {
		struct process_watch *watch = loop->ended;

		loop->ended = watch->next_ended;
		free(watch);
	}
}

static void loop_dispatch(struct os_loop *loop, const struct epoll_event *events, int count)
{
	loop->dispatching = true;
	for (int i = 0; i < count; i++) {
		struct process_watch *watch = events[i].data.ptr;

		if (watch && !watch->ended && watch->registered)
			watch->ready(watch->arg, loop_watch_events(events[i].events));
	}
	loop->dispatching = false;
	loop_free_ended(loop);
}

void os_loop_run(struct os_loop *loop)
{
	struct epoll_event events[LOOP_BATCH];

	while (!atomic_exchange(&loop->stopping, false)) {
		int count;

		for (struct loop_hook *hook = loop->hooks, *next; hook; hook = next) {
			next = hook->next;
			hook->before_wait(hook->arg);
		}
		count = epoll_wait(loop->epoll, events, LOOP_BATCH, -1);
		loop_dispatch(loop, events, count);
	}
}

void loop_add_hook(struct os_loop *loop, struct loop_hook *hook)
{
	hook->next = loop->hooks;
	loop->hooks = hook;
}

void loop_remove_hook(struct os_loop *loop, struct loop_hook *hook)
{
	struct loop_hook **at = &loop->hooks;

	while (*at && *at != hook)
		at = &(*at)->next;
	if (*at)
		*at = hook->next;
}

int process_watch_change(struct process_watch *watch, unsigned events)
{
	struct epoll_event event = {.events = loop_epoll_events(events), .data.ptr = watch};
	int operation;

	if (events == watch->events && watch->registered == (events != 0))
		return 0;
	if (!events)
		operation = EPOLL_CTL_DEL;
	else
		operation = watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(watch->loop->epoll, operation, watch->fd, &event) < 0)
		return -errno;
	watch->registered = events != 0;
	watch->events = events;
	return 0;
}

int process_loop_watch_fd(struct os_loop *loop, int fd, unsigned events,
			  void (*ready)(void *arg, unsigned events), void *arg,
			  struct process_watch **out)
{
	struct process_watch *watch = calloc(1, sizeof(*watch));
	int error;

	if (!watch)
		return -ENOMEM;
	watch->loop = loop;
	watch->fd = fd;
	watch->ready = ready;
	watch->arg = arg;
	error = process_watch_change(watch, events);
	if (error) {
		free(watch);
		return error;
	}
	*out = watch;
	return 0;
}

void process_loop_unwatch_fd(struct process_watch *watch)
{
	if (!watch)
		return;
	process_watch_change(watch, 0);
	watch->ended = true;
	if (!watch->loop->dispatching) {
		free(watch);
		return;
	}
	watch->next_ended = watch->loop->ended;
	watch->loop->ended = watch;
}
