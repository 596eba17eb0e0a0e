/* SPDX-License-Identifier: MIT */
/*
 * bus.h - who answers a port or a physical address outside RAM.
 *
 * A machine has two buses, one for ports and one for memory-mapped registers.  A range belongs to
 * one device; the device's own lock is held around its functions, so that a device model needs
 * none. Order of locks: a device's lock, then the bus's.  The bus's lock is never held while a
 * device runs.
 */
#ifndef DYAD_MONITOR_MACHINE_BUS_H
#define DYAD_MONITOR_MACHINE_BUS_H

#include <stdint.h>

#include "os.h"

#define BUS_RANGES_MAX 128

struct bus_ops {
	/* offset from the range's base; size is 1, 2, 4 or 8 and the access lies within the range.
	 */
	uint64_t (*read)(void *device, uint64_t offset, unsigned size);
	void (*write)(void *device, uint64_t offset, unsigned size, uint64_t value);
};

struct bus_range {
	uint64_t base;
	uint64_t length;
	const struct bus_ops *ops;
	void *device;
	struct os_mutex *lock; /* the device's; held around ops */
};

struct bus {
	struct os_mutex lock;
	uint64_t generation;                     /* atomic; counts changes of ranges, from 1 */
	unsigned count;                          /* lock */
	struct bus_range ranges[BUS_RANGES_MAX]; /* lock; sorted by base, disjoint */
};

/*
 * The range that a thread used last on one bus, so that the next access to it costs neither the
 * lock nor the search.  All zero to begin with; the thread's own.
 */
struct bus_cursor {
	uint64_t generation; /* of the bus, when range was found */
	struct bus_range range;
};

void bus_init(struct bus *bus);
/* 0, -EEXIST when it overlaps another range, -ENOSPC, -EINVAL when it is empty or wraps.  Any
 * thread. */
int bus_add(struct bus *bus, const struct bus_range *range);
/* Takes back the range that begins at base and belongs to device; nothing if there is none. */
void bus_remove(struct bus *bus, uint64_t base, const void *device);

/*
 * Any thread, holding no device's lock.  What no range holds whole reads as ones and swallows
 * writes. size is 1 to 8; a size that is no power of two is split into bytes.  Bits above size of
 * what is read are the device's business: the caller takes size bytes.
 */
uint64_t bus_read(struct bus *bus, struct bus_cursor *cursor, uint64_t address, unsigned size);
void bus_write(struct bus *bus, struct bus_cursor *cursor, uint64_t address, unsigned size,
	       uint64_t value);

#endif
