/* SPDX-License-Identifier: MIT */
/*
 * balloon.c - the traditional memory balloon (virtio 1.2 section 5.5): pages that the driver puts
 * into the inflate queue, and free pages that it reports, go back to the host with
 * os_ram_discard().
 *
 * A page that the driver takes back needs no work: it is there, zeroed, when it is touched.  A page
 * outside RAM breaks the rules and fails the device.  To give up a page that another device is just
 * using is the guest's own loss; it stays within its memory.
 *
 * One notification discards at most BALLOON_TURN_MAX pages' worth of calls; a chain that lists more
 * is kept and gone on with at the next.
 */
#include <linux/errno.h>

#include "hw/virtio.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/virtio/chain.h"
#include "monitor/virtio/devices.h"

#define BALLOON_CLASS 0xff0000 /* PCI: fits no defined class */
#define BALLOON_QUEUE_SIZE 128
#define BALLOON_PAGE_SIZE (UINT64_C(1) << VIRTIO_BALLOON_PAGE_SHIFT)
#define BALLOON_TURN_MAX 1024
#define BALLOON_NUMBERS_MAX 256 /* page numbers read at once */

/*
 * Reporting is queue 4 by section 5.5.2, and queue 2 to drivers that number only the queues that
 * they use; as nothing else is offered there, every queue from 2 on is taken for it.
 */
#define BALLOON_QUEUES 5
#define BALLOON_QUEUE_FIRST_REPORTING 2

struct virtio_balloon {
	struct virtio_device virtio;
	uint32_t target, actual; /* lock; pages of 4096 bytes */
	/* Lock: the inflate chain under way, and how many of its bytes are done. */
	bool inflating;
	struct virtqueue_chain inflate;
	uint64_t inflate_done;
	struct os_iov inflate_iov[BALLOON_QUEUE_SIZE];
	struct os_iov iov[BALLOON_QUEUE_SIZE];
};

/* Pages next to one another, gathered to be discarded by one call. */
struct balloon_run {
	uint8_t *start;
	uint64_t size;
};

static struct virtio_balloon *to_balloon(struct virtio_device *virtio)
{
	return CONTAINER_OF(virtio, struct virtio_balloon, virtio);
}

static void run_discard(struct balloon_run *run)
{
	if (run->size > 0)
		os_ram_discard(run->start, run->size);
	run->size = 0;
}

/* Drivers list their pages upwards or downwards. */
static void run_add(struct balloon_run *run, uint8_t *page)
{
	if (run->size > 0 && page == run->start + run->size) {
		run->size += BALLOON_PAGE_SIZE;
		return;
	}
	if (run->size > 0 && page + BALLOON_PAGE_SIZE == run->start) {
		run->start = page;
		run->size += BALLOON_PAGE_SIZE;
		return;
	}
	run_discard(run);
	run->start = page;
	run->size = BALLOON_PAGE_SIZE;
}

/* Discards the pages of the next numbers of the chain.  How many there were, or -EINVAL. */
static int balloon_inflate_some(struct virtio_balloon *balloon)
{
	uint32_t numbers[BALLOON_NUMBERS_MAX];
	struct balloon_run run = {0};
	size_t count = iov_read(balloon->inflate_iov, balloon->inflate.readable_count,
				balloon->inflate_done, numbers, sizeof(numbers)) /
		       sizeof(numbers[0]);
	int result = (int)count;

	balloon->inflate_done += count * sizeof(numbers[0]);
	for (size_t i = 0; i < count; i++) {
		gpa_t gpa = (gpa_t)numbers[i] << VIRTIO_BALLOON_PAGE_SHIFT;
		uint8_t *page = guest_memory_range(balloon->virtio.memory, gpa, BALLOON_PAGE_SIZE);

		if (!page) {
			result = -EINVAL;
			break;
		}
		run_add(&run, page);
	}
	run_discard(&run);
	return result;
}

static void balloon_inflate(struct virtio_balloon *balloon, unsigned index)
{
	struct virtio_device *virtio = &balloon->virtio;
	unsigned turn = 0;

	while (turn < BALLOON_TURN_MAX) {
		if (!balloon->inflating) {
			balloon->inflate.iov = balloon->inflate_iov;
			if (!virtio_take_chain(virtio, index, &balloon->inflate,
					       ARRAY_COUNT(balloon->inflate_iov)))
				return;
			balloon->inflating = true;
			balloon->inflate_done = 0;
			turn++;
		}

		int count = balloon_inflate_some(balloon);

		if (count < 0) {
			virtio_fail(virtio, "a page that is put into the balloon is not in RAM");
			return;
		}
		turn += (unsigned)count;
		if (count == 0) {
			balloon->inflating = false;
			virtqueue_push(&virtio->queues[index], balloon->inflate.head, 0);
		}
	}
	virtio_notify_again(virtio, index);
}

static void balloon_deflate(struct virtio_balloon *balloon, unsigned index)
{
	struct virtio_device *virtio = &balloon->virtio;
	struct virtqueue_chain chain = {.iov = balloon->iov};

	for (unsigned turn = 0; turn < BALLOON_TURN_MAX; turn++) {
		if (!virtio_take_chain(virtio, index, &chain, ARRAY_COUNT(balloon->iov)))
			return;
		virtqueue_push(&virtio->queues[index], chain.head, 0);
	}
	virtio_notify_again(virtio, index);
}

/* What of a reported segment is whole pages is given back. */
static void report_discard(const struct os_iov *iov)
{
	uint64_t start = align_up((uintptr_t)iov->base, BALLOON_PAGE_SIZE);
	uint64_t end = align_down((uintptr_t)iov->base + iov->length, BALLOON_PAGE_SIZE);

	if (start < end)
		os_ram_discard((uint8_t *)iov->base + (start - (uintptr_t)iov->base), end - start);
}

static void balloon_report(struct virtio_balloon *balloon, unsigned index)
{
	struct virtio_device *virtio = &balloon->virtio;
	struct virtqueue_chain chain = {.iov = balloon->iov};
	unsigned turn = 0;

	while (turn < BALLOON_TURN_MAX) {
		if (!virtio_take_chain(virtio, index, &chain, ARRAY_COUNT(balloon->iov)))
			return;
		if (chain.readable_count > 0) {
			virtio_fail(virtio, "a free page report holds what is to be read");
			return;
		}
		for (unsigned i = 0; i < chain.writable_count; i++)
			report_discard(&chain.iov[i]);
		turn += 1 + chain.writable_count;
		virtqueue_push(&virtio->queues[index], chain.head, 0);
	}
	virtio_notify_again(virtio, index);
}

static void balloon_notify(struct virtio_device *virtio, unsigned index)
{
	struct virtio_balloon *balloon = to_balloon(virtio);

	if (!virtio_queue_usable(virtio, index))
		return;
	virtqueue_disable_doorbell(&virtio->queues[index]);
	if (index == VIRTIO_BALLOON_QUEUE_INFLATE)
		balloon_inflate(balloon, index);
	else if (index == VIRTIO_BALLOON_QUEUE_DEFLATE)
		balloon_deflate(balloon, index);
	else if (virtio_has_feature(virtio, VIRTIO_BALLOON_F_PAGE_REPORTING))
		balloon_report(balloon, index);
	virtio_queue_interrupt(virtio, index);
}

static void balloon_activate(struct virtio_device *virtio)
{
	for (unsigned i = 0; i < virtio->queue_count; i++)
		balloon_notify(virtio, i);
}

static void balloon_reset(struct virtio_device *virtio)
{
	struct virtio_balloon *balloon = to_balloon(virtio);

	os_mutex_lock(&virtio->lock);
	balloon->inflating = false;
	balloon->actual = 0; /* a new driver starts with an empty balloon */
	os_mutex_unlock(&virtio->lock);
}

static void balloon_config_read(struct virtio_device *virtio, uint32_t offset, void *buffer,
				uint32_t size)
{
	struct virtio_balloon *balloon = to_balloon(virtio);
	struct virtio_balloon_config config = {
		.num_pages = balloon->target,
		.actual = balloon->actual,
	};

	memcpy(buffer, (const uint8_t *)&config + offset, size);
}

/* Of all fields only actual is the driver's to write. */
static void balloon_config_write(struct virtio_device *virtio, uint32_t offset, const void *buffer,
				 uint32_t size)
{
	const uint32_t first = offsetof(struct virtio_balloon_config, actual);
	struct virtio_balloon *balloon = to_balloon(virtio);

	for (uint32_t i = 0; i < size; i++) {
		uint32_t at = offset + i;

		if (at >= first && at < first + sizeof(balloon->actual))
			memcpy((uint8_t *)&balloon->actual + (at - first),
			       (const uint8_t *)buffer + i, 1);
	}
}

static const struct virtio_device_ops balloon_ops = {
	.name = "virtio-balloon",
	.id = VIRTIO_ID_BALLOON,
	.class_code = BALLOON_CLASS,
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
	.activate = balloon_activate,
	.notify = balloon_notify,
	.reset = balloon_reset,
};

int virtio_balloon_create(const struct guest_memory *memory, struct virtio_device **out)
{
	struct virtio_balloon *balloon = os_alloc(sizeof(*balloon));

	if (!balloon)
		return -ENOMEM;
	os_mutex_init(&balloon->virtio.lock);
	balloon->virtio.ops = &balloon_ops;
	balloon->virtio.memory = memory;
	balloon->virtio.offered =
		BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | BIT(VIRTIO_BALLOON_F_PAGE_REPORTING);
	balloon->virtio.config_size = sizeof(struct virtio_balloon_config);
	balloon->virtio.queue_count = BALLOON_QUEUES;
	for (unsigned i = 0; i < BALLOON_QUEUES; i++)
		balloon->virtio.queue_max[i] = BALLOON_QUEUE_SIZE;
	*out = &balloon->virtio;
	return 0;
}

void virtio_balloon_set_target(struct virtio_device *virtio, uint32_t pages)
{
	struct virtio_balloon *balloon = to_balloon(virtio);

	os_mutex_lock(&virtio->lock);
	balloon->target = pages;
	if (virtio->active)
		virtio_config_changed(virtio);
	os_mutex_unlock(&virtio->lock);
}

uint32_t virtio_balloon_get_actual(struct virtio_device *virtio)
{
	struct virtio_balloon *balloon = to_balloon(virtio);
	uint32_t actual;

	os_mutex_lock(&virtio->lock);
	actual = balloon->actual;
	os_mutex_unlock(&virtio->lock);
	return actual;
}

void virtio_balloon_destroy(struct virtio_device *virtio)
{
	if (virtio)
		os_free(to_balloon(virtio));
}
