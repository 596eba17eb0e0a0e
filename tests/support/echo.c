/* SPDX-License-Identifier: MIT */
#include "tests/support/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pci.h"
#include "lib/bits.h"
#include "tests/support/fake_os.h"

#define IOV_MAX 16

static struct echo *as_echo(struct virtio_device *virtio)
{
	struct echo *echo = CONTAINER_OF(virtio, struct echo, virtio);

	if (echo->in_reset || !fake_os_mutex_is_locked(&virtio->lock)) {
		fprintf(stderr, "echo: called during a reset, or without its lock\n");
		abort();
	}
	return echo;
}

static void echo_config_read(struct virtio_device *virtio, uint32_t offset, void *buffer,
			     uint32_t size)
{
	memcpy(buffer, as_echo(virtio)->config + offset, size);
}

static void echo_config_write(struct virtio_device *virtio, uint32_t offset, const void *buffer,
			      uint32_t size)
{
	memcpy(as_echo(virtio)->config + offset, buffer, size);
}

static void echo_activate(struct virtio_device *virtio)
{
	as_echo(virtio)->activations++;
}

static void echo_notify(struct virtio_device *virtio, unsigned queue)
{
	struct virtqueue *vq = &virtio->queues[queue];
	struct os_iov iov[IOV_MAX];
	struct virtqueue_chain chain = {.iov = iov};
	struct echo *echo = as_echo(virtio);
	/* As a driver that adds chains for ever must not keep the loop, so here. */
	unsigned budget = ECHO_QUEUE_MAX;
	int got;

	echo->notifies++;
	virtqueue_disable_doorbell(vq);
	do {
		while ((got = virtqueue_pop(vq, &chain, IOV_MAX)) > 0 && budget-- > 0) {
			echo->chains++;
			for (unsigned i = 0; i < chain.writable_count; i++)
				memset(iov[chain.readable_count + i].base, ECHO_BYTE,
				       iov[chain.readable_count + i].length);
			virtqueue_push(vq, chain.head, chain.writable_bytes);
		}
		if (got < 0) {
			virtio_fail(virtio, "a bad chain in queue %u", queue);
			return;
		}
		if (got > 0) {
			virtqueue_unpop(vq);
			virtio_notify_again(virtio, queue);
			break;
		}
	} while (virtqueue_enable_doorbell(vq));
	virtio_queue_interrupt(virtio, queue);
}

static void echo_reset(struct virtio_device *virtio)
{
	struct echo *echo = CONTAINER_OF(virtio, struct echo, virtio);

	if (fake_os_mutex_is_locked(&virtio->lock)) {
		fprintf(stderr, "echo: reset with the lock held\n");
		abort();
	}
	echo->in_reset = true;
	echo->resets++;
	if (echo->on_reset)
		echo->on_reset(echo);
	echo->in_reset = false;
}

static const struct virtio_device_ops echo_ops = {
	.name = "echo",
	.id = ECHO_ID,
	.class_code = PCI_CLASS_OTHER,
	.config_read = echo_config_read,
	.config_write = echo_config_write,
	.activate = echo_activate,
	.notify = echo_notify,
	.reset = echo_reset,
};

void echo_init(struct echo *echo, const struct guest_memory *memory)
{
	*echo = (struct echo){
		.virtio = {.ops = &echo_ops,
			   .memory = memory,
			   .offered = BIT(ECHO_FEATURE),
			   .config_size = ECHO_CONFIG_SIZE,
			   .queue_count = ECHO_QUEUES,
			   .queue_max = {ECHO_QUEUE_MAX, ECHO_QUEUE_MAX}},
	};
	os_mutex_init(&echo->virtio.lock);
	for (unsigned i = 0; i < ECHO_CONFIG_SIZE; i++)
		echo->config[i] = (uint8_t)(0x10 + i);
}
