/* SPDX-License-Identifier: MIT */
/*
 * A virtqueue in memory that the input writes to between the device's steps: every segment must lie
 * in RAM, every chain within what was asked for, and a broken queue must stay quiet.
 */
#include <errno.h>
#include <string.h>

#include "hw/virtio.h"
#include "monitor/virtio/virtqueue.h"
#include "tests/support/fuzz_input.h"

#define RAM_SIZE 16384
#define IOV_MAX 8

enum {
	WRITE8,
	WRITE16,
	WRITE64,
	DESCRIPTOR,
	OFFER,
	POP,
	UNPOP,
	PUSH,
	BATCH,
	ASK,
	DOORBELL,
	SUSPEND,
	RESTART,
	OPERATIONS
};

struct target {
	struct guest_memory memory;
	struct virtqueue queue;
	unsigned popped; /* chains that are out */
	bool can_unpop;
	bool quiet; /* it was reported broken */
};

static void start(struct target *target, struct fuzz_input *input)
{
	struct virtqueue *queue = &target->queue;
	uint8_t flags = (uint8_t)fuzz_take(input, 1);

	virtqueue_reset(queue);
	queue->memory = &target->memory;
	queue->size = (uint16_t)(1 << (flags & 7));
	queue->descriptors_gpa = 0x1000;
	queue->available_gpa = 0x2000;
	queue->used_gpa = 0x3000;
	if (flags & 0x80) {
		queue->size = (uint16_t)fuzz_take(input, 2);
		queue->descriptors_gpa = fuzz_take(input, 2);
		queue->available_gpa = fuzz_take(input, 2);
		queue->used_gpa = fuzz_take(input, 8);
	}
	target->quiet = false;
	target->popped = 0;
	target->can_unpop = false;
	virtqueue_start(queue, VIRTQUEUE_SIZE_MAX, flags & 0x40, flags & 0x20);
}

static void check_chain(const struct target *target, const struct virtqueue_chain *chain,
			unsigned iov_max)
{
	const uint8_t *ram = target->memory.host;
	unsigned count = chain->readable_count + chain->writable_count;
	uint64_t readable = 0, writable = 0;

	fuzz_check(count > 0 && count <= iov_max);
	fuzz_check(chain->head < target->queue.size);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *base = chain->iov[i].base;

		fuzz_check(chain->iov[i].length > 0);
		fuzz_check(base >= ram && base < ram + RAM_SIZE &&
			   chain->iov[i].length <= (size_t)(ram + RAM_SIZE - base));
		*(i < chain->readable_count ? &readable : &writable) += chain->iov[i].length;
	}
	fuzz_check(readable == chain->readable_bytes && writable == chain->writable_bytes);
}

static void pop(struct target *target, struct fuzz_input *input)
{
	struct os_iov iov[IOV_MAX];
	struct virtqueue_chain chain = {.iov = iov};
	unsigned iov_max = fuzz_take(input, 1) % (IOV_MAX + 1);
	int got = virtqueue_pop(&target->queue, &chain, iov_max);

	target->can_unpop = got == 1;
	fuzz_check(got == 0 || !target->quiet);
	if (got == 1) {
		target->popped++;
		check_chain(target, &chain, iov_max);
		for (unsigned i = 0; i < chain.writable_count; i++)
			memset(iov[chain.readable_count + i].base, (int)i,
			       iov[chain.readable_count + i].length);
	} else if (got < 0) {
		fuzz_check(got == -EINVAL);
		target->quiet = true;
	}
}

static void put_descriptor(struct target *target, struct fuzz_input *input)
{
	uint8_t *ram = target->memory.host;
	struct virtq_desc descriptor = {
		.address = fuzz_take(input, 2),
		.length = (uint32_t)fuzz_take(input, 2),
		.flags = (uint16_t)(fuzz_take(input, 1) & 7),
		.next = (uint16_t)fuzz_take(input, 1),
	};

	memcpy(ram + 0x1000 + (fuzz_take(input, 1) * 16), &descriptor, sizeof(descriptor));
}

static void offer(struct target *target, struct fuzz_input *input)
{
	struct virtq_avail *available =
		(struct virtq_avail *)(void *)((uint8_t *)target->memory.host + 0x2000);

	available->ring[available->index % 128] = (uint16_t)fuzz_take(input, 1);
	available->index++;
}

static void step(struct target *target, struct fuzz_input *input)
{
	struct virtqueue *queue = &target->queue;
	uint8_t *ram = target->memory.host;
	uint64_t value;

	switch (fuzz_take(input, 1) % OPERATIONS) {
	case WRITE8:
		value = fuzz_take(input, 2) % RAM_SIZE;
		ram[value] = (uint8_t)fuzz_take(input, 1);
		break;
	case WRITE16:
		value = fuzz_take(input, 2) % (RAM_SIZE - 1);
		memcpy(ram + value, &(uint16_t){(uint16_t)fuzz_take(input, 2)}, 2);
		break;
	case WRITE64:
		value = fuzz_take(input, 2) % (RAM_SIZE - 7);
		memcpy(ram + value, &(uint64_t){fuzz_take(input, 8)}, 8);
		break;
	case DESCRIPTOR:
		put_descriptor(target, input);
		break;
	case OFFER:
		offer(target, input);
		break;
	case POP:
		pop(target, input);
		break;
	case UNPOP:
		if (target->can_unpop)
			virtqueue_unpop(queue);
		target->can_unpop = false;
		break;
	case PUSH:
		virtqueue_push(queue, (uint16_t)fuzz_take(input, 2), (uint32_t)fuzz_take(input, 4));
		break;
	case BATCH:
		value = fuzz_take(input, 1);
		for (unsigned i = 0; i < value; i++)
			virtqueue_fill(queue, (uint16_t)i, (uint16_t)i, i);
		virtqueue_publish(queue, (uint16_t)value);
		break;
	case ASK:
		virtqueue_should_interrupt(queue);
		break;
	case DOORBELL:
		if (fuzz_take(input, 1) & 1)
			virtqueue_enable_doorbell(queue);
		else
			virtqueue_disable_doorbell(queue);
		break;
	case SUSPEND:
		virtqueue_suspend(queue, fuzz_take(input, 1) & 1);
		break;
	default:
		start(target, input);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.at = data, .left = size};
	/* Of the heap, so that one byte outside is seen. */
	uint8_t *ram = aligned_alloc(4096, RAM_SIZE);
	struct target target = {
		.memory = {.ranges[0] = {.start = 0, .size = RAM_SIZE, .host = ram},
			   .range_count = 1,
			   .size = RAM_SIZE,
			   .host = ram},
	};

	fuzz_check(ram != NULL);
	memset(ram, 0, RAM_SIZE);
	start(&target, &input);
	while (input.left)
		step(&target, &input);
	free(ram);
	return 0;
}
