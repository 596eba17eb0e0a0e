/* SPDX-License-Identifier: MIT */
/*
 * The console service's terminal (type1/services/console/terminal.c and its other files): what
 * bytes make of a small picture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "type1/services/console/terminal.c"
#include "type1/services/console/terminal_cells.c"
#include "type1/services/console/terminal_characters.c"
#include "type1/services/console/terminal_style.c"

#define COLUMNS 10u
#define ROWS 5u
#define PLAIN 0x07

static uint16_t cells[COLUMNS * ROWS];
static struct terminal terminal;

static int begin(void **state)
{
	(void)state;
	terminal_init(&terminal, cells, COLUMNS, ROWS);
	return 0;
}

static void write_text(const char *text)
{
	terminal_write(&terminal, text, strlen(text));
}

/* The characters of all rows, without the blanks at their ends, a slash behind each. */
static const char *picture(void)
{
	static char text[(COLUMNS + 1) * ROWS + 1];
	size_t used = 0;

	for (unsigned row = 0; row < ROWS; row++) {
		size_t end = used;

		for (unsigned column = 0; column < COLUMNS; column++) {
			text[used++] = (char)cells[row * COLUMNS + column];
			if (text[used - 1] != ' ')
				end = used;
		}
		used = end;
		text[used++] = '/';
	}
	text[used] = '\0';
	return text;
}

static uint8_t colours(unsigned column, unsigned row)
{
	return (uint8_t)(cells[row * COLUMNS + column] >> 8);
}

static void expect_at(unsigned column, unsigned row)
{
	assert_int_equal(terminal.at.column, column);
	assert_int_equal(terminal.at.row, row);
}

struct picture_test {
	const char *text, *picture;
	unsigned column, row; /* the cursor's */
};

static void expect_pictures(const struct picture_test *tests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		begin(NULL);
		write_text(tests[i].text);
		assert_string_equal(picture(), tests[i].picture);
		expect_at(tests[i].column, tests[i].row);
	}
}
#define EXPECT_PICTURES(...)                                                                       \
	do {                                                                                       \
		static const struct picture_test tests[] = {__VA_ARGS__};                          \
                                                                                                   \
		expect_pictures(tests, ARRAY_COUNT(tests));                                        \
	} while (0)

/* --- Characters */

static void text_and_controls(void **state)
{
	(void)state;
	EXPECT_PICTURES({"ab\r\ncd", "ab/cd////", 2, 1}, {"ab\ncd", "ab/  cd////", 4, 1},
			{"abc\bX", "abX/////", 3, 0}, {"\b\bX", "X/////", 1, 0},
			{"a\tb", "a       b/////", 9, 0}, {"a\t\t\tb", "a        b/////", 9, 0},
			{"a\a\x7f\x01"
			 "b",
			 "ab/////", 2, 0});
}

static void lines_wrap_late(void **state)
{
	(void)state;
	EXPECT_PICTURES({"0123456789", "0123456789/////", 9, 0},
			{"0123456789a", "0123456789/a////", 1, 1},
			{"0123456789\r\nb", "0123456789/b////", 1, 1},
			/* It is at the last column, still. */
			{"0123456789\b*", "01234567*9/////", 9, 0},
			{"\033[?7l0123456789abc", "012345678c/////", 9, 0});
}

static void the_end_scrolls(void **state)
{
	(void)state;
	EXPECT_PICTURES({"1\r\n2\r\n3\r\n4\r\n5\r\n6", "2/3/4/5/6/", 1, 4},
			{"1\r\n2\r\n3\r\n4\r\n0123456789a", "2/3/4/0123456789/a/", 1, 4});
}

static void utf8_is_shown_as_what_there_is(void **state)
{
	(void)state;
	/* Of VGA's; one that looks alike; one that nothing looks like; of two columns. */
	EXPECT_PICTURES({"\xc3\xa9", "\x82/////", 1, 0}, {"\xe2\x94\x80", "\xc4/////", 1, 0},
			{"\xe2\x94\x81", "\xc4/////", 1, 0}, {"\xe2\x80\x9c", "\"/////", 1, 0},
			{"\xd0\x96", "\xfe/////", 1, 0}, {"\xe4\xb8\xad", "\xfe\xfe/////", 2, 0},
			{"\xf0\x9f\x98\x80", "\xfe\xfe/////", 2, 0},
			{"e\xcc\x81x", "ex/////", 2, 0});
	/* Cut off, out of place, overlong. */
	EXPECT_PICTURES({"\xe2\x94x", "\xfex/////", 2, 0}, {"\x80\xff", "\xfe\xfe/////", 2, 0},
			{"\xc0\x80", "\xfe\xfe/////", 2, 0}, {"\xe0\x80\x80", "\xfe/////", 1, 0},
			{"\xe2\x94\r\na", "\xfe/a////", 1, 1},
			{"\xe2\xe2\x94\x80", "\xfe\xc4/////", 2, 0});
	/* Byte by byte is the same. */
	begin(NULL);
	for (const char *at = "\xc3\xa9"; *at; at++)
		terminal_write(&terminal, at, 1);
	assert_string_equal(picture(), "\x82/////");
}

static void lines_of_dec(void **state)
{
	(void)state;
	EXPECT_PICTURES({"\033(0lqk\033(Bq", "\xda\xc4\xbfq/////", 4, 0},
			{"\016x\017x", "\xb3x/////", 2, 0});
}

/* --- Sequences */

static void the_cursor_moves(void **state)
{
	(void)state;
	EXPECT_PICTURES({"\033[3;4HX", "//   X///", 4, 2}, {"\033[HX", "X/////", 1, 0},
			{"\033[99;99HX", "////         X/", 9, 4}, {"\033[0;0fX", "X/////", 1, 0},
			{"\033[3;4H\033[A\033[2DX", "/ X////", 2, 1},
			{"\033[2B\033[3CX", "//   X///", 4, 2},
			{"\033[99B\033[99C\033[99A\033[99DX", "X/////", 1, 0},
			{"ab\033[EX\033[2FY", "Yb/X////", 1, 0}, {"abc\033[2GX", "aXc/////", 2, 0},
			{"abc\033[3dX", "abc//   X///", 4, 2},
			{"ab\0337\033[4;4Hc\0338X", "abX///   c//", 3, 0},
			{"ab\033[s\033[4;4H\033[uX", "abX/////", 3, 0},
			{"\033[9G\033[ZX", "X/////", 1, 0}, {"\033[3;1H\033MX", "/X////", 1, 1},
			{"a\033DX", "a/ X////", 2, 1}, {"a\033EX", "a/X////", 1, 1});
}

static void cells_are_erased(void **state)
{
	(void)state;
	EXPECT_PICTURES({"abcde\033[3G\033[K", "ab/////", 2, 0},
			{"abcde\033[3G\033[1K", "   de/////", 2, 0},
			{"abcde\033[3G\033[2K", "/////", 2, 0},
			{"ab\r\ncd\r\nef\033[2;2H\033[J", "ab/c////", 1, 1},
			{"ab\r\ncd\r\nef\033[2;2H\033[1J", "//ef///", 1, 1},
			{"ab\r\ncd\033[2J", "/////", 2, 1}, {"ab\r\ncd\033[9J", "ab/cd////", 2, 1},
			{"abcde\033[2G\033[2X", "a  de/////", 1, 0},
			{"abcde\033[2G\033[99X", "a/////", 1, 0});
}

static void cells_are_moved(void **state)
{
	(void)state;
	EXPECT_PICTURES(
		{"abcde\033[2G\033[2@", "a  bcde/////", 1, 0},
		{"0123456789\033[2G\033[3@", "0   123456/////", 1, 0},
		{"abcde\033[2G\033[2P", "ade/////", 1, 0}, {"abcde\033[2G\033[99P", "a/////", 1, 0},
		{"abc\033[2G\033[4hXY\033[4lZ", "aXYZc/////", 4, 0},
		{"1\r\n2\r\n3\033[2H\033[L", "1//2/3//", 0, 1},
		{"1\r\n2\r\n3\033[1H\033[2M", "3/////", 0, 0},
		{"1\r\n2\r\n3\033[S", "2/3////", 1, 2}, {"1\r\n2\r\n3\033[T", "/1/2/3//", 1, 2},
		{"1\r\n2\r\n3\033[99S", "/////", 1, 2});
}

static void some_rows_scroll(void **state)
{
	(void)state;
	EXPECT_PICTURES({"1\r\n2\r\n3\r\n4\r\n5\033[2;4r\033[4;1H\n*", "1/3/4/*/5/", 1, 3},
			{"1\r\n2\r\n3\r\n4\r\n5\033[2;4r\033[2;1H\033M*", "1/*/2/3/5/", 1, 1},
			/* Not outside of them, but the cursor moves on. */
			{"1\r\n2\r\n3\r\n4\r\n5\033[2;4r\033[5;1H\n\n*", "1/2/3/4/*/", 1, 4},
			{"1\r\n2\r\n3\r\n4\r\n5\033[2;4r\033[1;1H\033[L*", "*/2/3/4/5/", 1, 0},
			{"1\r\n2\r\n3\r\n4\r\n5\033[2;4r\033[3;1H\033[M*", "1/2/*//5/", 1, 2},
			/* Nonsense is none; nothing at all is all. */
			{"\033[4;2r\033[5;1H\n*", "////*/", 1, 4},
			{"\033[2;4r\033[r\033[5;1Ha\n*", "///a/ */", 2, 4},
			/* Rows that count from there. */
			{"\033[2;4r\033[?6h*\033[9;1H+\033[?6l-", "-/*//+//", 1, 0},
			{"\033[2;4r\033[4;1H\033[9A*", "/*////", 1, 1});
}

static void what_is_not_known_is_passed_over(void **state)
{
	(void)state;
	EXPECT_PICTURES(
		{"\033]0;a title\ab", "b/////", 1, 0}, {"\033]0;a title\033\\b", "b/////", 1, 0},
		{"\033P1$q\033\\b", "b/////", 1, 0}, {"\033[?2004hb\033[?1049hc", "bc/////", 2, 0},
		{"\033[>cb\033[6nc\033[5;6;7yd", "bcd/////", 3, 0},
		{"\033#8b\033=c", "bc/////", 2, 0},
		/* Given up, or another one begins. */
		{"\033[12\030b", "b/////", 1, 0}, {"\033[12\033[3Gb", "  b/////", 3, 0},
		/* Controls within one are done. */
		{"ab\033[\b2Gc", "ac/////", 2, 0},
		{"\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19mb", "b/////", 1, 0},
		{"\033[99999999999999999999Cb", "         b/////", 9, 0});
}

static void reset(void **state)
{
	(void)state;
	EXPECT_PICTURES({"abc\033[31m\033[2;3r\033cX", "X/////", 1, 0});
	begin(NULL);
	write_text("ab\033[7m\033[?25l\033[4h\033[2;3r\033[?6h\033(0\033[");
	terminal_reset_modes(&terminal);
	write_text("q");
	assert_string_equal(picture(), "ab/q////");
	assert_int_equal(colours(0, 1), PLAIN);
	assert_int_equal(terminal.bottom, ROWS);
	assert_int_equal(terminal_look(&terminal, 1, 1) >> 8, 0x70);
}

/* --- Colours */

static void colours_are_vgas(void **state)
{
	static const struct {
		const char *sequence;
		uint8_t colours;
	} tests[] = {
		{"", PLAIN},
		{"\033[31m", 0x04},
		{"\033[34;43m", 0x61},
		{"\033[1;32m", 0x0a},
		{"\033[1;32;22m", 0x02},
		{"\033[91m", 0x0c},
		{"\033[101m", 0x47},
		{"\033[31;39m", PLAIN},
		{"\033[41;49m", PLAIN},
		{"\033[7m", 0x70},
		{"\033[7;27m", PLAIN},
		{"\033[31;44;7m", 0x41},
		/* Black on black would be that again. */
		{"\033[30;7m", 0x70},
		{"\033[8m", 0x00},
		{"\033[31m\033[m", PLAIN},
		{"\033[31;0m", PLAIN},
		{"\033[38;5;1m", 0x04},
		{"\033[38;5;12m", 0x09},
		{"\033[38;5;196m", 0x0c},
		{"\033[38;5;255m", 0x0f},
		{"\033[38;5;232m", 0x00},
		{"\033[48;5;4m", 0x17},
		{"\033[38;2;255;0;0m", 0x0c},
		{"\033[38:2:0:160:0m", 0x02},
		{"\033[38;2;1;2;3;41m", 0x40},
		{"\033[38m", PLAIN},
		{"\033[38;9;1m", PLAIN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(tests); i++) {
		begin(NULL);
		write_text(tests[i].sequence);
		write_text("x");
		assert_int_equal(colours(0, 0), tests[i].colours);
	}
	/* What is erased has the paper that is set. */
	begin(NULL);
	write_text("\033[44m\033[2J");
	assert_int_equal(colours(9, 4), 0x17);
}

static void the_cursor_is_seen(void **state)
{
	(void)state;
	write_text("a");
	assert_int_equal(terminal_look(&terminal, 0, 0), PLAIN << 8 | 'a');
	assert_int_equal(terminal_look(&terminal, 1, 0), 0x7000 | ' ');
	write_text("\033[?25l");
	assert_int_equal(terminal_look(&terminal, 1, 0), PLAIN << 8 | ' ');
	/* On what is hidden, too. */
	write_text("\033[?25h\033[8mx\b");
	assert_int_not_equal(terminal_look(&terminal, 1, 0) >> 12,
			     terminal_look(&terminal, 1, 0) >> 8 & 0xf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(text_and_controls, begin),
		cmocka_unit_test_setup(lines_wrap_late, begin),
		cmocka_unit_test_setup(the_end_scrolls, begin),
		cmocka_unit_test_setup(utf8_is_shown_as_what_there_is, begin),
		cmocka_unit_test_setup(lines_of_dec, begin),
		cmocka_unit_test_setup(the_cursor_moves, begin),
		cmocka_unit_test_setup(cells_are_erased, begin),
		cmocka_unit_test_setup(cells_are_moved, begin),
		cmocka_unit_test_setup(some_rows_scroll, begin),
		cmocka_unit_test_setup(what_is_not_known_is_passed_over, begin),
		cmocka_unit_test_setup(reset, begin),
		cmocka_unit_test_setup(colours_are_vgas, begin),
		cmocka_unit_test_setup(the_cursor_is_seen, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
