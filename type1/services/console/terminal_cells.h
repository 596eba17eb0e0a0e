/* SPDX-License-Identifier: MIT */
/*
 * terminal_cells.h - what control functions do with a terminal's cells and its cursor (terminal.h).
 * Counts that are too large are as large as there is room for.
 */
#ifndef DYAD_TYPE1_CONSOLE_TERMINAL_CELLS_H
#define DYAD_TYPE1_CONSOLE_TERMINAL_CELLS_H

#include "type1/services/console/terminal.h"

uint16_t *terminal_row(const struct terminal *t, unsigned row);
void terminal_blank(const struct terminal *t, uint16_t *cells, size_t count);
/* The rows from top up to bottom move by count; what comes is blank. */
void terminal_scroll_up(const struct terminal *t, unsigned top, unsigned bottom, unsigned count);
void terminal_scroll_down(const struct terminal *t, unsigned top, unsigned bottom, unsigned count);
/* At the cursor, in its row. */
void terminal_insert(const struct terminal *t, unsigned count);
void terminal_delete(const struct terminal *t, unsigned count);
/* Of count cells, of which the cursor's is number at: what of them ED and EL mean by a number. */
void terminal_erase(const struct terminal *t, unsigned what, uint16_t *cells, size_t count,
		    size_t at);

void terminal_move_to(struct terminal *t, unsigned column, unsigned row);
/* In the rows that scroll, if rows count from there. */
void terminal_place(struct terminal *t, unsigned column, unsigned row);
/* They stop at the ends of the rows that scroll, if they begin within. */
void terminal_move_up(struct terminal *t, unsigned count);
void terminal_move_down(struct terminal *t, unsigned count);
/* The rows scroll, if it is at their end. */
void terminal_line_feed(struct terminal *t);
void terminal_reverse_line_feed(struct terminal *t);
/* By stops of 8 columns. */
void terminal_tab(struct terminal *t, unsigned count);
void terminal_tab_back(struct terminal *t, unsigned count);

#endif
