/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - the four functions that a compiler may call on its own (the C library or the bare-metal
 * runtime defines them), and the few string functions that the monitor and the core need besides.
 */
#ifndef DYAD_LIB_BYTES_H
#define DYAD_LIB_BYTES_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);

/* Named apart from libc's so that a file may see both. */
size_t text_length(const char *text);
/* The length of text, at most max; text need not end within max. */
size_t text_length_max(const char *text, size_t max);
bool text_equal(const char *a, const char *b);

#endif
