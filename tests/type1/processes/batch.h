/* SPDX-License-Identifier: MIT */
/*
 * batch.h - a volume by os.h's disks, and requests of it that are waited for together.
 */
#ifndef DYAD_TESTS_TYPE1_BATCH_H
#define DYAD_TESTS_TYPE1_BATCH_H

#include "lib/bits.h"
#include "os.h"
#include "tests/type1/processes/check.h"

struct batch {
	struct os_loop *loop;
	struct os_block *block;
	unsigned outstanding;
	int result; /* the last that was an error */
};

struct batch_request {
	struct os_block_request request;
	struct batch *batch;
};

/* False: the volume can't be opened, which was said. */
static inline bool batch_open(struct batch *batch, const char *volume)
{
	struct os_block_options options = {.name = volume};
	struct error why = {0};

	*batch = (struct batch){0};
	if (os_loop_create(&batch->loop) >= 0 &&
	    os_block_open(batch->loop, &options, &batch->block, &why) >= 0)
		return true;
	check_say("%s", why.text);
	check_failed++;
	return false;
}

static inline void batch_done(struct os_block_request *request, int error)
{
	struct batch *batch = CONTAINER_OF(request, struct batch_request, request)->batch;

	if (error)
		batch->result = error;
	if (!--batch->outstanding)
		os_loop_stop(batch->loop);
}

/* The request and its memory stay until batch_finish(). */
static inline void batch_submit(struct batch *batch, struct batch_request *request,
				enum os_block_op op, uint64_t offset, uint64_t length,
				const struct os_iov *iov, uint32_t count)
{
	*request = (struct batch_request){
		.request = {.op = op,
			    .iov_count = count,
			    .iov = iov,
			    .offset = offset,
			    .length = length,
			    .done = batch_done},
		.batch = batch,
	};
	batch->outstanding++;
	os_block_submit(batch->block, &request->request);
}

static inline int batch_finish(struct batch *batch)
{
	int error;

	os_block_kick(batch->block);
	/* The kick may have ended the last of them, and asked the loop to stop. */
	while (batch->outstanding)
		os_loop_run(batch->loop);
	error = batch->result;
	batch->result = 0;
	return error;
}

static inline int batch_one(struct batch *batch, enum os_block_op op, uint64_t offset,
			    uint64_t length, const struct os_iov *iov, uint32_t count)
{
	struct batch_request request;

	batch_submit(batch, &request, op, offset, length, iov, count);
	return batch_finish(batch);
}

static inline int batch_plain(struct batch *batch, enum os_block_op op, uint64_t offset,
			      uint64_t length, void *at)
{
	struct os_iov iov = {at, length};

	return batch_one(batch, op, offset, length, &iov, 1);
}

static inline int batch_flush(struct batch *batch)
{
	return batch_one(batch, OS_BLOCK_FLUSH, 0, 0, NULL, 0);
}

#endif
