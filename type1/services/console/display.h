/* SPDX-License-Identifier: MIT */
/*
 * display.h - a terminal's picture on the machine's screen: cells that have changed are drawn.
 */
#ifndef DYAD_TYPE1_CONSOLE_DISPLAY_H
#define DYAD_TYPE1_CONSOLE_DISPLAY_H

#include "type1/services/console/surface.h"
#include "type1/services/console/terminal.h"

struct display {
	struct surface surface;
	struct terminal terminal;
	uint16_t *shown; /* the cells that are on the screen */
};

/* A blank terminal, drawn.  0, -EINVAL: the screen has room for no character, -ENOMEM. */
int display_create(struct display *display, const struct type1_screen *screen, void *memory);
void display_draw(struct display *display);

#endif
