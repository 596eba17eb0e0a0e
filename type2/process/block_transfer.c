/* SPDX-License-Identifier: MIT */
/*
 * block_transfer.c - one request carried out by waiting system calls: what worker threads do, and
 * all that an io_uring can't.
 *
 * Past the page cache (O_DIRECT), memory, offsets and lengths must be aligned.  What is not goes
 * through an aligned buffer piece by piece; a write that covers a part of an aligned unit reads the
 * unit first, one at a time.  (A guest that writes the whole unit at the same moment overlaps its
 * own writes, and gets one or the other.)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/bits.h"
#include "type2/process/block.h"

#define BOUNCE_SIZE (256 * KIB)
#define BOUNCE_ALIGNMENT 4096
#define ZEROES_SIZE (64 * KIB)

static const struct iovec *block_iov(const struct os_block_request *request)
{
	return (const struct iovec *)(const void *)request->iov;
}

bool block_is_plain(const struct block_file *file, const struct os_block_request *request)
{
	uint64_t memory = 0, amounts = request->offset | request->length;

	if (request->op != OS_BLOCK_READ && request->op != OS_BLOCK_WRITE)
		return false;
	if (!file->direct)
		return true;
	for (uint32_t i = 0; i < request->iov_count; i++) {
		memory |= (uintptr_t)request->iov[i].base;
		amounts |= request->iov[i].length;
	}
	return is_aligned(memory, file->memory_alignment) &&
	       is_aligned(amounts, file->offset_alignment);
}

unsigned block_remaining(struct os_block_request *request, const struct iovec **iov)
{
	struct block_job *job = block_job(request);
	const struct iovec *all = block_iov(request);
	uint64_t skip = job->transferred;
	uint32_t i = 0;

	while (i < request->iov_count && skip >= all[i].iov_len)
		skip -= all[i++].iov_len;
	if (i == request->iov_count)
		return 0;
	if (skip) {
		job->partial.iov_base = (char *)all[i].iov_base + skip;
		job->partial.iov_len = all[i].iov_len - skip;
		*iov = &job->partial;
		return 1;
	}
	*iov = all + i;
	return MIN(request->iov_count - i, (uint32_t)IOV_MAX);
}

/* --- Reads and writes as they stand
 * --------------------------------------------------------------- */

static int block_transfer_plain(const struct block_file *file, struct os_block_request *request)
{
	struct block_job *job = block_job(request);

	while (job->transferred < request->length) {
		const struct iovec *iov;
		unsigned count = block_remaining(request, &iov);
		off_t offset = (off_t)(request->offset + job->transferred);
		ssize_t done;

		if (!count)
			return -EINVAL;
		if (request->op == OS_BLOCK_READ)
			done = preadv(file->fd, iov, (int)count, offset);
		else
			done = pwritev(file->fd, iov, (int)count, offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		/* The file has become shorter than the disk is. */
		if (done == 0)
			return -EIO;
		job->transferred += (uint64_t)done;
	}
	return 0;
}

/* --- Through a buffer
 * ----------------------------------------------------------------------------- */

/* Exactly size bytes between the file and an aligned buffer. */
static int block_move(const struct block_file *file, bool write, void *buffer, uint64_t offset,
		      size_t size)
{
	char *at = buffer;

	while (size) {
		ssize_t done = write ? pwrite(file->fd, at, size, (off_t)offset)
				     : pread(file->fd, at, size, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -EIO;
		at += done;
		offset += (uint64_t)done;
		size -= (size_t)done;
	}
	return 0;
}

/* Between the buffer and the request's segments, from where it stands. */
static void block_copy(struct os_block_request *request, char *buffer, size_t size)
{
	struct block_job *job = block_job(request);

	while (size) {
		const struct iovec *iov;
		size_t part;

		if (!block_remaining(request, &iov))
			return;
		part = MIN(size, iov->iov_len);
		if (request->op == OS_BLOCK_READ)
			memcpy(iov->iov_base, buffer, part);
		else
			memcpy(buffer, iov->iov_base, part);
		job->transferred += part;
		buffer += part;
		size -= part;
	}
}

/* One piece: [start, end) of the disk, within the aligned [from, to). */
static int block_bounce_piece(struct block_file *file, struct os_block_request *request,
			      char *buffer, uint64_t start, uint64_t end)
{
	uint64_t from = align_down(start, file->offset_alignment);
	uint64_t to = align_up(end, file->offset_alignment);
	bool write = request->op == OS_BLOCK_WRITE, rewrite = write && (from != start || to != end);
	int error = 0;

	if (rewrite)
		os_mutex_lock(&file->rewrite_lock);
	if (!write || rewrite)
		error = block_move(file, false, buffer, from, to - from);
	if (!error)
		block_copy(request, buffer + (start - from), end - start);
	if (!error && write)
		error = block_move(file, true, buffer, from, to - from);
	if (rewrite)
		os_mutex_unlock(&file->rewrite_lock);
	return error;
}

static int block_transfer_bounced(struct block_file *file, struct os_block_request *request)
{
	struct block_job *job = block_job(request);
	size_t alignment = MAX(BOUNCE_ALIGNMENT, file->offset_alignment);
	void *buffer;
	int error = 0;

	if (posix_memalign(&buffer, alignment, BOUNCE_SIZE) != 0)
		return -ENOMEM;
	while (!error && job->transferred < request->length) {
		uint64_t start = request->offset + job->transferred;
		uint64_t end = request->offset + request->length;
		/* The next piece starts aligned. */
		uint64_t limit = align_down(start, file->offset_alignment) + BOUNCE_SIZE;

		error = block_bounce_piece(file, request, buffer, start, MIN(end, limit));
	}
	free(buffer);
	return error;
}

/* --- Discard and zeroes
 * --------------------------------------------------------------------------- */

static int block_fallocate(const struct block_file *file, int mode,
			   const struct os_block_request *request)
{
	int status;

	do {
		status = fallocate(file->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)request->offset,
				   (off_t)request->length);
	} while (status < 0 && errno == EINTR);
	return status < 0 ? -errno : 0;
}

static int block_discard(const struct block_file *file, const struct os_block_request *request)
{
	uint64_t start = align_up(request->offset, file->info.block_size);
	uint64_t end = align_down(request->offset + request->length, file->info.block_size);
	uint64_t range[2] = {start, end - start};

	if (!request->length)
		return 0;
	if (!file->device)
		return block_fallocate(file, FALLOC_FL_PUNCH_HOLE, request);
	/* What does not fill a sector keeps its content, which is as good as any other. */
	if (start >= end)
		return 0;
	return ioctl(file->fd, BLKDISCARD, range) < 0 ? -errno : 0;
}

/* For what has no better way: writes them. */
static int block_write_zeroes_slowly(struct block_file *file, struct os_block_request *request)
{
	static _Alignas(BOUNCE_ALIGNMENT) char zeroes[ZEROES_SIZE];
	uint64_t offset = request->offset, end = offset + request->length;
	int error = 0;

	while (!error && offset < end) {
		struct os_iov iov = {zeroes, MIN(end - offset, ZEROES_SIZE)};
		struct os_block_request piece = {.op = OS_BLOCK_WRITE,
						 .iov = &iov,
						 .iov_count = 1,
						 .offset = offset,
						 .length = iov.length};

		error = block_transfer(file, &piece);
		offset += iov.length;
	}
	return error;
}

static int block_write_zeroes(struct block_file *file, struct os_block_request *request)
{
	uint64_t range[2] = {request->offset, request->length};
	int error = -EOPNOTSUPP;

	if (!request->length)
		return 0;
	if (!file->device) {
		/* A hole reads as zero, and takes no space. */
		error = block_fallocate(file, FALLOC_FL_PUNCH_HOLE, request);
		if (error)
			error = block_fallocate(file, FALLOC_FL_ZERO_RANGE, request);
	} else if (is_aligned(request->offset | request->length, file->info.block_size)) {
		error = ioctl(file->fd, BLKZEROOUT, range) < 0 ? -errno : 0;
	}
	if (error == -EOPNOTSUPP || error == -ENOSYS || error == -ENOTTY || error == -EINVAL)
		error = block_write_zeroes_slowly(file, request);
	return error;
}

int block_transfer(struct block_file *file, struct os_block_request *request)
{
	switch (request->op) {
	case OS_BLOCK_READ:
	case OS_BLOCK_WRITE:
		if (block_is_plain(file, request))
			return block_transfer_plain(file, request);
		return block_transfer_bounced(file, request);
	case OS_BLOCK_FLUSH:
		return fdatasync(file->fd) < 0 ? -errno : 0;
	case OS_BLOCK_DISCARD:
		return block_discard(file, request);
	case OS_BLOCK_WRITE_ZEROES:
		return block_write_zeroes(file, request);
	default:
		return -EOPNOTSUPP;
	}
}
