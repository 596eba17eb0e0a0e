/* SPDX-License-Identifier: MIT */
/*
 * host_blocks.c - blocks of pages that the core has, in a hash table by their addresses.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/host/private.h"
#include "type1/runtime/process.h"

/* One bucket for so many pages of memory: the most that a chain has if all of them are blocks. */
#define PAGES_OF_BUCKET 64

struct block {
	uint64_t physical;       /* [const] */
	struct account *account; /* [const] outlives the block */
	unsigned order;          /* [const] */
	uint32_t references;     /* [lock] */
	struct block *next;      /* [lock] in its bucket */
};

static struct {
	struct spin lock;
	struct block **bucket; /* [lock] */
	uint64_t count;        /* [const] of buckets, a power of two */
} blocks;

int host_blocks_init(void)
{
	uint64_t total, unused, physical;
	unsigned order = 0;

	frames_statistics(&total, &unused);
	while ((PAGE_SIZE << order) / sizeof(struct block *) < total / PAGE_SIZE / PAGES_OF_BUCKET)
		order++;
	physical = frames_alloc(order, &runtime_account);
	if (!physical)
		return -ENOMEM;
	blocks.count = (PAGE_SIZE << order) / sizeof(struct block *);
	blocks.bucket = physical_at(physical);
	return 0;
}

/* With the lock: where the block's address stands, or that where the chain ends. */
static struct block **find(uint64_t physical)
{
	struct block **at = &blocks.bucket[physical / PAGE_SIZE % blocks.count];

	while (*at && (*at)->physical != physical)
		at = &(*at)->next;
	return at;
}

void *host_block_alloc(unsigned order)
{
	struct account *account = host_account();
	struct block *block = heap_alloc(sizeof(*block), account);

	if (!block)
		return NULL;
	block->physical = frames_alloc(order, account);
	if (!block->physical) {
		heap_free(block);
		return NULL;
	}
	block->account = account;
	block->order = order;
	block->references = 1;
	spin_lock(&blocks.lock);
	*find(block->physical) = block;
	spin_unlock(&blocks.lock);
	return physical_at(block->physical);
}

void host_block_get(const void *at)
{
	spin_lock(&blocks.lock);
	(*find(physical_of(at)))->references++;
	spin_unlock(&blocks.lock);
}

bool host_block_put(void *at)
{
	struct block **found, *block;
	bool last;

	spin_lock(&blocks.lock);
	found = find(physical_of(at));
	block = *found;
	last = block && --block->references == 0;
	if (last)
		*found = block->next;
	spin_unlock(&blocks.lock);
	if (last) {
		frames_free(block->physical, block->order, block->account);
		heap_free(block);
	}
	return block != NULL;
}
