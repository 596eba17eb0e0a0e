/* SPDX-License-Identifier: MIT */
/*
 * stage2.c - second-level page tables: faults fill them, changes of slots and of the caller's
 * address space empty them.
 */
#include "hypervisor/x86/stage2.h"

#include <linux/errno.h>

#include "hw/x86.h"
#include "hypervisor/async_fault.h"
#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"

#define ENTRIES 512u
#define INDEX_BITS 9u
#define ADDRESS UINT64_C(0x000ffffffffff000)
#define LEVELS_MAX 5u

/* A nested walk is a user's, so that all entries have U (APM2 section 15.25.5). */
const struct stage2_format stage2_nested_paging = {
	.table = PTE_P | PTE_RW | PTE_US | PTE_A,
	.leaf = PTE_P | PTE_US | PTE_A,
	.large = PTE_PS,
	.write = PTE_RW | PTE_D,
	.accessed = PTE_A,
	.present = PTE_P,
	.large_level_max = 3,
};

/* Level 1 is of 4 KiB. */
static unsigned shift_of(unsigned level)
{
	return PAGE_SHIFT + INDEX_BITS * (level - 1);
}

static uint64_t size_of(unsigned level)
{
	return BIT(shift_of(level));
}

static unsigned index_of(uint64_t gpa, unsigned level)
{
	return (unsigned)(gpa >> shift_of(level)) & (ENTRIES - 1);
}

static bool is_present(const struct stage2 *s, uint64_t entry)
{
	return entry & s->format->present;
}

/* Levels above 1 only: on the last the bit may mean something else. */
static bool is_large(const struct stage2 *s, uint64_t entry)
{
	return entry & s->format->large;
}

static uint64_t *table_at(uint64_t entry)
{
	return host_pages_at(entry & ADDRESS);
}

/* Walks of the CPU read them meanwhile, and set accessed and dirty bits. */
static uint64_t get(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): it is written */
static void set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* --- Taking away ------------------------------------------------------------------------------ */

enum change_kind { CHANGE_REMOVE, CHANGE_PROTECT, CHANGE_AGE };

struct change {
	enum change_kind kind;
	bool task; /* in task context, with no lock of the host's: others may have the CPU */
	unsigned budget;
	bool entries;  /* some were changed so that TLBs must follow */
	bool accessed; /* one had been */
	/*
	 * Tables that nothing leads to any more, until they can be freed.  They are empty, and
	 * linked by their first entry: an address of a page, in which no walk sees an entry that is
	 * present.
	 */
	uint64_t *garbage;
};

static void throw_away(struct change *c, uint64_t *table)
{
	set(&table[0], (uintptr_t)c->garbage);
	c->garbage = table;
}

static void change_leaf(struct stage2 *s, uint64_t *entry, struct change *c)
{
	uint64_t before = get(entry);

	switch (c->kind) {
	case CHANGE_REMOVE:
		set(entry, 0);
		c->entries = true;
		break;
	case CHANGE_PROTECT:
		if (before & s->format->write)
			c->entries = true;
		__atomic_fetch_and(entry, ~s->format->write, __ATOMIC_SEQ_CST);
		break;
	case CHANGE_AGE:
		if (before & s->format->accessed)
			c->accessed = true;
		__atomic_fetch_and(entry, ~s->format->accessed, __ATOMIC_SEQ_CST);
		break;
	}
}

static bool is_empty(const struct stage2 *s, const uint64_t *table)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (is_present(s, get(&table[i])))
			return false;
	return true;
}

/*
 * Changes the leaves of the part of start..end that one table covers, until budget, the number of
 * last-level tables that may be gone through, is used up: returns how far it came.  Tables that
 * are left without an entry go to garbage.
 */
static uint64_t change_table(struct stage2 *s, uint64_t *table, unsigned level, uint64_t start,
			     uint64_t end, struct change *c)
{
	uint64_t at = start;

	while (at < end) {
		uint64_t *entry = &table[index_of(at, level)];
		uint64_t next = align_down(at, size_of(level)) + size_of(level);
		uint64_t stop = next && next < end ? next : end;
		uint64_t value = get(entry), reached;

		if (is_present(s, value) && (level == 1 || is_large(s, value))) {
			change_leaf(s, entry, c);
		} else if (is_present(s, value)) {
			if (!c->budget)
				return at;
			if (level == 2)
				c->budget--;
			reached = change_table(s, table_at(value), level - 1, at, stop, c);
			if (reached < stop)
				return reached;
			if (c->kind == CHANGE_REMOVE && is_empty(s, table_at(value))) {
				set(entry, 0);
				c->entries = true;
				throw_away(c, table_at(value));
			}
		}
		at = stop;
	}
	return at;
}

static uint64_t limit_of(const struct stage2 *s)
{
	return s->levels == LEVELS_MAX ? BIT(52) : BIT(48);
}

#define CHANGE_BUDGET 16

static void change_range(struct stage2 *s, uint64_t gpa, uint64_t size, struct change *c)
{
	uint64_t end = MIN(gpa + size, limit_of(s));

	/* The lock is let go now and then: others' faults go on meanwhile. */
	while (gpa < end) {
		host_spin_lock(&s->lock);
		c->budget = CHANGE_BUDGET;
		gpa = change_table(s, s->root, s->levels, gpa, end, c);
		host_spin_unlock(&s->lock);
		if (c->task)
			host_reschedule();
	}
}

/* Without the lock. */
static void finish_change(struct stage2 *s, struct change *c)
{
	if (c->entries) {
		/* After the entries, and before the look at who is in the guest. */
		__atomic_fetch_add(&s->generation, 1, __ATOMIC_SEQ_CST);
		s->flush(s->vm);
	}
	while (c->garbage) {
		uint64_t *table = c->garbage;

		c->garbage = (uint64_t *)(uintptr_t)get(&table[0]);
		host_pages_free(table, 0);
		if (c->task)
			host_reschedule();
	}
}

void stage2_memory_changed(struct stage2 *s, uint64_t gpa, uint64_t size)
{
	const struct memory_slot *slot = memory_find(s->vm, gpa);
	struct change c = {.kind = CHANGE_REMOVE, .task = true};

	if (slot && slot->log && slot->gpa <= gpa && gpa + size <= slot->gpa + slot->size)
		c.kind = CHANGE_PROTECT;
	/* A fault that found the slots as they were before maps nothing. */
	host_spin_lock(&s->lock);
	s->changes++;
	host_spin_unlock(&s->lock);
	change_range(s, gpa, size, &c);
	finish_change(s, &c);
}

/* --- The caller's address space --------------------------------------------------------------- */

struct user_change {
	struct stage2 *s;
	struct change change;
};

static void change_slot_part(const struct memory_slot *slot, uint64_t gpa, uint64_t size,
			     void *opaque)
{
	struct user_change *c = opaque;

	(void)slot;
	change_range(c->s, gpa, size, &c->change);
}

static void invalidate(struct host_memory *memory, uint64_t user, uint64_t size)
{
	struct user_change c = {.s = CONTAINER_OF(memory, struct stage2, memory),
				.change.kind = CHANGE_REMOVE};

	memory_each_of_user(c.s->vm, user, size, change_slot_part, &c);
	finish_change(c.s, &c.change);
}

static bool accessed(struct host_memory *memory, uint64_t user, uint64_t size)
{
	/* TLBs keep what they have: a page that is in one may look older than it is. */
	struct user_change c = {.s = CONTAINER_OF(memory, struct stage2, memory),
				.change.kind = CHANGE_AGE};

	memory_each_of_user(c.s->vm, user, size, change_slot_part, &c);
	return c.change.accessed;
}

/* --- Faults ----------------------------------------------------------------------------------- */

static int fill_spare(struct stage2_spare *spare)
{
	while (spare->count < STAGE2_SPARE) {
		unsigned i = spare->count;

		spare->page[i].page = host_pages_alloc(0, &spare->page[i].physical);
		if (!spare->page[i].page)
			return -ENOMEM;
		spare->count++;
	}
	return 0;
}

void stage2_spare_free(struct stage2_spare *spare)
{
	while (spare->count)
		host_pages_free(spare->page[--spare->count].page, 0);
}

/* The largest level whose block around gpa lies in the slot and is one block of the host's, too. */
static unsigned level_for(const struct stage2 *s, const struct memory_slot *slot, uint64_t gpa,
			  const struct host_page *page)
{
	uint64_t user = slot->user + (gpa - slot->gpa);
	unsigned level = 1;

	if (slot->log)
		return 1; /* it is logged by pages */
	while (level < s->format->large_level_max && page->size >= size_of(level + 1)) {
		uint64_t size = size_of(level + 1), start = align_down(gpa, size);

		if (((gpa ^ user) & (size - 1)) || start < slot->gpa ||
		    start + size > slot->gpa + slot->size)
			break;
		level++;
	}
	return level;
}

/* Makes the entry of a table lead to an empty table instead of to nothing, or to a large page. */
static uint64_t *table_below(struct stage2 *s, struct stage2_spare *spare, uint64_t *entry,
			     struct change *c)
{
	uint64_t value = get(entry);

	if (is_present(s, value) && !is_large(s, value))
		return table_at(value);
	if (is_present(s, value))
		change_leaf(s, entry, c);
	spare->count--;
	set(entry, spare->page[spare->count].physical | s->format->table);
	return spare->page[spare->count].page;
}

/*
 * With the lock.  A large page in the way that doesn't do for the access goes, and so do smaller
 * ones in the way of a large one.
 */
static void map(struct stage2 *s, struct stage2_spare *spare, uint64_t gpa, unsigned level,
		uint64_t physical, bool writable, struct change *c)
{
	uint64_t leaf = align_down(physical, size_of(level)) | s->format->leaf |
			(writable ? s->format->write : 0) | (level > 1 ? s->format->large : 0);
	uint64_t start = align_down(gpa, size_of(level));
	uint64_t *table = s->root, *entry, value;

	for (unsigned at = s->levels; at > level; at--) {
		entry = &table[index_of(gpa, at)];
		value = get(entry);
		if (is_present(s, value) && is_large(s, value) &&
		    (!writable || (value & s->format->write) == s->format->write))
			return; /* another vCPU has mapped more of it meanwhile */
		table = table_below(s, spare, entry, c);
	}
	entry = &table[index_of(gpa, level)];
	value = get(entry);
	if (level > 1 && is_present(s, value) && !is_large(s, value)) {
		c->budget = UINT32_MAX; /* that of one large page */
		change_table(s, table_at(value), level - 1, start, start + size_of(level), c);
		set(entry, 0);
		throw_away(c, table_at(value));
		c->entries = true;
	}
	set(entry, leaf);
}

int stage2_fault(struct stage2 *s, struct stage2_spare *spare, uint64_t gpa, bool write, bool wait)
{
	struct change c = {.kind = CHANGE_REMOVE};
	const struct memory_slot *slot;
	struct host_page page = {0};
	uint64_t sequence, changes;
	bool writable, mapped = false;
	int err = fill_spare(spare);

	if (err < 0)
		return err;
	host_spin_lock(&s->lock);
	changes = s->changes;
	host_spin_unlock(&s->lock);
	sequence = host_memory_sequence(&s->memory);
	slot = gpa < limit_of(s) ? memory_find(s->vm, gpa) : NULL;
	if (!slot || (write && slot->read_only))
		return -ENOENT;
	err = host_page_get(&s->memory, slot->user + (gpa - slot->gpa), write, wait, &page);
	if (err < 0)
		return err;
	writable = page.writable && !slot->read_only && (write || !slot->log);
	host_spin_lock(&s->lock);
	/* Whoever takes the page or the slot away from now on finds the entry. */
	if (s->changes == changes && !host_memory_changed(&s->memory, sequence)) {
		map(s, spare, gpa, level_for(s, slot, gpa, &page), page.physical, writable, &c);
		mapped = true;
		if (writable)
			memory_mark_dirty(slot, gpa);
	}
	host_spin_unlock(&s->lock);
	host_page_put(&page, mapped && writable);
	finish_change(s, &c);
	return 0;
}

int stage2_fault_of(struct stage2 *s, struct stage2_spare *spare, struct vcpu *vcpu, uint64_t gpa,
		    bool write)
{
	int err = stage2_fault(s, spare, gpa, write, !async_fault_can_take(vcpu));

	if (err != -EAGAIN)
		return err;
	if (async_fault_begin(vcpu, &s->memory, gpa, write))
		return -EINTR;
	return stage2_fault(s, spare, gpa, write, true);
}

const char *stage2_failure(int err)
{
	switch (err) {
	case -ENOENT:
		return "a page table is not in memory that can be written";
	case -ENOMEM:
		return "there is no memory for the tables of its memory";
	default:
		return "a page of its memory is not there";
	}
}

/* --- Life ------------------------------------------------------------------------------------- */

int stage2_create(struct stage2 *s, const struct stage2_format *format, unsigned levels,
		  struct vm *vm, void (*flush)(struct vm *vm))
{
	int err;

	s->format = format;
	s->levels = levels;
	s->vm = vm;
	s->flush = flush;
	host_spin_init(&s->lock);
	s->root = host_pages_alloc(0, &s->root_physical);
	if (!s->root)
		return -ENOMEM;
	s->memory.invalidate = invalidate;
	s->memory.accessed = accessed;
	err = host_memory_begin(&s->memory);
	if (err < 0) {
		host_pages_free(s->root, 0);
		s->root = NULL;
		return err;
	}
	return 0;
}

void stage2_stop(struct stage2 *s)
{
	host_memory_end(&s->memory);
}

void stage2_destroy(struct stage2 *s)
{
	struct change c = {.kind = CHANGE_REMOVE, .task = true};

	change_range(s, 0, limit_of(s), &c);
	c.entries = false; /* no vCPU is left */
	finish_change(s, &c);
	host_pages_free(s->root, 0);
	s->root = NULL;
}
