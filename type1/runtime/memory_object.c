/* SPDX-License-Identifier: MIT */
/*
 * memory_object.c - memory that handles name and several processes can map: blocks of frames of its
 * own, or memory that somebody else has.
 */
#include "type1/runtime/memory_object.h"

#include <linux/errno.h>

#include "lib/bits.h"

struct block {
	uint64_t physical, size;
	struct block *next;
};

struct memory_object {
	struct object object;    /* first */
	uint64_t size;           /* [const] bytes, maybe less than whole pages */
	unsigned flags;          /* [const] TYPE1_MEMORY_*: the most that a mapping has */
	struct block *blocks;    /* [const] in the order of their memory */
	struct object *owner;    /* [const] whose memory it is, or NULL */
	struct account *account; /* [const] of frames that are its own; else NULL */
};

static struct memory_object *of_object(const struct object *object)
{
	return CONTAINER_OF((uintptr_t)object, struct memory_object, object);
}

static void memory_object_end(struct object *object)
{
	struct memory_object *memory = of_object(object);
	struct block *block;

	while ((block = memory->blocks)) {
		memory->blocks = block->next;
		if (memory->account)
			frames_free(block->physical,
				    (unsigned)__builtin_ctzll(block->size / PAGE_SIZE),
				    memory->account);
		heap_free(block);
	}
	object_put(memory->owner);
	heap_free(memory);
}

static struct memory_object *create(uint64_t size, unsigned flags, struct account *account)
{
	struct memory_object *memory = heap_alloc(sizeof(*memory), account);

	if (!memory)
		return NULL;
	object_init(&memory->object, OBJECT_MEMORY, memory_object_end);
	memory->size = size;
	memory->flags = flags;
	return memory;
}

static struct block *add_block(struct block ***last, uint64_t physical, uint64_t size,
			       struct account *account)
{
	struct block *block = heap_alloc(sizeof(*block), account);

	if (!block)
		return NULL;
	block->physical = physical;
	block->size = size;
	**last = block;
	*last = &block->next;
	return block;
}

int memory_object_create(uint64_t size, struct account *account, struct object **object)
{
	struct memory_object *memory;
	struct block **last;
	uint64_t physical = 0;
	unsigned order = FRAME_ORDERS - 1;

	if (!size || !is_aligned(size, PAGE_SIZE))
		return -EINVAL;
	if (size > account->limit - MIN(account->used, account->limit))
		return -ENOMEM;
	memory = create(size, TYPE1_MEMORY_WRITE, account);
	if (!memory)
		return -ENOMEM;
	memory->account = account;
	last = &memory->blocks;
	/* The largest blocks that it fills and that there are. */
	for (uint64_t left = size, part; left; left -= part) {
		for (;; order--) {
			part = (uint64_t)PAGE_SIZE << order;
			physical = part <= left ? frames_alloc(order, account) : 0;
			if (physical || !order)
				break;
		}
		if (!physical)
			goto failed;
		if (!add_block(&last, physical, part, account)) {
			frames_free(physical, order, account);
			goto failed;
		}
	}
	*object = &memory->object;
	return 0;
failed:
	object_put(&memory->object);
	return -ENOMEM;
}

int memory_object_of_frames(uint64_t physical, uint64_t size, unsigned flags, struct object *owner,
			    struct account *account, struct object **object)
{
	struct memory_object *memory = create(size, flags, account);
	struct block **last;

	if (!memory)
		return -ENOMEM;
	last = &memory->blocks;
	if (!add_block(&last, physical, align_up(size, PAGE_SIZE), account)) {
		object_put(&memory->object);
		return -ENOMEM;
	}
	memory->owner = owner;
	*object = &memory->object;
	return 0;
}

int memory_object_of_registers(uint64_t physical, uint64_t size, uint64_t hole, uint64_t hole_size,
			       struct account *account, struct object **object)
{
	uint64_t behind = hole + hole_size;
	const struct block parts[] = {
		{.physical = physical, .size = hole},
		{.size = hole_size},
		{.physical = physical + behind, .size = size - behind},
	};
	struct memory_object *memory =
		create(size, TYPE1_MEMORY_WRITE | MEMORY_OBJECT_UNCACHED, account);
	struct block **last;

	if (!memory)
		return -ENOMEM;
	last = &memory->blocks;
	for (unsigned i = 0; i < ARRAY_COUNT(parts); i++) {
		if (parts[i].size && !add_block(&last, parts[i].physical, parts[i].size, account)) {
			object_put(&memory->object);
			return -ENOMEM;
		}
	}
	*object = &memory->object;
	return 0;
}

int memory_object_of_module(const struct boot_module *module, struct account *account,
			    struct object **object)
{
	return memory_object_of_frames(module->physical, module->size, 0, NULL, account, object);
}

uint64_t memory_object_size(const struct object *object)
{
	return of_object(object)->size;
}

unsigned memory_object_caching(const struct object *object)
{
	return of_object(object)->flags & MEMORY_OBJECT_UNCACHED;
}

bool memory_object_allows(const struct object *object, uint64_t offset, uint64_t size,
			  unsigned flags)
{
	const struct memory_object *memory = of_object(object);
	uint64_t all = align_up(memory->size, PAGE_SIZE);

	return is_aligned(offset | size, PAGE_SIZE) && offset <= all && size <= all - offset &&
	       !(flags & ~(memory->flags | TYPE1_MEMORY_LARGE));
}

uint64_t memory_object_at(const struct object *object, uint64_t offset, uint64_t *size)
{
	const struct block *block = of_object(object)->blocks;

	while (offset >= block->size) {
		offset -= block->size;
		block = block->next;
	}
	*size = block->size - offset;
	return block->physical ? block->physical + offset : 0;
}
