/* SPDX-License-Identifier: MIT */
/*
 * block_uring.c - plain reads, writes and flushes on an io_uring of the block's own.
 *
 * A batch is one system call, and what the page cache holds is done when that returns.  The rest is
 * found by the loop: the ring's descriptor becomes readable, or a completion is there before the
 * loop waits.  At most URING_DEPTH requests are in the kernel, half of what its completion queue
 * holds, so that never overflows; the others wait here.
 *
 * The file is not registered with the ring: the kernel takes a ring down some time after its
 * process, and until then the disk would stay open, and locked, for whoever starts the guest again.
 */
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>

#include "lib/bits.h"
#include "type2/process/block.h"

#define URING_DEPTH 128

struct block_uring {
	struct os_block *block;
	struct io_uring ring;
	struct block_queue waiting;
	unsigned prepared;  /* in the submission queue, not told to the kernel yet */
	unsigned in_flight; /* told to the kernel, not reaped */
	struct process_watch *watch;
	struct loop_hook hook;
};

/* What was asked for has come to an end, or a part of it has. */
static void uring_advance(struct block_uring *uring, struct os_block_request *request, int result)
{
	struct block_job *job = block_job(request);

	if (result == -EINTR || result == -EAGAIN) {
		block_queue_push(&uring->waiting, request);
		return;
	}
	if (result < 0 || request->op == OS_BLOCK_FLUSH) {
		block_finish(uring->block, request, result < 0 ? result : 0);
		return;
	}
	job->transferred += (uint32_t)result;
	if (job->transferred >= request->length)
		block_finish(uring->block, request, 0);
	else if (result == 0) /* the file has become shorter than the disk is */
		block_finish(uring->block, request, -EIO);
	else
		block_queue_push(&uring->waiting, request);
}

static void uring_reap(struct block_uring *uring)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
		struct os_block_request *request = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&uring->ring, cqe);
		uring->in_flight--;
		uring_advance(uring, request, result);
	}
}

static void uring_prepare(struct block_uring *uring, struct io_uring_sqe *sqe,
			  struct os_block_request *request)
{
	struct block_job *job = block_job(request);
	uint64_t offset = request->offset + job->transferred;
	int fd = uring->block->file.fd;
	const struct iovec *iov = NULL;
	unsigned count, length;

	if (request->op == OS_BLOCK_FLUSH) {
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	} else {
		count = block_remaining(request, &iov);
		/* A length in the ring has 32 bits; what is cut off here comes as a second part. */
		length = (unsigned)MIN(iov->iov_len, GIB);
		if (request->op == OS_BLOCK_READ && count == 1)
			io_uring_prep_read(sqe, fd, iov->iov_base, length, offset);
		else if (request->op == OS_BLOCK_READ)
			io_uring_prep_readv(sqe, fd, iov, count, offset);
		else if (count == 1)
			io_uring_prep_write(sqe, fd, iov->iov_base, length, offset);
		else
			io_uring_prep_writev(sqe, fd, iov, count, offset);
	}
	io_uring_sqe_set_data(sqe, request);
}

static void uring_fill(struct block_uring *uring)
{
	while (uring->waiting.first && uring->in_flight + uring->prepared < URING_DEPTH) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

		if (!sqe)
			return;
		uring_prepare(uring, sqe, block_queue_pop(&uring->waiting));
		uring->prepared++;
	}
}

static void uring_enter(struct block_uring *uring)
{
	while (uring->prepared) {
		int count = io_uring_submit(&uring->ring);

		if (count > 0) {
			uring->prepared -= (unsigned)count;
			uring->in_flight += (unsigned)count;
		} else if (count == -EINTR) {
			continue;
		} else if (uring->in_flight) {
			/* Short of memory, say: the next completion brings us here again. */
			return;
		} else {
			sched_yield();
		}
	}
}

void block_uring_kick(struct block_uring *uring)
{
	do {
		uring_fill(uring);
		uring_enter(uring);
		uring_reap(uring);
		/* What went through in part, or had no room. */
	} while (uring->waiting.first && uring->in_flight + uring->prepared < URING_DEPTH);
}

bool block_uring_wait(struct block_uring *uring)
{
	struct io_uring_cqe *cqe;

	block_uring_kick(uring);
	if (uring->block->finished.first)
		return true;
	if (!uring->in_flight)
		return false;
	while (io_uring_wait_cqe(&uring->ring, &cqe) == -EINTR)
		;
	block_uring_kick(uring);
	return true;
}

void block_uring_submit(struct block_uring *uring, struct os_block_request *request)
{
	block_queue_push(&uring->waiting, request);
}

static void uring_before_wait(void *arg)
{
	struct block_uring *uring = arg;

	if (io_uring_cq_ready(&uring->ring))
		os_block_kick(uring->block);
}

static void uring_ready(void *arg, unsigned events)
{
	(void)events;
	uring_before_wait(arg);
}

int block_uring_create(struct os_block *block, struct block_uring **out)
{
	struct block_uring *uring = calloc(1, sizeof(*uring));
	int error;

	if (!uring)
		return -ENOMEM;
	uring->block = block;
	/* A busy loop thread need not be interrupted: it comes by a system call soon. */
	error = io_uring_queue_init(URING_DEPTH, &uring->ring, IORING_SETUP_COOP_TASKRUN);
	if (error == -EINVAL)
		error = io_uring_queue_init(URING_DEPTH, &uring->ring, 0);
	if (error)
		goto free_uring;
	error = process_loop_watch_fd(block->loop, uring->ring.ring_fd, PROCESS_READABLE,
				      uring_ready, uring, &uring->watch);
	if (error)
		goto exit_ring;
	uring->hook = (struct loop_hook){.before_wait = uring_before_wait, .arg = uring};
	loop_add_hook(block->loop, &uring->hook);
	*out = uring;
	return 0;
exit_ring:
	io_uring_queue_exit(&uring->ring);
free_uring:
	free(uring);
	return error;
}

void block_uring_destroy(struct block_uring *uring)
{
	if (!uring)
		return;
	loop_remove_hook(uring->block->loop, &uring->hook);
	process_loop_unwatch_fd(uring->watch);
	io_uring_queue_exit(&uring->ring);
	free(uring);
}
