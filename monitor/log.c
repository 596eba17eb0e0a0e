/* SPDX-License-Identifier: MIT */
#include "monitor/log.h"

#include <stdarg.h>

#include "lib/format.h"

#define LINE_MAX 256

void log_print(enum os_log_level level, const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;

	va_start(args, format);
	format_text_args(line, sizeof(line), format, args);
	va_end(args);
	os_log(level, line);
}

void log_guest(struct log_budget *budget, enum os_log_level level, const char *device,
	       const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	size_t used;

	if (budget->spent >= LOG_BUDGET)
		return;
	used = format_text(line, sizeof(line), "%s: ", device);
	va_start(args, format);
	used += format_text_args(line + used, sizeof(line) - used, format, args);
	va_end(args);
	if (++budget->spent == LOG_BUDGET)
		format_text(line + used, sizeof(line) - used,
			    " (no more of this device's messages)");
	os_log(level, line);
}
