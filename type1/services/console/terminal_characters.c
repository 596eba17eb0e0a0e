/* SPDX-License-Identifier: MIT */
/*
 * terminal_characters.c - characters (terminal_characters.h).
 */
#include "type1/services/console/terminal_characters.h"

#include "lib/bits.h"
#include "type1/services/console/surface.h"

#define CONTINUATION_MASK 0xc0u
#define CONTINUATION 0x80u
#define CONTINUATION_BITS 6
#define NOTHING '\0'

/* Ranges of code points, in their order. */
static const struct {
	uint16_t first, last;
	char looks;
} alike[] = {
	{0x00a0, 0x00a0, ' '},     {0x00b7, 0x00b7, '.'},     {0x0300, 0x036f, NOTHING},
	{0x200b, 0x200f, NOTHING}, {0x2010, 0x2015, '-'},     {0x2018, 0x201b, '\''},
	{0x201c, 0x201f, '"'},     {0x2022, 0x2022, '*'},     {0x2026, 0x2026, '.'},
	{0x2190, 0x2190, '<'},     {0x2191, 0x2191, '^'},     {0x2192, 0x2192, '>'},
	{0x2193, 0x2193, 'v'},     {0x2500, 0x2501, '-'},     {0x2502, 0x2503, '|'},
	{0x2504, 0x2505, '-'},     {0x2506, 0x2507, '|'},     {0x2508, 0x2509, '-'},
	{0x250a, 0x250b, '|'},     {0x250c, 0x254b, '+'},     {0x254c, 0x254d, '-'},
	{0x254e, 0x254f, '|'},     {0x2550, 0x2550, '='},     {0x2551, 0x2551, '|'},
	{0x2552, 0x2570, '+'},     {0x2588, 0x2593, '#'},     {0x25cb, 0x25cf, '*'},
	{0xfe00, 0xfe0f, NOTHING}, {0xfeff, 0xfeff, NOTHING},
};

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

int terminal_character(uint32_t code)
{
	for (unsigned i = 0; i < ARRAY_COUNT(alike); i++)
		if (code >= alike[i].first && code <= alike[i].last)
			return alike[i].looks == NOTHING ? -1 : alike[i].looks;
	return SURFACE_REPLACEMENT;
}

char terminal_graphic(char character)
{
	switch (character) {
	case 'q':
		return '-';
	case 'x':
		return '|';
	case 'a':
		return '#';
	case '~':
		return '.';
	default:
		return character >= 'j' && character <= 'w' ? '+' : character;
	}
}
