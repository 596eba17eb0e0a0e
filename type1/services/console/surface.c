/* SPDX-License-Identifier: MIT */
/*
 * surface.c - characters in the screen's memory (surface.h).
 */
#include "type1/services/console/surface.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/font.h" /* generated: tools/pf2_font.c */

#define SCALE_MAX 8u
#define SCALED_WIDTH 2400u /* pixels from which on a screen has two for one, and so on */
#define PIXEL_BYTES_MAX 4u
#define COLOUR_BITS 8u
#define TOP_BIT 0x80u

/* As EGA's palette has them: red, green, blue. */
static const uint8_t palette[2 * SURFACE_BRIGHT][3] = {
	{0x00, 0x00, 0x00}, {0x00, 0x00, 0xaa}, {0x00, 0xaa, 0x00}, {0x00, 0xaa, 0xaa},
	{0xaa, 0x00, 0x00}, {0xaa, 0x00, 0xaa}, {0xaa, 0x55, 0x00}, {0xaa, 0xaa, 0xaa},
	{0x55, 0x55, 0x55}, {0x55, 0x55, 0xff}, {0x55, 0xff, 0x55}, {0x55, 0xff, 0xff},
	{0xff, 0x55, 0x55}, {0xff, 0x55, 0xff}, {0xff, 0xff, 0x55}, {0xff, 0xff, 0xff},
};

/* Pixels of 24 or 32 bits, of which each colour has 8. */
static bool pixels_are_known(const struct type1_screen *screen)
{
	unsigned last = screen->cell_bytes * COLOUR_BITS - COLOUR_BITS;

	return (screen->cell_bytes == 3 || screen->cell_bytes == PIXEL_BYTES_MAX) &&
	       screen->red_size == COLOUR_BITS && screen->green_size == COLOUR_BITS &&
	       screen->blue_size == COLOUR_BITS && screen->red <= last && screen->green <= last &&
	       screen->blue <= last;
}

void surface_init(struct surface *surface, const struct type1_screen *screen, void *memory)
{
	*surface = (struct surface){.memory = memory, .screen = *screen, .scale = 1};
	if (screen->kind == TYPE1_SCREEN_TEXT) {
		surface->columns = screen->width;
		surface->rows = screen->height;
	} else if (screen->kind == TYPE1_SCREEN_PIXELS && pixels_are_known(screen)) {
		surface->scale = MIN(1 + screen->width / SCALED_WIDTH, SCALE_MAX);
		surface->columns = screen->width / (FONT_WIDTH * surface->scale);
		surface->rows = screen->height / (FONT_HEIGHT * surface->scale);
	}
}

static uint32_t pixel_of(const struct type1_screen *screen, unsigned colour)
{
	const uint8_t *rgb = palette[colour];

	return (uint32_t)rgb[0] << screen->red | (uint32_t)rgb[1] << screen->green |
	       (uint32_t)rgb[2] << screen->blue;
}

/* A row of the character's pixels, each as often as the scale says; its bytes. */
static size_t make_row(const struct surface *surface, uint8_t bits, const uint32_t pixels[2],
		       uint8_t *row)
{
	size_t count = 0;

	for (unsigned x = 0; x < FONT_WIDTH; x++) {
		uint32_t pixel = pixels[!!(bits & TOP_BIT >> x)];

		/* Little-endian: what is above the pixel's bytes is overwritten by the next one. */
		for (unsigned i = 0; i < surface->scale; i++) {
			memcpy(row + count, &pixel, sizeof(pixel));
			count += surface->screen.cell_bytes;
		}
	}
	return count;
}

static void draw(const struct surface *surface, unsigned column, unsigned row, uint16_t cell)
{
	const struct type1_screen *screen = &surface->screen;
	unsigned colours = cell >> 8;
	const uint32_t pixels[] = {pixel_of(screen, colours >> 4 & (SURFACE_BRIGHT - 1)),
				   pixel_of(screen, colours & (2 * SURFACE_BRIGHT - 1))};
	const uint8_t *glyph = font[(uint8_t)cell];
	uint8_t bytes[(FONT_WIDTH * SCALE_MAX + 1) * PIXEL_BYTES_MAX];
	uint8_t *at = surface->memory +
		      (uint64_t)row * FONT_HEIGHT * surface->scale * screen->pitch +
		      (uint64_t)column * FONT_WIDTH * surface->scale * screen->cell_bytes;

	for (unsigned y = 0; y < FONT_HEIGHT; y++) {
		size_t size = make_row(surface, glyph[y], pixels, bytes);

		for (unsigned i = 0; i < surface->scale; i++, at += screen->pitch)
			memcpy(at, bytes, size);
	}
}

void surface_put(const struct surface *surface, unsigned column, unsigned row, uint16_t cell)
{
	const struct type1_screen *screen = &surface->screen;

	if (screen->kind == TYPE1_SCREEN_TEXT)
		*(volatile uint16_t *)(surface->memory + (uint64_t)row * screen->pitch +
				       column * sizeof(cell)) = cell;
	else
		draw(surface, column, row, cell);
}
