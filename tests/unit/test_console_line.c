/* SPDX-License-Identifier: MIT */
/*
 * The console service's editing of a line (type1/services/console/line.c), on a terminal of one row
 * that understands what it writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "type1/services/console/line.c"
#include "type1/services/console/output.c"

/* The row, a byte a column, as ASCII tests need it; rows that were ended go to `rows`. */
static struct {
	char row[256];
	size_t at, widest;
	char rows[1024];
	char sequence[16];
	size_t sequence_length;
	bool cleared;
} screen;

static void screen_sequence(char last)
{
	if (last == 'K')
		memset(screen.row + screen.at, 0, sizeof(screen.row) - screen.at);
	else if (last == 'D')
		screen.at -= (size_t)atoi(screen.sequence + 1);
	else if (last == 'J')
		screen.cleared = true;
	else
		assert_int_equal(last, 'H');
}

static void screen_byte(char byte)
{
	size_t used;

	if (screen.sequence_length) {
		screen.sequence[screen.sequence_length - 1] = byte;
		screen.sequence[screen.sequence_length++] = 0;
		if (byte >= '@' && byte != '[') {
			screen_sequence(byte);
			screen.sequence_length = 0;
		}
	} else if (byte == '\033') {
		screen.sequence_length = 1;
	} else if (byte == '\r') {
		screen.at = 0;
	} else if (byte == '\n') {
		used = strlen(screen.rows);
		snprintf(screen.rows + used, sizeof(screen.rows) - used, "%s\n", screen.row);
		memset(screen.row, 0, sizeof(screen.row));
		screen.at = 0;
	} else {
		screen.row[screen.at++] = byte;
		screen.widest = MAX(screen.widest, screen.at);
	}
}

static void screen_take(void *context, const char *bytes, size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		screen_byte(bytes[i]);
}

static const struct output output = {.write = screen_take};
static struct line line;

static int begin(void **state)
{
	(void)state;
	memset(&screen, 0, sizeof(screen));
	line_init(&line, &output, "> ");
	line_begin(&line);
	return 0;
}

/* Types all of it; the last event. */
static enum line_event type(const char *keys)
{
	enum line_event event = LINE_GOES_ON;

	for (; *keys; keys++)
		event = line_type(&line, (uint8_t)*keys);
	return event;
}

static void assert_line(const char *text, size_t cursor)
{
	char row[300];

	assert_string_equal(line.text, text);
	assert_int_equal(line.length, strlen(text));
	assert_int_equal(line.cursor, cursor);
	snprintf(row, sizeof(row), "> %s", text);
	assert_string_equal(screen.row, row);
	assert_int_equal(screen.at, 2 + cursor);
}

static void keys_edit(void **state)
{
	static const struct {
		const char *keys, *text;
		size_t cursor;
	} cases[] = {
		{"", "", 0},
		{"abc", "abc", 3},
		{"abc\001x", "xabc", 1},               /* ^A */
		{"abc\001\005x", "abcx", 4},           /* ^E */
		{"abc\002x", "abxc", 3},               /* ^B */
		{"abc\002\002\006x", "abxc", 3},       /* ^F */
		{"abc\177", "ab", 2},                  /* backspace */
		{"abc\010", "ab", 2},                  /* ^H */
		{"abc\002\177", "ac", 1},              /* in the middle */
		{"abc\001\177", "abc", 0},             /* nothing before it */
		{"abc\001\004", "bc", 0},              /* ^D deletes */
		{"abc\004", "abc", 3},                 /* nothing behind it */
		{"abc\002\013", "ab", 2},              /* ^K */
		{"abc\002\025", "c", 0},               /* ^U */
		{"ab cd \027", "ab ", 3},              /* ^W */
		{"ab cd\027\027\027", "", 0},          /* ^W */
		{"abc\033[Dx", "abxc", 3},             /* left */
		{"abc\033[D\033[D\033[Cx", "abxc", 3}, /* right */
		{"abc\033[Hx", "xabc", 1},             /* home */
		{"abc\033OHx\033OFy", "xabcy", 5},     /* home and end, as in keypad mode */
		{"abc\033[1~x\033[4~y", "xabcy", 5},
		{"abc\033[7~x\033[8~y", "xabcy", 5},
		{"abc\001\033[3~", "bc", 0}, /* delete */
		{"abc\033[1;5Dx", "abxc", 3},
		{"abc\033[15~\033[999999999999~x", "abcx", 4}, /* keys that mean nothing */
		{"abc\033x", "abc", 3},
		{"abc\001\033[D\033[D", "abc", 0},
		{"abc\033[C", "abc", 3},
		{"a\016\020\024b", "ab", 2}, /* ^N, ^P without a history; ^T */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		begin(NULL);
		assert_int_equal(type(cases[i].keys), LINE_GOES_ON);
		assert_line(cases[i].text, cases[i].cursor);
	}
}

static void lines_end(void **state)
{
	(void)state;
	assert_int_equal(type("ab\001\r"), LINE_DONE);
	assert_string_equal(line.text, "ab");
	assert_string_equal(screen.rows, "> ab\n");
	line_begin(&line);
	/* A line feed behind a return is of the same key; alone it is one. */
	assert_int_equal(type("\n"), LINE_GOES_ON);
	assert_int_equal(type("c\n"), LINE_DONE);
	assert_string_equal(line.text, "c");
	line_begin(&line);
	assert_int_equal(type("\n"), LINE_DONE);
	assert_string_equal(line.text, "");
	line_begin(&line);
	assert_int_equal(type("abc\003"), LINE_INTERRUPTED);
	line_begin(&line);
	assert_int_equal(type("a\004"), LINE_GOES_ON);
	assert_int_equal(type("\025\004"), LINE_END);
	assert_int_equal(type("\t"), LINE_COMPLETE);
	assert_int_equal(type("\014"), LINE_GOES_ON);
	assert_true(screen.cleared);
}

static void history_comes_back(void **state)
{
	char keys[16];

	(void)state;
	type("one\r");
	line_begin(&line);
	type("two\r");
	line_begin(&line);
	type("two\r"); /* not twice */
	line_begin(&line);
	type("\r"); /* nor an empty one */
	line_begin(&line);
	type("new\033[A");
	assert_line("two", 3);
	type("\033[A");
	assert_line("one", 3);
	type("\033[A");
	assert_line("one", 3);
	type("!\033[B");
	assert_line("two", 3);
	type("\033[B\033[B");
	assert_line("new", 3);
	type("\020\r"); /* ^P */
	assert_string_equal(line.text, "two");
	/* Only the latest are kept. */
	for (unsigned i = 0; i < 3 * LINE_HISTORY; i++) {
		line_begin(&line);
		snprintf(keys, sizeof(keys), "%u\r", i);
		type(keys);
	}
	line_begin(&line);
	for (unsigned i = 0; i < 2 * LINE_HISTORY; i++)
		type("\033[A");
	snprintf(keys, sizeof(keys), "%u", 2 * LINE_HISTORY);
	assert_line(keys, strlen(keys));
}

static void long_lines_are_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * LINE_SIZE; i++)
		type("x");
	assert_int_equal(line.length, LINE_SIZE - 1);
	assert_int_equal(strlen(line.text), LINE_SIZE - 1);
	assert_true(screen.widest < LINE_TERMINAL);
	type("\001y\033[C");
	assert_int_equal(line.cursor, 1);
	type("\004z");
	assert_int_equal(line.text[1], 'z');
	assert_int_equal(screen.at, 2 + 2);
	assert_true(screen.widest < LINE_TERMINAL);
	line_insert(&line, "abc", 3); /* no room for all of it */
	assert_int_equal(line.length, LINE_SIZE - 1);
}

static void characters_are_whole(void **state)
{
	(void)state;
	type("a\xc3\xa4\xe2\x82\xac"); /* a, ä, € */
	assert_int_equal(line.length, 6);
	type("\033[D");
	assert_int_equal(line.cursor, 3);
	type("\177");
	assert_string_equal(line.text, "a\xe2\x82\xac");
	assert_int_equal(line.cursor, 1);
	type("\004");
	assert_string_equal(line.text, "a");
	/* Bytes that begin nothing. */
	type("\025\x80\x80\x80\177\177\177\033[D\033[C\027");
	assert_int_equal(line.length, 0);
}

static void others_can_write(void **state)
{
	(void)state;
	type("abc\002");
	line_hide(&line);
	assert_string_equal(screen.row, "");
	assert_int_equal(screen.at, 0);
	output_print(&output, "%s\n", "a notice");
	line_show(&line);
	assert_line("abc", 2);
	assert_string_equal(screen.rows, "a notice\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(keys_edit, begin),
		cmocka_unit_test_setup(lines_end, begin),
		cmocka_unit_test_setup(history_comes_back, begin),
		cmocka_unit_test_setup(long_lines_are_bounded, begin),
		cmocka_unit_test_setup(characters_are_whole, begin),
		cmocka_unit_test_setup(others_can_write, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
