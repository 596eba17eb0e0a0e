/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_kernel.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

unsigned fake_kernel_pages;
uint64_t fake_kernel_page_size = PAGE;
bool fake_kernel_writable = true;
int fake_kernel_error;
unsigned fake_kernel_dirtied;
unsigned fake_kernel_kicks;
void (*fake_kernel_kicked)(unsigned cpu);
void (*fake_kernel_meanwhile)(struct host_memory *memory);

void *host_pages_alloc(unsigned order, uint64_t *physical)
{
	size_t size = (size_t)PAGE << order;
	void *pages = aligned_alloc(size, size);

	memset(pages, 0, size);
	*physical = (uintptr_t)pages;
	fake_kernel_pages++;
	return pages;
}

void host_pages_free(void *pages, unsigned order)
{
	/* Who still uses it sees nonsense. */
	memset(pages, 0xee, (size_t)PAGE << order);
	free(pages);
	fake_kernel_pages--;
}

void *host_pages_at(uint64_t physical)
{
	return (void *)(uintptr_t)physical;
}

int host_memory_begin(struct host_memory *memory)
{
	memory->opaque[0] = 1;
	return 0;
}

void host_memory_end(struct host_memory *memory)
{
	memory->opaque[0] = 0;
}

uint64_t host_memory_sequence(struct host_memory *memory)
{
	return memory->opaque[0];
}

int host_page_get(struct host_memory *memory, uint64_t user, bool write, bool wait,
		  struct host_page *page)
{
	(void)wait;
	if (fake_kernel_error)
		return fake_kernel_error;
	page->physical = user & ~(uint64_t)(PAGE - 1);
	page->size = fake_kernel_page_size;
	page->writable = write || fake_kernel_writable;
	if (fake_kernel_meanwhile)
		fake_kernel_meanwhile(memory);
	return 0;
}

bool host_memory_changed(struct host_memory *memory, uint64_t sequence)
{
	return memory->opaque[0] != sequence;
}

void host_page_put(struct host_page *page, bool dirtied)
{
	(void)page;
	fake_kernel_dirtied += dirtied;
}

void fake_kernel_invalidate(struct host_memory *memory, uint64_t user, uint64_t size)
{
	memory->opaque[0]++;
	memory->invalidate(memory, user, size);
}

unsigned host_cpu(void)
{
	return 0;
}

unsigned host_cpu_limit(void)
{
	return 1;
}

void host_preempt_off(void)
{
}

void host_preempt_on(void)
{
}

void host_reschedule(void)
{
}

void host_irq_off(void)
{
}

void host_irq_on(void)
{
}

void host_kick_cpu(unsigned cpu)
{
	fake_kernel_kicks++;
	if (fake_kernel_kicked)
		fake_kernel_kicked(cpu);
}

int host_cpus_enable(int (*enable)(unsigned cpu), void (*disable)(unsigned cpu))
{
	(void)enable;
	(void)disable;
	return 0;
}

void host_cpus_disable(void)
{
}

bool host_irq_pending_or_resched(void)
{
	return false;
}

void host_cr4_change(uint64_t set, uint64_t clear)
{
	(void)set;
	(void)clear;
}

void host_segments_lost(const struct host_segments *before)
{
	(void)before;
}

void host_fpu_begin(void)
{
}

void host_fpu_end(void)
{
}

void fake_kernel_reset(void)
{
	fake_kernel_page_size = PAGE;
	fake_kernel_writable = true;
	fake_kernel_error = 0;
	fake_kernel_dirtied = 0;
	fake_kernel_kicks = 0;
	fake_kernel_kicked = NULL;
	fake_kernel_meanwhile = NULL;
}
