/* SPDX-License-Identifier: MIT */
/*
 * serial.h - the machine's own console: the first serial line (serial.c) and the screen (screen.c).
 * Any context; who writes lines at the same time sees to their order.
 */
#ifndef DYAD_TYPE1_SERIAL_H
#define DYAD_TYPE1_SERIAL_H

#include <stddef.h>

void serial_init(void);
void serial_write(const char *text, size_t size); /* a newline gets its carriage return */
/* What the line takes at once of at least a byte: how many.  0: none now, and a millisecond later
 * it is to be tried again.  One caller at a time. */
size_t serial_write_some(const char *text, size_t size);
int serial_read(void); /* a byte that was typed, or -1 */

/* Of the boot loader's text screen, if it left one; map_device() works. */
void screen_init(void);
void screen_write(const char *text, size_t size);

#endif
