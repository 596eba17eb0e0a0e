/* SPDX-License-Identifier: MIT */
/*
 * terminal_characters.h - UTF-8, and which of the screen's characters (hw/vga_characters.h) show
 * it.
 */
#ifndef DYAD_TYPE1_CONSOLE_TERMINAL_CHARACTERS_H
#define DYAD_TYPE1_CONSOLE_TERMINAL_CHARACTERS_H

#include <stdbool.h>
#include <stdint.h>

/* How many bytes follow one that begins a character; 0: it doesn't. */
unsigned terminal_utf8_length(uint8_t byte);
bool terminal_utf8_continues(uint8_t byte);
/* The bits of a code point that the first byte has, and with the next one's. */
uint32_t terminal_utf8_begin(uint8_t byte, unsigned length);
uint32_t terminal_utf8_add(uint32_t code, uint8_t byte);
/* What is shown for a code point that took several bytes: it, what looks alike, or a square; and
 * how many columns that has: 0 to 2. */
uint8_t terminal_character(uint32_t code, unsigned *columns);
/* What is shown for a character of DEC's set of lines. */
uint8_t terminal_graphic(uint8_t character);

#endif
