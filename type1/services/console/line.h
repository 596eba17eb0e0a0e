/* SPDX-License-Identifier: MIT */
/*
 * line.h - editing of one line on a terminal that speaks ECMA-48 (VT100 and its heirs): bytes that
 * were typed go in, a whole line comes out; and the lines before it, as history.
 *
 * All is bounded: a line that is full takes no more.  Text is UTF-8: the cursor moves, and keys
 * delete, by characters, each of which is taken to be one column wide.  A line that is wider than
 * the terminal is shown in part, around the cursor.
 */
#ifndef DYAD_TYPE1_CONSOLE_LINE_H
#define DYAD_TYPE1_CONSOLE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type1/services/console/output.h"

#define LINE_SIZE 256    /* bytes, with the zero at the end */
#define LINE_HISTORY 32  /* lines */
#define LINE_TERMINAL 80 /* columns: what can't be asked is taken to be that */

enum line_event {
	LINE_GOES_ON,
	LINE_DONE,        /* line.text is whole, and stays until line_begin() */
	LINE_COMPLETE,    /* TAB */
	LINE_INTERRUPTED, /* Ctrl-C: it was thrown away */
	LINE_END,         /* Ctrl-D on an empty line */
};

/* How far into an escape sequence the typed bytes are (ECMA-48, 5.4). */
enum line_escape { LINE_PLAIN, LINE_ESCAPED, LINE_SEQUENCE };

struct line {
	const struct output *out;
	const char *prompt; /* ASCII */
	char text[LINE_SIZE];
	size_t length, cursor; /* bytes */
	bool shown;

	enum line_escape escape;
	unsigned parameter; /* the first of the sequence */
	bool parameter_over;
	bool after_return; /* a line feed that follows belongs to it */

	char history[LINE_HISTORY][LINE_SIZE];
	unsigned history_count; /* of all lines ever; the last LINE_HISTORY are there */
	unsigned history_back;  /* how many lines back the text comes from; 0: it is new */
	char newest[LINE_SIZE]; /* the new text, meanwhile */
};

void line_init(struct line *line, const struct output *out, const char *prompt);
/* A new, empty line, shown. */
void line_begin(struct line *line);
/* Takes the line off the screen, so that something else is written there; shows it again. */
void line_hide(struct line *line);
void line_show(struct line *line);
enum line_event line_type(struct line *line, uint8_t byte);
/* At the cursor, as far as there is room for all of it. */
void line_insert(struct line *line, const char *text, size_t count);

#endif
