/* SPDX-License-Identifier: MIT */
/*
 * Command lines of the bare-metal runtime (type1/runtime/words.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "type1/runtime/words.c"

static struct word only(const char *line)
{
	struct word word, none;

	assert_true(word_next(&line, &word));
	assert_false(word_next(&line, &none));
	return word;
}

static void lines_are_words(void **state)
{
	const char *line = "  kvm memory=64M  module==x= ";
	char text[WORD_TEXT];
	struct word word;

	(void)state;
	assert_true(word_next(&line, &word));
	assert_true(word_is(&word, "kvm"));
	assert_null(word.value);
	assert_true(word_next(&line, &word));
	assert_true(word_is(&word, "memory"));
	assert_false(word_is(&word, "memory=64M"));
	assert_string_equal(word_text(&word, text), "memory");
	assert_int_equal(word.value_size, 3);
	assert_true(word_next(&line, &word));
	assert_true(word_is(&word, "module"));
	assert_memory_equal(word.value, "=x=", 3);
	assert_false(word_next(&line, &word));
}

static void numbers_are_whole(void **state)
{
	static const struct {
		const char *line;
		bool right;
		uint64_t number;
	} cases[] = {
		{"n=0", true, 0},
		{"n=10", true, 10},
		{"n=3K", true, 3 * KIB},
		{"n=64M", true, 64 * MIB},
		{"n=2G", true, 2 * GIB},
		{"n=18446744073709551615", true, UINT64_MAX},
		{"n=18446744073709551616", false, 0},
		{"n=17179869184G", false, 0},
		{"n=17179869183G", true, UINT64_C(17179869183) * GIB},
		{"n", false, 0},
		{"n=", false, 0},
		{"n=M", false, 0},
		{"n=1MB", false, 0},
		{"n=-1", false, 0},
		{"n=1T", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct word word = only(cases[i].line);
		uint64_t number;

		assert_int_equal(word_number(&word, &number), cases[i].right);
		if (cases[i].right)
			assert_int_equal(number, cases[i].number);
	}
}

static void sets_are_numbers_and_ranges(void **state)
{
	static const struct {
		const char *line;
		bool right;
		uint64_t set;
	} cases[] = {
		{"c=0", true, 1},        {"c=0,2-3", true, 0xd},
		{"c=63", true, BIT(63)}, {"c=0-63", true, UINT64_MAX},
		{"c=64", false, 0},      {"c=3-2", false, 0},
		{"c=1,", false, 0},      {"c=,1", false, 0},
		{"c=1-", false, 0},      {"c=1;2", false, 0},
		{"c=", false, 0},        {"c", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct word word = only(cases[i].line);
		uint64_t set;

		assert_int_equal(word_set(&word, &set), cases[i].right);
		if (cases[i].right)
			assert_int_equal(set, cases[i].set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_words),
		cmocka_unit_test(numbers_are_whole),
		cmocka_unit_test(sets_are_numbers_and_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
