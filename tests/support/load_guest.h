/* SPDX-License-Identifier: MIT */
/*
 * load_guest.h - a guest for the loaders' tests to load kernels into.  Its functions stand here,
 * and not in a file of their own, so that a test itself is what needs the monitor.
 */
#ifndef DYAD_TESTS_LOAD_GUEST_H
#define DYAD_TESTS_LOAD_GUEST_H

#include <stdlib.h>

#include "lib/bits.h"
#include "lib/error.h"
#include "monitor/load/load.h"
#include "tests/support/fake_os.h"
#include "tests/support/kernels.h"

#define GUEST_HOLE_START (3 * GIB)

struct guest {
	struct guest_memory memory;
	struct memory_map_entry map[8];
	struct load_request request;
	struct load_entry entry; /* of what was loaded last */
	struct error why;
};

/* RAM with the usual hole from 640 KiB to 1 MiB, and from 3 to 4 GiB. */
static inline void guest_create(struct guest *guest, uint64_t size)
{
	const uint64_t low = size < GUEST_HOLE_START ? size : GUEST_HOLE_START;
	unsigned count = 3;

	*guest = (struct guest){
		.map = {{0, 0x9fc00, MEMORY_MAP_RAM},
			{0x9fc00, 0x60400, MEMORY_MAP_RESERVED},
			{0x100000, low - 0x100000, MEMORY_MAP_RAM},
			{4 * GIB, size - low, MEMORY_MAP_RAM}},
	};
	if (guest_memory_create(&guest->memory, size, GUEST_HOLE_START, &guest->why) < 0)
		abort();
	if (size > low)
		count++;
	guest->request = (struct load_request){
		.kernel.name = "kernel",
		.command_line = "console=ttyS0",
		.map = guest->map,
		.map_count = count,
		.rsdp = 0xe0000,
	};
}

static inline void guest_destroy(struct guest *guest)
{
	guest_memory_destroy(&guest->memory);
}

/* Loads the kernel as a file that is called "kernel". */
static inline int guest_load(struct guest *guest, const struct image *kernel)
{
	int err;

	guest->why.text[0] = '\0';
	guest->request.kernel.file = fake_file_create(kernel->bytes, kernel->size);
	err = load_guest(&guest->memory, &guest->request, &guest->entry, &guest->why);
	os_file_close(guest->request.kernel.file);
	guest->request.kernel.file = NULL;
	return err;
}

/* Copies out of guest memory, which must be there. */
static inline void guest_read(const struct guest *guest, gpa_t from, void *to, size_t size)
{
	if (guest_memory_read(&guest->memory, from, to, size) < 0)
		abort();
}

static inline bool guest_holds(const struct guest *guest, gpa_t from, uint8_t byte, uint64_t size)
{
	const uint8_t *at = guest_memory_range(&guest->memory, from, size);

	for (uint64_t i = 0; at && i < size; i++)
		if (at[i] != byte)
			return false;
	return at != NULL;
}

#endif
