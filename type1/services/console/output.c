/* SPDX-License-Identifier: MIT */
/*
 * output.c - texts and formatted texts on their way to the screen.
 */
#include "type1/services/console/output.h"

#include <stdarg.h>

#include "lib/bytes.h"
#include "lib/format.h"

void output_text(const struct output *out, const char *text)
{
	output_bytes(out, text, text_length(text));
}

void output_print(const struct output *out, const char *format, ...)
{
	char piece[OUTPUT_PIECE];
	va_list args;

	va_start(args, format);
	output_bytes(out, piece, format_text_args(piece, sizeof(piece), format, args));
	va_end(args);
}
