/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - kernel stacks: places of a fixed size from STACKS_MAP on, the lower half of each of
 * which is never mapped.
 *
 * The memory of a stack goes back at once; its place is used anew only after all TLBs were flushed,
 * which is done for many places together.
 */
#include "hw/x86.h"
#include "lib/bits.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/tables.h"

#define STACKS_MAX 32768u
#define PLACE_SIZE (2 * KERNEL_STACK)
#define STACK_PAGES (KERNEL_STACK / PAGE_SIZE)
#define STALE_MAX 256 /* how many places wait for a flush */
#define WORD_BITS 64u

/* [lock] */
static struct {
	struct spin lock;
	uint64_t taken[STACKS_MAX / WORD_BITS]; /* by a stack, or stale */
	uint64_t stale[STACKS_MAX / WORD_BITS]; /* TLBs may know them */
	unsigned stale_count;
	uint32_t first; /* none below is free */
	struct account *owners[STACKS_MAX];
} stacks = {.lock = SPIN_INIT};

static uint64_t place_stack(uint32_t place)
{
	return STACKS_MAP + (uint64_t)place * PLACE_SIZE + PLACE_SIZE - KERNEL_STACK;
}

static void flush(void *unused)
{
	(void)unused;
	/* With PGE off, global entries go too (APM2 section 5.5.2). */
	write_cr4(read_cr4() & ~CR4_PGE);
	write_cr4(read_cr4() | CR4_PGE);
}

/* Task, interrupts on. */
static void flush_stale(void)
{
	static uint64_t stale[STACKS_MAX / WORD_BITS]; /* of who has flushing set */
	static bool flushing;

	if (__atomic_exchange_n(&flushing, true, __ATOMIC_ACQUIRE))
		return;
	spin_lock(&stacks.lock);
	for (unsigned i = 0; i < ARRAY_COUNT(stale); i++) {
		stale[i] = stacks.stale[i];
		stacks.stale[i] = 0;
	}
	stacks.stale_count = 0;
	spin_unlock(&stacks.lock);
	preempt_off();
	flush(NULL);
	cpus_call(flush, NULL);
	preempt_on();
	spin_lock(&stacks.lock);
	for (unsigned i = 0; i < ARRAY_COUNT(stale); i++)
		stacks.taken[i] &= ~stale[i];
	stacks.first = 0;
	spin_unlock(&stacks.lock);
	__atomic_store_n(&flushing, false, __ATOMIC_RELEASE);
}

/* With the lock: the pages that are mapped at the stack, of at most count. */
static void unmap(uint64_t stack, unsigned count, struct account *account)
{
	struct table_entry entry;

	for (unsigned i = 0; i < count; i++) {
		uint64_t at = stack + i * PAGE_SIZE;

		if (table_find(table_root, at, &entry)) {
			table_unmap(table_root, at);
			frames_free(entry.physical, 0, account);
		}
	}
}

/* With the lock. */
static void make_stale(uint32_t place)
{
	stacks.stale[place / WORD_BITS] |= BIT(place % WORD_BITS);
	stacks.stale_count++;
}

/* With the lock: STACKS_MAX when all are taken. */
static uint32_t take_place(void)
{
	for (uint32_t word = stacks.first / WORD_BITS; word < ARRAY_COUNT(stacks.taken); word++) {
		if (~stacks.taken[word]) {
			unsigned bit = (unsigned)__builtin_ctzll(~stacks.taken[word]);

			stacks.taken[word] |= BIT(bit);
			stacks.first = word * WORD_BITS + bit;
			return stacks.first;
		}
	}
	return STACKS_MAX;
}

void *stack_alloc(struct account *account)
{
	uint64_t stack = 0;
	uint32_t place;

	if (__atomic_load_n(&stacks.stale_count, __ATOMIC_RELAXED) >= STALE_MAX)
		flush_stale();
	spin_lock(&stacks.lock);
	place = take_place();
	if (place == STACKS_MAX)
		goto out;
	stack = place_stack(place);
	stacks.owners[place] = account;
	for (unsigned i = 0; i < STACK_PAGES; i++) {
		uint64_t physical = frames_alloc(0, account);

		if (!physical || table_map(table_root, stack + i * PAGE_SIZE, physical, PAGE_SIZE,
					   TABLE_WRITE, &runtime_account) < 0) {
			if (physical)
				frames_free(physical, 0, account);
			unmap(stack, i, account);
			make_stale(place);
			stack = 0;
			break;
		}
	}
out:
	spin_unlock(&stacks.lock);
	return (void *)stack;
}

void stack_free(void *stack)
{
	uint32_t place = (uint32_t)(((uint64_t)stack - STACKS_MAP) / PLACE_SIZE);

	spin_lock(&stacks.lock);
	unmap((uint64_t)stack, STACK_PAGES, stacks.owners[place]);
	make_stale(place);
	spin_unlock(&stacks.lock);
}
