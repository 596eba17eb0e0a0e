/* SPDX-License-Identifier: MIT */
/* The core's memory slots: who may have which, what finds them, and the log of written pages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "tests/support/core_machine.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"

#define PAGES(n) ((uint64_t)(n)*4096)

static uint8_t spare[16 * 4096] __attribute__((aligned(4096)));

static int set_up(void **state)
{
	struct core_machine *machine = malloc(sizeof(*machine));

	core_machine_create(machine, &fake_backend, false, 1);
	*state = machine;
	return 0;
}

static int tear_down(void **state)
{
	core_machine_destroy(*state);
	free(*state);
	return 0;
}

static void test_find(void **state)
{
	struct core_machine *m = *state;
	const struct memory_slot *slot;

	assert_int_equal(core_set_slot(m, 7, 0, PAGES(0x1000), PAGES(2), spare), 0);
	slot = memory_find(m->vm, PAGES(0x1001) + 5);
	assert_non_null(slot);
	assert_int_equal(slot->id, 7);
	assert_ptr_equal(slot->host, spare);
	assert_null(memory_find(m->vm, PAGES(0x1002)));
	assert_null(memory_find(m->vm, PAGES(0x1000) - 1));
	assert_non_null(memory_find(m->vm, CORE_MACHINE_RAM - 1));
	assert_null(memory_find(m->vm, CORE_MACHINE_RAM));
	assert_null(memory_find(m->vm, UINT64_MAX));
}

static void test_bad_regions_are_refused(void **state)
{
	struct core_machine *m = *state;

	assert_int_equal(core_set_slot(m, 1, 4, PAGES(0x1000), PAGES(1), spare), -EINVAL);
	assert_int_equal(core_set_slot(m, MEMORY_SLOTS_MAX, 0, PAGES(0x1000), PAGES(1), spare),
			 -EINVAL);
	assert_int_equal(core_set_slot(m, 1, 0, PAGES(0x1000) + 8, PAGES(1), spare), -EINVAL);
	assert_int_equal(core_set_slot(m, 1, 0, PAGES(0x1000), 100, spare), -EINVAL);
	assert_int_equal(core_set_slot(m, 1, 0, PAGES(0x1000), PAGES(1), spare + 1), -EINVAL);
	assert_int_equal(core_set_slot(m, 1, 0, UINT64_MAX - PAGES(1) + 1, PAGES(2), spare),
			 -EINVAL);
	assert_int_equal(core_set_slot(m, 1, 0, PAGES(0x1000), UINT64_C(1) << 44, spare), -EINVAL);
	/* Nothing to delete, and what is there can't grow, or lie elsewhere for the caller. */
	assert_int_equal(core_set_slot(m, 1, 0, PAGES(0x1000), 0, spare), -EINVAL);
	assert_int_equal(core_set_slot(m, 0, 0, 0, CORE_MACHINE_RAM / 2, m->ram), -EINVAL);
	assert_int_equal(core_set_slot(m, 0, 0, 0, CORE_MACHINE_RAM, spare), -EINVAL);
	assert_int_equal(core_set_slot(m, 0, KVM_MEM_READONLY, 0, CORE_MACHINE_RAM, m->ram),
			 -EINVAL);
	/* Overlaps */
	assert_int_equal(core_set_slot(m, 1, 0, CORE_MACHINE_RAM - PAGES(1), PAGES(2), spare),
			 -EEXIST);
	assert_int_equal(core_set_slot(m, 1, 0, CORE_MACHINE_RAM, PAGES(2), spare), 0);
	assert_int_equal(core_set_slot(m, 1, 0, CORE_MACHINE_RAM - PAGES(1), PAGES(2), spare),
			 -EEXIST);
	assert_null(memory_find(m->vm, PAGES(0x1000)));
}

static void test_move_and_delete(void **state)
{
	struct core_machine *m = *state;

	assert_int_equal(core_set_slot(m, 3, 0, PAGES(0x2000), PAGES(4), spare), 0);
	assert_int_equal(fake_backend_range_gpa, PAGES(0x2000));
	assert_int_equal(fake_backend_range_size, PAGES(4));
	fake_backend_changes = 0;
	assert_int_equal(core_set_slot(m, 3, 0, PAGES(0x3000), PAGES(4), spare), 0);
	assert_int_equal(fake_backend_changes, 2); /* where it was, and where it is */
	assert_null(memory_find(m->vm, PAGES(0x2000)));
	assert_int_equal(memory_find(m->vm, PAGES(0x3003))->id, 3);
	assert_int_equal(core_set_slot(m, 3, 0, 0, 0, NULL), 0);
	assert_int_equal(fake_backend_range_gpa, PAGES(0x3000));
	assert_null(memory_find(m->vm, PAGES(0x3000)));
	assert_int_equal(memory_find(m->vm, 0)->id, 0);
}

static void test_no_memory_leaves_all_as_it_was(void **state)
{
	struct core_machine *m = *state;

	for (int left = 0; left < 3; left++) {
		fake_host_allocations_left = left;
		assert_int_equal(core_set_slot(m, 3, KVM_MEM_LOG_DIRTY_PAGES, PAGES(0x2000),
					       PAGES(4), spare),
				 -ENOMEM);
		assert_null(memory_find(m->vm, PAGES(0x2000)));
	}
	fake_host_allocations_left = 0;
	assert_int_equal(core_set_slot(m, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, CORE_MACHINE_RAM, m->ram),
			 -ENOMEM);
	assert_int_equal(core_set_slot(m, 0, 0, 0, 0, NULL), -ENOMEM);
	assert_null(memory_find(m->vm, 0)->dirty);
	fake_host_allocations_left = -1;
}

static void test_access(void **state)
{
	struct core_machine *m = *state;
	uint8_t buffer[8192];

	assert_int_equal(core_set_slot(m, 1, KVM_MEM_READONLY, CORE_MACHINE_RAM, PAGES(2), spare),
			 0);
	memset(spare, 0x5a, sizeof(spare));
	m->ram[CORE_MACHINE_RAM - 1] = 0x11;
	assert_int_equal(memory_read(m->vm, CORE_MACHINE_RAM - 1, buffer, 3), 0);
	assert_memory_equal(buffer, "\x11\x5a\x5a", 3);
	assert_int_equal(memory_write(m->vm, CORE_MACHINE_RAM, buffer, 1), -EFAULT);
	assert_int_equal(memory_read(m->vm, CORE_MACHINE_RAM + PAGES(2) - 1, buffer, 2), -EFAULT);
	memset(buffer, 0x77, sizeof(buffer));
	assert_int_equal(memory_write(m->vm, 100, buffer, sizeof(buffer)), 0);
	assert_memory_equal(m->ram + 100, buffer, sizeof(buffer));
	assert_int_equal(m->ram[99], 0);
	assert_int_equal(fake_backend_writes, 3); /* each page that the backend may have code of */
}

static void test_written_by_the_caller(void **state)
{
	struct core_machine *m = *state;

	assert_int_equal(core_set_slot(m, 1, 0, PAGES(0x5000), PAGES(4), spare), 0);
	hypervisor_memory_written(m->vm, (uintptr_t)spare + 4000, 200);
	assert_int_equal(fake_backend_writes, 1);
	assert_int_equal(fake_backend_range_gpa, PAGES(0x5000) + 4000);
	assert_int_equal(fake_backend_range_size, 200);
	hypervisor_memory_written(m->vm, (uintptr_t)spare + PAGES(4), 200);
	assert_int_equal(fake_backend_writes, 1);
}

static uint64_t log_of(struct core_machine *m, uint32_t slot)
{
	uint64_t bitmap[CORE_MACHINE_RAM / 4096 / 64] = {0};
	struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = bitmap};

	assert_int_equal(core_vm(m, KVM_GET_DIRTY_LOG, &log), 0);
	return bitmap[0];
}

static void test_dirty_log(void **state)
{
	struct core_machine *m = *state;
	struct kvm_dirty_log log = {.slot = 0, .dirty_bitmap = spare};

	assert_int_equal(core_vm(m, KVM_GET_DIRTY_LOG, &log), -ENOENT);
	log.slot = 99999;
	assert_int_equal(core_vm(m, KVM_GET_DIRTY_LOG, &log), -EINVAL);
	fake_backend_changes = 0;
	assert_int_equal(core_set_slot(m, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, CORE_MACHINE_RAM, m->ram),
			 0);
	assert_int_equal(fake_backend_changes, 1); /* writes that it let through are to be seen */
	assert_int_equal(log_of(m, 0), 0);
	memory_mark_dirty(memory_find(m->vm, PAGES(3)), PAGES(3) + 7);
	memory_write(m->vm, PAGES(6) - 1, "ab", 2);
	fake_backend_changes = 0;
	assert_int_equal(log_of(m, 0), 1 << 3 | 1 << 5 | 1 << 6);
	assert_int_equal(fake_backend_changes, 1);
	assert_int_equal(log_of(m, 0), 0);
	assert_int_equal(fake_backend_changes, 1); /* nothing was taken, nothing to protect */
	/* A log that can't be given is not lost. */
	memory_write(m->vm, PAGES(9), "a", 1);
	log = (struct kvm_dirty_log){.slot = 0, .dirty_bitmap = NULL};
	assert_int_equal(core_vm(m, KVM_GET_DIRTY_LOG, &log), -EFAULT);
	assert_int_equal(log_of(m, 0), 1 << 9);
	assert_int_equal(core_set_slot(m, 0, 0, 0, CORE_MACHINE_RAM, m->ram), 0);
	assert_null(memory_find(m->vm, 0)->dirty);
}

static int64_t enable_manual_log(struct core_machine *m, uint64_t flags)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = {flags}};

	return core_vm(m, KVM_ENABLE_CAP, &cap);
}

static void test_manual_dirty_log(void **state)
{
	struct core_machine *m = *state;
	uint64_t some[4] = {1 << 3};
	struct kvm_clear_dirty_log clear = {
		.slot = 0, .num_pages = 64, .first_page = 0, .dirty_bitmap = some};

	assert_int_equal(core_vm(m, KVM_CLEAR_DIRTY_LOG, &clear), -EINVAL);
	assert_int_equal(enable_manual_log(m, 4), -EINVAL);
	assert_int_equal(enable_manual_log(m, KVM_DIRTY_LOG_INITIALLY_SET), -EINVAL);
	assert_int_equal(enable_manual_log(m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE), 0);
	assert_int_equal(core_set_slot(m, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, CORE_MACHINE_RAM, m->ram),
			 0);
	memory_write(m->vm, PAGES(3), "a", 1);
	memory_write(m->vm, PAGES(4), "a", 1);
	assert_int_equal(log_of(m, 0), 1 << 3 | 1 << 4);
	assert_int_equal(log_of(m, 0), 1 << 3 | 1 << 4);
	fake_backend_changes = 0;
	assert_int_equal(core_vm(m, KVM_CLEAR_DIRTY_LOG, &clear), 0);
	assert_int_equal(fake_backend_changes, 1);
	assert_int_equal(log_of(m, 0), 1 << 4);
	clear.first_page = 1;
	assert_int_equal(core_vm(m, KVM_CLEAR_DIRTY_LOG, &clear), -EINVAL);
	clear.first_page = 64;
	clear.num_pages = 65;
	assert_int_equal(core_vm(m, KVM_CLEAR_DIRTY_LOG, &clear), -EINVAL);
	clear.first_page = 256;
	clear.num_pages = 64;
	assert_int_equal(core_vm(m, KVM_CLEAR_DIRTY_LOG, &clear), -EINVAL);
}

static void test_log_that_is_full_at_first(void **state)
{
	struct core_machine *m = *state;
	uint64_t bitmap = 0;
	struct kvm_dirty_log log = {.slot = 5, .dirty_bitmap = &bitmap};

	assert_int_equal(enable_manual_log(m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
						      KVM_DIRTY_LOG_INITIALLY_SET),
			 0);
	assert_int_equal(
		core_set_slot(m, 5, KVM_MEM_LOG_DIRTY_PAGES, PAGES(0x9000), PAGES(10), spare), 0);
	assert_int_equal(core_vm(m, KVM_GET_DIRTY_LOG, &log), 0);
	assert_int_equal(bitmap, 0x3ff);
}

static void test_without_direct_access_there_is_no_code(void **state)
{
	struct core_machine *m = *state;

	fake_host_no_user_pointer = true;
	assert_int_equal(core_set_slot(m, 5, 0, PAGES(0x9000), PAGES(10), spare), 0);
	assert_null(memory_find(m->vm, PAGES(0x9000))->host);
	assert_null(memory_find(m->vm, PAGES(0x9000))->code);
	assert_int_equal(memory_write(m->vm, PAGES(0x9000), "x", 1), 0);
	assert_int_equal(spare[0], 'x');
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_find),
		TEST(test_bad_regions_are_refused),
		TEST(test_move_and_delete),
		TEST(test_no_memory_leaves_all_as_it_was),
		TEST(test_access),
		TEST(test_written_by_the_caller),
		TEST(test_dirty_log),
		TEST(test_manual_dirty_log),
		TEST(test_log_that_is_full_at_first),
		TEST(test_without_direct_access_there_is_no_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
