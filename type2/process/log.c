/* SPDX-License-Identifier: MIT */
/*
 * log.c - os_log(): a line is one write, so that lines of several threads don't mix.
 */
#include "type2/process/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "lib/format.h"
#include "type2/process/process.h"

#define LOG_LINE_MAX 1024

static struct {
	atomic_int fd;
	atomic_int most;
	atomic_bool raw;
} log_state = {.fd = STDERR_FILENO, .most = OS_LOG_INFO};

void process_log_configure(int fd, enum os_log_level most)
{
	atomic_store(&log_state.fd, fd);
	atomic_store(&log_state.most, (int)most);
}

void log_set_raw_terminal(bool raw)
{
	atomic_store(&log_state.raw, raw);
}

void os_log(enum os_log_level level, const char *text)
{
	static const char *const prefix[] = {"error: ", "warning: ", "", "debug: "};
	int saved_errno = errno;
	char line[LOG_LINE_MAX];
	size_t length;
	ssize_t written;

	if ((int)level > atomic_load(&log_state.most))
		return;
	/* Two bytes stay for the line's end. */
	length = format_text(line, sizeof(line) - 2, "dyad: %s%s", prefix[level], text);
	if (atomic_load(&log_state.raw))
		line[length++] = '\r';
	line[length++] = '\n';
	do {
		written = write(atomic_load(&log_state.fd), line, length);
	} while (written < 0 && errno == EINTR);
	errno = saved_errno;
}
