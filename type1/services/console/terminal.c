/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - bytes, characters and control sequences of the terminal (terminal.h; ECMA-48, and
 * the VT220 Programmer Reference Manual for what is DEC's).
 */
#include "type1/services/console/terminal.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/console/surface.h"
#include "type1/services/console/terminal_cells.h"
#include "type1/services/console/terminal_characters.h"
#include "type1/services/console/terminal_style.h"

#define PARAMETER_MAX 9999u

enum control {
	BEL = 0x07,
	BS = 0x08,
	HT = 0x09,
	LF = 0x0a,
	VT = 0x0b,
	FF = 0x0c,
	CR = 0x0d,
	SO = 0x0e,
	SI = 0x0f,
	CAN = 0x18,
	SUB = 0x1a,
	ESC = 0x1b,
	DEL = 0x7f,
};

enum mode { MODE_INSERT = 4 };
enum private_mode { MODE_ORIGIN = 6, MODE_WRAP = 7, MODE_CURSOR = 25 };

/* --- Characters */

static void put(struct terminal *t, uint8_t character)
{
	if (t->at.wraps && !t->no_wrap) {
		t->at.column = 0;
		t->at.wraps = false;
		terminal_line_feed(t);
	}
	if (t->insert)
		terminal_insert(t, 1);
	terminal_row(t, t->at.row)[t->at.column] =
		SURFACE_CELL(character, terminal_style_colours(&t->at.style));
	if (t->at.column + 1 < t->columns)
		t->at.column++;
	else
		t->at.wraps = true;
}

static void put_code(struct terminal *t, uint32_t code)
{
	unsigned columns;
	uint8_t character = terminal_character(code, &columns);

	while (columns--)
		put(t, character);
}

/* A byte of a character of several; false: it is none. */
static bool take_utf8(struct terminal *t, uint8_t byte)
{
	unsigned left = terminal_utf8_length(byte);

	if (t->code_bytes_left && terminal_utf8_continues(byte)) {
		t->code = terminal_utf8_add(t->code, byte);
		if (!--t->code_bytes_left)
			put_code(t, t->code);
		return true;
	}
	if (t->code_bytes_left)
		put(t, SURFACE_REPLACEMENT);
	t->code_bytes_left = 0;
	if (byte <= DEL)
		return false;
	if (left) {
		t->code = terminal_utf8_begin(byte, left);
		t->code_bytes_left = left;
	} else {
		put(t, SURFACE_REPLACEMENT);
	}
	return true;
}

/* --- Sequences */

/* A parameter; 0 and what is missing are what is the least of it. */
static unsigned parameter(const struct terminal *t, unsigned number, unsigned least)
{
	return number < t->parameter_count ? MAX(t->parameters[number], least) : least;
}

static void set_modes(struct terminal *t, bool on)
{
	for (unsigned i = 0; i < t->parameter_count; i++) {
		unsigned mode = t->parameters[i];

		if (!t->intermediate && mode == MODE_INSERT) {
			t->insert = on;
		} else if (t->intermediate && mode == MODE_WRAP) {
			t->no_wrap = !on;
		} else if (t->intermediate && mode == MODE_CURSOR) {
			t->no_cursor = !on;
		} else if (t->intermediate && mode == MODE_ORIGIN) {
			t->origin = on;
			terminal_place(t, 0, 0);
		}
	}
}

static void set_region(struct terminal *t)
{
	unsigned top = parameter(t, 0, 1) - 1, bottom = parameter(t, 1, 0);

	if (!bottom || bottom > t->rows)
		bottom = t->rows;
	if (top + 1 >= bottom)
		return;
	t->top = top;
	t->bottom = bottom;
	terminal_place(t, 0, 0);
}

static bool in_region(const struct terminal *t)
{
	return t->at.row >= t->top && t->at.row < t->bottom;
}

/* Those that move the cursor; false: it is another one. */
static bool moving_sequence(struct terminal *t, uint8_t last)
{
	unsigned count = parameter(t, 0, 1);

	switch (last) {
	case 'A': /* CUU */
		terminal_move_up(t, count);
		return true;
	case 'B': /* CUD */
	case 'e': /* VPR */
		terminal_move_down(t, count);
		return true;
	case 'C': /* CUF */
	case 'a': /* HPR */
		terminal_move_to(t, t->at.column + count, t->at.row);
		return true;
	case 'D': /* CUB */
		terminal_move_to(t, t->at.column - MIN(count, t->at.column), t->at.row);
		return true;
	case 'E': /* CNL */
		terminal_move_down(t, count);
		terminal_move_to(t, 0, t->at.row);
		return true;
	case 'F': /* CPL */
		terminal_move_up(t, count);
		terminal_move_to(t, 0, t->at.row);
		return true;
	case 'G': /* CHA */
	case '`': /* HPA */
		terminal_move_to(t, count - 1, t->at.row);
		return true;
	case 'H': /* CUP */
	case 'f': /* HVP */
		terminal_place(t, parameter(t, 1, 1) - 1, count - 1);
		return true;
	case 'I': /* CHT */
		terminal_tab(t, count);
		return true;
	case 'Z': /* CBT */
		terminal_tab_back(t, count);
		return true;
	case 'd': /* VPA */
		terminal_place(t, t->at.column, count - 1);
		return true;
	case 's': /* SCOSC */
		t->saved = t->at;
		return true;
	case 'u': /* SCORC */
		t->at = t->saved;
		return true;
	default:
		return false;
	}
}

static void other_sequence(struct terminal *t, uint8_t last)
{
	unsigned count = parameter(t, 0, 1), what = parameter(t, 0, 0);
	uint16_t *row = terminal_row(t, t->at.row);

	t->at.wraps = t->at.wraps && last == 'm';
	switch (last) {
	case '@': /* ICH */
		terminal_insert(t, count);
		break;
	case 'J': /* ED */
		terminal_erase(t, what, t->cells, (size_t)t->columns * t->rows,
			       (size_t)t->at.row * t->columns + t->at.column);
		break;
	case 'K': /* EL */
		terminal_erase(t, what, row, t->columns, t->at.column);
		break;
	case 'L': /* IL */
		if (in_region(t))
			terminal_scroll_down(t, t->at.row, t->bottom, count);
		break;
	case 'M': /* DL */
		if (in_region(t))
			terminal_scroll_up(t, t->at.row, t->bottom, count);
		break;
	case 'P': /* DCH */
		terminal_delete(t, count);
		break;
	case 'S': /* SU */
		terminal_scroll_up(t, t->top, t->bottom, count);
		break;
	case 'T': /* SD */
		terminal_scroll_down(t, t->top, t->bottom, count);
		break;
	case 'X': /* ECH */
		terminal_blank(t, row + t->at.column, MIN(count, t->columns - t->at.column));
		break;
	case 'h': /* SM */
		set_modes(t, true);
		break;
	case 'l': /* RM */
		set_modes(t, false);
		break;
	case 'm': /* SGR */
		terminal_style_set(&t->at.style, t->parameters, t->parameter_count);
		break;
	case 'r': /* DECSTBM */
		set_region(t);
		break;
	default:
		break;
	}
}

static void end_sequence(struct terminal *t, uint8_t last)
{
	bool sets_mode = last == 'h' || last == 'l';

	t->state = TERMINAL_PLAIN;
	if (t->intermediate == '!' && last == 'p') /* DECSTR */
		terminal_reset_modes(t);
	if (t->intermediate && !(sets_mode && t->intermediate == '?'))
		return;
	if (!moving_sequence(t, last))
		other_sequence(t, last);
}

static void take_sequence(struct terminal *t, uint8_t byte)
{
	unsigned *number = &t->parameters[t->parameter_count - 1];

	if (byte >= '0' && byte <= '9') {
		*number = MIN(*number * 10 + (byte - '0'), PARAMETER_MAX);
	} else if (byte == ';' || byte == ':') {
		/* Of more than there is room for, the last count. */
		t->parameter_count = MIN(t->parameter_count + 1, (unsigned)TERMINAL_PARAMETERS);
		t->parameters[t->parameter_count - 1] = 0;
	} else if (byte < '@') {
		t->intermediate = byte;
	} else {
		end_sequence(t, byte);
	}
}

static void take_escaped(struct terminal *t, uint8_t byte)
{
	t->state = TERMINAL_PLAIN;
	switch (byte) {
	case '[': /* CSI */
		t->state = TERMINAL_SEQUENCE;
		t->intermediate = 0;
		t->parameters[0] = 0;
		t->parameter_count = 1;
		break;
	case 'P': /* DCS */
	case 'X': /* SOS */
	case ']': /* OSC */
	case '^': /* PM */
	case '_': /* APC */
		t->state = TERMINAL_STRING;
		break;
	case '7': /* DECSC */
		t->saved = t->at;
		break;
	case '8': /* DECRC */
		t->at = t->saved;
		break;
	case 'D': /* IND */
		terminal_line_feed(t);
		break;
	case 'E': /* NEL */
		terminal_move_to(t, 0, t->at.row);
		terminal_line_feed(t);
		break;
	case 'M': /* RI */
		terminal_reverse_line_feed(t);
		break;
	case 'c': /* RIS */
		terminal_init(t, t->cells, t->columns, t->rows);
		break;
	default:
		if (byte >= ' ' && byte < '0') {
			t->state = TERMINAL_INTERMEDIATE;
			t->intermediate = byte;
		}
		break;
	}
}

static void take_control(struct terminal *t, uint8_t byte)
{
	switch (byte) {
	case BS:
		terminal_move_to(t, t->at.column - MIN(t->at.column, 1u), t->at.row);
		break;
	case HT:
		terminal_tab(t, 1);
		break;
	case LF:
	case VT:
	case FF:
		terminal_line_feed(t);
		break;
	case CR:
		terminal_move_to(t, 0, t->at.row);
		break;
	case SO:
	case SI:
		t->at.graphics = byte == SO;
		break;
	case CAN:
	case SUB:
		t->state = TERMINAL_PLAIN;
		break;
	case ESC:
		t->state = TERMINAL_ESCAPED;
		break;
	default:
		break;
	}
}

static void take(struct terminal *t, uint8_t byte)
{
	if (t->state == TERMINAL_STRING) {
		if (byte == BEL || byte == CAN || byte == SUB)
			t->state = TERMINAL_PLAIN;
		else if (byte == ESC)
			t->state = TERMINAL_ESCAPED;
		return;
	}
	if (t->state == TERMINAL_PLAIN && take_utf8(t, byte))
		return;
	if (byte < ' ') {
		take_control(t, byte);
		return;
	}
	switch (t->state) {
	case TERMINAL_ESCAPED:
		take_escaped(t, byte);
		break;
	case TERMINAL_INTERMEDIATE:
		/* Which characters G0 has: the others of its sets count as ASCII. */
		if (t->intermediate == '(')
			t->at.graphics = byte == '0';
		t->state = TERMINAL_PLAIN;
		break;
	case TERMINAL_SEQUENCE:
		take_sequence(t, byte);
		break;
	default:
		if (byte < DEL)
			put(t, t->at.graphics ? terminal_graphic(byte) : byte);
		break;
	}
}

/* --- What others call */

void terminal_init(struct terminal *terminal, uint16_t *cells, unsigned columns, unsigned rows)
{
	*terminal = (struct terminal){.cells = cells, .columns = columns, .rows = rows};
	terminal_reset_modes(terminal);
	terminal_blank(terminal, cells, (size_t)columns * rows);
}

void terminal_reset_modes(struct terminal *t)
{
	t->no_wrap = t->no_cursor = t->insert = t->origin = false;
	t->top = 0;
	t->bottom = t->rows;
	t->state = TERMINAL_PLAIN;
	t->code_bytes_left = 0;
	t->at.graphics = false;
	t->at.style = (struct terminal_style){.ink = SURFACE_GREY};
	t->saved = (struct terminal_place){.style = t->at.style};
}

void terminal_write(struct terminal *terminal, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		take(terminal, (uint8_t)bytes[i]);
}

uint16_t terminal_look(const struct terminal *t, unsigned column, unsigned row)
{
	uint16_t cell = terminal_row(t, row)[column];
	unsigned colours = cell >> 8;

	if (t->no_cursor || column != t->at.column || row != t->at.row)
		return cell;
	return SURFACE_CELL(cell, terminal_style_swap((uint8_t)colours));
}
