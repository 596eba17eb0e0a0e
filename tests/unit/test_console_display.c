/* SPDX-License-Identifier: MIT */
/*
 * The console service's screen (type1/services/console/display.c, surface.c): what is in its
 * memory, of text and of pixels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "type1/services/console/display.c"
#include "type1/services/console/surface.c"
#include "type1/services/console/terminal.c"
#include "type1/services/console/terminal_cells.c"
#include "type1/services/console/terminal_characters.c"
#include "type1/services/console/terminal_style.c"

#define WIDTH 83u /* and some pixels that are no character's */
#define HEIGHT 35u
#define PITCH 400u

static uint8_t memory[PITCH * HEIGHT * 3];
static struct display display;

static int begin(void **state)
{
	(void)state;
	memset(memory, 0x55, sizeof(memory));
	return 0;
}

static int end(void **state)
{
	(void)state;
	os_free(display.terminal.cells);
	display = (struct display){0};
	return 0;
}

static const struct type1_screen pixels_32 = {
	.kind = TYPE1_SCREEN_PIXELS,
	.width = WIDTH,
	.height = HEIGHT,
	.pitch = PITCH,
	.cell_bytes = 4,
	.red = 16,
	.red_size = 8,
	.green = 8,
	.green_size = 8,
	.blue = 0,
	.blue_size = 8,
};

static void show(const char *text)
{
	terminal_write(&display.terminal, text, strlen(text));
	display_draw(&display);
}

static uint32_t pixel(const struct type1_screen *screen, unsigned x, unsigned y)
{
	uint32_t value = 0;

	memcpy(&value, memory + y * screen->pitch + x * screen->cell_bytes, screen->cell_bytes);
	return value;
}

/* Whether all of the cell's pixels are ink where the glyph has it, and paper elsewhere. */
static void expect_glyph(const struct type1_screen *screen, unsigned column, unsigned row,
			 uint8_t character, uint32_t ink, uint32_t paper)
{
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		for (unsigned x = 0; x < FONT_WIDTH; x++)
			assert_int_equal(
				pixel(screen, column * FONT_WIDTH + x, row * FONT_HEIGHT + y),
				font[character][y] & 0x80 >> x ? ink : paper);
}

static void pixels_are_drawn(void **state)
{
	(void)state;
	assert_int_equal(display_create(&display, &pixels_32, memory), 0);
	assert_int_equal(display.surface.columns, 10);
	assert_int_equal(display.surface.rows, 2);
	show("a\033[91;44mB\033[m\r\n");
	expect_glyph(&pixels_32, 0, 0, 'a', 0xaaaaaa, 0);
	expect_glyph(&pixels_32, 1, 0, 'B', 0xff5555, 0x0000aa);
	expect_glyph(&pixels_32, 0, 1, ' ', 0, 0xaaaaaa);
	show("\xc3\xa9");
	expect_glyph(&pixels_32, 0, 1, 0x82, 0xaaaaaa, 0);
	/* What is no character's is left alone. */
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = y < 32 ? 80 : 0; x < PITCH / 4; x++)
			assert_int_equal(pixel(&pixels_32, x, y), 0x55555555);
}

static void pixels_of_24_bits(void **state)
{
	struct type1_screen screen = pixels_32;

	(void)state;
	screen.cell_bytes = 3;
	screen.red = 0;
	screen.blue = 16;
	assert_int_equal(display_create(&display, &screen, memory), 0);
	show("0123456789\033[2;10H\033[33mz");
	expect_glyph(&screen, 9, 0, '9', 0xaaaaaa, 0);
	/* The cursor is there. */
	expect_glyph(&screen, 9, 1, 'z', 0, 0x0055aa);
	assert_int_equal(pixel(&screen, 80, 0), 0x555555);
	assert_int_equal(pixel(&screen, 80, 31), 0x555555);
}

static void a_large_screen_has_large_characters(void **state)
{
	static uint8_t large[2560 * 4 * 32];
	struct type1_screen screen = pixels_32;

	(void)state;
	screen.width = 2560;
	screen.height = 32;
	screen.pitch = 2560 * 4;
	assert_int_equal(display_create(&display, &screen, large), 0);
	assert_int_equal(display.surface.columns, 160);
	assert_int_equal(display.surface.rows, 1);
	show("\033[?25lX");
	for (unsigned y = 0; y < 32; y++)
		for (unsigned x = 0; x < 16; x++)
			assert_int_equal(large[y * 2560 * 4 + x * 4] == 0xaa,
					 !!(font['X'][y / 2] & 0x80 >> x / 2));
}

static void text_is_written(void **state)
{
	const struct type1_screen screen = {.kind = TYPE1_SCREEN_TEXT,
					    .width = 80,
					    .height = 25,
					    .pitch = 160,
					    .cell_bytes = 2};

	(void)state;
	assert_int_equal(display_create(&display, &screen, memory), 0);
	show("\033[2;3H\033[31mx");
	assert_int_equal(memory[160 + 2 * 2], 'x');
	assert_int_equal(memory[160 + 2 * 2 + 1], 0x04);
	assert_int_equal(memory[160 + 3 * 2 + 1], 0x70);
	assert_int_equal(memory[160 * 25 - 2], ' ');
	assert_int_equal(memory[160 * 25], 0x55);
}

/* What is the same is not written again. */
static void only_changes_are_drawn(void **state)
{
	const struct type1_screen screen = {.kind = TYPE1_SCREEN_TEXT,
					    .width = 80,
					    .height = 25,
					    .pitch = 160,
					    .cell_bytes = 2};

	(void)state;
	assert_int_equal(display_create(&display, &screen, memory), 0);
	show("abc");
	memory[0] = memory[2] = '!';
	show("\rx");
	assert_int_equal(memory[0], 'x');
	assert_int_equal(memory[2], 'b'); /* the cursor came there */
	memory[4] = '!';
	show("\r");
	assert_int_equal(memory[4], '!');
}

static void no_other_screens(void **state)
{
	struct type1_screen screen = pixels_32;

	(void)state;
	screen.red_size = 5;
	assert_int_equal(display_create(&display, &screen, memory), -EINVAL);
	screen = pixels_32;
	screen.red = 25;
	assert_int_equal(display_create(&display, &screen, memory), -EINVAL);
	screen = pixels_32;
	screen.cell_bytes = 2;
	assert_int_equal(display_create(&display, &screen, memory), -EINVAL);
	screen = pixels_32;
	screen.height = FONT_HEIGHT - 1;
	assert_int_equal(display_create(&display, &screen, memory), -EINVAL);
	screen.kind = TYPE1_SCREEN_NONE;
	assert_int_equal(display_create(&display, &screen, memory), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pixels_are_drawn, begin, end),
		cmocka_unit_test_setup_teardown(pixels_of_24_bits, begin, end),
		cmocka_unit_test_setup_teardown(a_large_screen_has_large_characters, begin, end),
		cmocka_unit_test_setup_teardown(text_is_written, begin, end),
		cmocka_unit_test_setup_teardown(only_changes_are_drawn, begin, end),
		cmocka_unit_test_setup_teardown(no_other_screens, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
