/* SPDX-License-Identifier: MIT */
/*
 * memory.c - guest RAM, and memory that is shared by handles.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

#define PAGE_SIZE (4 * KIB)

int os_ram_map(uint64_t size, void **ram, struct error *why)
{
	int64_t mapped;

	if (!size || !is_aligned(size, PAGE_SIZE))
		return error_set(why, -EINVAL, "a guest can't have %llu bytes of memory",
				 (unsigned long long)size);
	mapped = call2(TYPE1_MEMORY_MAP, size, TYPE1_MEMORY_WRITE | TYPE1_MEMORY_LARGE);
	if (mapped < 0)
		return error_set(why, (int)mapped,
				 "cannot give the guest %llu MiB of memory: the process may have "
				 "%llu MiB in all, and the machine may have less to give; ask for "
				 "less",
				 (unsigned long long)(size / MIB),
				 (unsigned long long)(process_info->memory / MIB));
	*ram = (void *)(uintptr_t)mapped;
	return 0;
}

void os_ram_unmap(void *ram, uint64_t size)
{
	if (ram)
		call2(TYPE1_MEMORY_UNMAP, call_address(ram), size);
}

void os_ram_discard(void *start, uint64_t size)
{
	call2(TYPE1_MEMORY_DISCARD, call_address(start), size);
}

/* No engine of the runtime keeps decoded code: nobody wants to know. */
void os_memory_written(const void *start, size_t size)
{
	(void)start;
	(void)size;
}

int process_map(uint64_t handle, const void **bytes, uint64_t *size)
{
	int64_t result = call1(TYPE1_MEMORY_SIZE, handle);

	if (result < 0)
		return (int)result;
	*size = (uint64_t)result;
	*bytes = NULL;
	if (!*size)
		return 0;
	/* Whole pages: what follows the end in the last one is zero. */
	result = call4(TYPE1_MEMORY_ATTACH, handle, 0, align_up(*size, PAGE_SIZE), 0);
	if (result < 0)
		return (int)result;
	*bytes = (const void *)(uintptr_t)result;
	return 0;
}

void process_unmap(const void *bytes, uint64_t size)
{
	if (bytes)
		call2(TYPE1_MEMORY_UNMAP, call_address(bytes), align_up(size, PAGE_SIZE));
}
