/* SPDX-License-Identifier: MIT */
/*
 * notice.c - notices (notice.h), and the system call that asks for them.
 */
#include "type1/runtime/notice.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/syscall.h"

#define LOOK_PERIOD UINT64_C(10000000) /* ns */

struct notice_handle {
	struct object object;  /* first */
	struct notice *notice; /* [const] */
	struct event *event;   /* [the notice's lock] a reference, or NULL */
};

static struct notice_handle *of_object(struct object *object)
{
	return CONTAINER_OF(object, struct notice_handle, object);
}

static void notice_handle_end(struct object *object)
{
	struct notice_handle *handle = of_object(object);
	struct notice *notice = handle->notice;

	spin_lock(&notice->lock);
	if (notice->listener == handle)
		notice->listener = NULL;
	if (notice->ended)
		notice->ended(object);
	spin_unlock(&notice->lock);
	if (handle->event)
		object_put(&handle->event->object);
	heap_free(handle);
}

int notice_handle_create(struct notice *notice, enum object_kind kind, struct account *account,
			 struct object **object)
{
	struct notice_handle *handle = heap_alloc(sizeof(*handle), account);

	if (!handle)
		return -ENOMEM;
	object_init(&handle->object, kind, notice_handle_end);
	handle->notice = notice;
	*object = &handle->object;
	return 0;
}

void notice_tell(struct notice *notice)
{
	spin_lock(&notice->lock);
	if (notice->listener)
		event_signal(notice->listener->event);
	spin_unlock(&notice->lock);
}

static void look(struct timer *timer)
{
	struct notice *notice = CONTAINER_OF(timer, struct notice, timer);

	spin_lock(&notice->lock);
	if (notice->listener) {
		if (notice->look())
			event_signal(notice->listener->event);
		timer_set(timer, clock_now() + LOOK_PERIOD);
	}
	spin_unlock(&notice->lock);
}

int64_t syscall_notice(const struct call *call)
{
	struct event *event = event_find(call->process, call->args[1]), *before;
	struct notice_handle *handle = of_object(call->object);
	struct notice *notice = handle->notice;

	if (!event)
		return -EBADF;
	spin_lock(&notice->lock);
	before = handle->event;
	handle->event = event;
	notice->listener = handle;
	if (!notice->timer.fired)
		timer_init(&notice->timer, look);
	timer_set(&notice->timer, clock_now() + LOOK_PERIOD);
	spin_unlock(&notice->lock);
	if (before)
		object_put(&before->object);
	return 0;
}
