/* SPDX-License-Identifier: MIT */
/*
 * written.c - passes on what was written to guest memory.  Without a listener, that is without a
 * soft engine in this process, it is one load.
 */
#include "type2/process/written.h"

#include <stdatomic.h>

#include "lib/bits.h"

static struct {
	atomic_uint count;
	struct os_mutex lock;
	struct written_listener *first; /* lock */
} written;

void written_listen(struct written_listener *listener)
{
	os_mutex_lock(&written.lock);
	listener->next = written.first;
	written.first = listener;
	os_mutex_unlock(&written.lock);
	atomic_fetch_add(&written.count, 1);
}

void written_leave(struct written_listener *listener)
{
	struct written_listener **at = &written.first;

	os_mutex_lock(&written.lock);
	while (*at != listener)
		at = &(*at)->next;
	*at = listener->next;
	os_mutex_unlock(&written.lock);
	atomic_fetch_sub(&written.count, 1);
}

static bool written_matters(void)
{
	return atomic_load_explicit(&written.count, memory_order_relaxed) != 0;
}

void os_memory_written(const void *start, size_t size)
{
	if (!written_matters() || !size)
		return;
	os_mutex_lock(&written.lock);
	for (struct written_listener *listener = written.first; listener; listener = listener->next)
		listener->written(listener, start, size);
	os_mutex_unlock(&written.lock);
}

void written_iov(const struct os_iov *iov, unsigned count, uint64_t size)
{
	if (!written_matters())
		return;
	for (; count && size; count--, iov++) {
		size_t part = MIN(size, iov->length);

		os_memory_written(iov->base, part);
		size -= part;
	}
}
