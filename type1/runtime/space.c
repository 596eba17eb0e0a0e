/* SPDX-License-Identifier: MIT */
/*
 * space.c - address spaces: a list of mappings by address, and the page tables that have them.
 *
 * A mapping's memory is the process's own, there from the start or, in a space whose memory comes
 * on demand, when it is touched; gone only where it was discarded.  Or it is an object's
 * (memory_object.c), which the mapping keeps.  A page that goes is told to the watches first, then
 * taken out of the tables, then out of all TLBs, and freed only then.
 */
#include <linux/errno.h>

#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/hold.h"
#include "type1/runtime/memory_object.h"
#include "type1/runtime/process_private.h"
#include "type1/runtime/tables.h"

#define MAPPINGS_BEGIN (4 * GIB) /* what the caller doesn't choose the address of */
#define GUARD PAGE_SIZE          /* at least between two mappings */
#define GONE_BATCH 32            /* blocks that are freed after one shootdown */
#define ORDER_LARGE 9u
#define ORDER_HUGE 18u
#define FLAGS_ALL (TYPE1_MEMORY_WRITE | TYPE1_MEMORY_EXECUTE | TYPE1_MEMORY_LARGE)

struct mapping {
	uint64_t address, size; /* [lock] */
	unsigned flags;         /* [const] TYPE1_MEMORY_* */
	struct object *object;  /* [const] whose memory it is; NULL: the process's own */
	struct mapping *next;   /* [lock] */
};

static unsigned order_of(uint64_t size)
{
	return (unsigned)__builtin_ctzll(size / PAGE_SIZE);
}

static unsigned rights_of(unsigned flags)
{
	return TABLE_USER | (flags & TYPE1_MEMORY_WRITE ? TABLE_WRITE : 0) |
	       (flags & TYPE1_MEMORY_EXECUTE ? TABLE_EXECUTE : 0) |
	       (flags & MEMORY_OBJECT_UNCACHED ? TABLE_UNCACHED : 0);
}

static bool range_is_sound(uint64_t address, uint64_t size)
{
	return size && is_aligned(address | size, PAGE_SIZE) && address < USER_END &&
	       size <= USER_END - address;
}

/* --- Mappings, with the lock ------------------------------------------------------------------ */

/* The mapping that has all of the range, or NULL. */
static struct mapping *find_mapping(struct space *space, uint64_t address, uint64_t size)
{
	struct mapping *each = space->mappings;

	while (each && each->address + each->size <= address)
		each = each->next;
	if (!each || each->address > address || size > each->address + each->size - address)
		return NULL;
	return each;
}

/* Where size bytes fit, aligned to the largest page that they fill; 0: nowhere. */
static uint64_t find_gap(struct space *space, uint64_t size)
{
	uint64_t alignment = size >= GIB ? GIB : size >= 2 * MIB ? 2 * MIB : PAGE_SIZE;
	uint64_t at = MAPPINGS_BEGIN;

	for (struct mapping *each = space->mappings; each; each = each->next) {
		if (each->address >= at && each->address - at >= size + GUARD)
			return at;
		at = MAX(at, align_up(each->address + each->size + GUARD, alignment));
	}
	return at < USER_END && size < USER_END - at ? at : 0;
}

/* A new mapping without memory: at address or, if that is 0, anywhere. */
static int add_mapping(struct space *space, uint64_t address, uint64_t size, unsigned flags,
		       struct object *object, struct mapping **out)
{
	struct mapping *mapping, **each;

	if (!address)
		address = find_gap(space, size);
	if (!address)
		return -ENOMEM;
	for (each = &space->mappings; *each && (*each)->address < address; each = &(*each)->next) {
		if ((*each)->address + (*each)->size > address)
			return -EEXIST;
	}
	if (*each && (*each)->address < address + size)
		return -EEXIST;
	mapping = heap_alloc(sizeof(*mapping), space->account);
	if (!mapping)
		return -ENOMEM;
	mapping->address = address;
	mapping->size = size;
	mapping->flags = flags;
	mapping->object = object;
	if (object)
		object_get(object);
	mapping->next = *each;
	*each = mapping;
	*out = mapping;
	return 0;
}

/* The range, all of it in the mapping, is no longer of it.  -ENOMEM: nothing has changed. */
static int cut_mapping(struct space *space, struct mapping *mapping, uint64_t address,
		       uint64_t size, struct object **put)
{
	uint64_t end = mapping->address + mapping->size, cut_end = address + size;
	struct mapping **each, *rest;

	if (address == mapping->address && cut_end == end) {
		for (each = &space->mappings; *each != mapping; each = &(*each)->next)
			;
		*each = mapping->next;
		*put = mapping->object;
		heap_free(mapping);
	} else if (address == mapping->address) {
		mapping->address = cut_end;
		mapping->size -= size;
	} else if (cut_end == end) {
		mapping->size -= size;
	} else {
		rest = heap_alloc(sizeof(*rest), space->account);
		if (!rest)
			return -ENOMEM;
		*rest = *mapping;
		if (rest->object)
			object_get(rest->object);
		rest->address = cut_end;
		rest->size = end - cut_end;
		mapping->size = address - mapping->address;
		mapping->next = rest;
	}
	return 0;
}

/* --- Pages come, with the lock ---------------------------------------------------------------- */

static int map_new(struct space *space, uint64_t address, unsigned order, unsigned flags)
{
	uint64_t physical = frames_alloc(order, space->account);
	int err = -ENOMEM;

	if (physical)
		err = table_map(space->root, address, physical, (uint64_t)PAGE_SIZE << order,
				rights_of(flags), space->account);
	if (physical && err)
		frames_free(physical, order, space->account);
	return err;
}

/* The largest page at address that the mapping has room for. */
static unsigned largest_order(const struct mapping *mapping, uint64_t address, uint64_t end)
{
	if (!(mapping->flags & TYPE1_MEMORY_LARGE))
		return 0;
	if (table_has_gib_pages && is_aligned(address, GIB) && end - address >= GIB)
		return ORDER_HUGE;
	return is_aligned(address, 2 * MIB) && end - address >= 2 * MIB ? ORDER_LARGE : 0;
}

/*
 * What large mappings that are being populated still lack.  Where there isn't enough for two that
 * come together, one gets all that it wants, instead of each a part.
 */
static struct {
	struct spin lock;
	uint64_t bytes; /* [lock] */
} claims = {.lock = SPIN_INIT};

static bool claim(uint64_t size)
{
	uint64_t total, unused;
	bool enough;

	spin_lock(&claims.lock);
	frames_statistics(&total, &unused);
	enough = claims.bytes <= unused && size <= unused - claims.bytes;
	if (enough)
		claims.bytes += size;
	spin_unlock(&claims.lock);
	return enough;
}

static void unclaim(uint64_t *claimed, uint64_t size)
{
	size = MIN(size, *claimed);
	*claimed -= size;
	spin_lock(&claims.lock);
	claims.bytes -= size;
	spin_unlock(&claims.lock);
}

/* Memory for all of a mapping; *done is how much it has. */
static int populate(struct space *space, const struct mapping *mapping, uint64_t *done)
{
	uint64_t claimed = mapping->flags & TYPE1_MEMORY_LARGE ? mapping->size : 0;
	uint64_t end = mapping->address + mapping->size, at;
	unsigned order;
	int err = 0;

	*done = 0;
	if (claimed && !claim(claimed))
		return -ENOMEM;
	for (; *done < mapping->size; *done += (uint64_t)PAGE_SIZE << order) {
		at = mapping->address + *done;
		order = largest_order(mapping, at, end);
		unclaim(&claimed, (uint64_t)PAGE_SIZE << order);
		while ((err = map_new(space, at, order, mapping->flags)) && order)
			order = order == ORDER_HUGE ? ORDER_LARGE : 0;
		if (err)
			break;
	}
	unclaim(&claimed, claimed);
	return err;
}

/* --- Pages go, with the lock ------------------------------------------------------------------ */

static void tell_watches(struct space *space, uint64_t address, uint64_t size)
{
	for (struct space_watch *each = space->watches; each; each = each->next)
		each->gone(each, address, size);
}

/* Makes smaller pages of the one that has address within it, not at its start, if there is one. */
static int split_at(struct space *space, uint64_t address)
{
	struct table_entry entry;
	uint64_t start, part;
	int err;

	while (table_find(space->root, address, &entry) && !is_aligned(address, entry.size)) {
		start = align_down(address, entry.size);
		part = entry.size / PAGE_TABLE_ENTRIES;
		table_unmap(space->root, start);
		for (uint64_t i = 0; i < PAGE_TABLE_ENTRIES; i++) {
			err = table_map(space->root, start + i * part, entry.physical + i * part,
					part, entry.rights, space->account);
			if (!err)
				continue;
			/* Only the first one needs memory, for their table. */
			table_map(space->root, start, entry.physical, entry.size, entry.rights,
				  space->account);
			return err;
		}
	}
	return 0;
}

/* Both ends of the range lie between pages. */
static int split_ends(struct space *space, uint64_t address, uint64_t size)
{
	int err = split_at(space, address);

	return err ? err : split_at(space, address + size);
}

/* Some of the range's pages go: returns where the next ones are. */
static uint64_t release_batch(struct space *space, uint64_t address, uint64_t end, bool own)
{
	struct table_entry gone[GONE_BATCH], *entry = gone;
	uint64_t at = address;

	while (at < end && entry < gone + GONE_BATCH) {
		if (!table_find(space->root, at, entry)) {
			at += PAGE_SIZE;
			continue;
		}
		table_unmap(space->root, at);
		at += entry++->size;
	}
	if (entry == gone)
		return at;
	if (space->cpus)
		shootdown(space, address, at - address);
	while (own && entry-- > gone)
		frames_free(entry->physical, order_of(entry->size), space->account);
	return at;
}

/* The range's pages go, which end where it does; own: they are the process's. */
static void release(struct space *space, uint64_t address, uint64_t size, bool own)
{
	uint64_t end = address + size;

	__atomic_add_fetch(&space->sequence, 1, __ATOMIC_SEQ_CST);
	tell_watches(space, address, size);
	while (address < end)
		address = release_batch(space, address, end, own);
	__atomic_add_fetch(&space->sequence, 1, __ATOMIC_SEQ_CST);
}

/* --- Calls ------------------------------------------------------------------------------------ */

int64_t space_map_at(struct space *space, uint64_t address, uint64_t size, unsigned flags)
{
	struct object *none = NULL;
	struct mapping *mapping;
	uint64_t done = 0;
	int64_t result;

	if (!range_is_sound(address, size) || (flags & ~(unsigned)FLAGS_ALL) ||
	    ((flags & TYPE1_MEMORY_WRITE) && (flags & TYPE1_MEMORY_EXECUTE)))
		return -EINVAL;
	/* Not worth a try; used may change, so this decides nothing. */
	if (size > space->account->limit - MIN(space->account->used, space->account->limit))
		return -ENOMEM;
	mutex_lock(&space->lock);
	result = add_mapping(space, address, size, flags, NULL, &mapping);
	if (result < 0)
		goto out;
	if (!space->on_demand || (flags & TYPE1_MEMORY_LARGE))
		result = populate(space, mapping, &done);
	if (result < 0) {
		release(space, mapping->address, done, true);
		cut_mapping(space, mapping, mapping->address, mapping->size, &none);
	} else {
		result = (int64_t)mapping->address;
	}
out:
	mutex_unlock(&space->lock);
	return result;
}

int64_t space_map(struct space *space, uint64_t size, unsigned flags)
{
	return space_map_at(space, 0, size, flags);
}

int64_t space_attach_at(struct space *space, uint64_t address, struct object *memory,
			uint64_t offset, uint64_t size, unsigned flags)
{
	struct object *none = NULL;
	struct mapping *mapping;
	int64_t result;

	if (!range_is_sound(address, size) || !memory_object_allows(memory, offset, size, flags))
		return -EINVAL;
	flags |= memory_object_caching(memory);
	mutex_lock(&space->lock);
	result = add_mapping(space, address, size, flags, memory, &mapping);
	if (result < 0)
		goto out;
	for (uint64_t done = 0, part; !result && done < size; done += part) {
		uint64_t room, physical = memory_object_at(memory, offset + done, &room);
		uint64_t at = mapping->address + done;

		part = MIN(room, size - done) >= 2 * MIB && is_aligned(at | physical, 2 * MIB)
			       ? 2 * MIB
			       : PAGE_SIZE;
		if (!physical) /* a hole */
			continue;
		result = table_map(space->root, at, physical, part, rights_of(flags),
				   space->account);
	}
	if (result < 0) {
		release(space, mapping->address, size, false);
		cut_mapping(space, mapping, mapping->address, size, &none);
		object_put(none); /* not the last one: the caller has its own */
	} else {
		result = (int64_t)mapping->address;
	}
out:
	mutex_unlock(&space->lock);
	return result;
}

int64_t space_attach(struct space *space, struct object *memory, uint64_t offset, uint64_t size,
		     unsigned flags)
{
	return space_attach_at(space, 0, memory, offset, size, flags);
}

int space_unmap(struct space *space, uint64_t address, uint64_t size)
{
	struct object *put = NULL;
	struct mapping *mapping;
	bool own;
	int err;

	if (!range_is_sound(address, size))
		return -EINVAL;
	err = hold_lock_space(space, address, size);
	if (err)
		return err;
	err = -EINVAL;
	mapping = find_mapping(space, address, size);
	if (!mapping)
		goto out;
	own = !mapping->object;
	err = split_ends(space, address, size);
	if (!err)
		err = cut_mapping(space, mapping, address, size, &put);
	if (!err)
		release(space, address, size, own);
out:
	mutex_unlock(&space->lock);
	object_put(put);
	return err;
}

void space_detach(struct space *space, const struct object *memory)
{
	uint64_t address = 0, size = 0;
	struct mapping *each;
	int err;

	do {
		mutex_lock(&space->lock);
		for (each = space->mappings; each && each->object != memory; each = each->next)
			;
		if (each) {
			address = each->address;
			size = each->size;
		}
		mutex_unlock(&space->lock);
		/* -EINVAL: another thread has changed it meanwhile. */
		err = each ? space_unmap(space, address, size) : -ENOENT;
	} while (!err || err == -EINVAL);
}

int space_discard(struct space *space, uint64_t address, uint64_t size)
{
	struct mapping *mapping;
	int err;

	if (!range_is_sound(address, size))
		return -EINVAL;
	err = hold_lock_space(space, address, size);
	if (err)
		return err;
	err = -EINVAL;
	mapping = find_mapping(space, address, size);
	if (mapping && !mapping->object && (mapping->flags & TYPE1_MEMORY_WRITE)) {
		err = split_ends(space, address, size);
		if (!err)
			release(space, address, size, true);
	}
	mutex_unlock(&space->lock);
	return err;
}

/* With the lock: whether nothing is mapped where a large page would be. */
static bool is_empty(struct space *space, uint64_t address, uint64_t size)
{
	struct table_entry entry;

	for (uint64_t at = address; at < address + size; at += PAGE_SIZE) {
		if (table_find(space->root, at, &entry))
			return false;
	}
	return true;
}

/* With the lock: a page that was discarded, or never there, comes: a large one where all of it is
 * missing. */
static int refault(struct space *space, const struct mapping *mapping, uint64_t address)
{
	uint64_t large = align_down(address, 2 * MIB);

	if ((mapping->flags & TYPE1_MEMORY_LARGE) && large >= mapping->address &&
	    2 * MIB <= mapping->address + mapping->size - large &&
	    is_empty(space, large, 2 * MIB) && !map_new(space, large, ORDER_LARGE, mapping->flags))
		return 0;
	return map_new(space, align_down(address, PAGE_SIZE), 0, mapping->flags);
}

int space_find(struct space *space, uint64_t address, bool write, struct table_entry *entry)
{
	struct mapping *mapping;
	int err = -EFAULT;

	if (address >= USER_END)
		return -EFAULT;
	mutex_lock(&space->lock);
	mapping = find_mapping(space, address, 1);
	if (!mapping || (write && !(mapping->flags & TYPE1_MEMORY_WRITE)))
		goto out;
	err = 0;
	if (!table_find(space->root, address, entry)) {
		err = mapping->object || refault(space, mapping, address) ? -EFAULT : 0;
		if (!err)
			table_find(space->root, address, entry);
	}
out:
	mutex_unlock(&space->lock);
	return err;
}

int space_fill(struct space *space, uint64_t address, const void *from, uint64_t size)
{
	const uint8_t *bytes = from;
	struct table_entry entry;

	while (size) {
		uint64_t offset, part;

		if (space_find(space, address, false, &entry))
			return -ENOMEM;
		offset = address & (entry.size - 1);
		part = MIN(size, entry.size - offset);
		memcpy((uint8_t *)physical_at(entry.physical) + offset, bytes, part);
		address += part;
		bytes += part;
		size -= part;
	}
	return 0;
}

/* --- The whole space -------------------------------------------------------------------------- */

int space_init(struct space *space, struct account *account, bool on_demand)
{
	mutex_init(&space->lock);
	space->account = account;
	space->on_demand = on_demand;
	space->root = table_create(account);
	return space->root ? 0 : -ENOMEM;
}

/* First it leaves all CPUs, so that no page needs a shootdown of its own. */
void space_end(struct space *space)
{
	struct mapping *mapping;

	hold_wait_all(space);
	thread_current()->space = NULL;
	shootdown_leave(space);
	while ((mapping = space->mappings)) {
		space->mappings = mapping->next;
		release(space, mapping->address, mapping->size, !mapping->object);
		object_put(mapping->object);
		heap_free(mapping);
	}
	table_destroy(space->root, space->account);
}
