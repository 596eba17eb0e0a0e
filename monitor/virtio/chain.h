/* SPDX-License-Identifier: MIT */
/*
 * chain.h - how a device model takes descriptor chains from its queues, and moves bytes in and out
 * of them whatever the driver's framing (virtio 1.2 section 2.7.4: a device does not rely on how a
 * buffer is cut into descriptors).
 *
 * The segments lie in guest memory: what iov_read() copies is the only copy to look at.
 */
#ifndef DYAD_MONITOR_VIRTIO_CHAIN_H
#define DYAD_MONITOR_VIRTIO_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "monitor/virtio/virtio.h"

/*
 * Whether the queue, and buffers that came from it, may be touched now.  When that becomes true
 * again the transport notifies.  Lock held.
 */
static inline bool virtio_queue_usable(const struct virtio_device *virtio, unsigned index)
{
	const struct virtqueue *queue = &virtio->queues[index];

	return virtio->active && !virtio->failed && queue->live && !queue->suspended;
}

/*
 * Takes the next chain of a usable queue whose doorbell is off.  False: none waits and the doorbell
 * is on again, or the driver broke a rule and the device has failed.  Lock held.
 */
bool virtio_take_chain(struct virtio_device *virtio, unsigned index, struct virtqueue_chain *chain,
		       unsigned iov_max);

/* Copy up to size bytes from or to the given offset; return how many there were. */
size_t iov_read(const struct os_iov *iov, unsigned count, uint64_t offset, void *buffer,
		size_t size);
size_t iov_write(const struct os_iov *iov, unsigned count, uint64_t offset, const void *buffer,
		 size_t size);

/* Drops the first size bytes (no more than there are), and with them segments that become empty. */
void iov_drop_front(struct os_iov **iov, unsigned *count, uint64_t size);

/* Takes the last byte off, which there must be, and returns where it is. */
uint8_t *iov_take_last_byte(struct os_iov *iov, unsigned *count);

#endif
