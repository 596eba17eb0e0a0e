/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the heap, and guest RAM.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/bits.h"
#include "lib/error.h"
#include "lib/format.h"
#include "os.h"
#include "type2/process/ram_limit.h"

#define RAM_PAGE_SIZE (4 * KIB)
#define RAM_LARGE_PAGE_SIZE (2 * MIB)

_Static_assert(_Alignof(max_align_t) >= 16,
	       "what calloc() gives is aligned as os_alloc() promises");

void *os_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void os_free(void *memory)
{
	free(memory);
}

static unsigned long long mebibytes(uint64_t size)
{
	return size / MIB;
}

/*
 * What can never be met is refused.  What is only short now is not, since a guest seldom touches
 * all it has, but is said.
 */
static int ram_check(uint64_t size, struct error *why)
{
	struct ram_limit limit;

	ram_limit_read("", &limit);
	if (size > limit.cgroup)
		return error_set(
			why, -ENOMEM,
			"cannot give the guest %llu MiB of memory: the control group that this "
			"process runs in is limited to %llu MiB; ask for less, or raise the limit",
			mebibytes(size), mebibytes(limit.cgroup));
	if (size > limit.host)
		return error_set(why, -ENOMEM,
				 "cannot give the guest %llu MiB of memory: the host has %llu MiB "
				 "(RAM and swap), of which %llu MiB are available; ask for less",
				 mebibytes(size), mebibytes(limit.host),
				 mebibytes(limit.available));
	if (size > limit.available) {
		char text[256];

		format_text(
			text, sizeof(text),
			"the guest is given %llu MiB of memory, but only %llu MiB are available "
			"now: if it uses them all, the host will swap or end processes",
			mebibytes(size), mebibytes(limit.available));
		os_log(OS_LOG_WARNING, text);
	}
	return 0;
}

int os_ram_map(uint64_t size, void **ram, struct error *why)
{
	uint64_t mapped = size + RAM_LARGE_PAGE_SIZE, head, tail;
	uint8_t *start;
	int error;

	if (!size || !is_aligned(size, RAM_PAGE_SIZE) || mapped < size)
		return error_set(why, -EINVAL, "a guest can't have %llu bytes of memory",
				 (unsigned long long)size);
	error = ram_check(size, why);
	if (error)
		return error;
	/* Some more than asked for, so that the start can be put where large pages begin. */
	start = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return error_set(
			why, -errno,
			"cannot map %llu MiB of memory for the guest: %s; look at the limits of "
			"the shell (ulimit -v) and at vm.overcommit_memory, or ask for less",
			mebibytes(size), strerror(errno));
	head = align_up((uintptr_t)start, RAM_LARGE_PAGE_SIZE) - (uintptr_t)start;
	tail = RAM_LARGE_PAGE_SIZE - head;
	if (head)
		munmap(start, head);
	start += head;
	if (tail)
		munmap(start + size, tail);
	/* All advice: a kernel that does not know one of them serves the guest as well. */
	madvise(start, size, MADV_HUGEPAGE);
	madvise(start, size, MADV_DONTDUMP);
	madvise(start, size, MADV_DONTFORK);
	*ram = start;
	return 0;
}

void os_ram_unmap(void *ram, uint64_t size)
{
	if (ram)
		munmap(ram, size);
}

void os_ram_discard(void *start, uint64_t size)
{
	madvise(start, size, MADV_DONTNEED);
	os_memory_written(start, size);
}
