/* SPDX-License-Identifier: MIT */
/*
 * log.c - os_log(): lines of the runtime's log, which says itself whose they are.
 */
#include <stdarg.h>

#include "lib/bytes.h"
#include "lib/format.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

void os_log(enum os_log_level level, const char *text)
{
	call3(TYPE1_LOG, level, call_address(text), text_length_max(text, TYPE1_LOG_LINE));
}

void process_log(enum os_log_level level, const char *format, ...)
{
	char text[TYPE1_LOG_LINE];
	va_list args;

	va_start(args, format);
	format_text_args(text, sizeof(text), format, args);
	va_end(args);
	os_log(level, text);
}
