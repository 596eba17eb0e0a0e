/* SPDX-License-Identifier: MIT */
/*
 * bus_access.h - accesses to a bus by somebody who was never there before.
 */
#ifndef DYAD_TESTS_BUS_ACCESS_H
#define DYAD_TESTS_BUS_ACCESS_H

#include "monitor/machine/bus.h"

static inline uint64_t access_read(struct bus *bus, uint64_t address, unsigned size)
{
	struct bus_cursor cursor = {0};

	return bus_read(bus, &cursor, address, size);
}

static inline void access_write(struct bus *bus, uint64_t address, unsigned size, uint64_t value)
{
	struct bus_cursor cursor = {0};

	bus_write(bus, &cursor, address, size, value);
}

#endif
