/* SPDX-License-Identifier: MIT */
/*
 * stream.c - streams that the process shares with others.
 *
 * O_NONBLOCK belongs to the open file, which a terminal's or pipe's other users (the shell, the
 * other side of `2>&1`) share, and they would trip over it.  So a terminal or a pipe is opened once
 * more, by its name in /proc, which gives an open file of our own.  A socket needs no flag.  Where
 * opening is refused (a terminal of another user's), the stream is polled before each transfer and
 * given little at a time: a pipe that polls writable takes PIPE_BUF bytes without waiting
 * (pipe(7)), and a terminal nearly always what fits TERMINAL_PIECE.
 */
#include "type2/process/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bits.h"

#define TERMINAL_PIECE 128

/* A descriptor of another open file on the same pipe or terminal, or -1. */
static int stream_reopen(int fd, bool write, const struct stat *status)
{
	struct stat opened;
	unsigned number;
	char path[64];
	int result;

	/* Opening the master side of a pseudo terminal makes a new one. */
	if (!S_ISFIFO(status->st_mode) && ioctl(fd, TIOCGPTN, &number) == 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	result = open(path, (write ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (result < 0)
		return -1;
	if (fstat(result, &opened) == 0 && opened.st_dev == status->st_dev &&
	    opened.st_ino == status->st_ino)
		return result;
	close(result);
	return -1;
}

int stream_open(struct stream *stream, int fd, bool write)
{
	struct stat status;

	*stream = (struct stream){.fd = -1, .kind = STREAM_POLLED};
	if (fstat(fd, &status) < 0)
		return -errno;
	stream->terminal = isatty(fd);
	if (S_ISSOCK(status.st_mode)) {
		stream->kind = STREAM_SOCKET;
	} else if (S_ISFIFO(status.st_mode) || stream->terminal) {
		stream->fd = stream_reopen(fd, write, &status);
		if (stream->fd >= 0) {
			stream->kind = STREAM_NONBLOCKING;
			return 0;
		}
	}
	stream->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return stream->fd < 0 ? -errno : 0;
}

void stream_close(struct stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

static bool stream_would_wait(const struct stream *stream, short events)
{
	struct pollfd poll_fd = {.fd = stream->fd, .events = events};

	return stream->kind == STREAM_POLLED && poll(&poll_fd, 1, 0) == 0;
}

ssize_t stream_read(const struct stream *stream, void *bytes, size_t count)
{
	ssize_t done;

	do {
		if (stream_would_wait(stream, POLLIN))
			return -EAGAIN;
		if (stream->kind == STREAM_SOCKET)
			done = recv(stream->fd, bytes, count, MSG_DONTWAIT);
		else
			done = read(stream->fd, bytes, count);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

ssize_t stream_write(const struct stream *stream, const void *bytes, size_t count)
{
	ssize_t done;

	if (stream->kind == STREAM_POLLED)
		count = MIN(count, (size_t)(stream->terminal ? TERMINAL_PIECE : PIPE_BUF));
	do {
		if (stream_would_wait(stream, POLLOUT))
			return -EAGAIN;
		if (stream->kind == STREAM_SOCKET)
			done = send(stream->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			done = write(stream->fd, bytes, count);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}
