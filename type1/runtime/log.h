/* SPDX-License-Identifier: MIT */
/*
 * log.h - what main.c and panic.c have of log.c besides log_line().
 */
#ifndef DYAD_TYPE1_LOG_H
#define DYAD_TYPE1_LOG_H

#include <stdarg.h>
#include <stddef.h>

#include "type1/runtime/cpu.h"

void log_set_limit(enum log_level level); /* what is said; LOG_INFO from the start */
/* Lines are kept, as many as there is room for; each has a number, from 0 on.  The number of the
 * next one that comes. */
uint64_t log_next(void);
/* Copies the first that is kept from *number on, as much of it as there is room for, and says its
 * number; the size, or 0: there is none yet. */
size_t log_read(uint64_t *number, char *line, size_t room);
/* Whether lines are also shown on the serial line: from the start. */
void log_set_shown(bool shown);
/* The line with its time and newline; its length.  size is at least 64. */
__attribute__((format(printf, 3, 0))) size_t log_format(char *line, size_t size, const char *format,
							va_list args);

#endif
