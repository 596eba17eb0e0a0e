/* SPDX-License-Identifier: MIT */
/*
 * block.c - block storage: volumes of the store service (abi/store.h), a channel each.
 *
 * A request is asked for in parts, as large as the store takes them; the disk's controller moves
 * them from and to the caller's memory.  What it can't have so, because it isn't made of whole
 * blocks, goes by block_buffer.c, which asks for blocks that it has room for.
 *
 * When the store dies, the volume is opened anew, and all parts that have no answer are asked for
 * again, behind the open request in the same ring.
 */
#include "type1/process/block.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

#define OPEN_TIME UINT64_C(600000000000) /* ns: the store may be importing disks */
#define DISCARD_MAX (UINT64_C(1) << 30)

/* --- Queues of requests */

void block_push(struct block_queue *queue, struct os_block_request *request)
{
	block_job(request)->next = NULL;
	if (queue->first)
		block_job(queue->last)->next = request;
	else
		queue->first = request;
	queue->last = request;
}

struct os_block_request *block_pop(struct block_queue *queue)
{
	struct os_block_request *request = queue->first;

	if (request)
		queue->first = block_job(request)->next;
	return request;
}

/* --- Asking */

/* Goes through the memory of a part; fills the store's segments unless that is NULL.  How many
 * bytes, at most most, and how many segments. */
static uint64_t go_through(const struct os_block_request *request, unsigned iov, uint64_t skip,
			   uint64_t most, struct store_segment *segments, uint32_t *count)
{
	uint64_t bytes = 0;

	*count = 0;
	for (; bytes < most && *count < STORE_SEGMENTS; iov++, skip = 0) {
		uint64_t size = MIN(request->iov[iov].length - skip, most - bytes);

		if (!size)
			continue;
		if (segments)
			segments[*count] = (struct store_segment){
				call_address(request->iov[iov].base) + skip, size};
		(*count)++;
		bytes += size;
	}
	return bytes;
}

static void put_request(struct os_block *block, const struct store_request *request)
{
	block->shared->request[ring_place(&block->requests, 0)] = *request;
	if (ring_produce(&block->requests, 1))
		block->signal = true;
}

static void ask(struct os_block *block, uint32_t id)
{
	struct block_part *part = &block->parts[id];
	uint32_t count;

	if (part->segments == BLOCK_SEGMENTS_IOV) {
		go_through(part->owner, part->iov, part->iov_skip, part->request.length,
			   block->shared->segments[id], &count);
	} else if (part->segments == BLOCK_SEGMENTS_BUFFER) {
		block->shared->segments[id][0] =
			(struct store_segment){call_address(block->buffer), part->request.length};
	}
	put_request(block, &part->request);
}

static void signal_store(struct os_block *block)
{
	/* If it is gone, its event tells. */
	if (block->signal)
		channel_signal(&block->channel);
	block->signal = false;
}

void block_begin_part(struct os_block *block, struct block_part *part,
		      struct os_block_request *owner, enum store_operation operation)
{
	*part = (struct block_part){
		.owner = owner,
		.request = {.operation = operation, .id = (uint32_t)(part - block->parts)},
	};
	block_job(owner)->parts++;
}

void block_ask(struct os_block *block, struct block_part *part)
{
	ask(block, part->request.id);
}

static enum store_operation operation_of(const struct os_block_request *request)
{
	switch (request->op) {
	case OS_BLOCK_READ:
		return STORE_READ;
	case OS_BLOCK_WRITE:
		return STORE_WRITE;
	case OS_BLOCK_DISCARD:
		return STORE_DISCARD;
	case OS_BLOCK_WRITE_ZEROES:
		return STORE_ZERO;
	case OS_BLOCK_FLUSH:
		break;
	}
	return STORE_FLUSH;
}

/* Moves on behind a part of the caller's memory. */
static void skip_memory(const struct os_block_request *request, struct block_job *job,
			uint64_t bytes)
{
	while (bytes) {
		uint64_t size = MIN(bytes, request->iov[job->iov].length - job->iov_skip);

		bytes -= size;
		job->iov_skip += size;
		if (job->iov_skip == request->iov[job->iov].length) {
			job->iov++;
			job->iov_skip = 0;
		}
	}
}

/* Asks for the next part of a request.  False: no number is free. */
static bool ask_next(struct os_block *block, struct os_block_request *request)
{
	struct block_job *job = block_job(request);
	uint64_t left = request->length - job->asked;
	struct block_part *part;

	if (!block->free_count)
		return false;
	part = &block->parts[block->free[--block->free_count]];
	block_begin_part(block, part, request, operation_of(request));
	if (request->op == OS_BLOCK_READ || request->op == OS_BLOCK_WRITE) {
		part->segments = BLOCK_SEGMENTS_IOV;
		part->iov = job->iov;
		part->iov_skip = job->iov_skip;
		part->request.length =
			go_through(request, job->iov, job->iov_skip, MIN(left, STORE_TRANSFER_MAX),
				   NULL, &part->request.segments);
		skip_memory(request, job, part->request.length);
	} else if (request->op != OS_BLOCK_FLUSH) {
		part->request.length = MIN(left, DISCARD_MAX);
	}
	part->request.offset = request->offset + job->asked;
	job->asked += request->op == OS_BLOCK_FLUSH ? left : part->request.length;
	block_ask(block, part);
	return true;
}

static void ask_all(struct os_block *block)
{
	struct os_block_request *request;

	while (!block->dead && (request = block->waiting.first)) {
		struct block_job *job = block_job(request);

		do {
			if (!ask_next(block, request))
				return;
		} while (job->asked < request->length);
		block_pop(&block->waiting);
	}
}

/* --- Answers */

void block_end(struct os_block *block, struct os_block_request *request, int result)
{
	if (!block_job(request)->result)
		block_job(request)->result = result;
	block_push(&block->finished, request);
}

static void take_answer(struct os_block *block, const struct store_answer *answer)
{
	struct block_part *part = &block->parts[answer->id];
	struct os_block_request *request = part->owner;
	struct block_job *job;

	if (!request)
		return;
	job = block_job(request);
	part->owner = NULL;
	if (answer->id != BLOCK_BUFFER_ID)
		block->free[block->free_count++] = (uint8_t)answer->id;
	job->parts--;
	if (answer->result < 0 && !job->result)
		job->result = answer->result;
	if (part->segments == BLOCK_SEGMENTS_BUFFER)
		block_buffer_answered(block, request);
	else if (!job->parts && job->asked == request->length)
		block_end(block, request, 0);
}

static void take_answers(struct os_block *block)
{
	do {
		while (ring_filled(&block->answers)) {
			struct store_answer answer;

			memcpy(&answer, &block->shared->answer[ring_place(&block->answers, 0)],
			       sizeof(answer));
			ring_consume(&block->answers, 1);
			if (answer.id == BLOCK_OPEN_ID) {
				block->opened = answer.result;
				block->is_open = true;
			} else if (answer.id < STORE_RING) {
				take_answer(block, &answer);
			}
		}
	} while (!ring_wait(&block->answers, 0));
}

/* From within a done() the one who called that goes on with the others. */
static void call_done(struct os_block *block)
{
	struct os_block_request *request;

	if (block->finishing)
		return;
	block->finishing = true;
	while ((request = block_pop(&block->finished))) {
		block->outstanding--;
		request->done(request, block_job(request)->result);
	}
	block->finishing = false;
}

/* --- The channel */

static int connect(struct os_block *block)
{
	struct store_request open = {
		.operation = STORE_OPEN,
		.id = BLOCK_OPEN_ID,
		.offset = block->read_only ? STORE_READ_ONLY : 0,
	};
	int error = channel_connect(&block->channel, process_info->handles.store,
				    sizeof(struct store_channel));

	if (error < 0)
		return error;
	block->shared = block->channel.memory;
	ring_init(&block->requests, &block->shared->requests, STORE_RING);
	ring_init(&block->answers, &block->shared->answers, STORE_RING);
	memcpy(block->shared->name, block->name, STORE_NAME);
	block->is_open = false;
	put_request(block, &open);
	return 0;
}

/* There is no store any more, nor will there be: all that is asked for has failed. */
static void fail_all(struct os_block *block)
{
	struct os_block_request *request;

	for (uint32_t id = 0; id < STORE_RING; id++)
		if (block->parts[id].owner)
			take_answer(block, &(struct store_answer){id, block->dead});
	while ((request = block_pop(&block->waiting)))
		block_end(block, request, block->dead);
}

/* If the store has died: all that has no answer is asked for anew. */
static void follow_store(struct os_block *block)
{
	if (block->dead || (!channel_gone(&block->channel) && !ring_broken(&block->answers)))
		return;
	channel_close(&block->channel);
	block->dead = connect(block);
	if (block->dead) {
		fail_all(block);
		return;
	}
	for (uint32_t id = 0; id < STORE_RING; id++)
		if (block->parts[id].owner)
			ask(block, id);
}

static void told(void *arg);

static void watch(struct os_block *block)
{
	if (!block->dead && !block->channel.event->loop)
		block->dead = channel_watch(&block->channel, block->loop, told, block);
}

static void told(void *arg)
{
	struct os_block *block = arg;

	take_answers(block);
	follow_store(block);
	watch(block);
	ask_all(block);
	signal_store(block);
	call_done(block);
}

/* Waits for the store, while the loop doesn't. */
static int wait_for_store(struct os_block *block, uint64_t deadline)
{
	int error;

	if (block->channel.event->loop)
		os_loop_unwatch(block->loop, block->channel.event);
	error = channel_wait(&block->channel, deadline);
	take_answers(block);
	follow_store(block);
	signal_store(block);
	return error ? error : block->dead;
}

/* --- os.h */

static int open_volume(struct os_block *block)
{
	uint64_t deadline = os_clock_monotonic() + OPEN_TIME;
	int error = connect(block);

	if (error < 0)
		return error;
	signal_store(block);
	take_answers(block);
	while (!error && !block->is_open)
		error = wait_for_store(block, deadline);
	return error ? error : block->opened;
}

int os_block_open(struct os_loop *loop, const struct os_block_options *options,
		  struct os_block **out, struct error *why)
{
	size_t length = text_length(options->name);
	struct os_block *block;
	int error;

	if (!process_info->handles.store)
		return error_set(why, -EOPNOTSUPP,
				 "the disk %s can't be opened: disks on bare metal are volumes of "
				 "the store, which the process's line of the image doesn't name",
				 options->name);
	if (length >= STORE_NAME)
		return error_set(why, -ENAMETOOLONG, "%s is too long for a volume's name",
				 options->name);
	block = os_alloc(sizeof(*block));
	if (!block)
		return error_set(why, -ENOMEM, "cannot open %s: out of memory", options->name);
	block->loop = loop;
	memcpy(block->name, options->name, length);
	block->read_only = options->read_only;
	for (uint32_t id = BLOCK_FIRST_ID; id < STORE_RING; id++)
		block->free[block->free_count++] = (uint8_t)id;
	error = open_volume(block);
	if (!error) {
		const struct store_info *info = &block->shared->info;

		block->info = (struct os_block_info){
			.size = info->size,
			.block_size = info->block_size,
			.read_only = options->read_only || (info->flags & STORE_READ_ONLY),
			.can_discard = info->flags & STORE_CAN_DISCARD,
		};
		watch(block);
		error = block->dead;
	}
	if (error < 0) {
		error_set(why, error,
			  error == -ENOENT  ? "the store has no volume %s (error %d)"
			  : error == -EBUSY ? "the volume %s is in use by another VM (error %d)"
					    : "the store can't open the volume %s (error %d)",
			  options->name, -error);
		channel_close(&block->channel);
		os_free(block);
		return error;
	}
	*out = block;
	return 0;
}

static void flushed(struct os_block_request *request, int result)
{
	(void)request;
	(void)result;
}

void os_block_close(struct os_block *block)
{
	struct os_block_request flush = {.op = OS_BLOCK_FLUSH, .done = flushed};

	if (!block)
		return;
	os_block_submit(block, &flush);
	os_block_drain(block);
	channel_close(&block->channel);
	os_free(block->buffer);
	os_free(block);
}

void os_block_get_info(const struct os_block *block, struct os_block_info *info)
{
	*info = block->info;
}

void os_block_submit(struct os_block *block, struct os_block_request *request)
{
	*block_job(request) = (struct block_job){0};
	block->outstanding++;
	if (block->dead)
		block_end(block, request, block->dead);
	else if (block_needs_buffer(block, request))
		block_buffer_submit(block, request);
	else
		block_push(&block->waiting, request);
}

void os_block_kick(struct os_block *block)
{
	ask_all(block);
	signal_store(block);
	call_done(block);
}

void os_block_drain(struct os_block *block)
{
	for (;;) {
		os_block_kick(block);
		if (!block->outstanding)
			break;
		wait_for_store(block, 0);
	}
	watch(block);
}
