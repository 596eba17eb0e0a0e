/* SPDX-License-Identifier: MIT */
/*
 * virtio_pci.h - the driver's side of virtio 1.2 on PCI (section 4.1), modern devices only:
 * features, queues, and the split virtqueue (section 2.7).
 *
 * The device is not trusted further than its DMA must be: an index that can't be is ignored.
 */
#ifndef DYAD_TYPE1_DRIVERS_VIRTIO_PCI_H
#define DYAD_TYPE1_DRIVERS_VIRTIO_PCI_H

#include "hw/virtio.h"
#include "lib/error.h"
#include "type1/drivers/device.h"

struct virtio_pci {
	const struct device *device;
	volatile struct virtio_pci_common_cfg *common;
	const volatile uint8_t *config; /* of the device type; NULL: none */
	uint32_t config_size;
	volatile uint8_t *notify;
	uint32_t notify_size, notify_multiplier;
	uint64_t features; /* agreed on, bit numbers as bits */
};

struct virtio_queue {
	uint16_t index, size;
	uint16_t available_index, used_index; /* free running: what we have put, and taken */
	struct virtq_desc *descriptors;
	uint64_t descriptors_physical;
	struct virtq_avail *available;
	const struct virtq_used *used;
	volatile uint16_t *notify;
};

/* Whether a device of TYPE1_DEVICE_LIST is a virtio device of the type, VIRTIO_ID_*. */
bool virtio_pci_matches(const struct type1_device *info, uint16_t type);
/*
 * Resets the device and agrees on the features that are wanted (VIRTIO_F_VERSION_1 is always
 * needed) as far as it offers them.  Then queues are set up, and virtio_pci_start() follows.
 */
int virtio_pci_open(struct virtio_pci *virtio, const struct device *device, uint64_t wanted,
		    struct error *why);
bool virtio_pci_has(const struct virtio_pci *virtio, unsigned feature);
/* From the device's own configuration; what it doesn't have reads as zero. */
void virtio_pci_config(const struct virtio_pci *virtio, uint32_t offset, void *buffer,
		       uint32_t size);
/* A queue with at most size_max entries, a power of two, whose interrupt has that number. */
int virtio_pci_queue(struct virtio_pci *virtio, struct virtio_queue *queue, uint16_t index,
		     uint16_t size_max, uint16_t interrupt);
void virtio_pci_start(struct virtio_pci *virtio);
void virtio_pci_reset(struct virtio_pci *virtio);

/* Gives the device the chain that begins with that descriptor; virtio_queue_kick() tells it. */
static inline void virtio_queue_put(struct virtio_queue *queue, uint16_t head)
{
	queue->available->ring[queue->available_index & (queue->size - 1)] = head;
	queue->available_index++;
	/* The chain and the ring's entry before the index, section 2.7.13.3. */
	__atomic_store_n(&queue->available->index, queue->available_index, __ATOMIC_RELEASE);
}

static inline void virtio_queue_kick(struct virtio_queue *queue)
{
	/* The index before the flag, against the device's flag before index (2.7.13.4.1). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&queue->used->flags, __ATOMIC_RELAXED) & VIRTQ_USED_F_NO_NOTIFY))
		*queue->notify = queue->index;
}

/* The next chain that the device is done with.  False: there is none. */
static inline bool virtio_queue_take(struct virtio_queue *queue, struct virtq_used_element *element)
{
	/* The index before the entry and what the device wrote, section 2.7.14. */
	if (__atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE) == queue->used_index)
		return false;
	*element = queue->used->ring[queue->used_index & (queue->size - 1)];
	queue->used_index++;
	return true;
}

#endif
