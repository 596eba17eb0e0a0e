/* SPDX-License-Identifier: MIT */
/*
 * The console service's command lines and escape key (type1/services/console/shell.c, escape.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "type1/services/console/escape.c"
#include "type1/services/console/line.c"
#include "type1/services/console/output.c"
#include "type1/services/console/shell.c"

static char written[4096];
static size_t written_size;

static void take(void *context, const char *bytes, size_t count)
{
	(void)context;
	assert_true(written_size + count < sizeof(written));
	memcpy(written + written_size, bytes, count);
	written_size += count;
	written[written_size] = '\0';
}

static const struct output output = {.write = take};
static char ran[256];

static void run(void *context, unsigned count, char **arguments)
{
	(void)context;
	snprintf(ran, sizeof(ran), "%u", count);
	for (unsigned i = 0; i < count; i++)
		snprintf(ran + strlen(ran), sizeof(ran) - strlen(ran), " %s", arguments[i]);
}

static const struct shell_command commands[] = {
	{"list", "", "lists", run},          {"start", "NAME", "starts", run},
	{"stat", "", "counts", run},         {"stop", "VM [SECONDS]", "stops", run},
	{"help", "[COMMAND]", "helps", run}, {"move", "NAME VM", "moves", run},
};

static const char *next_name(void *context, const char *what, unsigned *index)
{
	static const char *const names[] = {"web", "webber", "db", "store"};

	(void)context;
	if (strcmp(what, "NAME") != 0 && strcmp(what, "VM") != 0)
		return NULL;
	if (*index == 3 && strcmp(what, "VM") == 0)
		return NULL;
	return *index < ARRAY_COUNT(names) ? names[(*index)++] : NULL;
}

static const struct shell shell = {
	.out = &output,
	.commands = commands,
	.command_count = ARRAY_COUNT(commands),
	.next_name = next_name,
};
static struct line line;

static void forget(void)
{
	written_size = 0;
	written[0] = ran[0] = '\0';
}

static void lines_are_checked(void **state)
{
	static const struct {
		const char *text, *ran, *said;
	} cases[] = {
		{"", "", ""},
		{"   ", "", ""},
		{"list", "0", ""},
		{"  list  ", "0", ""},
		{"list web", "", "usage: list\n"},
		{"start web", "1 web", ""},
		{"start", "", "usage: start NAME\n"},
		{"start web db", "", "usage: start NAME\n"},
		{"stop web", "1 web", ""},
		{"stop  web  5", "2 web 5", ""},
		{"stop", "", "usage: stop VM [SECONDS]\n"},
		{"stop a b c", "", "usage: stop VM [SECONDS]\n"},
		{"stop a b c d e f g h i j k", "", "usage: stop VM [SECONDS]\n"},
		{"help", "0", ""},
		{"help list", "1 list", ""},
		{"lis", "", "there is no command lis; 'help' lists all\n"},
	};
	char text[LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		forget();
		strcpy(text, cases[i].text);
		shell_run(&shell, text);
		assert_string_equal(ran, cases[i].ran);
		assert_string_equal(written, cases[i].said);
	}
}

static void words_complete(void **state)
{
	static const struct {
		const char *typed, *text, *listed;
	} cases[] = {
		{"l", "list ", ""},
		{"st", "st", "start  stat  stop  "},
		{"sta", "sta", "start  stat  "},
		{"star", "start ", ""},
		{"x", "x", ""},
		{"", "", "list  start  stat  stop  help  move  "},
		{"start w", "start web", ""},
		{"start web", "start web", "web  webber  "},
		{"start s", "start store ", ""},
		{"stop s", "stop s", ""}, /* no VM */
		{"stop d", "stop db ", ""},
		{"stop db ", "stop db ", ""}, /* a number */
		{"help m", "help move ", ""},
		{"move store w", "move store web", ""},
		{"list w", "list w", ""},
		{"nothing w", "nothing w", ""},
		{"start a b c d e f g h i j w", "start a b c d e f g h i j w", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		line_init(&line, &output, "> ");
		line_begin(&line);
		line_insert(&line, cases[i].typed, strlen(cases[i].typed));
		forget();
		shell_complete(&shell, &line);
		assert_string_equal(line.text, cases[i].text);
		if (*cases[i].listed)
			assert_non_null(strstr(written, cases[i].listed));
		else
			assert_null(strchr(written, '\n'));
	}
	/* In the middle of a line. */
	line_begin(&line);
	line_insert(&line, "sto web", 7);
	line.cursor = 3;
	shell_complete(&shell, &line);
	assert_string_equal(line.text, "stop  web");
}

static void help_tells_all(void **state)
{
	(void)state;
	forget();
	shell_help(&shell, NULL);
	assert_non_null(strstr(written, "stop VM [SECONDS]"));
	assert_non_null(strstr(written, "moves\n"));
	forget();
	shell_help(&shell, "stop");
	assert_non_null(strstr(written, "stops\n"));
	assert_null(strstr(written, "moves\n"));
	forget();
	shell_help(&shell, "nothing");
	assert_non_null(strstr(written, "no command nothing"));
}

static void numbers_are_whole(void **state)
{
	uint64_t number = 7;

	(void)state;
	assert_true(shell_number("0", 10, &number) && number == 0);
	assert_true(shell_number("10", 10, &number) && number == 10);
	assert_false(shell_number("11", 10, &number));
	assert_false(shell_number("3", 2, &number));
	assert_false(shell_number("", 10, &number));
	assert_false(shell_number("1x", 10, &number));
	assert_false(shell_number("-1", 10, &number));
	assert_true(shell_number("18446744073709551615", UINT64_MAX, &number));
	assert_true(number == UINT64_MAX);
	assert_false(shell_number("18446744073709551616", UINT64_MAX, &number));
	assert_true(shell_size("512", &number) && number == 512);
	assert_true(shell_size("3K", &number) && number == 3 * KIB);
	assert_true(shell_size("10G", &number) && number == 10 * GIB);
	assert_true(shell_size("16777215T", &number) && number == UINT64_C(16777215) << 40);
	assert_false(shell_size("16777216T", &number));
	assert_false(shell_size("G", &number));
	assert_false(shell_size("", &number));
	assert_false(shell_size("1GK", &number));
	assert_false(shell_size("1B", &number));
}

static void escape_key(void **state)
{
	static const struct {
		uint8_t key;
		enum escape_action action;
	} keys[] = {
		{'x', ESCAPE_SEND},  {ESCAPE_KEY, ESCAPE_NOTHING}, {'x', ESCAPE_STOP},
		{'d', ESCAPE_SEND},  {ESCAPE_KEY, ESCAPE_NOTHING}, {'d', ESCAPE_DETACH},
		{0xff, ESCAPE_SEND}, {ESCAPE_KEY, ESCAPE_NOTHING}, {'p', ESCAPE_POWER_BUTTON},
		{3, ESCAPE_SEND},    {ESCAPE_KEY, ESCAPE_NOTHING}, {'h', ESCAPE_HELP},
		{'h', ESCAPE_SEND},  {ESCAPE_KEY, ESCAPE_NOTHING}, {ESCAPE_KEY, ESCAPE_SEND},
		{'d', ESCAPE_SEND},  {ESCAPE_KEY, ESCAPE_NOTHING}, {'q', ESCAPE_NOTHING},
		{'q', ESCAPE_SEND},
	};
	bool pressed = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		assert_int_equal(escape_type(&pressed, keys[i].key), keys[i].action);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_checked), cmocka_unit_test(words_complete),
		cmocka_unit_test(help_tells_all),    cmocka_unit_test(numbers_are_whole),
		cmocka_unit_test(escape_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
