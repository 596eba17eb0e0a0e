/* SPDX-License-Identifier: MIT */
/*
 * log.c - the runtime's log: lines with their time, the last of which are kept; on the serial line,
 * unless a process shows them.
 */
#include "type1/runtime/log.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/cpu.h"
#include "type1/runtime/serial.h"

#define LINE_MAX 384

#define LINES_KEPT 170u /* 64 KiB */

static struct spin log_lock = SPIN_INIT;
static struct {
	size_t size;
	char text[LINE_MAX];
} kept[LINES_KEPT];                         /* [log_lock] by number, modulo LINES_KEPT */
static uint64_t next_number;                /* [log_lock] */
static bool shown = true;                   /* [log_lock] */
static enum log_level log_limit = LOG_INFO; /* [const] after boot */

void log_set_limit(enum log_level level)
{
	log_limit = level;
}

size_t log_format(char *line, size_t size, const char *format, va_list args)
{
	uint64_t us = clock_now() / 1000;
	size_t used =
		format_text(line, size, "[%5llu.%06llu] dyad: ", (unsigned long long)(us / 1000000),
			    (unsigned long long)(us % 1000000));

	used += format_text_args(line + used, size - used - 1, format, args);
	line[used++] = '\n';
	return used;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	size_t used;

	if (level > log_limit)
		return;
	va_start(args, format);
	used = log_format(line, sizeof(line), format, args);
	va_end(args);
	spin_lock(&log_lock);
	memcpy(kept[next_number % LINES_KEPT].text, line, used);
	kept[next_number++ % LINES_KEPT].size = used;
	if (shown)
		serial_write(line, used);
	spin_unlock(&log_lock);
}

void log_set_shown(bool value)
{
	spin_lock(&log_lock);
	shown = value;
	spin_unlock(&log_lock);
}

uint64_t log_next(void)
{
	return __atomic_load_n(&next_number, __ATOMIC_RELAXED);
}

size_t log_read(uint64_t *number, char *line, size_t room)
{
	size_t size = 0;

	spin_lock(&log_lock);
	if (next_number > LINES_KEPT && *number < next_number - LINES_KEPT)
		*number = next_number - LINES_KEPT;
	if (*number < next_number) {
		size = MIN(kept[*number % LINES_KEPT].size, room);
		memcpy(line, kept[*number % LINES_KEPT].text, size);
	}
	spin_unlock(&log_lock);
	return size;
}
