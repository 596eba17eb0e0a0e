/* SPDX-License-Identifier: MIT */
/*
 * dma.c - system calls: a client's memory for the devices of its service.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/channel.h"
#include "type1/runtime/syscall.h"

#define DMA_SIZE_MAX GIB /* of one call: it looks up each page */
#define PART 16u         /* extents that are copied at a time */

/* What DMA_BEGIN tells, a part at a time. */
struct extents {
	uint64_t user, room; /* where the next part goes, and how many are left */
	struct type1_extent part[PART];
	unsigned count;
	int64_t total;
};

static int flush(struct extents *extents)
{
	uint64_t size = extents->count * sizeof(extents->part[0]);
	int err = user_copy_out(extents->user, extents->part, size);

	extents->user += size;
	extents->count = 0;
	return err;
}

static int add_extent(struct extents *extents, uint64_t physical, uint64_t size)
{
	struct type1_extent *last = extents->count ? &extents->part[extents->count - 1] : NULL;
	int err;

	if (last && last->physical + last->size == physical) {
		last->size += size;
		return 0;
	}
	if (!extents->room--)
		return -ENOSPC;
	if (extents->count == PART) {
		err = flush(extents);
		if (err)
			return err;
	}
	extents->part[extents->count++] = (struct type1_extent){physical, size};
	extents->total++;
	return 0;
}

/* Of the range of a hold. */
static int64_t find_extents(const struct hold *hold, bool write, struct extents *extents)
{
	uint64_t address = hold->address, left = hold->size, offset, part;
	struct table_entry entry;
	int err;

	for (; left; address += part, left -= part) {
		err = space_find(hold->space, address, write, &entry);
		/* Devices may not write to each other's registers. */
		if (err || (entry.rights & TABLE_UNCACHED))
			return -EFAULT;
		offset = address & (entry.size - 1);
		part = MIN(left, entry.size - offset);
		err = add_extent(extents, entry.physical + offset, part);
		if (err)
			return err;
	}
	err = flush(extents);
	return err ? err : extents->total;
}

static struct hold **list_of(struct channel *channel, uint64_t address)
{
	return &channel->holds[address / PAGE_SIZE % CHANNEL_HOLD_LISTS];
}

/* With the channel's mutex: its client, and so the client's space, stays until that is given back.
 */
static int64_t begin(struct channel *channel, const struct call *call, struct hold *hold)
{
	struct channel_end *client = channel->ends[CHANNEL_CLIENT];
	struct extents extents = {.user = call->args[4], .room = call->args[5]};
	struct hold **list = list_of(channel, call->args[1]);
	int64_t result;

	if (!client)
		return -EPIPE;
	if (channel->hold_count == CHANNEL_HOLDS_MAX)
		return -EAGAIN;
	hold_begin(hold, &client->process->space, call->args[1], call->args[2]);
	result = find_extents(hold, call->args[3] == TYPE1_DMA_FROM_DEVICE, &extents);
	if (result < 0) {
		hold_end(hold);
		return result;
	}
	hold->next_of_channel = *list;
	*list = hold;
	channel->hold_count++;
	return result;
}

/* Whose end the call names, or NULL if that is no service's. */
static struct channel *channel_of(const struct call *call)
{
	struct channel_end *end = CONTAINER_OF(call->object, struct channel_end, object);

	return end->side == CHANNEL_SERVICE ? end->channel : NULL;
}

int64_t syscall_dma_begin(const struct call *call)
{
	struct channel *channel = channel_of(call);
	struct hold *hold;
	int64_t result;

	if (!channel)
		return -EBADF;
	if (call->args[3] > TYPE1_DMA_FROM_DEVICE || !call->args[2] || call->args[2] > DMA_SIZE_MAX)
		return -EINVAL;
	if (call->args[1] >= USER_END || call->args[2] > USER_END - call->args[1])
		return -EFAULT;
	hold = heap_alloc(sizeof(*hold), &call->process->account);
	if (!hold)
		return -ENOMEM;
	mutex_lock(&channel->mutex);
	result = begin(channel, call, hold);
	mutex_unlock(&channel->mutex);
	if (result < 0)
		heap_free(hold);
	return result;
}

/* With the channel's mutex. */
static void end(struct channel *channel, struct hold **at)
{
	struct hold *hold = *at;

	*at = hold->next_of_channel;
	channel->hold_count--;
	hold_end(hold);
	heap_free(hold);
}

int64_t syscall_dma_end(const struct call *call)
{
	struct channel *channel = channel_of(call);
	struct hold **at;
	int err = 0;

	if (!channel)
		return -EBADF;
	mutex_lock(&channel->mutex);
	at = list_of(channel, call->args[1]);
	while (*at && ((*at)->address != call->args[1] || (*at)->size != call->args[2]))
		at = &(*at)->next_of_channel;
	if (*at)
		end(channel, at);
	else
		err = -ENOENT;
	mutex_unlock(&channel->mutex);
	return err;
}

void dma_end_all(struct channel *channel)
{
	mutex_lock(&channel->mutex);
	for (unsigned i = 0; i < CHANNEL_HOLD_LISTS; i++) {
		while (channel->holds[i])
			end(channel, &channel->holds[i]);
	}
	mutex_unlock(&channel->mutex);
}
