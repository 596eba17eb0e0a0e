/* SPDX-License-Identifier: MIT */
#include "monitor/machine/memory.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "os.h"

int guest_memory_create(struct guest_memory *memory, uint64_t size, gpa_t hole_start,
			struct error *why)
{
	uint64_t low = MIN(size, hole_start);
	void *host;
	int err;

	err = os_ram_map(size, &host, why);
	if (err < 0)
		return err;
	*memory = (struct guest_memory){
		.size = size,
		.host = host,
		.range_count = 1,
		.ranges[0] = {.start = 0, .size = low, .host = host},
	};
	if (size > low) {
		memory->ranges[1] = (struct guest_ram_range){
			.start = 4 * GIB, .size = size - low, .host = (uint8_t *)host + low};
		memory->range_count = 2;
	}
	return 0;
}

void guest_memory_destroy(struct guest_memory *memory)
{
	if (memory->host)
		os_ram_unmap(memory->host, memory->size);
	*memory = (struct guest_memory){0};
}

void *guest_memory_range(const struct guest_memory *memory, gpa_t gpa, uint64_t length)
{
	if (!length)
		length = 1;
	for (unsigned i = 0; i < memory->range_count; i++) {
		const struct guest_ram_range *range = &memory->ranges[i];
		uint64_t offset =
			gpa - range->start; /* wraps to a large number when gpa is below */

		if (offset < range->size && length <= range->size - offset)
			return range->host + offset;
	}
	return NULL;
}

int guest_memory_read(const struct guest_memory *memory, gpa_t gpa, void *buffer, uint64_t length)
{
	const void *from = guest_memory_range(memory, gpa, length);

	if (!from)
		return -EFAULT;
	memcpy(buffer, from, length);
	return 0;
}

int guest_memory_write(const struct guest_memory *memory, gpa_t gpa, const void *buffer,
		       uint64_t length)
{
	void *to = guest_memory_range(memory, gpa, length);

	if (!to)
		return -EFAULT;
	memcpy(to, buffer, length);
	os_memory_written(to, length);
	return 0;
}

int guest_memory_fill(const struct guest_memory *memory, gpa_t gpa, uint8_t byte, uint64_t length)
{
	void *to = guest_memory_range(memory, gpa, length);

	if (!to)
		return -EFAULT;
	memset(to, byte, length);
	os_memory_written(to, length);
	return 0;
}
