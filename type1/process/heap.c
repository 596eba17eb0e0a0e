/* SPDX-License-Identifier: MIT */
/*
 * heap.c - os_alloc(): blocks of powers of two, those of a size that are free in a list; what is
 * larger than HEAP_BLOCK_MAX is a mapping of its own.
 *
 * Blocks are cut from mappings of HEAP_CHUNK bytes, which stay for as long as the process lives:
 * the monitor allocates when a machine is built, and next to nothing while it runs.
 */
#include <stdbool.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

#define PAGE_SIZE (4 * KIB)
#define HEAP_CHUNK (64 * KIB)
#define HEAP_BLOCK_MIN_SHIFT 5 /* 32 bytes, the head included */
#define HEAP_CLASSES 10
#define HEAP_BLOCK_MAX (UINT64_C(1) << (HEAP_BLOCK_MIN_SHIFT + HEAP_CLASSES - 1)) /* 16 KiB */

/* Before each block; what follows is aligned to 16 bytes. */
struct heap_head {
	uint64_t size; /* of the block or mapping, with the head */
	struct heap_head *next_free;
};
_Static_assert(sizeof(struct heap_head) == 16, "blocks are aligned as os_alloc() promises");

static struct {
	struct os_mutex lock; /* all zeros: free */
	struct heap_head *free[HEAP_CLASSES];
	uint8_t *chunk; /* what is left of the newest one */
	uint64_t left;
} heap;

static unsigned heap_class_of(uint64_t size)
{
	unsigned class = 0;

	while (size > UINT64_C(1) << (HEAP_BLOCK_MIN_SHIFT + class))
		class ++;
	return class;
}

static void *heap_map(uint64_t size)
{
	int64_t mapped = call2(TYPE1_MEMORY_MAP, size, TYPE1_MEMORY_WRITE);

	return mapped < 0 ? NULL : (void *)(uintptr_t)mapped;
}

/* With the lock held: a block that was never used, zeroed; NULL. */
static struct heap_head *heap_cut(uint64_t size)
{
	struct heap_head *block;

	if (heap.left < size) {
		uint8_t *chunk = heap_map(HEAP_CHUNK);

		/* What was left of the one before is less than a block of this size, and lost. */
		if (!chunk)
			return NULL;
		heap.chunk = chunk;
		heap.left = HEAP_CHUNK;
	}
	block = (struct heap_head *)heap.chunk;
	heap.chunk += size;
	heap.left -= size;
	return block;
}

static struct heap_head *heap_take(unsigned class)
{
	uint64_t size = UINT64_C(1) << (HEAP_BLOCK_MIN_SHIFT + class);
	struct heap_head *block;

	os_mutex_lock(&heap.lock);
	block = heap.free[class];
	if (block)
		heap.free[class] = block->next_free;
	else
		block = heap_cut(size);
	os_mutex_unlock(&heap.lock);
	if (block)
		block->size = size;
	return block;
}

void *os_alloc(size_t size)
{
	uint64_t whole = size + sizeof(struct heap_head);
	struct heap_head *block;

	if (whole < size || align_up(whole, PAGE_SIZE) < whole)
		return NULL;
	if (whole <= HEAP_BLOCK_MAX) {
		block = heap_take(heap_class_of(whole));
		if (block)
			memset(block + 1, 0, size);
	} else {
		whole = align_up(whole, PAGE_SIZE);
		block = heap_map(whole);
		if (block)
			block->size = whole;
	}
	return block ? block + 1 : NULL;
}

void os_free(void *memory)
{
	struct heap_head *block = (struct heap_head *)memory - 1;
	unsigned class;

	if (!memory)
		return;
	if (block->size > HEAP_BLOCK_MAX) {
		call2(TYPE1_MEMORY_UNMAP, call_address(block), block->size);
		return;
	}
	class = heap_class_of(block->size);
	os_mutex_lock(&heap.lock);
	block->next_free = heap.free[class];
	heap.free[class] = block;
	os_mutex_unlock(&heap.lock);
}
