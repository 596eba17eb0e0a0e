/* SPDX-License-Identifier: MIT */
/*
 * pf2_font - makes the font of type 1's screen of one of GRUB's (a PF2 file: "GRUB Font Format",
 * the pf2 of its developers' manual): a C table of VGA's characters.
 *
 *   pf2_font FILE.pf2 FONT.h
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/vga_characters.h"

#define WIDTH 8
#define HEIGHT 16
#define ASCII_FIRST 32
#define ASCII_LAST 126
#define FILE_MAX (16 << 20)
#define SECTION_HEADER 8 /* a name of 4 bytes, the size of what follows */
#define INDEX_ENTRY 9    /* of CHIX: code point, flags, offset in the file */
#define GLYPH_HEADER 10  /* width, height, x and y offset, device width */

static uint8_t file[FILE_MAX];
static size_t size;
static const char *path;

static void fail(const char *what)
{
	fprintf(stderr, "pf2_font: %s: %s\n", path, what);
	exit(1);
}

/* Numbers are big-endian. */
static unsigned long number(size_t at, unsigned bytes)
{
	unsigned long value = 0;

	if (at + bytes > size)
		fail("it ends too early");
	while (bytes--)
		value = value << 8 | file[at++];
	return value;
}

/* The content of the section of that name, or 0; its size. */
static size_t section(const char *name, size_t *bytes)
{
	for (size_t at = 0; at + SECTION_HEADER <= size; at += SECTION_HEADER + *bytes) {
		*bytes = number(at + 4, 4);
		if (memcmp(file + at, name, 4) == 0)
			return at + SECTION_HEADER;
		/* The last one has the size of all there could be. */
		if (memcmp(file + at, "DATA", 4) == 0)
			break;
	}
	*bytes = 0;
	return 0;
}

/* The pixels of a glyph stand one behind the other, the top row first, without gaps.  Whether there
 * is one, of this size. */
static bool draw(unsigned long code, uint8_t glyph[HEIGHT])
{
	size_t bytes, ascent_at = section("ASCE", &bytes), index = section("CHIX", &bytes), at = 0;
	int width, height, left, top;

	if (!ascent_at || !index)
		fail("it is no PF2 font");
	for (size_t i = 0; i + INDEX_ENTRY <= bytes && !at; i += INDEX_ENTRY)
		if (number(index + i, 4) == code)
			at = number(index + i + 5, 4);
	if (!at)
		return false;
	width = (int)number(at, 2);
	height = (int)number(at + 2, 2);
	left = (int16_t)number(at + 4, 2);
	top = (int)number(ascent_at, 2) - (int16_t)number(at + 6, 2) - height;
	memset(glyph, 0, HEIGHT);
	for (int i = 0; i < width * height; i++) {
		int x = left + i % width, y = top + i / width;

		if (!(number(at + GLYPH_HEADER + (size_t)i / 8, 1) >> (7 - i % 8) & 1))
			continue;
		if (x < 0 || x >= WIDTH || y < 0 || y >= HEIGHT)
			return false;
		glyph[y] |= (uint8_t)(1 << (WIDTH - 1 - x));
	}
	return true;
}

/* For what the font doesn't have. */
static void draw_box(uint8_t glyph[HEIGHT])
{
	memset(glyph, 0, HEIGHT);
	for (unsigned y = 4; y < 14; y++)
		glyph[y] = y == 4 || y == 13 ? 0x7e : 0x42;
}

static void write_glyph(FILE *out, const uint8_t glyph[HEIGHT])
{
	fputs("\t{", out);
	for (unsigned y = 0; y < HEIGHT; y++)
		fprintf(out, "0x%02x,", glyph[y]);
	fputs("},\n", out);
}

int main(int argc, char **argv)
{
	uint8_t glyph[HEIGHT];
	FILE *in, *out;

	if (argc != 3) {
		fprintf(stderr, "usage: pf2_font FILE.pf2 FONT.h\n");
		return 2;
	}
	path = argv[1];
	in = fopen(path, "rb");
	if (!in) {
		fprintf(stderr,
			"pf2_font: there is no %s, of which the font of type 1's screen is made; "
			"install GRUB's fonts (on Debian: apt install grub-common)\n",
			path);
		return 1;
	}
	size = fread(file, 1, sizeof(file), in);
	fclose(in);
	out = fopen(argv[2], "w");
	if (!out) {
		perror(argv[2]);
		return 1;
	}
	fprintf(out,
		"/* Made by tools/pf2_font.c of %s. */\n#include <stdint.h>\n\n"
		"#define FONT_WIDTH %du\n#define FONT_HEIGHT %du\n\n"
		"static const uint8_t font[256][FONT_HEIGHT] = {\n",
		path, WIDTH, HEIGHT);
	for (unsigned i = 0; i < 256; i++) {
		if (!draw(vga_characters[i], glyph)) {
			if (i >= ASCII_FIRST && i <= ASCII_LAST)
				fail("a character of ASCII is missing, or larger than 8 by 16 "
				     "pixels");
			draw_box(glyph);
		}
		write_glyph(out, glyph);
	}
	fputs("};\n", out);
	return fclose(out) == 0 ? 0 : 1;
}
