/* SPDX-License-Identifier: MIT */
/*
 * surface.h - the machine's screen as rows of characters, whether its memory has characters (EGA
 * text) or pixels, into which a font is drawn.  Memory is only written: to read a screen's takes
 * long.
 */
#ifndef DYAD_TYPE1_CONSOLE_SURFACE_H
#define DYAD_TYPE1_CONSOLE_SURFACE_H

#include <stdint.h>

#include "abi/type1.h"

/* A cell is as EGA has it: the character (hw/vga_characters.h), and its colours, of which the
 * paper's are never bright. */
#define SURFACE_CELL(character, colours) ((uint16_t)((colours) << 8 | (uint8_t)(character)))
#define SURFACE_COLOURS(ink, paper) ((uint8_t)((paper) << 4 | (ink)))
enum surface_colour {
	SURFACE_BLACK,
	SURFACE_BLUE,
	SURFACE_GREEN,
	SURFACE_CYAN,
	SURFACE_RED,
	SURFACE_MAGENTA,
	SURFACE_BROWN,
	SURFACE_GREY,
	SURFACE_BRIGHT, /* + one of these */
};
#define SURFACE_REPLACEMENT 0xfe /* stands for what isn't there: a square */

struct surface {
	uint8_t *memory;
	struct type1_screen screen;
	unsigned columns, rows; /* 0: there is no screen, or of no known kind */
	unsigned scale;         /* pixels of the screen for one of the font, in each direction */
};

/* Of a screen that is as its struct says, whose first cell or pixel is at memory. */
void surface_init(struct surface *surface, const struct type1_screen *screen, void *memory);
void surface_put(const struct surface *surface, unsigned column, unsigned row, uint16_t cell);

#endif
