/* SPDX-License-Identifier: MIT */
/* The functions of bytes that type 1's processes have, on all small sizes, places and overlaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Under other names: this process has its own. */
#define memcpy type1_memcpy
#define memmove type1_memmove
#define memset type1_memset
#define memcmp type1_memcmp
#include "type1/process/bytes.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#define ROOM 128
#define SIZES 50
#define PLACES 17

static void fill(uint8_t *bytes)
{
	for (unsigned i = 0; i < ROOM; i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
}

/* What there was before, but for size bytes from `from` on, which are at `to` as well. */
static void expect_moved(const uint8_t *bytes, unsigned to, unsigned from, unsigned size)
{
	uint8_t before[ROOM], after[ROOM];

	fill(before);
	fill(after);
	for (unsigned i = 0; i < size; i++)
		after[to + i] = before[from + i];
	assert_memory_equal(bytes, after, ROOM);
}

static void moves(void **state)
{
	uint8_t bytes[ROOM];

	(void)state;
	for (unsigned size = 0; size < SIZES; size++)
		for (unsigned to = 0; to < PLACES; to++)
			for (unsigned from = 0; from < PLACES; from++) {
				fill(bytes);
				assert_ptr_equal(type1_memmove(bytes + to, bytes + from, size),
						 bytes + to);
				expect_moved(bytes, to, from, size);
			}
}

static void copies(void **state)
{
	uint8_t bytes[ROOM];

	(void)state;
	for (unsigned size = 0; size < SIZES; size++)
		for (unsigned to = 0; to < PLACES; to++) {
			unsigned from = ROOM - SIZES - to % 3;

			fill(bytes);
			assert_ptr_equal(type1_memcpy(bytes + to, bytes + from, size), bytes + to);
			expect_moved(bytes, to, from, size);
		}
}

static void sets(void **state)
{
	uint8_t bytes[ROOM], expected[ROOM];

	(void)state;
	for (unsigned size = 0; size < SIZES; size++)
		for (unsigned to = 0; to < PLACES; to++) {
			fill(bytes);
			fill(expected);
			for (unsigned i = 0; i < size; i++)
				expected[to + i] = 0xe7;
			assert_ptr_equal(type1_memset(bytes + to, (int)0xffffffe7, size),
					 bytes + to);
			assert_memory_equal(bytes, expected, ROOM);
		}
}

static void compares(void **state)
{
	uint8_t a[SIZES], b[SIZES];

	(void)state;
	for (unsigned size = 0; size < SIZES; size++) {
		memset(a, 7, sizeof(a));
		memset(b, 7, sizeof(b));
		b[size] = 8;
		assert_int_equal(type1_memcmp(a, b, size), 0);
		assert_true(type1_memcmp(a, b, size + 1) < 0);
		a[size] = 0x80;
		assert_true(type1_memcmp(a, b, size + 1) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves),
		cmocka_unit_test(copies),
		cmocka_unit_test(sets),
		cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
