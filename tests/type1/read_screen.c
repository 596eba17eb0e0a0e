/* SPDX-License-Identifier: MIT */
/*
 * read_screen - prints what is on an emulated machine's screen: of a picture of it (PPM, QEMU's
 * screendump) by the pixels of type 1's own font, of EGA's text memory (a file of its 4,000 bytes)
 * the characters.  A line a row, without the blanks at its end; '?' is no character of the font.
 *
 *   read_screen [--colours] FILE    --colours: for each cell its ink and paper as EGA's palette has
 *                                   them, a hexadecimal digit each; a blank has no ink
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/vga_characters.h"
#include "type1/font.h" /* generated: tools/pf2_font.c */

#define FILE_MAX (64 << 20)
#define TEXT_COLUMNS 80u
#define TEXT_ROWS 25u
#define TEXT_SIZE (TEXT_COLUMNS * TEXT_ROWS * 2)
#define NO_COLOUR 16u

struct cell {
	int character; /* -1: none of the font's */
	unsigned ink, paper;
};

static uint8_t file[FILE_MAX + 1];
static size_t size;

/* Of EGA, a bit for each of blue, green, red, and brightness; brown is a dark yellow. */
static unsigned colour_of(const uint8_t rgb[3])
{
	for (unsigned i = 0; i < NO_COLOUR; i++) {
		uint8_t base = i & 8 ? 0x55 : 0;
		uint8_t wanted[3] = {(uint8_t)(base + (i & 4 ? 0xaa : 0)),
				     (uint8_t)(base + (i & 2 ? i == 6 ? 0x55 : 0xaa : 0)),
				     (uint8_t)(base + (i & 1 ? 0xaa : 0))};

		if (!memcmp(rgb, wanted, sizeof(wanted)))
			return i;
	}
	return NO_COLOUR;
}

static int character_of(const uint8_t glyph[FONT_HEIGHT])
{
	/* Of those that look the same, ASCII's. */
	for (int i = ' '; i < 0x7f; i++)
		if (!memcmp(font[i], glyph, FONT_HEIGHT))
			return i;
	for (int i = 0; i < 256; i++)
		if (!memcmp(font[i], glyph, FONT_HEIGHT))
			return i;
	return -1;
}

/* The top left pixel is paper: no character of text has one there.  All of a colour is a blank. */
static struct cell read_pixels(const uint8_t *pixels, unsigned width, unsigned column, unsigned row)
{
	const uint8_t *first =
		pixels + 3 * ((size_t)row * FONT_HEIGHT * width + (size_t)column * FONT_WIDTH);
	const uint8_t *ink = first;
	uint8_t glyph[FONT_HEIGHT] = {0};

	for (unsigned y = 0; y < FONT_HEIGHT; y++) {
		for (unsigned x = 0; x < FONT_WIDTH; x++) {
			const uint8_t *pixel = first + 3 * ((size_t)y * width + x);

			if (!memcmp(pixel, first, 3))
				continue;
			ink = pixel;
			glyph[y] |= (uint8_t)(0x80 >> x);
		}
	}
	return (struct cell){character_of(glyph), colour_of(ink), colour_of(first)};
}

static struct cell read_text(const uint8_t *cells, unsigned column, unsigned row)
{
	const uint8_t *cell = cells + 2 * (row * TEXT_COLUMNS + column);

	return (struct cell){cell[0], cell[1] & 0xf, cell[1] >> 4};
}

static void print_character(int character)
{
	unsigned code = character < 0 ? '?' : vga_characters[character];

	if (code < 0x80)
		putchar(code < ' ' ? ' ' : (int)code);
	else if (code < 0x800)
		printf("%c%c", 0xc0 | code >> 6, 0x80 | (code & 0x3f));
	else
		printf("%c%c%c", 0xe0 | code >> 12, 0x80 | (code >> 6 & 0x3f),
		       0x80 | (code & 0x3f));
}

static void print_row(const struct cell *cells, unsigned columns, bool colours)
{
	if (!colours)
		while (columns && cells[columns - 1].character == ' ')
			columns--;
	for (unsigned i = 0; i < columns; i++) {
		if (colours)
			printf("%x%x ", cells[i].character == ' ' ? cells[i].paper : cells[i].ink,
			       cells[i].paper);
		else
			print_character(cells[i].character);
	}
	putchar('\n');
}

static void read_file(const char *path)
{
	FILE *in = fopen(path, "rb");

	if (!in) {
		perror(path);
		exit(2);
	}
	size = fread(file, 1, FILE_MAX, in);
	fclose(in);
}

int main(int argc, char **argv)
{
	bool colours = argc == 3 && !strcmp(argv[1], "--colours");
	unsigned width = 0, height = 0, columns = TEXT_COLUMNS, rows = TEXT_ROWS;
	const uint8_t *content = file;
	struct cell *cells;
	int header = 0;

	if (argc != 2 + colours) {
		fputs("usage: read_screen [--colours] FILE\n", stderr);
		return 2;
	}
	read_file(argv[argc - 1]);
	if (sscanf((const char *)file, "P6 %5u %5u 255%n", &width, &height, &header) == 2 &&
	    header) {
		columns = width / FONT_WIDTH;
		rows = height / FONT_HEIGHT;
		content += header + 1;
	}
	if (size != (header ? (size_t)header + 1 + (size_t)3 * width * height : TEXT_SIZE)) {
		fprintf(stderr, "read_screen: %s is neither a PPM nor EGA's text memory\n",
			argv[argc - 1]);
		return 2;
	}
	cells = calloc(columns + 1, sizeof(*cells));
	if (!cells)
		return 2;
	for (unsigned row = 0; row < rows; row++) {
		for (unsigned i = 0; i < columns; i++)
			cells[i] = header ? read_pixels(content, width, i, row)
					  : read_text(content, i, row);
		print_row(cells, columns, colours);
	}
	free(cells);
	return 0;
}
