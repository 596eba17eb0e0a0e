/* SPDX-License-Identifier: MIT */
/*
 * The split virtqueue, device side.  This is the hottest code of the monitor: one look at the
 * driver's index serves as many chains as it announced, and a chain costs one load of its head, two
 * of each descriptor and one translation per segment.
 *
 * Loads and stores of ring fields go through the __atomic builtins (or volatile, for descriptors):
 * each happens exactly once, whatever the guest does to the memory meanwhile.
 */
#include "monitor/virtio/virtqueue.h"

#include <linux/errno.h>

#include "hw/virtio.h"
#include "lib/bits.h"
#include "os.h"

/* A word of a table that an indirect descriptor put at any address. */
typedef uint64_t unaligned_word __attribute__((aligned(1)));

static struct virtq_avail *available_ring(const struct virtqueue *queue)
{
	return (struct virtq_avail *)(void *)queue->available;
}

static struct virtq_used *used_ring(const struct virtqueue *queue)
{
	return (struct virtq_used *)(void *)queue->used;
}

/* Where the driver says from which used index on it wants an interrupt (2.7.7). */
static uint16_t *used_event(const struct virtqueue *queue)
{
	return &available_ring(queue)->ring[queue->size];
}

/* Where the device says from which available index on it wants a doorbell (2.7.10). */
static uint16_t *available_event(const struct virtqueue *queue)
{
	return (uint16_t *)(void *)&used_ring(queue)->ring[queue->size];
}

int virtqueue_start(struct virtqueue *queue, uint16_t max_size, bool event_index, bool indirect)
{
	const struct guest_memory *memory = queue->memory;

	if (!is_power_of_two(queue->size) || queue->size > max_size)
		return -EINVAL;
	if (!is_aligned(queue->descriptors_gpa, VIRTQ_DESCRIPTOR_ALIGNMENT) ||
	    !is_aligned(queue->available_gpa, VIRTQ_AVAILABLE_ALIGNMENT) ||
	    !is_aligned(queue->used_gpa, VIRTQ_USED_ALIGNMENT))
		return -EINVAL;
	queue->descriptors = guest_memory_range(memory, queue->descriptors_gpa,
						virtq_descriptors_size(queue->size));
	queue->available =
		guest_memory_range(memory, queue->available_gpa, virtq_available_size(queue->size));
	queue->used = guest_memory_range(memory, queue->used_gpa, virtq_used_size(queue->size));
	if (!queue->descriptors || !queue->available || !queue->used)
		return -EINVAL;
	queue->event_index = event_index;
	queue->indirect = indirect;
	queue->broken = false;
	queue->next_available = 0;
	queue->known_available = 0;
	queue->next_used = 0;
	queue->signalled_used = 0;
	queue->signalled_valid = true; /* nothing is used yet: no interrupt before the first push */
	queue->live = true;
	return 0;
}

void virtqueue_reset(struct virtqueue *queue)
{
	*queue = (struct virtqueue){.memory = queue->memory, .suspended = queue->suspended};
}

void virtqueue_break(struct virtqueue *queue)
{
	queue->broken = true;
	queue->known_available = queue->next_available;
}

void virtqueue_suspend(struct virtqueue *queue, bool suspended)
{
	queue->suspended = suspended;
	if (suspended)
		queue->known_available = queue->next_available;
}

/* Looks at the driver's index; 1 when there are chains, 0 when there are none, -EINVAL. */
static int available_reload(struct virtqueue *queue)
{
	uint16_t index;

	if (!queue->live || queue->broken || queue->suspended)
		return 0;
	/* Acquire: the ring's entries and their descriptors are read after the index that covers
	 * them. */
	index = __atomic_load_n(&available_ring(queue)->index, __ATOMIC_ACQUIRE);
	if (index == queue->next_available)
		return 0;
	if ((uint16_t)(index - queue->next_available) > queue->size) {
		virtqueue_break(queue);
		return -EINVAL;
	}
	queue->known_available = index;
	return 1;
}

static inline struct virtq_desc descriptor_read(const uint8_t *table, unsigned index)
{
	const volatile unaligned_word *words =
		(const volatile unaligned_word *)(table + index * sizeof(struct virtq_desc));
	uint64_t address = words[0], rest = words[1];

	return (struct virtq_desc){
		.address = address,
		.length = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/*
 * Walks the chain at head.  Every step but the one into an indirect table fills an entry of iov, so
 * iov_max bounds the walk, and a loop ends there.
 */
static bool chain_read(struct virtqueue *queue, uint16_t head, struct virtqueue_chain *chain,
		       unsigned iov_max)
{
	const uint8_t *table = queue->descriptors;
	uint32_t table_size = queue->size;
	struct os_iov *iov = chain->iov, *iov_end = iov + iov_max;
	struct os_iov *writable = NULL; /* the first writable segment */
	uint64_t readable_bytes = 0, writable_bytes = 0;
	uint32_t index = head;

	for (;;) {
		struct virtq_desc descriptor;

		if (index >= table_size)
			return false;
		descriptor = descriptor_read(table, index);
		if (descriptor.flags & VIRTQ_DESC_F_INDIRECT) {
			/* 2.7.5.3: last of its chain, not nested; its WRITE flag means nothing. */
			if (!queue->indirect || table != queue->descriptors ||
			    descriptor.flags & VIRTQ_DESC_F_NEXT ||
			    descriptor.length % sizeof(struct virtq_desc))
				return false;
			table = guest_memory_range(queue->memory, descriptor.address,
						   descriptor.length);
			/* Also keeps "not nested" true for a table at the queue's own address. */
			if (!table || table == queue->descriptors)
				return false;
			table_size = descriptor.length / sizeof(struct virtq_desc);
			index = 0;
			continue;
		}
		if (iov == iov_end || !descriptor.length)
			return false;
		if (descriptor.flags & VIRTQ_DESC_F_WRITE) {
			if (!writable)
				writable = iov;
			writable_bytes += descriptor.length;
		} else {
			if (writable)
				return false;
			readable_bytes += descriptor.length;
		}
		iov->base =
			guest_memory_range(queue->memory, descriptor.address, descriptor.length);
		if (!iov->base)
			return false;
		iov->length = descriptor.length;
		iov++;
		if (!(descriptor.flags & VIRTQ_DESC_F_NEXT))
			break;
		index = descriptor.next;
	}
	if (readable_bytes > UINT32_MAX || writable_bytes > UINT32_MAX)
		return false;
	if (!writable)
		writable = iov;
	chain->head = head;
	chain->readable_count = (uint16_t)(writable - chain->iov);
	chain->writable_count = (uint16_t)(iov - writable);
	chain->readable_bytes = (uint32_t)readable_bytes;
	chain->writable_bytes = (uint32_t)writable_bytes;
	return true;
}

int virtqueue_pop(struct virtqueue *queue, struct virtqueue_chain *chain, unsigned iov_max)
{
	uint16_t head;

	if (queue->next_available == queue->known_available) {
		int waiting = available_reload(queue);

		if (waiting <= 0)
			return waiting;
	}
	head = __atomic_load_n(
		&available_ring(queue)->ring[queue->next_available & (queue->size - 1)],
		__ATOMIC_RELAXED);
	if (!chain_read(queue, head, chain, iov_max)) {
		virtqueue_break(queue);
		return -EINVAL;
	}
	queue->next_available++;
	return 1;
}

void virtqueue_unpop(struct virtqueue *queue)
{
	queue->next_available--;
	if (queue->broken || queue->suspended)
		queue->known_available = queue->next_available;
}

void virtqueue_fill(struct virtqueue *queue, uint16_t index, uint16_t head, uint32_t written)
{
	struct virtq_used_element *element;

	if (!queue->live)
		return;
	element = &used_ring(queue)->ring[(uint16_t)(queue->next_used + index) & (queue->size - 1)];
	__atomic_store_n(&element->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&element->length, written, __ATOMIC_RELAXED);
	os_memory_written(element, sizeof(*element));
}

void virtqueue_publish(struct virtqueue *queue, uint16_t count)
{
	if (!queue->live)
		return;
	queue->next_used += count;
	/*
	 * A driver that polls can have any number of chains served between two questions about
	 * interrupts; more than this and the 16-bit distance no longer says how many there were.
	 */
	if ((uint16_t)(queue->next_used - queue->signalled_used) > UINT16_MAX / 2)
		queue->signalled_valid = false;
	/* Release: what was written to the buffers and to the ring is seen before the index. */
	__atomic_store_n(&used_ring(queue)->index, queue->next_used, __ATOMIC_RELEASE);
	os_memory_written(&used_ring(queue)->index, sizeof(uint16_t));
}

void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	virtqueue_fill(queue, 0, head, written);
	virtqueue_publish(queue, 1);
}

bool virtqueue_should_interrupt(struct virtqueue *queue)
{
	uint16_t new = queue->next_used, old = queue->signalled_used;
	bool valid = queue->signalled_valid;

	if (!queue->live || (valid && new == old))
		return false;
	queue->signalled_used = new;
	queue->signalled_valid = true;
	/*
	 * The used index is stored before the driver's wish is loaded.  The driver stores its wish
	 * and then loads the index, so that one of the two sees the other: no chain is left
	 * unnoticed.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!queue->event_index)
		return !(__atomic_load_n(&available_ring(queue)->flags, __ATOMIC_RELAXED) &
			 VIRTQ_AVAIL_F_NO_INTERRUPT);
	/* 2.7.7.2: whether the index passed used_event on its way from old to new. */
	return !valid || (uint16_t)(new - __atomic_load_n(used_event(queue), __ATOMIC_RELAXED) -
				    1) < (uint16_t)(new - old);
}

/* Tells the driver whether to ring, in one of the two words that it looks at. */
static void wish_write(uint16_t *word, uint16_t wish)
{
	__atomic_store_n(word, wish, __ATOMIC_RELAXED);
	os_memory_written(word, sizeof(*word));
}

bool virtqueue_enable_doorbell(struct virtqueue *queue)
{
	if (!queue->live || queue->broken || queue->suspended)
		return false;
	if (queue->event_index)
		wish_write(available_event(queue), queue->next_available);
	else
		wish_write(&used_ring(queue)->flags, 0);
	/*
	 * Our wish is stored before the driver's index is loaded; the driver stores its index and
	 * then loads our wish.  Either it rings, or we see its chains here.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&available_ring(queue)->index, __ATOMIC_RELAXED) !=
	       queue->next_available;
}

void virtqueue_disable_doorbell(struct virtqueue *queue)
{
	/* With event indices a wish that is left behind the index is none: nothing to write. */
	if (queue->live && !queue->event_index)
		wish_write(&used_ring(queue)->flags, VIRTQ_USED_F_NO_NOTIFY);
}
