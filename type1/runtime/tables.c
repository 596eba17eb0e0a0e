/* SPDX-License-Identifier: MIT */
/*
 * tables.c - page tables of 4 levels (APM2 section 5.3), and the runtime's own map, which stands in
 * the upper half of every one.  Its entries of the highest level are all there when tables_init()
 * returns, so that roots made later need never follow it.
 */
#include "type1/runtime/tables.h"

#include <linux/errno.h>

#include "hw/cpuid.h"
#include "hw/x86.h"
#include "lib/bits.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/image.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/memory.h"

#define LEVELS 4u
#define LEVEL_BITS 9
#define PAGE_SHIFT 12
#define ADDRESS_MASK UINT64_C(0x000ffffffffff000)
#define TABLE_BITS (PTE_P | PTE_RW | PTE_US) /* the last level's rights count */
#define LOWER_HALF (PAGE_TABLE_ENTRIES / 2)
#define GIB_PAGE (UINT64_C(1) << 30)

uint64_t table_root;
bool table_has_gib_pages;

/* What an entry of the level (1: a page's, LEVELS: the root's) covers. */
static uint64_t level_size(unsigned level)
{
	return BIT(PAGE_SHIFT + LEVEL_BITS * (level - 1));
}

static uint64_t *entry_in(uint64_t table, uint64_t address, unsigned level)
{
	uint64_t *entries = physical_at(table);

	return &entries[address / level_size(level) % PAGE_TABLE_ENTRIES];
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (entry & PTE_PS);
}

static uint64_t entry_of(uint64_t address, uint64_t physical, unsigned level, unsigned rights)
{
	return physical | PTE_P | PTE_A | PTE_D | (rights & TABLE_WRITE ? PTE_RW : 0) |
	       (rights & TABLE_EXECUTE ? 0 : PTE_NX) | (rights & TABLE_USER ? PTE_US : 0) |
	       (rights & TABLE_UNCACHED ? PTE_PCD | PTE_PWT : 0) | (level > 1 ? PTE_PS : 0) |
	       (address >= USER_END ? PTE_G : 0);
}

int table_map(uint64_t root, uint64_t address, uint64_t physical, uint64_t size, unsigned rights,
	      struct account *account)
{
	unsigned level = LEVELS, last = size == GIB_PAGE ? 3 : size == X86_LARGE_PAGE_SIZE ? 2 : 1;
	uint64_t table = root, *entry;

	for (;; level--) {
		entry = entry_in(table, address, level);
		if (level == last)
			break;
		if (!(*entry & PTE_P)) {
			uint64_t next = frames_alloc(0, account);

			if (!next)
				return -ENOMEM;
			*entry = next | TABLE_BITS;
		} else if (is_leaf(*entry, level)) {
			return -EEXIST;
		}
		table = *entry & ADDRESS_MASK;
	}
	if (*entry & PTE_P)
		return -EEXIST;
	*entry = entry_of(address, physical, level, rights);
	return 0;
}

/* The entry that maps the address, or NULL; *level is its own. */
static uint64_t *find(uint64_t root, uint64_t address, unsigned *level)
{
	uint64_t table = root, *entry;

	for (*level = LEVELS;; --*level) {
		entry = entry_in(table, address, *level);
		if (!(*entry & PTE_P))
			return NULL;
		if (is_leaf(*entry, *level))
			return entry;
		table = *entry & ADDRESS_MASK;
	}
}

bool table_find(uint64_t root, uint64_t address, struct table_entry *entry)
{
	unsigned level;
	const uint64_t *found = find(root, address, &level);

	if (!found)
		return false;
	entry->physical = *found & ADDRESS_MASK;
	entry->size = level_size(level);
	entry->rights = (*found & PTE_RW ? TABLE_WRITE : 0) |
			(*found & PTE_NX ? 0 : TABLE_EXECUTE) | (*found & PTE_US ? TABLE_USER : 0) |
			(*found & PTE_PCD ? TABLE_UNCACHED : 0);
	return true;
}

void table_unmap(uint64_t root, uint64_t address)
{
	unsigned level;
	uint64_t *entry = find(root, address, &level);

	if (entry)
		*entry = 0;
}

uint64_t table_create(struct account *account)
{
	uint64_t root = frames_alloc(0, account);
	uint64_t *to, *from;

	if (!root)
		return 0;
	to = physical_at(root);
	from = physical_at(table_root);
	for (unsigned i = LOWER_HALF; i < PAGE_TABLE_ENTRIES; i++)
		to[i] = from[i];
	return root;
}

/* The tables below the first count entries of a table of the level, and itself. */
static void destroy(uint64_t table, unsigned level, unsigned count, struct account *account)
{
	uint64_t *entries = physical_at(table);

	for (unsigned i = 0; level > 1 && i < count; i++) {
		if ((entries[i] & PTE_P) && !is_leaf(entries[i], level))
			destroy(entries[i] & ADDRESS_MASK, level - 1, PAGE_TABLE_ENTRIES, account);
	}
	frames_free(table, 0, account);
}

void table_destroy(uint64_t root, struct account *account)
{
	destroy(root, LEVELS, LOWER_HALF, account);
}

/* --- The runtime's own */

/* By the largest pages that fit; boot can't go on without. */
static void map_range(uint64_t address, uint64_t physical, uint64_t end, unsigned rights)
{
	while (physical < end) {
		uint64_t size = PAGE_SIZE;

		for (unsigned level = table_has_gib_pages ? 3 : 2; level > 1; level--) {
			if (is_aligned(address | physical, level_size(level)) &&
			    end - physical >= level_size(level)) {
				size = level_size(level);
				break;
			}
		}
		if (table_map(table_root, address, physical, size, rights, &runtime_account) < 0)
			panic(NULL, "tables: 0x%llx can't be mapped", (unsigned long long)physical);
		address += size;
		physical += size;
	}
}

static void map_image(const char *start, const char *end, unsigned rights)
{
	map_range((uint64_t)start, (uint64_t)start - IMAGE_MAP, (uint64_t)end - IMAGE_MAP, rights);
}

/* The root's entry for a part of the upper half that grows later. */
static void reserve(uint64_t address)
{
	uint64_t next = frames_alloc(0, &runtime_account);

	if (!next)
		panic(NULL, "tables: no memory");
	*entry_in(table_root, address, LEVELS) = next | TABLE_BITS;
}

void tables_init(void)
{
	table_has_gib_pages =
		cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx & CPUID_80000001_EDX_GIB_PAGES;
	table_root = frames_alloc(0, &runtime_account);
	if (!table_root)
		panic(NULL, "tables: no memory");
	reserve(STACKS_MAP);
	reserve(DEVICES_MAP);
	map_image(image_start, image_text_end, TABLE_EXECUTE);
	map_image(image_text_end, image_rodata_end, 0);
	map_image(image_rodata_end, boot_stack_guard, TABLE_WRITE);
	map_image(boot_stack_guard + PAGE_SIZE, image_end, TABLE_WRITE);
}

void tables_add_memory(uint64_t start, uint64_t end)
{
	map_range(PHYSICAL_MAP + start, start, end, TABLE_WRITE);
}

void *map_device(uint64_t physical, uint64_t size)
{
	static struct spin lock = SPIN_INIT;
	static uint64_t next = DEVICES_MAP; /* [lock] */
	uint64_t first = align_down(physical, PAGE_SIZE);
	uint64_t last = align_up(physical + size, PAGE_SIZE), address;
	int error = 0;

	spin_lock(&lock);
	address = next;
	for (uint64_t at = first; at < last && error == 0; at += PAGE_SIZE, next += PAGE_SIZE)
		error = table_map(table_root, next, at, PAGE_SIZE, TABLE_WRITE | TABLE_UNCACHED,
				  &runtime_account);
	spin_unlock(&lock);
	return error < 0 ? NULL : (char *)address + (physical - first);
}
