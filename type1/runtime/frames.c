/* SPDX-License-Identifier: MIT */
/*
 * frames.c - physical memory by the buddy system: free blocks of 4096 << order bytes, aligned to
 * their size, in a list for each order; a block that comes back joins the other half of the block
 * that it was part of, if that is free too.
 *
 * A byte for each page of the machine tells whether a free block begins there, and of which order.
 * The lists' links stand in the free blocks themselves.
 */
#include "type1/runtime/frames.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/memory.h"

#define NOT_FREE 0 /* else: the order, + 1 */

struct block {
	struct block *next, *previous;
};

/* [lock] all of it */
static struct {
	struct spin lock;
	struct block *lists[FRAME_ORDERS];
	uint8_t *state; /* of each page */
	uint64_t pages; /* that have a state: the others are nobody's memory */
	uint64_t total, free;
} frames = {.lock = SPIN_INIT};

static uint64_t block_size(unsigned order)
{
	return (uint64_t)PAGE_SIZE << order;
}

static void insert(uint64_t page, unsigned order)
{
	struct block *block = physical_at(page * PAGE_SIZE);

	block->previous = NULL;
	block->next = frames.lists[order];
	if (block->next)
		block->next->previous = block;
	frames.lists[order] = block;
	frames.state[page] = (uint8_t)(order + 1);
}

static void take_out(uint64_t page, unsigned order)
{
	struct block *block = physical_at(page * PAGE_SIZE);

	if (block->previous)
		block->previous->next = block->next;
	else
		frames.lists[order] = block->next;
	if (block->next)
		block->next->previous = block->previous;
	frames.state[page] = NOT_FREE;
}

/* With the lock. */
static void give_back(uint64_t page, unsigned order)
{
	frames.free += block_size(order);
	while (order + 1 < FRAME_ORDERS) {
		uint64_t buddy = page ^ BIT(order);

		if (buddy >= frames.pages || frames.state[buddy] != order + 1)
			break;
		take_out(buddy, order);
		page &= ~BIT(order);
		order++;
	}
	insert(page, order);
}

uint64_t frames_alloc(unsigned order, struct account *account)
{
	uint64_t physical = 0, size;
	unsigned from = order;

	if (order >= FRAME_ORDERS)
		return 0;
	size = block_size(order);
	if (!account_charge(account, size))
		return 0;
	spin_lock(&frames.lock);
	while (from < FRAME_ORDERS && !frames.lists[from])
		from++;
	if (from < FRAME_ORDERS) {
		physical = physical_of(frames.lists[from]);
		take_out(physical / PAGE_SIZE, from);
		while (from > order) {
			from--;
			insert(physical / PAGE_SIZE + BIT(from), from);
		}
		frames.free -= size;
	}
	spin_unlock(&frames.lock);
	if (!physical) {
		account_credit(account, size);
		return 0;
	}
	memset(physical_at(physical), 0, size);
	return physical;
}

void frames_free(uint64_t physical, unsigned order, struct account *account)
{
	spin_lock(&frames.lock);
	give_back(physical / PAGE_SIZE, order);
	spin_unlock(&frames.lock);
	account_credit(account, block_size(order));
}

void frames_statistics(uint64_t *total, uint64_t *free)
{
	spin_lock(&frames.lock);
	*total = frames.total;
	*free = frames.free;
	spin_unlock(&frames.lock);
}

void frames_init(void *state, uint64_t pages)
{
	memset(state, NOT_FREE, pages);
	frames.state = state;
	frames.pages = pages;
}

void frames_add(uint64_t start, uint64_t end)
{
	uint64_t page = align_up(start, PAGE_SIZE) / PAGE_SIZE, last = end / PAGE_SIZE;

	spin_lock(&frames.lock);
	while (page < last) {
		unsigned order = 0;

		while (order + 1 < FRAME_ORDERS && is_aligned(page, BIT(order + 1)) &&
		       page + BIT(order + 1) <= last)
			order++;
		give_back(page, order);
		frames.total += block_size(order);
		page += BIT(order);
	}
	spin_unlock(&frames.lock);
}
