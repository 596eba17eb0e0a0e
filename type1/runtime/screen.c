/* SPDX-License-Identifier: MIT */
/*
 * screen.c - lines on the screen that the boot loader left, from its top on, over whatever is
 * there: it is the console service's, and only a panic has something to say on it.
 */
#include "lib/bits.h"
#include "type1/font.h" /* generated: tools/pf2_font.c */
#include "type1/runtime/boot.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/serial.h"

#define GREY_ON_BLACK 0x07
#define LEFT_PIXEL 0x80u

static struct {
	volatile uint8_t *memory; /* NULL: there is none */
	unsigned columns, rows;
} screen; /* [const] after screen_init() */

void screen_init(void)
{
	bool text = boot_screen.kind == TYPE1_SCREEN_TEXT;

	screen.columns = boot_screen.width / (text ? 1 : FONT_WIDTH);
	screen.rows = boot_screen.height / (text ? 1 : FONT_HEIGHT);
	if (screen.columns && screen.rows)
		screen.memory = map_device(boot_screen_at + boot_screen.offset,
					   boot_screen_size - boot_screen.offset);
}

/* Pixels have all of their bits, or none: black and white, whatever the colours are. */
static void put(unsigned column, unsigned row, char character)
{
	uint64_t pitch = boot_screen.pitch, bytes = boot_screen.cell_bytes;
	const uint8_t *glyph = font[(uint8_t)character];
	volatile uint8_t *at;

	if (boot_screen.kind == TYPE1_SCREEN_TEXT) {
		at = screen.memory + row * pitch + column * bytes;
		at[0] = (uint8_t)character;
		at[1] = GREY_ON_BLACK;
		return;
	}
	at = screen.memory + row * FONT_HEIGHT * pitch + column * FONT_WIDTH * bytes;
	for (unsigned y = 0; y < FONT_HEIGHT; y++, at += pitch)
		for (unsigned x = 0; x < FONT_WIDTH * bytes; x++)
			at[x] = glyph[y] << x / bytes & LEFT_PIXEL ? UINT8_MAX : 0;
}

void screen_write_line(const char *line, size_t size)
{
	static unsigned row; /* the caller's: one CPU panics */

	for (size_t i = 0; screen.memory && i < size; row = (row + 1) % screen.rows)
		for (unsigned column = 0; column < screen.columns; column++)
			put(column, row, i < size ? line[i++] : ' ');
}
