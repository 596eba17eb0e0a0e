/*
 * Runs one command inside the emulated host, and carries its output to the machine outside through
 * virtio-serial ports, or parallel ones, byte for byte and as it comes:
 *
 *   on pipes        stdin is empty; stdout goes to the first port, stderr to the second
 *   on a terminal   the command gets a terminal of its own behind the first port; each line 'ROWS
 *                   COLUMNS' from the second one changes the terminal's size
 *
 * The command writes to a pipe or terminal and never to a port itself: a port can be opened only
 * once at a time, so what opens /dev/stdout again would fail. All is over when the command has
 * ended and what it wrote has left this host, even if a child of the command still runs.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_FIRST "/dev/vport0p1"
#define PORT_SECOND "/dev/vport0p2"

/* A parallel port's registers: data, status, control.  The bit is the strobe, at whose end the byte
 * is taken; the others say that the printer is selected and not being reset. */
#define PARALLEL_FIRST 0x378
#define PARALLEL_SECOND 0x278
#define PARALLEL_REGISTERS 3
#define PARALLEL_CONTROL 2
#define PARALLEL_READY 0x0c
#define PARALLEL_STROBE 0x01

static char buffer[65536];

/* Where output goes. */
struct port {
	int fd;
	unsigned short parallel; /* its first register; 0: the descriptor's */
};

static int open_port(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		fail("can't open %s", path);
	return fd;
}

static struct port open_parallel(unsigned short first)
{
	if (ioperm(first, PARALLEL_REGISTERS, 1) != 0)
		fail("can't use the port %#x", first);
	return (struct port){.fd = -1, .parallel = first};
}

/* All of it, also where the descriptor does not block. */
static void write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, data, size);

		if (done < 0 && errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			poll(&wait, 1, -1);
		} else if (done < 0 && errno != EINTR) {
			fail("can't write to a port");
		} else if (done > 0) {
			data += done;
			size -= (size_t)done;
		}
	}
}

/* An emulated one is never busy. */
static void print_all(unsigned short parallel, const char *data, size_t size)
{
	for (; size > 0; data++, size--) {
		outb((unsigned char)*data, parallel);
		outb(PARALLEL_READY | PARALLEL_STROBE, parallel + PARALLEL_CONTROL);
		outb(PARALLEL_READY, parallel + PARALLEL_CONTROL);
	}
}

/* One read's worth; false once there is nothing more to come, or, if it does not block, nothing
 * now. */
static bool copy_some(int from, const struct port *to)
{
	ssize_t size = read(from, buffer, sizeof(buffer));

	if (size < 0 && errno == EINTR)
		return true;
	if (size <= 0)
		return false; /* a terminal whose last user has gone says EIO */
	if (to->parallel)
		print_all(to->parallel, buffer, (size_t)size);
	else
		write_all(to->fd, buffer, (size_t)size);
	return true;
}

/* What was written to the port is with the machine outside: only then may this host power off. The
 * driver says 'writable' when nothing waits in its queue. */
static void drain_port(const struct port *port)
{
	struct pollfd wait = {.fd = port->fd, .events = POLLOUT};

	while (!port->parallel && poll(&wait, 1, -1) < 0 && errno == EINTR)
		;
}

static void copy_rest(int from, const struct port *port)
{
	fcntl(from, F_SETFL, O_NONBLOCK);
	while (copy_some(from, port))
		;
	drain_port(port);
}

/* SIGCHLD as a descriptor. To be called before the command is started. */
static int open_child_events(sigset_t *previous)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, previous);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fail("can't wait for the command");
	return fd;
}

static void run_command(char **command, const sigset_t *mask) __attribute__((noreturn));

static void run_command(char **command, const sigset_t *mask)
{
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	fprintf(stderr, "lab: can't run %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* True, and its exit status, if the child has ended. The first process inherits the children of all
 * that end before theirs, and sees them off here too. */
static bool child_ended(int events, pid_t child, int *status)
{
	struct signalfd_siginfo event;
	bool ended = false;
	pid_t pid;
	int raw;

	if (read(events, &event, sizeof(event)) < 0)
		return false;
	while ((pid = waitpid(-1, &raw, WNOHANG)) > 0) {
		if (pid != child)
			continue;
		*status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
		ended = true;
	}
	return ended;
}

static pid_t start_on_pipes(char **command, int *out, int *err, const sigset_t *mask)
{
	int out_pipe[2], err_pipe[2];
	pid_t child;

	if (pipe2(out_pipe, O_CLOEXEC) != 0 || pipe2(err_pipe, O_CLOEXEC) != 0)
		fail("can't make a pipe");
	child = fork();
	if (child < 0)
		fail("can't start a process");
	if (child == 0) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		if (null < 0 || dup2(null, 0) < 0 || dup2(out_pipe[1], 1) < 0 ||
		    dup2(err_pipe[1], 2) < 0)
			_exit(STATUS_LAB_FAILED);
		if (null > 2)
			close(null);
		run_command(command, mask);
	}
	close(out_pipe[1]);
	close(err_pipe[1]);
	*out = out_pipe[0];
	*err = err_pipe[0];
	return child;
}

static int run_on_pipes(const struct port port[2], char **command)
{
	int source[2], status, i;
	sigset_t mask;
	struct pollfd wait[3];
	pid_t child;

	wait[2] = (struct pollfd){.fd = open_child_events(&mask), .events = POLLIN};
	child = start_on_pipes(command, &source[0], &source[1], &mask);
	for (i = 0; i < 2; i++)
		wait[i] = (struct pollfd){.fd = source[i], .events = POLLIN};

	do {
		poll(wait, 3, -1);
		for (i = 0; i < 2; i++) {
			if (wait[i].revents && !copy_some(source[i], &port[i]))
				wait[i].fd = -1;
		}
	} while (!child_ended(wait[2].fd, child, &status));

	for (i = 0; i < 2; i++)
		copy_rest(source[i], &port[i]);
	return status;
}

/* Lines of two numbers; what is no such line is passed over. A line may come in parts. */
static void take_size(int control, int terminal)
{
	static char line[64];
	static size_t used;
	struct winsize size = {0};
	ssize_t got = read(control, line + used, sizeof(line) - 1 - used);
	char *end;

	if (got <= 0)
		return;
	used += (size_t)got;
	line[used] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		if (sscanf(line, "%hu %hu", &size.ws_row, &size.ws_col) == 2)
			ioctl(terminal, TIOCSWINSZ, &size);
		used -= (size_t)(end + 1 - line);
		memmove(line, end + 1, used + 1);
	}
	if (used == sizeof(line) - 1)
		used = 0;
}

static int run_on_terminal(const struct connection *connection, char **command)
{
	struct port port = {.fd = open_port(PORT_FIRST, O_RDWR)};
	struct port keyboard = {.fd = -1};
	int control = open_port(PORT_SECOND, O_RDONLY);
	struct winsize size = {.ws_row = connection->rows, .ws_col = connection->columns};
	int terminal, status;
	sigset_t mask;
	pid_t child;
	struct pollfd wait[4];

	wait[0] = (struct pollfd){.fd = open_child_events(&mask), .events = POLLIN};
	child = forkpty(&terminal, NULL, NULL, &size);
	if (child < 0)
		fail("can't make a terminal");
	if (child == 0)
		run_command(command, &mask);
	keyboard.fd = terminal;
	wait[1] = (struct pollfd){.fd = terminal, .events = POLLIN};
	wait[2] = (struct pollfd){.fd = port.fd, .events = POLLIN};
	wait[3] = (struct pollfd){.fd = control, .events = POLLIN};

	do {
		poll(wait, 4, -1);
		if (wait[1].revents && !copy_some(terminal, &port))
			wait[1].fd = -1;
		if ((wait[2].revents & POLLIN) && !copy_some(port.fd, &keyboard))
			wait[2].fd = -1;
		if (wait[3].revents & POLLIN)
			take_size(control, terminal);
	} while (!child_ended(wait[0].fd, child, &status));

	copy_rest(terminal, &port);
	return status;
}

int command_run(const struct connection *connection, char **command)
{
	switch (connection->kind) {
	case CONNECTION_TERMINAL:
		return run_on_terminal(connection, command);
	case CONNECTION_PARALLEL:
		return run_on_pipes((struct port[]){open_parallel(PARALLEL_FIRST),
						    open_parallel(PARALLEL_SECOND)},
				    command);
	default:
		return run_on_pipes((struct port[]){{.fd = open_port(PORT_FIRST, O_WRONLY)},
						    {.fd = open_port(PORT_SECOND, O_WRONLY)}},
				    command);
	}
}
