/* SPDX-License-Identifier: MIT */
/*
 * display.c - drawing of what has changed (display.h).
 */
#include "type1/services/console/display.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "os.h"

/* What a terminal has at most. */
#define COLUMNS_MAX 256u
#define ROWS_MAX 128u

int display_create(struct display *display, const struct type1_screen *screen, void *memory)
{
	uint16_t *cells;
	size_t count;

	surface_init(&display->surface, screen, memory);
	display->surface.columns = MIN(display->surface.columns, COLUMNS_MAX);
	display->surface.rows = MIN(display->surface.rows, ROWS_MAX);
	count = (size_t)display->surface.columns * display->surface.rows;
	if (!count)
		return -EINVAL;
	cells = os_alloc(2 * count * sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	display->shown = cells + count;
	terminal_init(&display->terminal, cells, display->surface.columns, display->surface.rows);
	for (size_t i = 0; i < count; i++)
		display->shown[i] = (uint16_t)~cells[i];
	display_draw(display);
	return 0;
}

void display_draw(struct display *display)
{
	const struct surface *surface = &display->surface;
	uint16_t *shown = display->shown;

	for (unsigned row = 0; row < surface->rows; row++) {
		for (unsigned column = 0; column < surface->columns; column++, shown++) {
			uint16_t cell = terminal_look(&display->terminal, column, row);

			if (cell == *shown)
				continue;
			*shown = cell;
			surface_put(surface, column, row, cell);
		}
	}
}
