/* SPDX-License-Identifier: MIT */
/*
 * terminal.h - a terminal on an array of cells: what VT100 and its heirs (VT220, ECMA-48) do of
 * what Linux and full-screen programs use.  Bytes go in; the cells are the picture.
 *
 * Guests write what they like to it: each byte costs at most a picture's cells, and none is kept
 * that isn't shown, but for a sequence's few numbers.  It answers no questions, since what is
 * written is on the serial line too, whose terminal may.
 *
 * Text is UTF-8; it is shown by VGA's characters, or what looks alike among them.
 */
#ifndef DYAD_TYPE1_CONSOLE_TERMINAL_H
#define DYAD_TYPE1_CONSOLE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMINAL_PARAMETERS 16

enum terminal_state {
	TERMINAL_PLAIN,
	TERMINAL_ESCAPED,      /* ESC came */
	TERMINAL_INTERMEDIATE, /* ESC and a byte that another one follows */
	TERMINAL_SEQUENCE,     /* ESC [ came */
	TERMINAL_STRING,       /* of a device or an operating system: until its end */
};

struct terminal_style {
	uint8_t ink, paper; /* enum surface_colour, without SURFACE_BRIGHT */
	bool bright_ink;    /* a bright colour was asked for */
	bool bold, reverse, hidden;
};

struct terminal_place {
	unsigned column, row;
	bool wraps; /* the last column was written: the next character begins a line */
	struct terminal_style style;
	bool graphics; /* DEC's characters for lines */
};

struct terminal {
	uint16_t *cells; /* as surface.h has them, row by row */
	unsigned columns, rows;
	struct terminal_place at, saved;
	unsigned top, bottom; /* the rows that scroll: from top up to bottom */
	bool no_wrap, no_cursor, insert, origin;

	enum terminal_state state;
	uint8_t intermediate; /* of the sequence: 0, a mark of private ones, or another byte */
	unsigned parameters[TERMINAL_PARAMETERS];
	unsigned parameter_count;

	uint32_t code; /* of a character whose bytes are not all there */
	unsigned code_bytes_left;
};

/* cells: columns * rows of them, the caller's; at least one. */
void terminal_init(struct terminal *terminal, uint16_t *cells, unsigned columns, unsigned rows);
void terminal_write(struct terminal *terminal, const char *bytes, size_t count);
/* Whatever a program has left behind goes, but what is on the screen, and the cursor stays. */
void terminal_reset_modes(struct terminal *terminal);
/* As it is shown: where the cursor is, its colours are the other way round. */
uint16_t terminal_look(const struct terminal *terminal, unsigned column, unsigned row);

#endif
