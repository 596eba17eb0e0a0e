/* SPDX-License-Identifier: MIT */
#include "lib/error.h"

#include <stdarg.h>

#include "lib/format.h"

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	format_text_args(error->text, sizeof(error->text), format, args);
	va_end(args);
	return code;
}
