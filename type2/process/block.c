/* SPDX-License-Identifier: MIT */
/*
 * block.c - block storage: each request goes to the io_uring if it is a plain one, else to worker
 * threads, and comes back to done() on the loop thread.
 */
#include "type2/process/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "type2/process/written.h"

void block_queue_push(struct block_queue *queue, struct os_block_request *request)
{
	block_job(request)->next = NULL;
	if (queue->first)
		block_job(queue->last)->next = request;
	else
		queue->first = request;
	queue->last = request;
}

struct os_block_request *block_queue_pop(struct block_queue *queue)
{
	struct os_block_request *request = queue->first;

	if (request)
		queue->first = block_job(request)->next;
	return request;
}

void block_finish(struct os_block *block, struct os_block_request *request, int result)
{
	block_job(request)->result = result;
	block_queue_push(&block->finished, request);
}

void block_complete(struct os_block *block)
{
	struct os_block_request *request;
	bool nested = block->completing;

	block->completing = true;
	while ((request = block_queue_pop(&block->finished))) {
		block->outstanding--;
		/* Also after an error: a part may have been read. */
		if (request->op == OS_BLOCK_READ)
			written_iov(request->iov, request->iov_count, request->length);
		request->done(request, block_job(request)->result);
	}
	block->completing = nested;
}

int process_block_open(struct os_loop *loop, const struct os_block_options *options,
		       enum process_block_engine engine, struct os_block **out, struct error *why)
{
	struct os_block *block = calloc(1, sizeof(*block));
	int error;

	if (!block)
		return error_set(why, -ENOMEM, "cannot open %s: out of memory", options->name);
	block->loop = loop;
	error = block_file_open(options, &block->file, why);
	if (error)
		goto free_block;
	if (engine != PROCESS_BLOCK_THREADS) {
		error = block_uring_create(block, &block->uring);
		if (error && engine == PROCESS_BLOCK_URING) {
			error_set(why, error, "cannot use io_uring for %s: %s", options->name,
				  strerror(-error));
			goto close_file;
		}
	}
	if (!block->uring) {
		error = block_threads_create(block, &block->threads);
		if (error) {
			error_set(why, error, "cannot open %s: %s", options->name,
				  strerror(-error));
			goto close_file;
		}
	}
	*out = block;
	return 0;
close_file:
	block_file_close(&block->file);
free_block:
	free(block);
	return error;
}

int os_block_open(struct os_loop *loop, const struct os_block_options *options,
		  struct os_block **block, struct error *why)
{
	return process_block_open(loop, options, PROCESS_BLOCK_AUTO, block, why);
}

void os_block_close(struct os_block *block)
{
	if (!block)
		return;
	os_block_drain(block);
	block_uring_destroy(block->uring);
	block_threads_destroy(block->threads);
	block_file_close(&block->file);
	free(block);
}

void os_block_get_info(const struct os_block *block, struct os_block_info *info)
{
	*info = block->file.info;
}

void os_block_submit(struct os_block *block, struct os_block_request *request)
{
	*block_job(request) = (struct block_job){0};
	block->outstanding++;
	if (block->uring &&
	    (request->op == OS_BLOCK_FLUSH || block_is_plain(&block->file, request))) {
		block_uring_submit(block->uring, request);
		return;
	}
	if (!block->threads && block_threads_create(block, &block->threads)) {
		/* No descriptor or memory left for the threads: this one waits for itself. */
		block_finish(block, request, block_transfer(&block->file, request));
		return;
	}
	block_threads_submit(block->threads, request);
}

static void block_start(struct os_block *block)
{
	if (block->uring)
		block_uring_kick(block->uring);
	if (block->threads)
		block_threads_kick(block->threads);
}

void os_block_kick(struct os_block *block)
{
	block_start(block);
	/* From within a done() the one who called that goes on with the others. */
	if (!block->completing)
		block_complete(block);
}

void os_block_drain(struct os_block *block)
{
	for (;;) {
		block_start(block);
		block_complete(block);
		if (!block->outstanding)
			return;
		if (block->uring && block_uring_wait(block->uring))
			continue;
		if (block->threads)
			block_threads_wait(block->threads);
	}
}
