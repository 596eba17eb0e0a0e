/* SPDX-License-Identifier: MIT */
/*
 * screen.h - where the person is: the serial line, and the screen and the keyboard, as far as the
 * machine has them.  All show the same, and what is typed at either counts.
 */
#ifndef DYAD_TYPE1_CONSOLE_SCREEN_H
#define DYAD_TYPE1_CONSOLE_SCREEN_H

#include "os.h"
#include "type1/process/serial.h"
#include "type1/services/console/display.h"
#include "type1/services/console/keyboard.h"

struct screen {
	struct serial serial;
	struct display display;
	bool has_display, has_keyboard;
	struct os_timer *draws; /* what has changed */
	bool changed;           /* and it is set */
	struct os_timer *looks; /* for what was typed */
	struct os_event *typed;
	struct keyboard keyboard;
};

/* typed is signalled when there is something to read. */
int screen_begin(struct screen *screen, struct os_loop *loop, struct os_event *typed);
/* The console's own texts: a line feed gets its carriage return. */
void screen_write(void *screen, const char *bytes, size_t count);
/* What a guest writes, whose terminal this is. */
void screen_write_raw(struct screen *screen, const char *bytes, size_t count);
/* On the screen alone, and the serial line has it already. */
void screen_show_line(struct screen *screen, const char *line);
size_t screen_read(struct screen *screen, uint8_t *bytes, size_t size);
/* Draws now. */
void screen_draw(struct screen *screen);
/* Whatever a guest has left of modes goes from the screen. */
void screen_reset_modes(struct screen *screen);

#endif
