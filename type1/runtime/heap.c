/* SPDX-License-Identifier: MIT */
/*
 * heap.c - small objects: cut from pages that hold objects of one size each.  Those larger than
 * the largest class are whole pages.
 *
 * 64 bytes in front of each object say whose it is; so objects are aligned to 64.  A page of small
 * ones begins with its own 64.  It goes back to frames.c when its last object does.
 */
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/memory.h"

#define UNIT 64u
#define LIVE UINT64_C(0x6576696c64617964) /* in front of objects that are not free */
#define WHOLE_PAGES UINT32_MAX            /* the class of large ones */

struct header {
	uint64_t live;
	struct header *next; /* of a free one */
	struct account *account;
	uint64_t size; /* with the header; what was charged */
	uint32_t class;
} __attribute__((aligned(UNIT)));
_Static_assert(sizeof(struct header) == UNIT, "header");

struct slab {
	struct slab *next, *previous; /* of the class, those with something free */
	struct header *free;
	uint32_t used;
} __attribute__((aligned(UNIT)));
_Static_assert(sizeof(struct slab) == UNIT, "slab");

/* Sizes in units with the header: the largest of which 31, 21, 15 ... go into a page. */
static const uint8_t class_units[] = {2, 3, 4, 5, 6, 7, 9, 10, 12, 15, 21, 31};
#define CLASSES ARRAY_COUNT(class_units)
#define UNITS_A_PAGE (PAGE_SIZE / UNIT - 1)

static struct spin heap_lock = SPIN_INIT;
static struct slab *heap_classes[CLASSES]; /* [heap_lock] and all in them */

static void slab_link(struct slab *slab, uint32_t class)
{
	slab->previous = NULL;
	slab->next = heap_classes[class];
	if (slab->next)
		slab->next->previous = slab;
	heap_classes[class] = slab;
}

static void slab_unlink(struct slab *slab, uint32_t class)
{
	if (slab->previous)
		slab->previous->next = slab->next;
	else
		heap_classes[class] = slab->next;
	if (slab->next)
		slab->next->previous = slab->previous;
}

static struct slab *slab_create(uint32_t class)
{
	uint64_t physical = frames_alloc(0, &runtime_account);
	unsigned units = class_units[class];
	struct header *header;
	struct slab *slab;

	if (!physical)
		return NULL;
	slab = physical_at(physical);
	header = (struct header *)(slab + 1);
	for (unsigned i = 0; i < UNITS_A_PAGE / units; i++, header += units) {
		header->next = slab->free;
		slab->free = header;
	}
	return slab;
}

static struct header *small_alloc(uint32_t class)
{
	struct header *header;
	struct slab *slab;

	spin_lock(&heap_lock);
	slab = heap_classes[class];
	if (!slab) {
		slab = slab_create(class);
		if (!slab) {
			spin_unlock(&heap_lock);
			return NULL;
		}
		slab_link(slab, class);
	}
	header = slab->free;
	slab->free = header->next;
	slab->used++;
	if (!slab->free)
		slab_unlink(slab, class);
	spin_unlock(&heap_lock);
	memset(header, 0, (size_t)class_units[class] * UNIT);
	return header;
}

static void small_free(struct header *header)
{
	struct slab *slab = (struct slab *)align_down((uintptr_t)header, PAGE_SIZE);
	uint32_t class = header->class;
	bool empty;

	spin_lock(&heap_lock);
	if (!slab->free)
		slab_link(slab, class);
	header->next = slab->free;
	slab->free = header;
	empty = --slab->used == 0;
	if (empty)
		slab_unlink(slab, class);
	spin_unlock(&heap_lock);
	if (empty)
		frames_free(physical_of(slab), 0, &runtime_account);
}

/* The blocks of falling order that make up pages from physical on. */
static void pages_free(uint64_t physical, uint64_t pages, struct account *account)
{
	for (unsigned order = FRAME_ORDERS; order-- > 0;) {
		if (pages & BIT(order)) {
			frames_free(physical, order, account);
			physical += (uint64_t)PAGE_SIZE << order;
		}
	}
}

static struct header *large_alloc(uint64_t size, struct account *account)
{
	uint64_t pages = size / PAGE_SIZE, physical, unused;
	unsigned order = 0;

	while (BIT(order) < pages)
		order++;
	physical = frames_alloc(order, account);
	if (!physical)
		return NULL;
	/* What is too much goes back, in blocks of rising order. */
	unused = BIT(order) - pages;
	for (uint64_t at = physical + size; unused; unused &= unused - 1) {
		unsigned part = (unsigned)__builtin_ctzll(unused);

		frames_free(at, part, account);
		at += (uint64_t)PAGE_SIZE << part;
	}
	return physical_at(physical);
}

void *heap_alloc(size_t size, struct account *account)
{
	struct header *header = NULL;
	uint32_t class = 0;
	uint64_t charged;

	if (size > (uint64_t)PAGE_SIZE << (FRAME_ORDERS - 1))
		return NULL;
	charged = align_up(size + sizeof(struct header), UNIT);
	while (class < CLASSES && class_units[class] * UNIT < charged)
		class ++;
	if (class < CLASSES) {
		charged = class_units[class] * UNIT;
		if (!account_charge(account, charged))
			return NULL;
		header = small_alloc(class);
		if (!header)
			account_credit(account, charged);
	} else {
		class = WHOLE_PAGES;
		charged = align_up(charged, PAGE_SIZE);
		header = large_alloc(charged, account);
	}
	if (!header)
		return NULL;
	header->live = LIVE;
	header->account = account;
	header->size = charged;
	header->class = class;
	return header + 1;
}

void heap_free(void *memory)
{
	struct header *header = memory;

	if (!memory)
		return;
	header--;
	if (header->live != LIVE)
		panic(NULL, "heap: %p is freed, and is no object or is free", memory);
	header->live = 0;
	if (header->class == WHOLE_PAGES) {
		pages_free(physical_of(header), header->size / PAGE_SIZE, header->account);
	} else {
		account_credit(header->account, header->size);
		small_free(header);
	}
}
