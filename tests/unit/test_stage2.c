/* SPDX-License-Identifier: MIT */
/* Second-level page tables: what faults make, and what changes of slots and of the caller's memory
 * take away. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/x86.h"
#include "hypervisor/memory.h"
#include "hypervisor/x86/stage2.h"
#include "lib/bits.h"
#include "tests/support/core_machine.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_kernel.h"

#define BIG_SLOT 1u
#define BIG_GPA (4 * MIB)
#define BIG_SIZE (8 * MIB)
#define LOG_SLOT 2u
#define LOG_GPA (64 * MIB)
#define LOG_PAGES 64u
#define ROM_SLOT 3u
#define ROM_GPA (128 * MIB)
#define NOWHERE (1024 * MIB)

static struct core_machine machine;
static struct stage2 stage2;
static struct stage2_spare spare;
static uint8_t *big, *logged;
static unsigned flushes;

static void flush(struct vm *vm)
{
	assert_ptr_equal(vm, machine.vm);
	flushes++;
}

static int set_up(void **state)
{
	(void)state;
	core_machine_create(&machine, &fake_backend, false, 1);
	fake_kernel_reset();
	big = aligned_alloc(2 * MIB, BIG_SIZE);
	logged = aligned_alloc(4096, LOG_PAGES * PAGE_SIZE);
	core_set_slot(&machine, BIG_SLOT, 0, BIG_GPA, BIG_SIZE, big);
	core_set_slot(&machine, LOG_SLOT, KVM_MEM_LOG_DIRTY_PAGES, LOG_GPA, LOG_PAGES * PAGE_SIZE,
		      logged);
	core_set_slot(&machine, ROM_SLOT, KVM_MEM_READONLY, ROM_GPA, PAGE_SIZE, logged);
	memset(&stage2, 0, sizeof(stage2));
	memset(&spare, 0, sizeof(spare));
	flushes = 0;
	return stage2_create(&stage2, &stage2_nested_paging, 4, machine.vm, flush);
}

static int tear_down(void **state)
{
	(void)state;
	stage2_stop(&stage2);
	stage2_destroy(&stage2);
	stage2_spare_free(&spare);
	core_machine_destroy(&machine);
	free(big);
	free(logged);
	assert_int_equal(fake_kernel_pages, 0);
	return 0;
}

/* The entry that maps gpa, as the CPU finds it, or 0, and the size of what it maps. */
static uint64_t entry_of(uint64_t gpa, uint64_t *size)
{
	uint64_t table = stage2.root_physical;

	for (unsigned level = 4;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t entry = ((uint64_t *)(uintptr_t)table)[gpa >> shift & 511];

		*size = UINT64_C(1) << shift;
		if (!(entry & PTE_P))
			return 0;
		assert_true(entry & PTE_US);
		if (level == 1 || (entry & PTE_PS))
			return entry;
		assert_true(entry & PTE_RW);
		table = entry & ~UINT64_C(0xfff);
	}
}

static void expect_mapped(uint64_t gpa, const void *to, uint64_t expected_size, bool writable)
{
	uint64_t size, entry = entry_of(gpa, &size);

	assert_true(entry & PTE_P);
	assert_int_equal(size, expected_size);
	assert_int_equal(entry & ~UINT64_C(0xfff), (uintptr_t)to & ~(size - 1));
	assert_int_equal((entry & PTE_RW) != 0, writable);
}

static bool is_mapped(uint64_t gpa)
{
	uint64_t size;

	return entry_of(gpa, &size) != 0;
}

static int fault(uint64_t gpa, bool write)
{
	return stage2_fault(&stage2, &spare, gpa, write, true);
}

static void maps_pages(void **state)
{
	(void)state;
	assert_int_equal(fault(BIG_GPA + 0x5678, false), 0);
	expect_mapped(BIG_GPA + 0x5000, big + 0x5000, 4096, true);
	assert_false(is_mapped(BIG_GPA + 0x6000));
	assert_int_equal(fault(BIG_GPA + 0x6000, true), 0);
	expect_mapped(BIG_GPA + 0x6000, big + 0x6000, 4096, true);
	assert_int_equal(flushes, 0);
}

static void tells_devices(void **state)
{
	(void)state;
	assert_int_equal(fault(NOWHERE, false), -ENOENT);
	assert_int_equal(fault(UINT64_C(1) << 60, true), -ENOENT);
	assert_int_equal(fault(ROM_GPA, true), -ENOENT);
	assert_int_equal(fault(ROM_GPA, false), 0);
	expect_mapped(ROM_GPA, logged, 4096, false);
	fake_kernel_error = -EFAULT;
	assert_int_equal(fault(BIG_GPA, false), -EFAULT);
}

static void maps_large_pages(void **state)
{
	(void)state;
	fake_kernel_page_size = 2 * MIB;
	assert_int_equal(fault(BIG_GPA + 3 * MIB, false), 0);
	expect_mapped(BIG_GPA + 3 * MIB, big + 2 * MIB, 2 * MIB, true);
	/* A block of 1 GiB is more than the slot has. */
	fake_kernel_page_size = GIB;
	assert_int_equal(fault(BIG_GPA, false), 0);
	expect_mapped(BIG_GPA, big, 2 * MIB, true);
	/* The log is of pages. */
	assert_int_equal(fault(LOG_GPA, false), 0);
	expect_mapped(LOG_GPA, logged, 4096, false);
}

static void joins_pages(void **state)
{
	unsigned before;

	(void)state;
	assert_int_equal(fault(BIG_GPA, false), 0);
	assert_int_equal(fault(BIG_GPA + 0x1000, false), 0);
	fake_kernel_page_size = 2 * MIB;
	before = fake_kernel_pages - spare.count;
	assert_int_equal(fault(BIG_GPA + 0x2000, false), 0);
	expect_mapped(BIG_GPA, big, 2 * MIB, true);
	assert_int_equal(flushes, 1);
	assert_int_equal(fake_kernel_pages - spare.count, before - 1);
}

static void splits_pages(void **state)
{
	(void)state;
	fake_kernel_page_size = 2 * MIB;
	fake_kernel_writable = false;
	assert_int_equal(fault(BIG_GPA, false), 0);
	expect_mapped(BIG_GPA, big, 2 * MIB, false);
	fake_kernel_page_size = 4096;
	assert_int_equal(fault(BIG_GPA + 0x1000, true), 0);
	expect_mapped(BIG_GPA + 0x1000, big + 0x1000, 4096, true);
	assert_false(is_mapped(BIG_GPA));
	assert_int_equal(flushes, 1);
}

static void follows_the_address_space(void **state)
{
	uint64_t generation = stage2.generation;

	(void)state;
	assert_int_equal(fault(BIG_GPA, false), 0);
	assert_int_equal(fault(BIG_GPA + 0x1000, false), 0);
	fake_kernel_invalidate(&stage2.memory, (uintptr_t)big + 0x1000, 4096);
	assert_true(is_mapped(BIG_GPA));
	assert_false(is_mapped(BIG_GPA + 0x1000));
	assert_int_equal(flushes, 1);
	assert_true(stage2.generation != generation);
	/* Elsewhere: nothing of the guest's. */
	fake_kernel_invalidate(&stage2.memory, 4096, 4096);
	assert_int_equal(flushes, 1);
	fake_kernel_invalidate(&stage2.memory, 0, UINT64_MAX);
	assert_false(is_mapped(BIG_GPA));
	/* All tables but the root are gone. */
	assert_int_equal(fake_kernel_pages - spare.count, 1);
}

static void change_memory(struct host_memory *memory)
{
	fake_kernel_meanwhile = NULL;
	fake_kernel_invalidate(memory, (uintptr_t)big, 4096);
}

static void change_slots(struct host_memory *memory)
{
	(void)memory;
	fake_kernel_meanwhile = NULL;
	stage2_memory_changed(&stage2, BIG_GPA, BIG_SIZE);
}

static void maps_nothing_that_has_gone(void **state)
{
	(void)state;
	fake_kernel_meanwhile = change_memory;
	assert_int_equal(fault(BIG_GPA, true), 0);
	assert_false(is_mapped(BIG_GPA));
	assert_int_equal(fake_kernel_dirtied, 0);
	fake_kernel_meanwhile = change_slots;
	assert_int_equal(fault(BIG_GPA, true), 0);
	assert_false(is_mapped(BIG_GPA));
	assert_int_equal(fault(BIG_GPA, true), 0);
	assert_true(is_mapped(BIG_GPA));
	assert_int_equal(fake_kernel_dirtied, 1);
}

static uint64_t take_log(void)
{
	uint64_t bitmap[LOG_PAGES / 64] = {0};
	struct kvm_dirty_log log = {.slot = LOG_SLOT, .dirty_bitmap = bitmap};

	assert_int_equal(core_vm(&machine, KVM_GET_DIRTY_LOG, &log), 0);
	/* The fake backend was told; the tables are ours. */
	stage2_memory_changed(&stage2, fake_backend_range_gpa, fake_backend_range_size);
	return bitmap[0];
}

static void logs_writes(void **state)
{
	(void)state;
	assert_int_equal(fault(LOG_GPA + 0x1000, false), 0);
	assert_int_equal(fault(LOG_GPA + 0x3000, true), 0);
	expect_mapped(LOG_GPA + 0x1000, logged + 0x1000, 4096, false);
	expect_mapped(LOG_GPA + 0x3000, logged + 0x3000, 4096, true);
	assert_int_equal(take_log(), 1 << 3);
	assert_int_equal(flushes, 1);
	/* They stay, but the next write is seen. */
	expect_mapped(LOG_GPA + 0x3000, logged + 0x3000, 4096, false);
	assert_int_equal(fault(LOG_GPA + 0x3000, true), 0);
	expect_mapped(LOG_GPA + 0x3000, logged + 0x3000, 4096, true);
	assert_int_equal(take_log(), 1 << 3);
}

static void follows_slots(void **state)
{
	(void)state;
	assert_int_equal(fault(LOG_GPA, true), 0);
	assert_int_equal(fault(BIG_GPA, true), 0);
	core_set_slot(&machine, LOG_SLOT, 0, LOG_GPA, 0, logged);
	stage2_memory_changed(&stage2, LOG_GPA, LOG_PAGES * PAGE_SIZE);
	assert_false(is_mapped(LOG_GPA));
	assert_true(is_mapped(BIG_GPA));
	assert_int_equal(fault(LOG_GPA, false), -ENOENT);
}

static void tells_what_was_accessed(void **state)
{
	(void)state;
	assert_int_equal(fault(BIG_GPA, false), 0);
	assert_true(stage2.memory.accessed(&stage2.memory, (uintptr_t)big, BIG_SIZE));
	assert_false(stage2.memory.accessed(&stage2.memory, (uintptr_t)big, BIG_SIZE));
	assert_true(is_mapped(BIG_GPA));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(maps_pages),
		TEST(tells_devices),
		TEST(maps_large_pages),
		TEST(joins_pages),
		TEST(splits_pages),
		TEST(follows_the_address_space),
		TEST(maps_nothing_that_has_gone),
		TEST(logs_writes),
		TEST(follows_slots),
		TEST(tells_what_was_accessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
