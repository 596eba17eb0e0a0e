/* SPDX-License-Identifier: MIT */
/* The guest-memory accessor: what lies in RAM is reached, and nothing else ever is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/error.h"
#include "monitor/machine/memory.h"
#include "tests/support/fake_os.h"

static void small_memory_is_one_range(void **state)
{
	struct guest_memory memory;
	struct error why;

	(void)state;
	assert_int_equal(guest_memory_create(&memory, 16 * MIB, 3 * GIB, &why), 0);
	assert_int_equal(memory.range_count, 1);
	assert_ptr_equal(guest_memory_range(&memory, 0, 16 * MIB), memory.host);
	assert_null(guest_memory_range(&memory, 0, 16 * MIB + 1));
	assert_null(guest_memory_range(&memory, 16 * MIB, 1));
	assert_null(guest_memory_range(&memory, 4 * GIB, 1));
	guest_memory_destroy(&memory);
	assert_int_equal(memory.range_count, 0);
}

static void memory_beyond_the_hole_stands_at_4_gib(void **state)
{
	struct guest_memory memory;
	struct error why;
	uint8_t *high;

	(void)state;
	assert_int_equal(guest_memory_create(&memory, 5 * GIB, 3 * GIB, &why), 0);
	assert_int_equal(memory.range_count, 2);
	high = guest_memory_range(&memory, 4 * GIB, 2 * GIB);
	assert_ptr_equal(high, (uint8_t *)memory.host + 3 * GIB);
	assert_null(guest_memory_range(&memory, 3 * GIB, 1));
	assert_null(guest_memory_range(&memory, 4 * GIB - 1, 1));
	assert_null(guest_memory_range(&memory, 3 * GIB - 1, 2));
	assert_null(guest_memory_range(&memory, 6 * GIB, 1));
	assert_non_null(guest_memory_range(&memory, 6 * GIB - 1, 1));
	guest_memory_destroy(&memory);
}

static void lengths_that_wrap_are_refused(void **state)
{
	struct guest_memory memory;
	struct error why;

	(void)state;
	assert_int_equal(guest_memory_create(&memory, 4 * MIB, 3 * GIB, &why), 0);
	assert_null(guest_memory_range(&memory, 0x1000, UINT64_MAX));
	assert_null(guest_memory_range(&memory, 0x1000, UINT64_MAX - 0xfff));
	assert_null(guest_memory_range(&memory, UINT64_MAX, 2));
	assert_null(guest_memory_range(&memory, UINT64_MAX, 0));
	guest_memory_destroy(&memory);
}

static void copies_are_whole_or_not_at_all(void **state)
{
	struct guest_memory memory;
	struct error why;
	char buffer[8] = "untaken";

	(void)state;
	assert_int_equal(guest_memory_create(&memory, 2 * MIB, 3 * GIB, &why), 0);
	assert_int_equal(guest_memory_write(&memory, 2 * MIB - 4, "abcd", 4), 0);
	assert_int_equal(guest_memory_write(&memory, 2 * MIB - 4, "12345", 5), -EFAULT);
	assert_int_equal(guest_memory_read(&memory, 2 * MIB - 4, buffer, 5), -EFAULT);
	assert_string_equal(buffer, "untaken");
	assert_int_equal(guest_memory_read(&memory, 2 * MIB - 4, buffer, 4), 0);
	assert_memory_equal(buffer, "abcd", 4);
	assert_int_equal(guest_memory_fill(&memory, 2 * MIB - 2, 'x', 2), 0);
	assert_int_equal(guest_memory_fill(&memory, 2 * MIB - 2, 'y', 3), -EFAULT);
	assert_int_equal(guest_memory_read(&memory, 2 * MIB - 4, buffer, 4), 0);
	assert_memory_equal(buffer, "abxx", 4);
	guest_memory_destroy(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_memory_is_one_range),
		cmocka_unit_test(memory_beyond_the_hole_stands_at_4_gib),
		cmocka_unit_test(lengths_that_wrap_are_refused),
		cmocka_unit_test(copies_are_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
