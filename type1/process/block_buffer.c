/* SPDX-License-Identifier: MIT */
/*
 * block_buffer.c - requests that aren't whole blocks in memory that is aligned: by a buffer, a
 * piece after the other, one request at a time.
 *
 * A piece is as much as fits the buffer.  Its blocks are read, unless all of them are written over;
 * then what is read is copied, or what is written is put in and the blocks written.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/block.h"
#include "type1/process/call.h"

#define BUFFER_SIZE (128 * KIB)

bool block_needs_buffer(const struct os_block *block, const struct os_block_request *request)
{
	uint32_t size = block->info.block_size;

	if (request->op == OS_BLOCK_FLUSH)
		return false;
	if (!is_aligned(request->offset | request->length, size))
		return true;
	if (request->op != OS_BLOCK_READ && request->op != OS_BLOCK_WRITE)
		return false;
	for (uint32_t i = 0; i < request->iov_count; i++)
		if (!is_aligned(request->iov[i].length, size) ||
		    !is_aligned(call_address(request->iov[i].base), STORE_ALIGNMENT))
			return true;
	return false;
}

/* The piece that the request is at: where it begins and ends in the volume. */
struct piece {
	uint64_t start, end;  /* of what is asked for */
	uint64_t first, last; /* of its blocks */
};

static struct piece piece_of(const struct os_block *block, struct os_block_request *request)
{
	uint32_t size = block->info.block_size;
	struct piece piece = {.start = request->offset + block_job(request)->asked};

	piece.first = align_down(piece.start, size);
	piece.end = MIN(request->offset + request->length, piece.first + BUFFER_SIZE);
	piece.last = align_up(piece.end, size);
	return piece;
}

/* Between the buffer and the caller's memory; moves on behind the piece. */
static void copy(struct os_block *block, struct os_block_request *request,
		 const struct piece *piece)
{
	struct block_job *job = block_job(request);
	uint8_t *at = block->buffer + (piece->start - piece->first);
	uint64_t left = piece->end - piece->start;

	job->asked += left;
	if (request->op == OS_BLOCK_WRITE_ZEROES) {
		memset(at, 0, left);
		return;
	}
	while (left) {
		const struct os_iov *iov = &request->iov[job->iov];
		uint64_t size = MIN(left, iov->length - job->iov_skip);
		uint8_t *memory = (uint8_t *)iov->base + job->iov_skip;

		if (request->op == OS_BLOCK_READ)
			memcpy(memory, at, size);
		else
			memcpy(at, memory, size);
		at += size;
		left -= size;
		job->iov_skip += size;
		if (job->iov_skip == iov->length) {
			job->iov++;
			job->iov_skip = 0;
		}
	}
}

static void ask(struct os_block *block, struct os_block_request *request, const struct piece *piece,
		enum store_operation operation)
{
	struct block_part *part = &block->parts[BLOCK_BUFFER_ID];

	block_begin_part(block, part, request, operation);
	part->segments = BLOCK_SEGMENTS_BUFFER;
	part->request.segments = 1;
	part->request.offset = piece->first;
	part->request.length = piece->last - piece->first;
	block->writing = operation == STORE_WRITE;
	block_ask(block, part);
}

/* The next piece of the first request. */
static void begin_piece(struct os_block *block)
{
	struct os_block_request *request;

	while ((request = block->buffered.first)) {
		struct piece piece = piece_of(block, request);
		bool whole = piece.start == piece.first && piece.end == piece.last;

		/* What fits no whole blocks of it is only a hint. */
		if (request->op == OS_BLOCK_DISCARD)
			block_job(request)->asked = request->length;
		if (block_job(request)->asked == request->length || block_job(request)->result ||
		    block->dead) {
			block_end(block, block_pop(&block->buffered), block->dead);
			continue;
		}
		if (whole && request->op != OS_BLOCK_READ) {
			copy(block, request, &piece);
			ask(block, request, &piece, STORE_WRITE);
		} else {
			ask(block, request, &piece, STORE_READ);
		}
		return;
	}
}

void block_buffer_submit(struct os_block *block, struct os_block_request *request)
{
	bool first = !block->buffered.first;

	/* Once, and for good: who needs it goes on to. */
	if (!block->buffer)
		block->buffer = os_alloc(BUFFER_SIZE);
	if (!block->buffer) {
		block_end(block, request, -ENOMEM);
		return;
	}
	block_push(&block->buffered, request);
	if (first)
		begin_piece(block);
}

void block_buffer_answered(struct os_block *block, struct os_block_request *request)
{
	struct piece piece = piece_of(block, request);

	if (!block->writing && !block_job(request)->result) {
		copy(block, request, &piece);
		if (request->op != OS_BLOCK_READ) {
			ask(block, request, &piece, STORE_WRITE);
			return;
		}
	}
	begin_piece(block);
}
