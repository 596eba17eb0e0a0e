/* SPDX-License-Identifier: MIT */
/*
 * stream.h - one of the process's standard streams, read or written without waiting and without a
 * change that others would see.
 */
#ifndef DYAD_TYPE2_PROCESS_STREAM_H
#define DYAD_TYPE2_PROCESS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum stream_kind {
	STREAM_NONBLOCKING, /* opened anew with O_NONBLOCK */
	STREAM_SOCKET,      /* asked for each transfer */
	STREAM_POLLED,      /* asked before each transfer whether it would wait */
};

struct stream {
	int fd; /* our own; -1: none */
	enum stream_kind kind;
	bool terminal;
};

/* fd stays the caller's. */
int stream_open(struct stream *stream, int fd, bool write);
void stream_close(struct stream *stream);
/* The count (0: the end) or -errno; -EAGAIN: not now. */
ssize_t stream_read(const struct stream *stream, void *bytes, size_t count);
ssize_t stream_write(const struct stream *stream, const void *bytes, size_t count);

#endif
