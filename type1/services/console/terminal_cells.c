/* SPDX-License-Identifier: MIT */
/*
 * terminal_cells.c - cells and the cursor (terminal_cells.h).
 */
#include "type1/services/console/terminal_cells.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/console/surface.h"
#include "type1/services/console/terminal_style.h"

#define TAB_WIDTH 8u

enum erase { ERASE_BEHIND, ERASE_BEFORE, ERASE_ALL, ERASE_ALL_KEPT };

/* --- Cells */

uint16_t *terminal_row(const struct terminal *t, unsigned row)
{
	return t->cells + (size_t)row * t->columns;
}

/* Erased cells have the paper that is set. */
void terminal_blank(const struct terminal *t, uint16_t *cells, size_t count)
{
	struct terminal_style style = {.ink = t->at.style.ink, .paper = t->at.style.paper};
	uint16_t cell = SURFACE_CELL(' ', terminal_style_colours(&style));

	for (size_t i = 0; i < count; i++)
		cells[i] = cell;
}

void terminal_scroll_up(const struct terminal *t, unsigned top, unsigned bottom, unsigned count)
{
	size_t moved;

	count = MIN(count, bottom - top);
	moved = (size_t)(bottom - top - count) * t->columns;
	memmove(terminal_row(t, top), terminal_row(t, top + count), moved * sizeof(*t->cells));
	terminal_blank(t, terminal_row(t, bottom - count), (size_t)count * t->columns);
}

void terminal_scroll_down(const struct terminal *t, unsigned top, unsigned bottom, unsigned count)
{
	size_t moved;

	count = MIN(count, bottom - top);
	moved = (size_t)(bottom - top - count) * t->columns;
	memmove(terminal_row(t, top + count), terminal_row(t, top), moved * sizeof(*t->cells));
	terminal_blank(t, terminal_row(t, top), (size_t)count * t->columns);
}

void terminal_insert(const struct terminal *t, unsigned count)
{
	uint16_t *at = terminal_row(t, t->at.row) + t->at.column;
	unsigned behind = t->columns - t->at.column;

	count = MIN(count, behind);
	memmove(at + count, at, (behind - count) * sizeof(*at));
	terminal_blank(t, at, count);
}

void terminal_delete(const struct terminal *t, unsigned count)
{
	uint16_t *at = terminal_row(t, t->at.row) + t->at.column;
	unsigned behind = t->columns - t->at.column;

	count = MIN(count, behind);
	memmove(at, at + count, (behind - count) * sizeof(*at));
	terminal_blank(t, at + behind - count, count);
}

void terminal_erase(const struct terminal *t, unsigned what, uint16_t *cells, size_t count,
		    size_t at)
{
	if (what == ERASE_BEHIND)
		terminal_blank(t, cells + at, count - at);
	else if (what == ERASE_BEFORE)
		terminal_blank(t, cells, at + 1);
	else if (what <= ERASE_ALL_KEPT)
		terminal_blank(t, cells, count);
}

/* --- The cursor */

void terminal_move_to(struct terminal *t, unsigned column, unsigned row)
{
	t->at.column = MIN(column, t->columns - 1);
	t->at.row = MIN(row, t->rows - 1);
	t->at.wraps = false;
}

void terminal_place(struct terminal *t, unsigned column, unsigned row)
{
	if (t->origin)
		terminal_move_to(t, column, MIN(t->top + row, t->bottom - 1));
	else
		terminal_move_to(t, column, row);
}

void terminal_move_up(struct terminal *t, unsigned count)
{
	unsigned end = t->at.row >= t->top ? t->top : 0;

	terminal_move_to(t, t->at.column, t->at.row - MIN(count, t->at.row - end));
}

void terminal_move_down(struct terminal *t, unsigned count)
{
	unsigned end = t->at.row < t->bottom ? t->bottom : t->rows;

	terminal_move_to(t, t->at.column, t->at.row + MIN(count, end - 1 - t->at.row));
}

void terminal_line_feed(struct terminal *t)
{
	if (t->at.row + 1 == t->bottom)
		terminal_scroll_up(t, t->top, t->bottom, 1);
	else
		terminal_move_down(t, 1);
}

void terminal_reverse_line_feed(struct terminal *t)
{
	if (t->at.row == t->top)
		terminal_scroll_down(t, t->top, t->bottom, 1);
	else
		terminal_move_up(t, 1);
}

void terminal_tab(struct terminal *t, unsigned count)
{
	unsigned stop = t->at.column / TAB_WIDTH + MIN(count, t->columns);

	terminal_move_to(t, stop * TAB_WIDTH, t->at.row);
}

void terminal_tab_back(struct terminal *t, unsigned count)
{
	unsigned stop = (t->at.column + TAB_WIDTH - 1) / TAB_WIDTH;

	terminal_move_to(t, (stop - MIN(count, stop)) * TAB_WIDTH, t->at.row);
}
