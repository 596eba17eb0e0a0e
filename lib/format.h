/* SPDX-License-Identifier: MIT */
/*
 * format.h - printf without a libc, for messages.  Knows %s %c %d %i %u %x %X %p %%, the lengths
 * hh h l ll z, a width, a precision for %s, and the flags 0 and -.
 */
#ifndef DYAD_LIB_FORMAT_H
#define DYAD_LIB_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size bytes with the closing NUL (size is at least 1); returns the characters
 * written. */
__attribute__((format(printf, 3, 4))) size_t format_text(char *buffer, size_t size,
							 const char *format, ...);
__attribute__((format(printf, 3, 0))) size_t format_text_args(char *buffer, size_t size,
							      const char *format, va_list args);

#endif
