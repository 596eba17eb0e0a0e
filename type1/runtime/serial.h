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

/* The boot loader's, if it left one; map_device() works. */
void screen_init(void);
void screen_write_line(const char *line, size_t size); /* without its end */

#endif
