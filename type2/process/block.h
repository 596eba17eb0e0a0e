/* SPDX-License-Identifier: MIT */
/*
 * block.h - inside of block storage: the parts that block.c puts together.
 *
 *   block_open.c      finds out what a file or device is, and locks it
 *   block_transfer.c  carries out one request, waiting for it
 *   block_uring.c     starts plain requests on an io_uring and collects their results
 *   block_threads.c   has worker threads carry out requests by block_transfer.c
 *   block.c           gives each request to one of the two, and calls done()
 *
 * All but block_transfer() is called on the loop thread only.
 */
#ifndef DYAD_TYPE2_PROCESS_BLOCK_H
#define DYAD_TYPE2_PROCESS_BLOCK_H

#include <sys/uio.h>

#include "type2/process/loop.h"

struct block_queue {
	struct os_block_request *first, *last;
};

/* What request->os_private holds between submit and done. */
struct block_job {
	struct os_block_request *next;
	uint64_t transferred; /* bytes of it that are through */
	struct iovec partial; /* the rest of a segment that went through in part */
	int result;
};
_Static_assert(sizeof(struct block_job) <= sizeof(((struct os_block_request *)0)->os_private),
	       "fits the private part");
_Static_assert(sizeof(struct iovec) == sizeof(struct os_iov) &&
		       offsetof(struct iovec, iov_len) == offsetof(struct os_iov, length),
	       "one can be read as the other");

/* What is known of the file; does not change once it is open. */
struct block_file {
	int fd;
	bool device;               /* a block device, not a regular file */
	bool direct;               /* past the page cache (O_DIRECT): */
	uint32_t memory_alignment; /*   a power of two that segments are aligned to */
	uint32_t offset_alignment; /*   a power of two that offsets and lengths are multiples of */
	struct os_block_info info;
	struct os_mutex rewrite_lock; /* held while a part of an aligned unit is written */
};

struct block_uring;
struct block_threads;

struct os_block {
	struct block_file file;
	struct block_uring *uring;     /* or NULL: the threads do all */
	struct block_threads *threads; /* or NULL: none needed yet */
	struct os_loop *loop;
	struct block_queue finished; /* done() is to be called */
	bool completing;
	unsigned outstanding; /* submitted, done() not called yet */
};

static inline struct block_job *block_job(struct os_block_request *request)
{
	return (struct block_job *)request->os_private;
}

void block_queue_push(struct block_queue *queue, struct os_block_request *request);
struct os_block_request *block_queue_pop(struct block_queue *queue);

/* block_open.c: fills file; on failure nothing is open. */
int block_file_open(const struct os_block_options *options, struct block_file *file,
		    struct error *why);
void block_file_close(struct block_file *file);

/* block_transfer.c */
/* Whether request is a read or write that can be handed to the kernel as it stands. */
bool block_is_plain(const struct block_file *file, const struct os_block_request *request);
/* The segments that are not through yet (IOV_MAX at the most); their number. */
unsigned block_remaining(struct os_block_request *request, const struct iovec **iov);
/* Carries request out from where it stands; 0 or -errno.  Any thread. */
int block_transfer(struct block_file *file, struct os_block_request *request);

/* block.c: request has ended; done() is called a little later, by block_complete(). */
void block_finish(struct os_block *block, struct os_block_request *request, int result);
void block_complete(struct os_block *block);

/* block_uring.c */
int block_uring_create(struct os_block *block, struct block_uring **uring);
void block_uring_destroy(struct block_uring *uring);
void block_uring_submit(struct block_uring *uring, struct os_block_request *request);
/* Starts what was submitted, and finishes what has ended. */
void block_uring_kick(struct block_uring *uring);
/* Waits until one at least has ended; false: none is under way. */
bool block_uring_wait(struct block_uring *uring);

/* block_threads.c: the same */
int block_threads_create(struct os_block *block, struct block_threads **threads);
void block_threads_destroy(struct block_threads *threads);
void block_threads_submit(struct block_threads *threads, struct os_block_request *request);
void block_threads_kick(struct block_threads *threads);
bool block_threads_wait(struct block_threads *threads);

#endif
