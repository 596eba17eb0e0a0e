// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_event.c - events are eventfds.
 *
 * The handle of an event is its open file, so that the same descriptor gives the same handle.  A
 * watch stands in the eventfd's wait queue: whoever signals calls it, with the queue's lock held.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "type2/driver/driver.h"

struct watch_private {
	wait_queue_entry_t
		entry; /* its private is the struct eventfd_ctx, of which it has a reference */
	wait_queue_head_t *queue; /* NULL: it watches nothing */
};

struct watch_poll {
	poll_table table;
	wait_queue_head_t *queue;
};

static struct file *event_file(struct host_event *event)
{
	return (struct file *)event;
}

static struct host_event_watch *watch_of(struct watch_private *private)
{
	return container_of((uint64_t(*)[6]) private, struct host_event_watch, opaque);
}

int host_event_get(int32_t number, struct host_event **event)
{
	struct eventfd_ctx *context;
	struct file *file;

	driver_expect_task();
	file = fget(number);
	if (!file)
		return -EBADF;
	context = eventfd_ctx_fileget(file);
	if (IS_ERR(context)) {
		fput(file);
		return -EBADF;
	}
	eventfd_ctx_put(context);
	*event = (struct host_event *)file;
	return 0;
}

void host_event_put(struct host_event *event)
{
	driver_expect_task();
	fput(event_file(event));
}

/*
 * A wait queue's callback may lead here again (an irqfd whose end is another irqfd's beginning);
 * Linux forbids that, since a circle of them would not end: the inner signal is lost, and with it
 * an interrupt of a caller that joined events so.
 */
void host_event_signal(struct host_event *event)
{
	struct eventfd_ctx *context;

	if (!eventfd_signal_allowed())
		return;
	context = eventfd_ctx_fileget(event_file(event));
	if (WARN_ON_ONCE(IS_ERR(context)))
		return;
	driver_eventfd_signal(context);
	eventfd_ctx_put(context);
}

/* With the queue's lock. */
static void watch_deliver(struct watch_private *private)
{
	struct host_event_watch *watch = watch_of(private);
	uint64_t count = 0;

	eventfd_ctx_do_read(private->entry.private, &count);
	if (count)
		watch->signalled(watch);
}

static int watch_woken(wait_queue_entry_t *entry, unsigned mode, int sync, void *key)
{
	if (key_to_poll(key) & EPOLLIN)
		watch_deliver(container_of(entry, struct watch_private, entry));
	return 0;
}

static void watch_find_queue(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	container_of(table, struct watch_poll, table)->queue = queue;
}

/* With the queue's lock. */
static bool watch_exists(wait_queue_head_t *queue)
{
	wait_queue_entry_t *each;

	list_for_each_entry(each, &queue->head, entry) if (each->func == watch_woken) return true;
	return false;
}

int host_event_watch(struct host_event *event, struct host_event_watch *watch,
		     void (*signalled)(struct host_event_watch *watch))
{
	struct watch_private *private = DRIVER_PRIVATE(watch, struct watch_private);
	struct watch_poll poll = {};
	struct eventfd_ctx *context;
	int err = 0;

	driver_expect_task();
	watch->signalled = signalled;
	private->queue = NULL;
	context = eventfd_ctx_fileget(event_file(event));
	if (IS_ERR(context))
		return PTR_ERR(context);
	init_poll_funcptr(&poll.table, watch_find_queue);
	vfs_poll(event_file(event), &poll.table);
	if (!poll.queue) {
		eventfd_ctx_put(context);
		return -EINVAL;
	}
	init_waitqueue_func_entry(&private->entry, watch_woken);
	private->entry.private = context;
	private->queue = poll.queue;

	spin_lock_irq(&poll.queue->lock);
	if (watch_exists(poll.queue)) {
		err = -EBUSY;
	} else {
		__add_wait_queue(poll.queue, &private->entry);
		watch_deliver(private); /* what came before */
	}
	spin_unlock_irq(&poll.queue->lock);
	if (err) {
		private->queue = NULL;
		eventfd_ctx_put(context);
	}
	return err;
}

void host_event_unwatch(struct host_event_watch *watch)
{
	struct watch_private *private = DRIVER_PRIVATE(watch, struct watch_private);

	driver_expect_task();
	if (!private->queue)
		return;
	/* signalled() runs with the queue's lock, so no more behind this. */
	remove_wait_queue(private->queue, &private->entry);
	private->queue = NULL;
	eventfd_ctx_put(private->entry.private);
}
