/* SPDX-License-Identifier: MIT */
/*
 * block_open.c - opening a disk: what it is, how large, how it must be aligned, and that nobody
 * else writes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/bits.h"
#include "type2/process/block.h"
#include "type2/process/file.h"

#define SECTOR_SIZE 512
#define DIRECT_ALIGNMENT_MAX 4096

/*
 * One writer, or any number of readers.  The lock belongs to the open file (fcntl(2), F_OFD_SETLK),
 * so it holds against ourselves too, ends with us however we end, and QEMU respects it.
 */
static int block_lock(int fd, const struct os_block_options *options, struct error *why)
{
	struct flock lock = {.l_type = options->read_only ? F_RDLCK : F_WRLCK,
			     .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES) {
		/* File systems without such locks may have the other kind, and if not, there is
		 * none. */
		if (flock(fd, (options->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 ||
		    errno != EWOULDBLOCK)
			return 0;
	}
	return error_set(
		why, -EBUSY,
		"%s is in use by another virtual machine, which holds a lock on it: stop that "
		"one first%s",
		options->name, options->read_only ? "" : ", or give it to both of them read-only");
}

/* The number in a file of a device's queue directory in sysfs, which for a partition is the disk's.
 */
static uint64_t block_queue_limit(dev_t device, const char *limit)
{
	static const char *const where[] = {"", "../"};
	uint64_t value = 0;

	for (size_t i = 0; i < ARRAY_COUNT(where); i++) {
		char path[128], text[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s", major(device),
			 minor(device), where[i], limit);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text) - 1) > 0)
			value = strtoull(text, NULL, 10);
		close(fd);
		break;
	}
	return value;
}

/* A hole behind the end changes nothing, and tells whether there could be one. */
static bool block_can_punch(int fd, uint64_t size)
{
	uint64_t end = align_up(size, 4096);

	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)end, 4096) == 0;
}

/* What O_DIRECT wants here: asked of the kernel if it can tell (6.1), else tried out. */
static int block_find_alignment(struct block_file *file, uint32_t sector_size)
{
	struct statx status;
	void *buffer;
	int error = -EINVAL;

	file->memory_alignment = file->offset_alignment = sector_size;
#ifdef STATX_DIOALIGN
	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
	    (status.stx_mask & STATX_DIOALIGN)) {
		if (!status.stx_dio_offset_align)
			return -EINVAL;
		file->memory_alignment = status.stx_dio_mem_align;
		file->offset_alignment = MAX(status.stx_dio_offset_align, SECTOR_SIZE);
		return 0;
	}
#else
	(void)status;
#endif
	if (posix_memalign(&buffer, 2 * DIRECT_ALIGNMENT_MAX, 2 * DIRECT_ALIGNMENT_MAX) != 0)
		return -ENOMEM;
	for (uint32_t alignment = sector_size; alignment <= DIRECT_ALIGNMENT_MAX && error;
	     alignment *= 2) {
		/* Aligned to this and not to the next. */
		if (pread(file->fd, (char *)buffer + alignment, alignment, 0) < 0) {
			error = -errno;
			continue;
		}
		file->memory_alignment = file->offset_alignment = alignment;
		error = 0;
	}
	free(buffer);
	return error;
}

static int block_measure(struct block_file *file, const struct stat *status,
			 const struct os_block_options *options, struct error *why)
{
	struct os_block_info *info = &file->info;
	int sector_size = SECTOR_SIZE, error;

	info->read_only = options->read_only;
	info->block_size = SECTOR_SIZE;
	if (file->device) {
		if (ioctl(file->fd, BLKGETSIZE64, &info->size) < 0 ||
		    ioctl(file->fd, BLKSSZGET, &sector_size) < 0)
			return error_set(why, -errno, "cannot find out the size of %s: %s",
					 options->name, strerror(errno));
		info->block_size = sector_size > SECTOR_SIZE ? 4096 : SECTOR_SIZE;
		info->can_discard = !info->read_only &&
				    block_queue_limit(status->st_rdev, "discard_max_bytes") > 0;
	} else {
		info->size = (uint64_t)status->st_size;
		info->can_discard = !info->read_only && block_can_punch(file->fd, info->size);
	}
	if (!info->size)
		return error_set(
			why, -EINVAL,
			"%s is empty: a disk has a size (truncate -s 8G %s makes a file one)",
			options->name, options->name);
	if (info->size % SECTOR_SIZE)
		return error_set(
			why, -EINVAL,
			"the size of %s is %llu bytes, which is no multiple of a sector (%u "
			"bytes): it is no disk image, or has been cut",
			options->name, (unsigned long long)info->size, SECTOR_SIZE);
	if (!file->direct)
		return 0;
	error = block_find_alignment(file, (uint32_t)sector_size);
	if (error)
		return error_set(
			why, error,
			"cannot use %s without the host's page cache: its file system refuses "
			"(%s); use cache=writeback",
			options->name, strerror(-error));
	if (info->size % file->offset_alignment)
		return error_set(
			why, -EINVAL,
			"the size of %s is %llu bytes, which is no multiple of the %u that its "
			"file system reads and writes without the host's page cache; use "
			"cache=writeback",
			options->name, (unsigned long long)info->size, file->offset_alignment);
	return 0;
}

int block_file_open(const struct os_block_options *options, struct block_file *file,
		    struct error *why)
{
	int flags = options->read_only ? O_RDONLY : O_RDWR;
	struct stat status;
	int error;

	*file = (struct block_file){.fd = -1, .direct = options->cache == OS_BLOCK_NONE};
	os_mutex_init(&file->rewrite_lock);
	file->fd = file_open_named(options->name, flags, true, &status, why);
	if (file->fd < 0)
		return file->fd;
	/* After the opening, since a file system that has no O_DIRECT refuses both alike. */
	if (file->direct && fcntl(file->fd, F_SETFL, O_DIRECT) < 0) {
		error = error_set(
			why, -errno,
			"cannot use %s without the host's page cache: its file system has no "
			"such access (%s); use cache=writeback",
			options->name, strerror(errno));
		goto close_fd;
	}
	file->device = S_ISBLK(status.st_mode);
	error = block_lock(file->fd, options, why);
	if (!error)
		error = block_measure(file, &status, options, why);
	if (!error)
		return 0;
close_fd:
	close(file->fd);
	return error;
}

void block_file_close(struct block_file *file)
{
	/* The last chance; who must know that it is durable has sent a flush. */
	if (!file->info.read_only)
		(void)fdatasync(file->fd);
	close(file->fd);
}
