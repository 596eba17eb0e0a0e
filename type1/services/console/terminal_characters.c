/* SPDX-License-Identifier: MIT */
/*
 * terminal_characters.c - characters (terminal_characters.h).
 */
#include "type1/services/console/terminal_characters.h"

#include "hw/vga_characters.h"
#include "lib/bits.h"
#include "type1/services/console/surface.h"

#define CONTINUATION_MASK 0xc0u
#define CONTINUATION 0x80u
#define CONTINUATION_BITS 6
#define ASCII_LAST 0x7fu
#define GRAPHICS_FIRST '_'

struct range {
	uint32_t first, last;
};

/* What has no column of its own: it belongs to the character before. */
static const struct range combining[] = {
	{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
	{0x200b, 0x200f}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
};
/* What programs take for two columns (Unicode's East Asian width, in rough blocks). */
static const struct range wide[] = {
	{0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},
	{0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
};
/* What looks like another character. */
static const struct {
	struct range range;
	uint8_t looks;
} alike[] = {
	{{0x2010, 0x2015}, '-'},  {{0x2018, 0x201b}, '\''}, {{0x201c, 0x201f}, '"'},
	{{0x2026, 0x2026}, '.'},  {{0x2032, 0x2032}, '\''}, {{0x2039, 0x2039}, '<'},
	{{0x203a, 0x203a}, '>'},  {{0x2212, 0x2212}, '-'},  {{0x2501, 0x2501}, 0xc4},
	{{0x2503, 0x2503}, 0xb3}, {{0x2504, 0x2505}, 0xc4}, {{0x2506, 0x2507}, 0xb3},
	{{0x2508, 0x2509}, 0xc4}, {{0x250a, 0x250b}, 0xb3}, {{0x250c, 0x250f}, 0xda},
	{{0x2510, 0x2513}, 0xbf}, {{0x2514, 0x2517}, 0xc0}, {{0x2518, 0x251b}, 0xd9},
	{{0x251c, 0x2523}, 0xc3}, {{0x2524, 0x252b}, 0xb4}, {{0x252c, 0x2533}, 0xc2},
	{{0x2534, 0x253b}, 0xc1}, {{0x253c, 0x254b}, 0xc5}, {{0x254c, 0x254d}, 0xc4},
	{{0x254e, 0x254f}, 0xb3}, {{0x256d, 0x256d}, 0xda}, {{0x256e, 0x256e}, 0xbf},
	{{0x256f, 0x256f}, 0xd9}, {{0x2570, 0x2570}, 0xc0}, {{0x25cf, 0x25cf}, 0x07},
};
/* From '_' to '~' (VT220 Programmer Reference Manual, table 2-4). */
static const uint8_t graphics[] = " \x04\xb1????\xf8\xf1??\xd9\xbf\xda\xc0\xc5"
				  "\xc4\xc4\xc4\xc4\xc4\xc3\xb4\xc1\xc2\xb3\xf3\xf2\xe3?\x9c\xfa";

static bool is_in(const struct range *ranges, unsigned count, uint32_t code)
{
	for (unsigned i = 0; i < count; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

unsigned terminal_utf8_length(uint8_t byte)
{
	if (byte >= 0xc2 && byte < 0xe0)
		return 1;
	if (byte >= 0xe0 && byte < 0xf0)
		return 2;
	return byte >= 0xf0 && byte < 0xf5 ? 3 : 0;
}

bool terminal_utf8_continues(uint8_t byte)
{
	return (byte & CONTINUATION_MASK) == CONTINUATION;
}

uint32_t terminal_utf8_begin(uint8_t byte, unsigned length)
{
	return byte & (0x3fu >> length);
}

uint32_t terminal_utf8_add(uint32_t code, uint8_t byte)
{
	return code << CONTINUATION_BITS | (byte & ~CONTINUATION_MASK);
}

uint8_t terminal_character(uint32_t code, unsigned *columns)
{
	*columns = 1;
	/* An overlong form is none of ASCII. */
	for (unsigned i = 0; code > ASCII_LAST && i < ARRAY_COUNT(vga_characters); i++)
		if (vga_characters[i] == code)
			return (uint8_t)i;
	for (unsigned i = 0; i < ARRAY_COUNT(alike); i++)
		if (is_in(&alike[i].range, 1, code))
			return alike[i].looks;
	if (is_in(combining, ARRAY_COUNT(combining), code))
		*columns = 0;
	else if (is_in(wide, ARRAY_COUNT(wide), code))
		*columns = 2;
	return SURFACE_REPLACEMENT;
}

uint8_t terminal_graphic(uint8_t character)
{
	bool is_one = character >= GRAPHICS_FIRST &&
		      character < GRAPHICS_FIRST + ARRAY_COUNT(graphics) - 1;

	return is_one ? graphics[character - GRAPHICS_FIRST] : character;
}
