/* SPDX-License-Identifier: MIT */
/*
 * host_pages.c - pages for tables that the CPU walks, and the pages of the caller's memory.
 *
 * A process's pages stay where they are until it unmaps or discards them, and its space then tells
 * who watches: so nothing is pinned.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/host/private.h"
#include "type1/runtime/process.h"

struct memory_private {
	struct space_watch watch;
	struct host_memory *memory;
	struct space *space; /* NULL: of a VM of the runtime's own, which has no memory */
};

/* --- Tables ----------------------------------------------------------------------------------- */

void *host_pages_alloc(unsigned order, uint64_t *physical)
{
	void *pages = host_block_alloc(order);

	if (pages)
		*physical = physical_of(pages);
	return pages;
}

void host_pages_free(void *pages, unsigned order)
{
	(void)order;
	host_block_put(pages);
}

void *host_pages_at(uint64_t physical)
{
	return physical_at(physical);
}

/* --- Changes of the address space ------------------------------------------------------------- */

static struct memory_private *private_of(struct host_memory *memory)
{
	return HOST_PRIVATE(memory, struct memory_private);
}

static void memory_gone(struct space_watch *watch, uint64_t address, uint64_t size)
{
	struct host_memory *memory = CONTAINER_OF(watch, struct memory_private, watch)->memory;

	memory->invalidate(memory, address, size);
}

int host_memory_begin(struct host_memory *memory)
{
	struct memory_private *private = private_of(memory);
	struct process *process = process_current();

	private->memory = memory;
	private->watch.gone = memory_gone;
	private->space = process ? &process->space : NULL;
	if (!private->space)
		return 0;
	mutex_lock(&private->space->lock);
	private->watch.next = private->space->watches;
	private->space->watches = &private->watch;
	mutex_unlock(&private->space->lock);
	return 0;
}

void host_memory_end(struct host_memory *memory)
{
	struct memory_private *private = private_of(memory);
	struct space_watch **each;

	if (!private->space)
		return;
	mutex_lock(&private->space->lock);
	for (each = &private->space->watches; *each != &private->watch; each = &(*each)->next)
		;
	*each = private->watch.next;
	mutex_unlock(&private->space->lock);
}

/*
 * The space raises its sequence before it tells of a change, and again when its tables have it: who
 * looked a page up meanwhile finds the number odd, or another than before.
 */
uint64_t host_memory_sequence(struct host_memory *memory)
{
	const struct space *space = private_of(memory)->space;

	return space ? __atomic_load_n(&space->sequence, __ATOMIC_SEQ_CST) : 0;
}

bool host_memory_changed(struct host_memory *memory, uint64_t sequence)
{
	uint64_t now = host_memory_sequence(memory);

	return now != sequence || (now & 1);
}

/* --- Pages of the caller's -------------------------------------------------------------------- */

const struct host_fetcher *const host_fetcher = NULL; /* nothing is ever on a disk */

int host_page_get(struct host_memory *memory, uint64_t user, bool write, bool wait,
		  struct host_page *page)
{
	struct process *process = process_current();
	struct table_entry entry;
	int err;

	(void)wait; /* it is there, or nowhere */
	if (!process || &process->space != private_of(memory)->space)
		return -EFAULT;
	err = space_find(&process->space, user, write, &entry);
	if (err < 0)
		return err;
	page->physical = entry.physical + align_down(user & (entry.size - 1), PAGE_SIZE);
	page->size = entry.size;
	page->writable = entry.rights & TABLE_WRITE;
	return 0;
}

void host_page_put(struct host_page *page, bool dirtied)
{
	(void)page;
	(void)dirtied;
}
