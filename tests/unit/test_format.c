/* SPDX-License-Identifier: MIT */
/* format_text() says what snprintf() says, for what it knows, and never writes past its buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/format.h"

#define SAME(...)                                                                                  \
	do {                                                                                       \
		char ours[128], theirs[128];                                                       \
		size_t length = format_text(ours, sizeof(ours), __VA_ARGS__);                      \
		snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                     \
		assert_string_equal(ours, theirs);                                                 \
		assert_int_equal(length, strlen(theirs));                                          \
	} while (0)

static void agrees_with_the_c_library(void **state)
{
	(void)state;
	SAME("plain");
	SAME("%s|%10s|%-10s|%.3s|%8.2s|", "abc", "abc", "abc", "abcdef", "abcdef");
	SAME("%d %i %u", -5, 0, 7u);
	SAME("%5d|%-5d|%05d|%05d", 42, 42, 42, -42);
	SAME("%x %X %08x", 0xbeefu, 0xbeefu, 0xbeefu);
}

static void agrees_on_lengths(void **state)
{
	(void)state;
	SAME("%ld %lu %lld %llu %zu", -1l, ~0ul, INT64_MIN + 0ll, ~0ull, (size_t)3);
	SAME("%hhu %hu %hhd %hd", (unsigned char)250, (unsigned short)65000, (signed char)-3,
	     (short)-300);
	SAME("%llx %lx %zx", 0x123456789abcdefull, 0xful, (size_t)16);
	SAME("%c%c%%", 'o', 'k');
	SAME("%p", (void *)0x1234);
}

static void stops_at_the_end_of_the_buffer(void **state)
{
	char buffer[8];

	(void)state;
	memset(buffer, '#', sizeof(buffer));
	assert_int_equal(format_text(buffer, 4, "%s", "abcdefgh"), 3);
	assert_memory_equal(buffer, "abc\0####", 8);
	assert_int_equal(format_text(buffer, 1, "%d", 12345), 0);
	assert_int_equal(buffer[0], '\0');
	assert_int_equal(format_text(buffer, 6, "%100d", 1), 5);
	assert_int_equal(buffer[5], '\0');
}

static void null_text_is_named(void **state)
{
	char buffer[16];
	const char *volatile nothing = NULL;

	(void)state;
	format_text(buffer, sizeof(buffer), "%s", nothing);
	assert_string_equal(buffer, "(null)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_c_library),
		cmocka_unit_test(agrees_on_lengths),
		cmocka_unit_test(stops_at_the_end_of_the_buffer),
		cmocka_unit_test(null_text_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
