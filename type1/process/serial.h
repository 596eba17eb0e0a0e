/* SPDX-License-Identifier: MIT */
/*
 * serial.h - the machine's first serial line, for a process with the machine's console: a 16550
 * that the runtime has set up.
 */
#ifndef DYAD_TYPE1_PROCESS_SERIAL_H
#define DYAD_TYPE1_PROCESS_SERIAL_H

#include <stdbool.h>

#include "os.h"

/* How often one looks whether something was typed: no interrupt says so. */
#define SERIAL_PERIOD UINT64_C(10000000) /* ns */

struct serial {
	struct os_mutex lock; /* of who writes */
	bool present, has_fifo;
	unsigned refusals; /* lock; how often it took nothing, without a break */
};

void serial_begin(struct serial *serial);
/* As it is: a line's end is CR LF.  Waits while the line is busy, but for one that takes
 * nothing for a second: until it does again, it gets nothing. */
void serial_write(struct serial *serial, const char *bytes, size_t count);
/* Whether there is something to read; then some of it, without waiting. */
bool serial_ready(const struct serial *serial);
size_t serial_read(const struct serial *serial, uint8_t *bytes, size_t size);

#endif
