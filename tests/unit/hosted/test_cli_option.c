/* SPDX-License-Identifier: MIT */
/*
 * Options by their table: both spellings of a value, negation, operands, suggestions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/option.h"
#include "cli/suggest.h"

#define ARGS_MAX 8

enum { FILE_OPTION, SWITCH_OPTION, FLAG_OPTION, PLAIN_OPTION };

static const struct option_spec specs[] = {
	{"Some", FILE_OPTION, 'f', "file", OPTION_VALUE, "FILE", "a file\nand more of it"},
	{NULL, SWITCH_OPTION, 0, "rng", OPTION_SWITCH, NULL, "a switch"},
	{NULL, FLAG_OPTION, 'k', "kaslr", OPTION_FLAG, NULL, "a flag"},
	{"Other", PLAIN_OPTION, 'q', "quiet", OPTION_NONE, NULL, "plain"},
	{0},
};

static struct option_parser parser;
static struct option option;
static struct error why;

/* Begins with the words of line, which are separated by single spaces; returns the first result. */
static int first(const char *line)
{
	static char copy[256];
	static char *argv[ARGS_MAX + 1];
	int argc = 1;

	strncpy(copy, line, sizeof(copy) - 1);
	argv[0] = copy;
	for (char *c = copy; argc < ARGS_MAX; argc++) {
		argv[argc] = c;
		c = strchr(c, ' ');
		if (c == NULL) {
			argc++;
			break;
		}
		*c++ = '\0';
	}
	option_begin(&parser, specs, "dyad help x", argc, argv);
	memset(&option, 0, sizeof(option));
	return option_next(&parser, &option, &why);
}

static int next(void)
{
	return option_next(&parser, &option, &why);
}

static void a_value_is_taken_from_both_spellings(void **state)
{
	static const char *const lines[] = {"--file x", "--file=x", "-f x"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(first(lines[i]), 1);
		assert_int_equal(option.spec->id, FILE_OPTION);
		assert_string_equal(option.value, "x");
		assert_int_equal(next(), 0);
	}
}

static void a_value_may_be_empty_or_hold_an_equals_sign(void **state)
{
	(void)state;
	assert_int_equal(first("--file="), 1);
	assert_string_equal(option.value, "");
	assert_int_equal(first("--file=a=b"), 1);
	assert_string_equal(option.value, "a=b");
}

static void a_value_may_start_with_a_dash(void **state)
{
	(void)state;
	assert_int_equal(first("--file -x"), 1);
	assert_string_equal(option.value, "-x");
	assert_int_equal(first("--file --unknown"), 1);
	assert_string_equal(option.value, "--unknown");
}

static void an_option_in_place_of_a_value_is_an_error(void **state)
{
	(void)state;
	assert_true(first("--file --quiet") < 0);
	assert_non_null(strstr(why.text, "--file=--quiet"));
	assert_true(first("--file --rng=on") < 0);
	assert_int_equal(first("--file=--quiet"), 1);
	assert_string_equal(option.value, "--quiet");
}

static void a_missing_value_is_an_error(void **state)
{
	(void)state;
	assert_true(first("--file") < 0);
	assert_non_null(strstr(why.text, "--file FILE"));
	assert_true(first("--rng") < 0);
	assert_non_null(strstr(why.text, "--rng on|off"));
	assert_true(first("-f") < 0);
}

static void switches_and_flags_can_be_negated(void **state)
{
	(void)state;
	assert_int_equal(first("--no-rng"), 1);
	assert_int_equal(option.spec->id, SWITCH_OPTION);
	assert_string_equal(option.value, "off");
	assert_int_equal(first("--rng on"), 1);
	assert_string_equal(option.value, "on");
	assert_int_equal(first("--no-kaslr"), 1);
	assert_string_equal(option.value, "off");
	assert_true(first("--no-quiet") < 0);
	assert_true(first("--no-file") < 0);
}

static void a_flag_takes_no_second_word(void **state)
{
	(void)state;
	assert_int_equal(first("--kaslr off"), 1);
	assert_string_equal(option.value, "on");
	assert_int_equal(next(), 1);
	assert_null(option.spec);
	assert_string_equal(option.value, "off");
	assert_int_equal(first("--kaslr=off"), 1);
	assert_string_equal(option.value, "off");
}

static void a_value_for_what_takes_none_is_an_error(void **state)
{
	(void)state;
	assert_true(first("--quiet=yes") < 0);
	assert_non_null(strstr(why.text, "--quiet takes no value"));
	assert_true(first("--no-rng=on") < 0);
	assert_non_null(strstr(why.text, "--no-rng takes no value"));
}

static void operands_stand_anywhere_and_alone_behind_two_dashes(void **state)
{
	(void)state;
	assert_int_equal(first("a --quiet - -- --quiet --"), 1);
	assert_null(option.spec);
	assert_string_equal(option.value, "a");
	assert_int_equal(next(), 1);
	assert_int_equal(option.spec->id, PLAIN_OPTION);
	assert_int_equal(next(), 1);
	assert_string_equal(option.value, "-");
	assert_int_equal(next(), 1);
	assert_null(option.spec);
	assert_string_equal(option.value, "--quiet");
	assert_int_equal(next(), 1);
	assert_string_equal(option.value, "--");
	assert_int_equal(next(), 0);
	assert_int_equal(first("--"), 0);
}

static void unknown_options_get_the_nearest_name(void **state)
{
	(void)state;
	assert_true(first("--flie=x") < 0);
	assert_string_equal(why.text, "unknown option --flie; did you mean --file?");
	assert_true(first("-kaslr") < 0);
	assert_string_equal(why.text, "unknown option -kaslr; did you mean --kaslr?");
	assert_true(first("--no-rgn") < 0);
	assert_string_equal(why.text, "unknown option --no-rgn; did you mean --no-rng?");
	assert_true(first("--zebra") < 0);
	assert_string_equal(why.text, "unknown option --zebra; 'dyad help x' lists the options");
	assert_true(first("--=x") < 0);
	assert_true(first("-qk") < 0);
}

static void help_tells_of_every_option(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	option_print_help(out, specs);
	fclose(out);
	assert_string_equal(text, "\nSome:\n"
				  "  -f, --file FILE          a file\n"
				  "                           and more of it\n"
				  "  --rng on|off             a switch\n"
				  "  -k, --kaslr[=on|off]     a flag\n"
				  "\nOther:\n"
				  "  -q, --quiet              plain\n");
	free(text);
}

static const char *suggest(const char *word, const char *a, const char *b)
{
	struct suggestion suggestion;

	suggest_begin(&suggestion, word);
	suggest_consider(&suggestion, a);
	suggest_consider(&suggestion, b);
	return suggest_result(&suggestion);
}

static void suggestions_are_near_and_never_wild(void **state)
{
	char longest[200];

	(void)state;
	assert_string_equal(suggest("memroy", "memory", "cpus"), "memory");
	assert_string_equal(suggest("mem", "cpus", "memory"), "memory");
	assert_string_equal(suggest("cpu", "memory", "cpus"), "cpus");
	assert_string_equal(suggest("diks", "disk", "desk"), "disk");
	assert_null(suggest("x", "memory", "cpus"));
	assert_null(suggest("", "memory", "cpus"));
	assert_null(suggest("kernels-of-truth", "kernel", "cpus"));
	memset(longest, 'm', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_null(suggest(longest, "memory", "cpus"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_taken_from_both_spellings),
		cmocka_unit_test(a_value_may_be_empty_or_hold_an_equals_sign),
		cmocka_unit_test(a_value_may_start_with_a_dash),
		cmocka_unit_test(an_option_in_place_of_a_value_is_an_error),
		cmocka_unit_test(a_missing_value_is_an_error),
		cmocka_unit_test(switches_and_flags_can_be_negated),
		cmocka_unit_test(a_flag_takes_no_second_word),
		cmocka_unit_test(a_value_for_what_takes_none_is_an_error),
		cmocka_unit_test(operands_stand_anywhere_and_alone_behind_two_dashes),
		cmocka_unit_test(unknown_options_get_the_nearest_name),
		cmocka_unit_test(help_tells_of_every_option),
		cmocka_unit_test(suggestions_are_near_and_never_wild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
