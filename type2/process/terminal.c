/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - the process's terminal.  How it was is kept in one static place, for a signal
 * handler and exit() must find it.
 */
#include "type2/process/terminal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "type2/process/log.h"
#include "type2/process/signal.h"

static struct {
	atomic_bool raw; /* the others are set before it is, and constant while it is */
	int fd;
	struct termios before, while_raw;
	bool exit_registered;
} terminal;

/* Also in a signal handler, and by exit(). */
static void terminal_put_back(void)
{
	int saved_errno = errno;

	if (atomic_exchange(&terminal.raw, false))
		(void)tcsetattr(terminal.fd, TCSANOW, &terminal.before);
	errno = saved_errno;
}

/* After a stop, the shell has set the terminal to its own liking.  In a signal handler. */
static void terminal_resumed(void)
{
	int saved_errno = errno;

	if (atomic_load(&terminal.raw))
		(void)tcsetattr(terminal.fd, TCSANOW, &terminal.while_raw);
	errno = saved_errno;
}

int terminal_set_raw(int fd)
{
	if (atomic_load(&terminal.raw))
		return -EBUSY;
	if (tcgetattr(fd, &terminal.before) < 0)
		return -errno;
	if (!terminal.exit_registered && atexit(terminal_put_back) != 0)
		return -ENOMEM;
	terminal.exit_registered = true;
	terminal.fd = fd;
	terminal.while_raw = terminal.before;
	cfmakeraw(&terminal.while_raw);
	terminal.while_raw.c_cc[VMIN] = 1;
	terminal.while_raw.c_cc[VTIME] = 0;
	atomic_store(&terminal.raw, true);
	signal_set_hooks(terminal_put_back, terminal_resumed);
	if (tcsetattr(fd, TCSANOW, &terminal.while_raw) < 0) {
		int error = errno;

		terminal_restore();
		return -error;
	}
	log_set_raw_terminal(isatty(STDERR_FILENO));
	return 0;
}

void terminal_restore(void)
{
	terminal_put_back();
	signal_set_hooks(NULL, NULL);
	log_set_raw_terminal(false);
}
