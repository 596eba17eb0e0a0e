/* SPDX-License-Identifier: MIT */
/*
 * i8042.h - the keyboard's controller, polled: codes of scan code set 1 come from it.
 */
#ifndef DYAD_TYPE1_CONSOLE_I8042_H
#define DYAD_TYPE1_CONSOLE_I8042_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets it up.  -ENODEV: there is none; -EIO: it doesn't answer.  Less than a second. */
int i8042_begin(void);
/* Whether there is something to read; and some of it, of a controller that is there. */
bool i8042_ready(void);
size_t i8042_read(uint8_t *codes, size_t size);

#endif
