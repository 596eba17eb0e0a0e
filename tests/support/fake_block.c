/* SPDX-License-Identifier: MIT */
/*
 * fake_block.c - os.h's block storage in memory.  It asserts what os.h asks of a caller: requests
 * within the device, a length that is the sum of the iov, no request submitted while it is under
 * way.
 */
#include <assert.h>
#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "tests/support/fake_os.h"

#define BLOCK_SECTOR 512
#define BLOCK_OPENED_SIZE (1 << 20) /* what os_block_open() gives, whatever the name */

/* Where a request stands; kept in os_private[0], its successor in os_private[1]. */
enum { REQUEST_DONE = 0, REQUEST_SUBMITTED = 0x5b };

struct os_block {
	uint8_t *content;
	struct os_block_info info;
	struct os_block_request *first, *last;
	bool hold;
	int fail_next;
	unsigned flushes, submitted, completed;
};

struct os_block *fake_block_create(uint64_t size)
{
	struct os_block *block = calloc(1, sizeof(*block));

	assert(block && size % BLOCK_SECTOR == 0);
	block->content = calloc(1, size ? size : 1);
	assert(block->content);
	block->info.size = size;
	block->info.block_size = BLOCK_SECTOR;
	block->info.can_discard = true;
	return block;
}

uint8_t *fake_block_content(struct os_block *block)
{
	return block->content;
}

void fake_block_fail_next(struct os_block *block, int error)
{
	block->fail_next = error;
}

unsigned fake_block_flushes(const struct os_block *block)
{
	return block->flushes;
}

unsigned fake_block_outstanding(const struct os_block *block)
{
	return block->submitted - block->completed;
}

void fake_block_set_info(struct os_block *block, const struct os_block_info *info)
{
	assert(info->size <= block->info.size && info->size % BLOCK_SECTOR == 0);
	block->info = *info;
}

static void block_copy(struct os_block *block, const struct os_block_request *request)
{
	uint64_t at = request->offset;

	for (uint32_t i = 0; i < request->iov_count; i++) {
		const struct os_iov *iov = &request->iov[i];

		if (request->op == OS_BLOCK_READ)
			memcpy(iov->base, block->content + at, iov->length);
		else
			memcpy(block->content + at, iov->base, iov->length);
		at += iov->length;
	}
}

static int block_perform(struct os_block *block, const struct os_block_request *request)
{
	int error = block->fail_next;

	block->fail_next = 0;
	if (error)
		return error;
	switch (request->op) {
	case OS_BLOCK_READ:
	case OS_BLOCK_WRITE:
		block_copy(block, request);
		return 0;
	case OS_BLOCK_FLUSH:
		block->flushes++;
		return 0;
	case OS_BLOCK_DISCARD:
		memset(block->content + request->offset, 0xd5, request->length);
		return 0;
	case OS_BLOCK_WRITE_ZEROES:
		memset(block->content + request->offset, 0, request->length);
		return 0;
	}
	return -EOPNOTSUPP;
}

bool fake_block_complete_one(struct os_block *block)
{
	struct os_block_request *request = block->first;

	if (!request)
		return false;
	memcpy(&block->first, &request->os_private[1], sizeof(block->first));
	if (!block->first)
		block->last = NULL;
	request->os_private[0] = REQUEST_DONE;
	block->completed++;
	request->done(request, block_perform(block, request));
	return true;
}

/* Completes what is queued now; what call backs submit meanwhile waits for the next kick. */
static void block_complete_queued(struct os_block *block)
{
	for (unsigned count = fake_block_outstanding(block); count > 0; count--)
		fake_block_complete_one(block);
}

void fake_block_hold(struct os_block *block, bool hold)
{
	block->hold = hold;
	if (!hold)
		block_complete_queued(block);
}

int os_block_open(struct os_loop *loop, const struct os_block_options *options,
		  struct os_block **block, struct error *why)
{
	(void)loop;
	(void)why;
	*block = fake_block_create(BLOCK_OPENED_SIZE);
	(*block)->info.read_only = options->read_only;
	return 0;
}

void os_block_close(struct os_block *block)
{
	if (!block)
		return;
	os_block_drain(block);
	free(block->content);
	free(block);
}

void os_block_get_info(const struct os_block *block, struct os_block_info *info)
{
	*info = block->info;
}

static void block_check(const struct os_block *block, const struct os_block_request *request)
{
	uint64_t length = 0;

	assert(request->done);
	assert(request->os_private[0] != REQUEST_SUBMITTED);
	if (request->op == OS_BLOCK_FLUSH)
		return;
	assert(request->offset % BLOCK_SECTOR == 0 && request->length % BLOCK_SECTOR == 0);
	assert(request->offset <= block->info.size);
	assert(request->length <= block->info.size - request->offset);
	if (request->op != OS_BLOCK_READ)
		assert(!block->info.read_only);
	if (request->op != OS_BLOCK_READ && request->op != OS_BLOCK_WRITE)
		return;
	for (uint32_t i = 0; i < request->iov_count; i++)
		length += request->iov[i].length;
	assert(length == request->length);
}

void os_block_submit(struct os_block *block, struct os_block_request *request)
{
	block_check(block, request);
	request->os_private[0] = REQUEST_SUBMITTED;
	request->os_private[1] = 0;
	if (block->last)
		memcpy(&block->last->os_private[1], &request, sizeof(request));
	else
		block->first = request;
	block->last = request;
	block->submitted++;
}

void os_block_kick(struct os_block *block)
{
	if (!block->hold)
		block_complete_queued(block);
}

void os_block_drain(struct os_block *block)
{
	while (fake_block_complete_one(block))
		;
}
