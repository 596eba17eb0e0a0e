/* SPDX-License-Identifier: MIT */
#include "monitor/machine/bus.h"

#include <linux/errno.h>

#include "lib/bits.h"

void bus_init(struct bus *bus)
{
	os_mutex_init(&bus->lock);
	bus->generation = 1;
	bus->count = 0;
}

/* Makes every cursor look again.  Release: who sees the number sees the ranges.  Lock held. */
static void changed(struct bus *bus)
{
	__atomic_store_n(&bus->generation, bus->generation + 1, __ATOMIC_RELEASE);
}

/* The index of the first range that begins above address.  Lock held. */
static unsigned first_above(const struct bus *bus, uint64_t address)
{
	unsigned low = 0, high = bus->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (bus->ranges[middle].base > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int bus_add(struct bus *bus, const struct bus_range *range)
{
	uint64_t last = range->base + (range->length - 1);
	unsigned at;
	int err = 0;

	if (!range->length || last < range->base)
		return -EINVAL;
	os_mutex_lock(&bus->lock);
	at = first_above(bus, range->base);
	if ((at > 0 && range->base - bus->ranges[at - 1].base < bus->ranges[at - 1].length) ||
	    (at < bus->count && bus->ranges[at].base <= last))
		err = -EEXIST;
	else if (bus->count == BUS_RANGES_MAX)
		err = -ENOSPC;
	if (!err) {
		for (unsigned i = bus->count; i > at; i--)
			bus->ranges[i] = bus->ranges[i - 1];
		bus->ranges[at] = *range;
		bus->count++;
		changed(bus);
	}
	os_mutex_unlock(&bus->lock);
	return err;
}

void bus_remove(struct bus *bus, uint64_t base, const void *device)
{
	unsigned at;

	os_mutex_lock(&bus->lock);
	at = first_above(bus, base);
	if (at > 0 && bus->ranges[at - 1].base == base && bus->ranges[at - 1].device == device) {
		bus->count--;
		for (unsigned i = at - 1; i < bus->count; i++)
			bus->ranges[i] = bus->ranges[i + 1];
		changed(bus);
	}
	os_mutex_unlock(&bus->lock);
}

/* Puts the range that address is in, if there is one, into the cursor. */
__attribute__((noinline)) static void look_up(struct bus *bus, struct bus_cursor *cursor,
					      uint64_t address)
{
	unsigned at;

	os_mutex_lock(&bus->lock);
	at = first_above(bus, address);
	cursor->generation = bus->generation;
	cursor->range = at > 0 ? bus->ranges[at - 1] : (struct bus_range){0};
	os_mutex_unlock(&bus->lock);
}

static inline bool holds(const struct bus_range *range, uint64_t address, unsigned size)
{
	uint64_t offset = address - range->base;

	return offset < range->length && size <= range->length - offset;
}

/*
 * The range that holds [address, address+size) whole, or NULL.  It is a copy, which may be older
 * than the bus: a device lives as long as its bus, so the worst that a BAR moved meanwhile can do
 * is one access that arrives late, as on a real bus.
 */
static inline const struct bus_range *find(struct bus *bus, struct bus_cursor *cursor,
					   uint64_t address, unsigned size)
{
	if (cursor->generation == __atomic_load_n(&bus->generation, __ATOMIC_ACQUIRE) &&
	    holds(&cursor->range, address, size))
		return &cursor->range;
	look_up(bus, cursor, address);
	return holds(&cursor->range, address, size) ? &cursor->range : NULL;
}

static inline uint64_t read_whole(struct bus *bus, struct bus_cursor *cursor, uint64_t address,
				  unsigned size)
{
	const struct bus_range *range = find(bus, cursor, address, size);
	uint64_t value;

	if (!range)
		return size_mask(size);
	os_mutex_lock(range->lock);
	value = range->ops->read(range->device, address - range->base, size);
	os_mutex_unlock(range->lock);
	return value;
}

static inline void write_whole(struct bus *bus, struct bus_cursor *cursor, uint64_t address,
			       unsigned size, uint64_t value)
{
	const struct bus_range *range = find(bus, cursor, address, size);

	if (!range)
		return;
	os_mutex_lock(range->lock);
	range->ops->write(range->device, address - range->base, size, value & size_mask(size));
	os_mutex_unlock(range->lock);
}

/* No CPU makes such an access in one piece; bytes it is then. */
__attribute__((noinline)) static uint64_t read_bytes(struct bus *bus, struct bus_cursor *cursor,
						     uint64_t address, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (read_whole(bus, cursor, address + i, 1) & 0xff) << (8 * i);
	return value;
}

__attribute__((noinline)) static void write_bytes(struct bus *bus, struct bus_cursor *cursor,
						  uint64_t address, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		write_whole(bus, cursor, address + i, 1, value >> (8 * i));
}

uint64_t bus_read(struct bus *bus, struct bus_cursor *cursor, uint64_t address, unsigned size)
{
	if (size & (size - 1))
		return read_bytes(bus, cursor, address, size);
	return read_whole(bus, cursor, address, size);
}

void bus_write(struct bus *bus, struct bus_cursor *cursor, uint64_t address, unsigned size,
	       uint64_t value)
{
	if (size & (size - 1))
		write_bytes(bus, cursor, address, size, value);
	else
		write_whole(bus, cursor, address, size, value);
}
