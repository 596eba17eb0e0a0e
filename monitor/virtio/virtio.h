/* SPDX-License-Identifier: MIT */
/*
 * virtio.h - a virtio device as its transport sees it, and the transport as a device sees it
 * (virtio 1.2, sections 2 and 4.1).
 *
 * Threads: vCPU threads touch only the transport's registers (status, features, queue settings,
 * device configuration).  Everything that looks at a queue runs on the loop thread: the transport
 * hands doorbells, activation and reset over to it.  virtio_device.lock is held around all of a
 * device's functions; a device's own call backs (block done, network readable, console, timers)
 * come without it and begin with os_mutex_lock(&virtio->lock).
 */
#ifndef DYAD_MONITOR_VIRTIO_VIRTIO_H
#define DYAD_MONITOR_VIRTIO_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/log.h"
#include "monitor/virtio/virtqueue.h"
#include "os.h"

#define VIRTIO_QUEUES_MAX 8

struct virtio_device;

/* What each device model provides; one constant table a model.  All with the lock held. */
struct virtio_device_ops {
	const char *name;    /* for the log: "virtio-blk" */
	uint16_t id;         /* virtio 1.2 section 5 */
	uint32_t class_code; /* PCI class of the function */
	/* Device configuration space; offset+size lies within config_size.  Any thread. */
	void (*config_read)(struct virtio_device *virtio, uint32_t offset, void *buffer,
			    uint32_t size);
	void (*config_write)(struct virtio_device *virtio, uint32_t offset, const void *buffer,
			     uint32_t size); /* NULL: read-only */
	/* The driver has set DRIVER_OK: features are settled, queues that it enabled are live. */
	void (*activate)(struct virtio_device *virtio);
	/* Doorbell: look at the queue, until it is empty or as long as is fair. */
	void (*notify)(struct virtio_device *virtio, unsigned queue);
	/*
	 * Stop touching the queues and forget what was in flight: on return no request of the
	 * device may write guest memory any more.  The lock is dropped while it is called, because
	 * it may have to wait for call backs (os_block_drain) that take it; no other function of
	 * the device runs meanwhile but its own call backs.
	 */
	void (*reset)(struct virtio_device *virtio);
};

/* How a device reaches its driver; provided by the transport. */
struct virtio_transport_ops {
	void (*queue_interrupt)(struct virtio_device *virtio, unsigned queue);
	void (*config_interrupt)(struct virtio_device *virtio);
	/* Has ops->notify called for queue once more, after the loop's other call backs. */
	void (*notify_again)(struct virtio_device *virtio, unsigned queue);
};

struct virtio_device {
	struct os_mutex lock;
	const struct virtio_device_ops *ops;
	const struct virtio_transport_ops *transport; /* set when it is attached */
	void *transport_context;
	const struct guest_memory *memory;
	uint64_t offered;    /* feature bits besides the transport's own; fixed once attached */
	uint64_t negotiated; /* lock; valid from activate to reset */
	bool active;         /* lock; between activate and reset */
	bool failed;         /* lock; DEVICE_NEEDS_RESET has been shown */
	uint32_t config_size;
	unsigned queue_count;
	uint16_t queue_max[VIRTIO_QUEUES_MAX];      /* the largest size offered, a power of two */
	struct virtqueue queues[VIRTIO_QUEUES_MAX]; /* lock */
	struct log_budget budget;
};

static inline bool virtio_has_feature(const struct virtio_device *virtio, unsigned bit)
{
	return (virtio->negotiated >> bit) & 1;
}

/* Interrupts the driver for queue if it wants to be.  Lock held. */
void virtio_queue_interrupt(struct virtio_device *virtio, unsigned queue);
/*
 * For a device that has done its fair share and leaves chains in queue: it is notified again as if
 * by a doorbell, unless it is reset before.  Lock held.
 */
static inline void virtio_notify_again(struct virtio_device *virtio, unsigned queue)
{
	virtio->transport->notify_again(virtio, queue);
}
/* Tells the driver that device configuration changed.  Lock held. */
void virtio_config_changed(struct virtio_device *virtio);
/*
 * The driver broke a rule: says so in the log (bounded), stops the device until it is reset, and
 * shows DEVICE_NEEDS_RESET (2.1.1).  Lock held.
 */
__attribute__((format(printf, 2, 3))) void virtio_fail(struct virtio_device *virtio,
						       const char *format, ...);

#endif
