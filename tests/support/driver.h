/* SPDX-License-Identifier: MIT */
/*
 * driver.h - the driver's side of virtio for tests: rings in guest memory, chains offered, what
 * came back; and a transport without PCI, so that a device model can be driven by itself.  Nothing
 * here checks what the test does: hostile drivers are built from the same parts.
 */
#ifndef DYAD_TESTS_DRIVER_H
#define DYAD_TESTS_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/virtio.h"
#include "monitor/machine/memory.h"
#include "monitor/virtio/virtio.h"

/* --- Guest memory, handed out from low addresses up ------------------------------------------ */

struct driver_memory {
	struct guest_memory memory;
	gpa_t next;
};

/* size bytes of RAM; aborts when the host has not that much. */
void driver_memory_create(struct driver_memory *ram, uint64_t size);
void driver_memory_destroy(struct driver_memory *ram);
/* size zeroed bytes at an aligned address; aborts when memory is used up. */
gpa_t driver_alloc(struct driver_memory *ram, uint64_t size, uint64_t alignment);
/* The same with content. */
gpa_t driver_alloc_copy(struct driver_memory *ram, const void *content, uint64_t size);
/* The host's view of length bytes at gpa; aborts outside RAM. */
void *driver_at(const struct driver_memory *ram, gpa_t gpa, uint64_t length);

/* --- A queue --------------------------------------------------------------------------------- */

struct driver_queue {
	struct driver_memory *ram;
	uint16_t size;
	gpa_t descriptors_gpa, available_gpa, used_gpa;
	struct virtq_desc *descriptors; /* the host's view of the three */
	struct virtq_avail *available;
	struct virtq_used *used;
	uint16_t next_descriptor; /* where the next chain's descriptors begin, modulo size */
	uint16_t seen_used;       /* used entries taken by driver_take_used() */
};

struct driver_buffer {
	gpa_t address;
	uint32_t length;
	bool writable;
};

/* Allocates the three parts for size descriptors, a power of two. */
void driver_queue_init(struct driver_queue *queue, struct driver_memory *ram, uint16_t size);
/* Writes a chain into the descriptor table and returns its head, without offering it. */
uint16_t driver_put_chain(struct driver_queue *queue, const struct driver_buffer *buffers,
			  unsigned count);
/* Puts head (any value) into the available ring and moves the index on. */
void driver_offer(struct driver_queue *queue, uint16_t head);
/* Both. */
uint16_t driver_add(struct driver_queue *queue, const struct driver_buffer *buffers,
		    unsigned count);
/* The chain in an indirect table of its own. */
uint16_t driver_add_indirect(struct driver_queue *queue, const struct driver_buffer *buffers,
			     unsigned count);
/* Takes the next used entry; false when there is none. */
bool driver_take_used(struct driver_queue *queue, uint32_t *head, uint32_t *written);
/* Where the driver asks to be interrupted (2.7.7), and where the device asks for a doorbell. */
uint16_t *driver_used_event(struct driver_queue *queue);
uint16_t *driver_available_event(struct driver_queue *queue);

/* --- A device on a transport without PCI ----------------------------------------------------- */

struct driver_device {
	struct virtio_device *virtio;
	struct driver_queue queues[VIRTIO_QUEUES_MAX];
	unsigned interrupts[VIRTIO_QUEUES_MAX]; /* how many came */
	unsigned config_interrupts;
	bool again[VIRTIO_QUEUES_MAX]; /* it asked to be notified again */
};

/* Attaches virtio to this transport.  Its memory must be ram's. */
void driver_attach(struct driver_device *device, struct virtio_device *virtio);
/*
 * Negotiates features (bits; besides those of the device VIRTIO_F_EVENT_IDX and
 * VIRTIO_F_INDIRECT_DESC count), makes queues of size descriptors (at most what the device offers)
 * and activates the device.
 */
void driver_start(struct driver_device *device, struct driver_memory *ram, uint64_t features,
		  uint16_t size);
/* Rings the doorbell of queue, and again for as long as the device asks for that. */
void driver_notify(struct driver_device *device, unsigned queue);
/* Resets the device as a transport does; it may be started again. */
void driver_reset(struct driver_device *device);
/* Device configuration, with the device's lock taken. */
void driver_config_read(struct driver_device *device, uint32_t offset, void *buffer, uint32_t size);
void driver_config_write(struct driver_device *device, uint32_t offset, const void *buffer,
			 uint32_t size);

#endif
