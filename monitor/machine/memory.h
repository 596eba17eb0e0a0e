/* SPDX-License-Identifier: MIT */
/*
 * memory.h - the guest's physical memory, and the one way to touch it.
 *
 * RAM stands in at most two ranges: from 0 up to the hole below 4 GiB, and the rest from 4 GiB on.
 * Behind both is one host mapping.  A range never moves or shrinks while devices live, so a host
 * pointer that guest_memory_range() gave stays valid until the machine is destroyed; what it points
 * at may change at any moment, because vCPUs run: read once, check the copy, use the copy.
 * All functions: any thread, no lock.
 */
#ifndef DYAD_MONITOR_MACHINE_MEMORY_H
#define DYAD_MONITOR_MACHINE_MEMORY_H

#include <stdint.h>

struct error;

typedef uint64_t gpa_t; /* guest physical address, bytes */

#define GUEST_RAM_RANGES 2

struct guest_ram_range {
	gpa_t start;
	uint64_t size; /* bytes, a multiple of 4096 */
	uint8_t *host;
};

struct guest_memory {
	struct guest_ram_range ranges[GUEST_RAM_RANGES];
	unsigned range_count;
	uint64_t size; /* bytes in all */
	void *host;    /* of all ranges, one behind the other */
};

/*
 * Maps size bytes of RAM (a multiple of 4096): what fits below hole_start from address 0, the rest
 * from 4 GiB.  The error names the host's memory when there is too little.
 */
int guest_memory_create(struct guest_memory *memory, uint64_t size, gpa_t hole_start,
			struct error *why);
void guest_memory_destroy(struct guest_memory *memory);

/*
 * The host address of length bytes at gpa, or NULL unless all of them lie in one range of RAM.  A
 * length of 0 is answered as one of 1.
 */
void *guest_memory_range(const struct guest_memory *memory, gpa_t gpa, uint64_t length);

/* Copies; 0, or -EFAULT (and nothing copied) where guest_memory_range() would say NULL. */
int guest_memory_read(const struct guest_memory *memory, gpa_t gpa, void *buffer, uint64_t length);
int guest_memory_write(const struct guest_memory *memory, gpa_t gpa, const void *buffer,
		       uint64_t length);
int guest_memory_fill(const struct guest_memory *memory, gpa_t gpa, uint8_t byte, uint64_t length);

#endif
