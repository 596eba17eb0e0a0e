/* SPDX-License-Identifier: MIT */
/*
 * file.c - files that are read whole or in pieces: kernels, initrds, modules.
 */
#include "type2/process/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bits.h"
#include "lib/error.h"
#include "os.h"

struct os_file {
	int fd;
	uint64_t size;
};

static const char *file_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	default:
		return "something else";
	}
}

static int file_open_error(const char *name, int flags, int error, struct error *why)
{
	bool write = (flags & O_ACCMODE) != O_RDONLY;

	switch (error) {
	case ENOENT:
		return error_set(why, -error, "there is no file %s", name);
	case EACCES:
	case EPERM:
		return error_set(why, -error, "no right to %s %s: change its permissions%s",
				 write ? "write to" : "read", name,
				 write ? ", or ask for it read-only"
				       : ", or run as a user who may");
	case EROFS:
		return error_set(
			why, -error,
			"cannot write to %s: its file system is mounted read-only; ask for it "
			"read-only",
			name);
	case ETXTBSY:
		return error_set(why, -error, "cannot write to %s: it is a program that runs",
				 name);
	case EBUSY:
		return error_set(
			why, -error,
			"%s is in use by the host (mounted, or part of a volume): unmount it, or "
			"ask for it read-only",
			name);
	default:
		return error_set(why, -error, "cannot open %s: %s", name, strerror(error));
	}
}

static bool file_is_wanted(const struct stat *status, bool block_device)
{
	return S_ISREG(status->st_mode) || (block_device && S_ISBLK(status->st_mode));
}

static int file_wrong_kind(const char *name, const struct stat *status, bool block_device,
			   struct error *why)
{
	return error_set(why, S_ISDIR(status->st_mode) ? -EISDIR : -EINVAL,
			 "%s is %s, but a regular file%s is needed", name,
			 file_kind(status->st_mode), block_device ? " or a block device" : "");
}

int file_open_named(const char *name, int flags, bool block_device, struct stat *status,
		    struct error *why)
{
	int fd, error;

	/* Asked before it is opened, since opening a device may do something. */
	if (stat(name, status) < 0)
		return file_open_error(name, flags, errno, why);
	if (!file_is_wanted(status, block_device))
		return file_wrong_kind(name, status, block_device, why);
	/* O_EXCL without O_CREAT: a block device that the host uses itself is refused (open(2)). */
	if (S_ISBLK(status->st_mode) && (flags & O_ACCMODE) != O_RDONLY)
		flags |= O_EXCL;
	/* And asked again: the name may stand for something else by now, which O_NONBLOCK won't
	 * wait for. */
	fd = open(name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return file_open_error(name, flags, errno, why);
	if (fstat(fd, status) < 0) {
		error = file_open_error(name, flags, errno, why);
		goto close_fd;
	}
	if (!file_is_wanted(status, block_device)) {
		error = file_wrong_kind(name, status, block_device, why);
		goto close_fd;
	}
	/* io_uring would take it as "fail rather than wait". */
	if (fcntl(fd, F_SETFL, flags & ~(O_EXCL | O_ACCMODE)) < 0) {
		error = file_open_error(name, flags, errno, why);
		goto close_fd;
	}
	return fd;
close_fd:
	close(fd);
	return error;
}

int os_file_open(const char *name, struct os_file **out, struct error *why)
{
	struct stat status;
	struct os_file *file;
	int fd = file_open_named(name, O_RDONLY, false, &status, why);

	if (fd < 0)
		return fd;
	file = calloc(1, sizeof(*file));
	if (!file) {
		close(fd);
		return error_set(why, -ENOMEM, "cannot open %s: out of memory", name);
	}
	file->fd = fd;
	file->size = (uint64_t)status.st_size;
	*out = file;
	return 0;
}

void os_file_close(struct os_file *file)
{
	if (!file)
		return;
	close(file->fd);
	free(file);
}

uint64_t os_file_size(const struct os_file *file)
{
	return file->size;
}

int os_file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size)
{
	uint8_t *at = buffer;

	if (offset > INT64_MAX || size > INT64_MAX - offset)
		return -EIO;
	while (size) {
		ssize_t count = pread(file->fd, at, MIN(size, GIB), (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			return -EIO;
		at += count;
		offset += (uint64_t)count;
		size -= (size_t)count;
	}
	return 0;
}
