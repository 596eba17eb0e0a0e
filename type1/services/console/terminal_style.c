/* SPDX-License-Identifier: MIT */
/*
 * terminal_style.c - colours (terminal_style.h).
 */
#include "type1/services/console/terminal_style.h"

#include "type1/services/console/surface.h"

#define COLOURS 8u
#define CUBE_FIRST 16u /* of 256 colours: 6 * 6 * 6 of red, green and blue, then greys */
#define CUBE_SIDE 6u
#define GREY_FIRST 232u
#define GREYS 24u

/* Of RGB: what counts as there, and as bright. */
#define LEVEL_THERE 0x60u
#define LEVEL_BRIGHT 0xd0u

enum sgr {
	SGR_RESET = 0,
	SGR_BOLD = 1,
	SGR_REVERSE = 7,
	SGR_HIDDEN = 8,
	SGR_NOT_BOLD = 22,
	SGR_NOT_REVERSE = 27,
	SGR_NOT_HIDDEN = 28,
	SGR_INK = 30,
	SGR_INK_EXTENDED = 38,
	SGR_INK_DEFAULT = 39,
	SGR_PAPER = 40,
	SGR_PAPER_EXTENDED = 48,
	SGR_PAPER_DEFAULT = 49,
	SGR_INK_BRIGHT = 90,
	SGR_PAPER_BRIGHT = 100,
};
enum { EXTENDED_RGB = 2, EXTENDED_NUMBER = 5 };

/* By ECMA-48's number: red is its lowest bit, blue EGA's. */
static const uint8_t colour_of[COLOURS] = {
	SURFACE_BLACK, SURFACE_RED,     SURFACE_GREEN, SURFACE_BROWN,
	SURFACE_BLUE,  SURFACE_MAGENTA, SURFACE_CYAN,  SURFACE_GREY,
};

static uint8_t colour_of_rgb(unsigned red, unsigned green, unsigned blue)
{
	unsigned most = red > green ? red : green;
	uint8_t colour;

	most = most > blue ? most : blue;
	if (most < LEVEL_THERE)
		return most < LEVEL_THERE / 2 ? SURFACE_BLACK : SURFACE_BRIGHT;
	/* What is less than half of the most is not seen beside it. */
	colour = (uint8_t)((red > most / 2 ? SURFACE_RED : 0) |
			   (green > most / 2 ? SURFACE_GREEN : 0) |
			   (blue > most / 2 ? SURFACE_BLUE : 0));
	return most >= LEVEL_BRIGHT ? colour | SURFACE_BRIGHT : colour;
}

/* One of 256. */
static uint8_t colour_of_number(unsigned number)
{
	unsigned cube = number - CUBE_FIRST, level;

	if (number < COLOURS)
		return colour_of[number];
	if (number < 2 * COLOURS)
		return colour_of[number - COLOURS] | SURFACE_BRIGHT;
	if (number >= GREY_FIRST) {
		level = (number - GREY_FIRST) * UINT8_MAX / GREYS;
		return colour_of_rgb(level, level, level);
	}
	level = UINT8_MAX / (CUBE_SIDE - 1);
	return colour_of_rgb(cube / (CUBE_SIDE * CUBE_SIDE) * level,
			     cube / CUBE_SIDE % CUBE_SIDE * level, cube % CUBE_SIDE * level);
}

static void set_ink(struct terminal_style *style, uint8_t colour)
{
	style->ink = colour & (SURFACE_BRIGHT - 1);
	style->bright_ink = colour & SURFACE_BRIGHT;
}

static void set_paper(struct terminal_style *style, uint8_t colour)
{
	style->paper = colour & (SURFACE_BRIGHT - 1);
}

/* The colour that the numbers behind an extended one say; how many those are. */
static unsigned extended_colour(const unsigned *numbers, unsigned count, uint8_t *colour)
{
	if (count >= 2 && numbers[0] == EXTENDED_NUMBER) {
		*colour = colour_of_number(numbers[1] & UINT8_MAX);
		return 2;
	}
	if (count >= 4 && numbers[0] == EXTENDED_RGB) {
		*colour = colour_of_rgb(numbers[1] & UINT8_MAX, numbers[2] & UINT8_MAX,
					numbers[3] & UINT8_MAX);
		return 4;
	}
	/* Who knows what the rest means. */
	*colour = SURFACE_GREY;
	return count;
}

static void set_simple(struct terminal_style *style, unsigned number)
{
	switch (number) {
	case SGR_RESET:
		*style = (struct terminal_style){.ink = SURFACE_GREY};
		break;
	case SGR_BOLD:
	case SGR_NOT_BOLD:
		style->bold = number == SGR_BOLD;
		break;
	case SGR_REVERSE:
	case SGR_NOT_REVERSE:
		style->reverse = number == SGR_REVERSE;
		break;
	case SGR_HIDDEN:
	case SGR_NOT_HIDDEN:
		style->hidden = number == SGR_HIDDEN;
		break;
	case SGR_INK_DEFAULT:
		set_ink(style, SURFACE_GREY);
		break;
	case SGR_PAPER_DEFAULT:
		set_paper(style, SURFACE_BLACK);
		break;
	default:
		if (number - SGR_INK < COLOURS)
			set_ink(style, colour_of[number - SGR_INK]);
		else if (number - SGR_PAPER < COLOURS)
			set_paper(style, colour_of[number - SGR_PAPER]);
		else if (number - SGR_INK_BRIGHT < COLOURS)
			set_ink(style, colour_of[number - SGR_INK_BRIGHT] | SURFACE_BRIGHT);
		else if (number - SGR_PAPER_BRIGHT < COLOURS)
			set_paper(style, colour_of[number - SGR_PAPER_BRIGHT]);
		break;
	}
}

void terminal_style_set(struct terminal_style *style, const unsigned *numbers, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint8_t colour;

		if (numbers[i] == SGR_INK_EXTENDED) {
			i += extended_colour(numbers + i + 1, count - i - 1, &colour);
			set_ink(style, colour);
		} else if (numbers[i] == SGR_PAPER_EXTENDED) {
			i += extended_colour(numbers + i + 1, count - i - 1, &colour);
			set_paper(style, colour);
		} else {
			set_simple(style, numbers[i]);
		}
	}
}

uint8_t terminal_style_colours(const struct terminal_style *style)
{
	bool bright = style->bold || style->bright_ink;
	uint8_t colours;

	if (style->hidden)
		return SURFACE_COLOURS(style->paper, style->paper);
	colours = SURFACE_COLOURS(style->ink | (bright ? SURFACE_BRIGHT : 0), style->paper);
	return style->reverse ? terminal_style_swap(colours) : colours;
}

uint8_t terminal_style_swap(uint8_t colours)
{
	unsigned ink = colours & (SURFACE_BRIGHT - 1), paper = colours >> 4;

	/* Of two that are alike, so that it is seen. */
	if (ink == paper)
		ink = paper ^ SURFACE_GREY;
	return SURFACE_COLOURS(paper, ink);
}
