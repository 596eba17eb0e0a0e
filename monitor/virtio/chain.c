/* SPDX-License-Identifier: MIT */
/* chain.c - see chain.h. */
#include "monitor/virtio/chain.h"

#include "lib/bits.h"
#include "lib/bytes.h"

bool virtio_take_chain(struct virtio_device *virtio, unsigned index, struct virtqueue_chain *chain,
		       unsigned iov_max)
{
	struct virtqueue *queue = &virtio->queues[index];
	int result = virtqueue_pop(queue, chain, iov_max);

	if (result == 0 && virtqueue_enable_doorbell(queue)) {
		/* One look more suffices: only a driver that takes chains back can make it vain. */
		virtqueue_disable_doorbell(queue);
		result = virtqueue_pop(queue, chain, iov_max);
	}
	if (result < 0)
		virtio_fail(virtio, "queue %u holds no valid descriptor chain", index);
	return result > 0;
}

/* What is common to both directions: where the bytes at offset are, one segment at a time. */
struct iov_cursor {
	const struct os_iov *iov;
	unsigned left;
	uint64_t skip; /* bytes still to pass over */
};

/* The next piece of at most size bytes; its length, 0 at the end. */
static size_t cursor_next(struct iov_cursor *cursor, size_t size, uint8_t **piece)
{
	for (; cursor->left > 0; cursor->left--, cursor->iov++) {
		uint64_t length = cursor->iov->length;

		if (cursor->skip >= length) {
			cursor->skip -= length;
			continue;
		}
		*piece = (uint8_t *)cursor->iov->base + cursor->skip;
		length = MIN(length - cursor->skip, size);
		cursor->skip += length;
		return length;
	}
	return 0;
}

size_t iov_read(const struct os_iov *iov, unsigned count, uint64_t offset, void *buffer,
		size_t size)
{
	struct iov_cursor cursor = {iov, count, offset};
	size_t done = 0, length;
	uint8_t *piece;

	while (done < size && (length = cursor_next(&cursor, size - done, &piece)) > 0) {
		memcpy((uint8_t *)buffer + done, piece, length);
		done += length;
	}
	return done;
}

size_t iov_write(const struct os_iov *iov, unsigned count, uint64_t offset, const void *buffer,
		 size_t size)
{
	struct iov_cursor cursor = {iov, count, offset};
	size_t done = 0, length;
	uint8_t *piece;

	while (done < size && (length = cursor_next(&cursor, size - done, &piece)) > 0) {
		memcpy(piece, (const uint8_t *)buffer + done, length);
		os_memory_written(piece, length);
		done += length;
	}
	return done;
}

void iov_drop_front(struct os_iov **iov, unsigned *count, uint64_t size)
{
	while (*count > 0 && size >= (*iov)->length) {
		size -= (*iov)->length;
		(*iov)++;
		(*count)--;
	}
	if (*count == 0)
		return;
	(*iov)->base = (uint8_t *)(*iov)->base + size;
	(*iov)->length -= size;
}

uint8_t *iov_take_last_byte(struct os_iov *iov, unsigned *count)
{
	struct os_iov *last = &iov[*count - 1];

	last->length--;
	if (last->length == 0)
		(*count)--;
	return (uint8_t *)last->base + last->length;
}
