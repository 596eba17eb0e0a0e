/* SPDX-License-Identifier: MIT */
/*
 * output.h - where the shell writes: a function that takes bytes, and formatting on top of it.
 */
#ifndef DYAD_TYPE1_CONSOLE_OUTPUT_H
#define DYAD_TYPE1_CONSOLE_OUTPUT_H

#include <stddef.h>

struct output {
	void (*write)(void *context, const char *bytes, size_t count);
	void *context;
};

#define OUTPUT_PIECE 512 /* bytes of one output_print(); what is longer is cut */

static inline void output_bytes(const struct output *out, const char *bytes, size_t count)
{
	if (count)
		out->write(out->context, bytes, count);
}

void output_text(const struct output *out, const char *text);
__attribute__((format(printf, 2, 3))) void output_print(const struct output *out,
							const char *format, ...);

#endif
