/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - from a client's memory to the disk and back (transfer.h).
 */
#include "type1/services/store/transfer.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/process/call.h"

static struct transfer transfers[TRANSFERS];
static struct transfer *free_transfers;

void transfer_init(void)
{
	for (unsigned i = 0; i < TRANSFERS; i++)
		transfer_give(&transfers[i]);
}

struct transfer *transfer_take(void)
{
	struct transfer *transfer = free_transfers;

	if (transfer)
		free_transfers = transfer->next_free;
	return transfer;
}

void transfer_give(struct transfer *transfer)
{
	transfer->next_free = free_transfers;
	free_transfers = transfer;
}

/* --- The client's memory */

static void let_go(struct transfer *transfer)
{
	for (; transfer->held; transfer->held--) {
		const struct store_segment *segment = &transfer->segments[transfer->held - 1];

		call3(TYPE1_DMA_END, transfer->channel->handle, segment->address, segment->size);
	}
}

static int hold(struct transfer *transfer)
{
	enum type1_dma direction = transfer->request.operation == STORE_READ ? TYPE1_DMA_FROM_DEVICE
									     : TYPE1_DMA_TO_DEVICE;
	unsigned count = 0;

	for (transfer->held = 0; transfer->held < transfer->request.segments; transfer->held++) {
		const struct store_segment *segment = &transfer->segments[transfer->held];
		int64_t result =
			call6(TYPE1_DMA_BEGIN, transfer->channel->handle, segment->address,
			      segment->size, direction, call_address(&transfer->extents[count]),
			      TRANSFER_EXTENTS - count);

		if (result < 0) {
			let_go(transfer);
			return (int)result;
		}
		count += (unsigned)result;
	}
	return 0;
}

/* --- The volume's extents */

static void next_part(struct transfer *transfer);

static void end(struct transfer *transfer, int result)
{
	let_go(transfer);
	clients_transferred(transfer, result);
}

static void part_done(struct block_request *block, int result)
{
	struct transfer *transfer = CONTAINER_OF(block, struct transfer, block);

	if (result < 0 || transfer->done == transfer->request.length)
		end(transfer, result);
	else
		next_part(transfer);
}

static enum block_operation operation_of(const struct store_request *request)
{
	switch (request->operation) {
	case STORE_READ:
		return BLOCK_READ;
	case STORE_WRITE:
		return BLOCK_WRITE;
	case STORE_DISCARD:
		return BLOCK_DISCARD;
	case STORE_ZERO:
		return BLOCK_ZERO;
	default:
		return BLOCK_FLUSH;
	}
}

static void next_part(struct transfer *transfer)
{
	const struct store_request *request = &transfer->request;
	struct volumes *volumes = transfer->volumes;
	uint64_t left = request->length - transfer->done, place, length = 0;

	transfer->block = (struct block_request){
		.operation = operation_of(request),
		.extents = transfer->extents,
		.memory_offset = transfer->done,
		.done = part_done,
	};
	if (left) {
		place = metadata_map(volumes->metadata, transfer->volume,
				     request->offset + transfer->done, &length);
		transfer->block.offset = volumes->start + place;
		transfer->block.length = MIN(left, length);
	}
	transfer->done += transfer->block.length;
	block_submit(volumes->disk, &transfer->block);
	block_kick(volumes->disk);
}

int transfer_start(struct transfer *transfer)
{
	int error = hold(transfer);

	if (error < 0)
		return error;
	transfer->done = 0;
	next_part(transfer);
	return 0;
}
