/* SPDX-License-Identifier: MIT */
#include "tests/support/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "lib/error.h"

/* Page 0 is left out, so that an address of 0 in a test is a mistake that shows. */
#define FIRST_ADDRESS 4096
#define INDIRECT_ALIGNMENT 16

static void die(const char *why)
{
	fprintf(stderr, "driver: %s\n", why);
	abort();
}

void driver_memory_create(struct driver_memory *ram, uint64_t size)
{
	struct error why;

	if (guest_memory_create(&ram->memory, size, 3 * GIB, &why) < 0)
		die(why.text);
	ram->next = FIRST_ADDRESS;
}

void driver_memory_destroy(struct driver_memory *ram)
{
	guest_memory_destroy(&ram->memory);
}

gpa_t driver_alloc(struct driver_memory *ram, uint64_t size, uint64_t alignment)
{
	gpa_t gpa = align_up(ram->next, alignment);

	if (guest_memory_fill(&ram->memory, gpa, 0, size) < 0)
		die("out of guest memory");
	ram->next = gpa + size;
	return gpa;
}

gpa_t driver_alloc_copy(struct driver_memory *ram, const void *content, uint64_t size)
{
	gpa_t gpa = driver_alloc(ram, size, 16);

	memcpy(driver_at(ram, gpa, size), content, size);
	return gpa;
}

void *driver_at(const struct driver_memory *ram, gpa_t gpa, uint64_t length)
{
	void *at = guest_memory_range(&ram->memory, gpa, length);

	if (!at)
		die("an address outside guest memory");
	return at;
}

void driver_queue_init(struct driver_queue *queue, struct driver_memory *ram, uint16_t size)
{
	*queue = (struct driver_queue){.ram = ram, .size = size};
	queue->descriptors_gpa =
		driver_alloc(ram, virtq_descriptors_size(size), VIRTQ_DESCRIPTOR_ALIGNMENT);
	queue->available_gpa =
		driver_alloc(ram, virtq_available_size(size), VIRTQ_AVAILABLE_ALIGNMENT);
	queue->used_gpa = driver_alloc(ram, virtq_used_size(size), VIRTQ_USED_ALIGNMENT);
	queue->descriptors = driver_at(ram, queue->descriptors_gpa, virtq_descriptors_size(size));
	queue->available = driver_at(ram, queue->available_gpa, virtq_available_size(size));
	queue->used = driver_at(ram, queue->used_gpa, virtq_used_size(size));
}

static void put_descriptor(struct virtq_desc *descriptor, const struct driver_buffer *buffer,
			   bool last, uint16_t next)
{
	*descriptor = (struct virtq_desc){
		.address = buffer->address,
		.length = buffer->length,
		.flags = (uint16_t)((buffer->writable ? VIRTQ_DESC_F_WRITE : 0) |
				    (last ? 0 : VIRTQ_DESC_F_NEXT)),
		.next = last ? 0 : next,
	};
}

uint16_t driver_put_chain(struct driver_queue *queue, const struct driver_buffer *buffers,
			  unsigned count)
{
	uint16_t head = queue->next_descriptor;

	for (unsigned i = 0; i < count; i++) {
		uint16_t at = queue->next_descriptor;

		queue->next_descriptor = (uint16_t)((at + 1) % queue->size);
		put_descriptor(&queue->descriptors[at], &buffers[i], i + 1 == count,
			       queue->next_descriptor);
	}
	return head;
}

void driver_offer(struct driver_queue *queue, uint16_t head)
{
	queue->available->ring[queue->available->index % queue->size] = head;
	queue->available->index++;
}

uint16_t driver_add(struct driver_queue *queue, const struct driver_buffer *buffers, unsigned count)
{
	uint16_t head = driver_put_chain(queue, buffers, count);

	driver_offer(queue, head);
	return head;
}

uint16_t driver_add_indirect(struct driver_queue *queue, const struct driver_buffer *buffers,
			     unsigned count)
{
	uint64_t size = count * sizeof(struct virtq_desc);
	gpa_t table_gpa = driver_alloc(queue->ram, size, INDIRECT_ALIGNMENT);
	struct virtq_desc *table = driver_at(queue->ram, table_gpa, size);
	uint16_t head = queue->next_descriptor;

	for (unsigned i = 0; i < count; i++)
		put_descriptor(&table[i], &buffers[i], i + 1 == count, (uint16_t)(i + 1));
	queue->next_descriptor = (uint16_t)((head + 1) % queue->size);
	queue->descriptors[head] = (struct virtq_desc){
		.address = table_gpa, .length = (uint32_t)size, .flags = VIRTQ_DESC_F_INDIRECT};
	driver_offer(queue, head);
	return head;
}

bool driver_take_used(struct driver_queue *queue, uint32_t *head, uint32_t *written)
{
	const struct virtq_used_element *element =
		&queue->used->ring[queue->seen_used % queue->size];

	if (queue->used->index == queue->seen_used)
		return false;
	queue->seen_used++;
	*head = element->id;
	*written = element->length;
	return true;
}

uint16_t *driver_used_event(struct driver_queue *queue)
{
	return &queue->available->ring[queue->size];
}

uint16_t *driver_available_event(struct driver_queue *queue)
{
	return (uint16_t *)(void *)&queue->used->ring[queue->size];
}

static void count_queue_interrupt(struct virtio_device *virtio, unsigned queue)
{
	struct driver_device *device = virtio->transport_context;

	device->interrupts[queue]++;
}

static void count_config_interrupt(struct virtio_device *virtio)
{
	struct driver_device *device = virtio->transport_context;

	device->config_interrupts++;
}

static void note_again(struct virtio_device *virtio, unsigned queue)
{
	struct driver_device *device = virtio->transport_context;

	device->again[queue] = true;
}

static const struct virtio_transport_ops driver_transport = {
	.queue_interrupt = count_queue_interrupt,
	.config_interrupt = count_config_interrupt,
	.notify_again = note_again,
};

void driver_attach(struct driver_device *device, struct virtio_device *virtio)
{
	*device = (struct driver_device){.virtio = virtio};
	virtio->transport = &driver_transport;
	virtio->transport_context = device;
	for (unsigned i = 0; i < virtio->queue_count; i++)
		virtio->queues[i].memory = virtio->memory;
}

void driver_start(struct driver_device *device, struct driver_memory *ram, uint64_t features,
		  uint16_t size)
{
	struct virtio_device *virtio = device->virtio;
	uint64_t offered = virtio->offered | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX) |
			   BIT(VIRTIO_F_INDIRECT_DESC);

	os_mutex_lock(&virtio->lock);
	virtio->negotiated = (features | BIT(VIRTIO_F_VERSION_1)) & offered;
	for (unsigned i = 0; i < virtio->queue_count; i++) {
		struct driver_queue *queue = &device->queues[i];
		struct virtqueue *live = &virtio->queues[i];

		driver_queue_init(queue, ram, MIN(size, virtio->queue_max[i]));
		live->size = queue->size;
		live->descriptors_gpa = queue->descriptors_gpa;
		live->available_gpa = queue->available_gpa;
		live->used_gpa = queue->used_gpa;
		if (virtqueue_start(live, virtio->queue_max[i],
				    virtio_has_feature(virtio, VIRTIO_F_EVENT_IDX),
				    virtio_has_feature(virtio, VIRTIO_F_INDIRECT_DESC)) < 0)
			die("a queue did not start");
	}
	virtio->active = true;
	virtio->ops->activate(virtio);
	os_mutex_unlock(&virtio->lock);
}

void driver_notify(struct driver_device *device, unsigned queue)
{
	struct virtio_device *virtio = device->virtio;

	do {
		device->again[queue] = false;
		os_mutex_lock(&virtio->lock);
		if (virtio->active && !virtio->failed)
			virtio->ops->notify(virtio, queue);
		os_mutex_unlock(&virtio->lock);
	} while (device->again[queue]);
}

void driver_reset(struct driver_device *device)
{
	struct virtio_device *virtio = device->virtio;

	os_mutex_lock(&virtio->lock);
	virtio->active = false;
	os_mutex_unlock(&virtio->lock);
	virtio->ops->reset(virtio);
	os_mutex_lock(&virtio->lock);
	for (unsigned i = 0; i < virtio->queue_count; i++)
		virtqueue_reset(&virtio->queues[i]);
	virtio->negotiated = 0;
	virtio->failed = false;
	os_mutex_unlock(&virtio->lock);
}

void driver_config_read(struct driver_device *device, uint32_t offset, void *buffer, uint32_t size)
{
	os_mutex_lock(&device->virtio->lock);
	device->virtio->ops->config_read(device->virtio, offset, buffer, size);
	os_mutex_unlock(&device->virtio->lock);
}

void driver_config_write(struct driver_device *device, uint32_t offset, const void *buffer,
			 uint32_t size)
{
	os_mutex_lock(&device->virtio->lock);
	if (device->virtio->ops->config_write)
		device->virtio->ops->config_write(device->virtio, offset, buffer, size);
	os_mutex_unlock(&device->virtio->lock);
}
