/* SPDX-License-Identifier: MIT */
/*
 * rng.c - the entropy device (virtio 1.2 section 5.4): fills the driver's buffers from os_random().
 *
 * A request gets at most RNG_REQUEST_MAX bytes, which the specification allows (the driver looks at
 * the used length), and one notification at most RNG_TURN_MAX, so that a guest that asks without
 * end does not keep the loop thread from its other devices.
 */
#include <linux/errno.h>

#include "hw/virtio.h"
#include "lib/bits.h"
#include "monitor/virtio/chain.h"
#include "monitor/virtio/devices.h"

#define RNG_CLASS 0xff0000 /* PCI: fits no defined class */
#define RNG_QUEUE_SIZE 64
#define RNG_REQUEST_MAX (64 * KIB)
#define RNG_TURN_MAX (256 * KIB)
#define RNG_CHAIN_COST 1024 /* what a chain counts in a turn besides its bytes */

struct virtio_rng {
	struct virtio_device virtio;
	struct os_iov iov[RNG_QUEUE_SIZE];
};

static uint32_t rng_fill(const struct virtqueue_chain *chain)
{
	const struct os_iov *iov = chain->iov;
	uint32_t filled = 0;

	for (unsigned i = 0; i < chain->writable_count && filled < RNG_REQUEST_MAX; i++) {
		size_t size = MIN(iov[i].length, RNG_REQUEST_MAX - filled);

		os_random(iov[i].base, size);
		filled += (uint32_t)size;
	}
	return filled;
}

static void rng_notify(struct virtio_device *virtio, unsigned index)
{
	struct virtio_rng *rng = CONTAINER_OF(virtio, struct virtio_rng, virtio);
	struct virtqueue *queue = &virtio->queues[index];
	struct virtqueue_chain chain = {.iov = rng->iov};
	uint64_t turn = 0;

	if (!virtio_queue_usable(virtio, index))
		return;
	virtqueue_disable_doorbell(queue);
	while (virtio_take_chain(virtio, index, &chain, ARRAY_COUNT(rng->iov))) {
		if (chain.readable_count > 0 || chain.writable_count == 0) {
			virtio_fail(virtio, "a request is not a buffer to write");
			return;
		}
		uint32_t filled = rng_fill(&chain);

		virtqueue_push(queue, chain.head, filled);
		turn += filled + RNG_CHAIN_COST;
		if (turn >= RNG_TURN_MAX) {
			virtio_notify_again(virtio, index);
			break;
		}
	}
	virtio_queue_interrupt(virtio, index);
}

static void rng_activate(struct virtio_device *virtio)
{
	rng_notify(virtio, VIRTIO_RNG_QUEUE_REQUEST);
}

/* Requests end within the notification that brought them: nothing is ever in flight. */
static void rng_reset(struct virtio_device *virtio)
{
	(void)virtio;
}

static const struct virtio_device_ops rng_ops = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_ENTROPY,
	.class_code = RNG_CLASS,
	.activate = rng_activate,
	.notify = rng_notify,
	.reset = rng_reset,
};

int virtio_rng_create(const struct guest_memory *memory, struct virtio_device **out)
{
	struct virtio_rng *rng = os_alloc(sizeof(*rng));

	if (!rng)
		return -ENOMEM;
	os_mutex_init(&rng->virtio.lock);
	rng->virtio.ops = &rng_ops;
	rng->virtio.memory = memory;
	rng->virtio.queue_count = 1;
	rng->virtio.queue_max[VIRTIO_RNG_QUEUE_REQUEST] = RNG_QUEUE_SIZE;
	*out = &rng->virtio;
	return 0;
}

void virtio_rng_destroy(struct virtio_device *virtio)
{
	if (virtio)
		os_free(CONTAINER_OF(virtio, struct virtio_rng, virtio));
}
