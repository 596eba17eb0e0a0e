/* SPDX-License-Identifier: MIT */
/*
 * The bare-metal runtime's memory (type1/runtime: frames.c, heap.c, tables.c, account.c) on memory
 * of this process in place of a machine's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static uintptr_t machine; /* where physical 0 is */
#define PHYSICAL_MAP ((uint64_t)machine)
#include "type1/runtime/account.c"
#include "type1/runtime/frames.c"
#include "type1/runtime/heap.c"
#include "type1/runtime/tables.c"

#define MACHINE_SIZE (64 * MIB)
#define MACHINE_START (3 * PAGE_SIZE) /* not aligned to anything large */

/* What those files rely on. */
char image_start[1], image_text_end[1], image_rodata_end[1], image_end[1];
char boot_stack_guard[2 * PAGE_SIZE];

void spin_lock(struct spin *spin)
{
	assert_int_equal(spin->owner, 0);
	spin->owner = 1;
}

void spin_unlock(struct spin *spin)
{
	assert_int_equal(spin->owner, 1);
	spin->owner = 0;
}

_Noreturn void panic(const struct trap_frame *frame, const char *format, ...)
{
	(void)frame;
	fail_msg("panic: %s", format);
	abort();
}

static int set_up(void **state)
{
	static uint8_t states[MACHINE_SIZE / PAGE_SIZE];

	(void)state;
	machine = (uintptr_t)mmap(NULL, MACHINE_SIZE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_not_equal(machine, (uintptr_t)MAP_FAILED);
	frames_init(states, ARRAY_COUNT(states));
	frames_add(MACHINE_START, MACHINE_SIZE);
	return 0;
}

static uint64_t free_now(void)
{
	uint64_t total, free_bytes;

	frames_statistics(&total, &free_bytes);
	return free_bytes;
}

static bool is_zero(const void *at, size_t size)
{
	const char *bytes = at;

	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void frames_are_aligned_zeroed_and_nobody_elses(void **state)
{
	enum { BLOCKS = 200, ROUNDS = 20000, ORDERS = 8 };
	static struct {
		uint64_t physical;
		unsigned order;
	} blocks[BLOCKS];
	static uint8_t owner[MACHINE_SIZE / PAGE_SIZE]; /* pages that a block has */
	struct account account = {.limit = UINT64_MAX};
	uint64_t before = free_now();

	(void)state;
	srand(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = (unsigned)rand() % BLOCKS, order = (unsigned)rand() % ORDERS;
		uint64_t size = UINT64_C(4096) << blocks[i].order;

		if (blocks[i].physical) {
			memset(&owner[blocks[i].physical / PAGE_SIZE], 0, size / PAGE_SIZE);
			frames_free(blocks[i].physical, blocks[i].order, &account);
			blocks[i].physical = 0;
			continue;
		}
		size = UINT64_C(4096) << order;
		blocks[i].physical = frames_alloc(order, &account);
		blocks[i].order = order;
		if (!blocks[i].physical)
			continue;
		assert_true(is_aligned(blocks[i].physical, size));
		assert_true(is_zero(physical_at(blocks[i].physical), size));
		for (uint64_t page = 0; page < size / PAGE_SIZE; page++) {
			assert_int_equal(owner[blocks[i].physical / PAGE_SIZE + page], 0);
			owner[blocks[i].physical / PAGE_SIZE + page] = 1;
		}
		memset(physical_at(blocks[i].physical), 0xff, size);
		assert_int_equal(account.used, before - free_now());
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (blocks[i].physical)
			frames_free(blocks[i].physical, blocks[i].order, &account);
	}
	assert_int_equal(free_now(), before);
	assert_int_equal(account.used, 0);
	/* All has joined again: the upper half of the machine is one block. */
	blocks[0].physical = frames_alloc(13, &account);
	assert_int_equal(blocks[0].physical, MACHINE_SIZE / 2);
	frames_free(blocks[0].physical, 13, &account);
}

static void frames_can_be_freed_in_parts(void **state)
{
	struct account account = {.limit = UINT64_MAX};
	uint64_t before = free_now(), block = frames_alloc(3, &account);

	(void)state;
	frames_free(block, 2, &account);
	frames_free(block + 4 * PAGE_SIZE, 1, &account);
	frames_free(block + 7 * PAGE_SIZE, 0, &account);
	frames_free(block + 6 * PAGE_SIZE, 0, &account);
	assert_int_equal(free_now(), before);
	assert_int_equal(account.used, 0);
}

static void nobody_gets_more_than_its_account_has(void **state)
{
	struct account account = {.limit = 5 * PAGE_SIZE};
	uint64_t before = free_now(), block;
	void *object;

	(void)state;
	assert_int_equal(frames_alloc(3, &account), 0);
	block = frames_alloc(2, &account);
	assert_int_not_equal(block, 0);
	object = heap_alloc(1000, &account);
	assert_non_null(object);
	assert_int_equal(frames_alloc(0, &account), 0);
	assert_null(heap_alloc(PAGE_SIZE, &account));
	assert_null(heap_alloc(SIZE_MAX, &account));
	assert_null(heap_alloc(SIZE_MAX - 63, &account));
	assert_int_equal(frames_alloc(FRAME_ORDERS, &runtime_account), 0);
	assert_int_equal(frames_alloc(FRAME_ORDERS - 1, &runtime_account), 0);
	heap_free(object);
	frames_free(block, 2, &account);
	assert_int_equal(account.used, 0);
	assert_int_equal(free_now(), before);
}

static void objects_are_aligned_zeroed_and_nobody_elses(void **state)
{
	enum { OBJECTS = 300, ROUNDS = 20000 };
	static struct {
		unsigned char *at;
		size_t size;
		unsigned char filled;
	} objects[OBJECTS];
	struct account account = {.limit = UINT64_MAX};
	uint64_t before = free_now();

	(void)state;
	srand(2);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = (unsigned)rand() % OBJECTS;

		if (objects[i].at) {
			assert_int_equal(objects[i].at[0], objects[i].filled);
			assert_memory_equal(objects[i].at, objects[i].at + 1, objects[i].size - 1);
			heap_free(objects[i].at);
			objects[i].at = NULL;
			continue;
		}
		objects[i].size = 1 + (size_t)rand() % (rand() % 8 ? 2100 : 40000);
		objects[i].at = heap_alloc(objects[i].size, &account);
		assert_non_null(objects[i].at);
		assert_true(is_aligned((uintptr_t)objects[i].at, 64));
		assert_true(is_zero(objects[i].at, objects[i].size));
		objects[i].filled = (unsigned char)rand();
		memset(objects[i].at, objects[i].filled, objects[i].size);
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		heap_free(objects[i].at);
	assert_int_equal(account.used, 0);
	assert_int_equal(free_now(), before);
}

static void tables_map_pages_of_each_size(void **state)
{
	struct account account = {.limit = UINT64_MAX};
	uint64_t before = free_now(), root;
	struct table_entry entry;

	(void)state;
	table_root = frames_alloc(0, &runtime_account);
	*entry_in(table_root, DEVICES_MAP, LEVELS) = 0x5000 | TABLE_BITS;
	root = table_create(&account);
	assert_int_equal(*entry_in(root, DEVICES_MAP, LEVELS), 0x5000 | TABLE_BITS);
	assert_int_equal(table_map(root, 0x1000, 0x7000, PAGE_SIZE, TABLE_USER, &account), 0);
	assert_int_equal(
		table_map(root, 0x400000, 0x800000, 2 * MIB, TABLE_USER | TABLE_WRITE, &account),
		0);
	assert_int_equal(
		table_map(root, 3 * GIB, 5 * GIB, GIB, TABLE_USER | TABLE_EXECUTE, &account), 0);
	assert_true(table_find(root, 0x1fff, &entry));
	assert_int_equal(entry.physical, 0x7000);
	assert_int_equal(entry.size, PAGE_SIZE);
	assert_int_equal(entry.rights, TABLE_USER);
	assert_true(table_find(root, 0x412345, &entry));
	assert_int_equal(entry.physical, 0x800000);
	assert_int_equal(entry.size, 2 * MIB);
	assert_int_equal(entry.rights, TABLE_USER | TABLE_WRITE);
	assert_true(table_find(root, 4 * GIB - 1, &entry));
	assert_int_equal(entry.physical, 5 * GIB);
	assert_int_equal(entry.size, GIB);
	assert_int_equal(entry.rights, TABLE_USER | TABLE_EXECUTE);
	assert_false(table_find(root, 0, &entry));
	assert_false(table_find(root, 4 * GIB, &entry));
	/* Nothing is mapped over anything. */
	assert_int_equal(table_map(root, 0x1000, 0, PAGE_SIZE, 0, &account), -EEXIST);
	assert_int_equal(table_map(root, 0x400000, 0, PAGE_SIZE, 0, &account), -EEXIST);
	assert_int_equal(table_map(root, 0, 0, 2 * MIB, 0, &account), -EEXIST);
	assert_int_equal(table_map(root, 0, 0, GIB, 0, &account), -EEXIST);
	table_unmap(root, 0x401000);
	assert_false(table_find(root, 0x400000, &entry));
	table_unmap(root, 0x401000);
	table_destroy(root, &account);
	assert_int_equal(account.used, 0);
	*entry_in(table_root, DEVICES_MAP, LEVELS) = 0;
	table_destroy(table_root, &runtime_account);
	assert_int_equal(free_now(), before);
}

static void tables_stop_at_the_account(void **state)
{
	struct account account = {.limit = 3 * PAGE_SIZE};
	uint64_t root;

	(void)state;
	table_root = frames_alloc(0, &runtime_account);
	root = table_create(&account);
	assert_int_equal(table_map(root, 0, 0, PAGE_SIZE, 0, &account), -ENOMEM);
	assert_int_equal(table_map(root, 0, 0, 2 * MIB, 0, &account), 0);
	table_destroy(root, &account);
	assert_int_equal(account.used, 0);
	table_destroy(table_root, &runtime_account);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_aligned_zeroed_and_nobody_elses),
		cmocka_unit_test(frames_can_be_freed_in_parts),
		cmocka_unit_test(nobody_gets_more_than_its_account_has),
		cmocka_unit_test(objects_are_aligned_zeroed_and_nobody_elses),
		cmocka_unit_test(tables_map_pages_of_each_size),
		cmocka_unit_test(tables_stop_at_the_account),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
