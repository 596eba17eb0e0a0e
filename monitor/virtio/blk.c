/* SPDX-License-Identifier: MIT */
/*
 * blk.c - the block device (virtio 1.2 section 5.2) on os_block, with one queue.
 *
 * Requests are asynchronous and their data goes between guest memory and the back end without a
 * copy of ours.  Memory is bounded: BLK_REQUESTS requests with room for a few segments each, and
 * BLK_TABLES segment tables for those with more.  While either is used up, chains wait in the
 * queue.
 *
 * The back end has a volatile cache: what was written is durable after a flush.  A driver that does
 * not know flushes gets one after each write before it hears of its end (5.2.6.2).
 *
 * os_block_kick() may call request_done() from within, that is with the lock held by us; `kicking`
 * says so.  All other call backs take the lock.
 */
#include <linux/errno.h>

#include "hw/virtio.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/virtio/chain.h"
#include "monitor/virtio/devices.h"

#define BLK_CLASS 0x018000 /* PCI: mass storage, other */
#define BLK_QUEUE 0
#define BLK_QUEUE_SIZE 256
#define BLK_REQUESTS 128
#define BLK_SEGMENTS_MAX BLK_QUEUE_SIZE /* of a chain: header, data, status */
#define BLK_SEGMENTS_FEW 8
#define BLK_TABLES 32
#define BLK_TRANSFER_MAX GIB /* no driver asks for so much at once */
#define BLK_RANGE_SECTORS_MAX (GIB / VIRTIO_BLK_SECTOR_SIZE)
#define BLK_TURN_CHAINS BLK_QUEUE_SIZE

/* Segments of a request that has more than few. */
struct blk_table {
	struct os_iov iov[BLK_SEGMENTS_MAX];
};

struct blk_request {
	struct os_block_request io;
	struct virtio_blk *blk;
	struct blk_table *table; /* or NULL: the segments stand in few */
	uint8_t *status;
	uint32_t written; /* the used length */
	uint16_t head;
	bool then_flush;
	struct os_iov few[BLK_SEGMENTS_FEW];
};

struct virtio_blk {
	struct virtio_device virtio;
	struct os_block *block;
	struct os_block_info info;
	bool discard;
	char serial[VIRTIO_BLK_ID_SIZE];
	bool kicking; /* loop thread: we are inside os_block_kick() and hold the lock */
	/* All below: virtio.lock. */
	bool waiting; /* chains wait for the end of a request */
	/*
	 * Which are unused; the last freed is taken first, so that what is never needed at the same
	 * time is never touched and costs no memory.
	 */
	unsigned free_request_count, free_table_count;
	uint8_t free_requests[BLK_REQUESTS], free_tables[BLK_TABLES];
	struct blk_request requests[BLK_REQUESTS];
	struct blk_table tables[BLK_TABLES];
};

static struct virtio_blk *to_blk(struct virtio_device *virtio)
{
	return CONTAINER_OF(virtio, struct virtio_blk, virtio);
}

/* --- Requests -------------------------------------------------------------------------------- */

static void request_free(struct blk_request *request)
{
	struct virtio_blk *blk = request->blk;

	if (request->table)
		blk->free_tables[blk->free_table_count++] = (uint8_t)(request->table - blk->tables);
	request->table = NULL;
	blk->free_requests[blk->free_request_count++] = (uint8_t)(request - blk->requests);
}

/* Writes the status and gives the chain back to the driver. */
static void request_end(struct blk_request *request, uint8_t status)
{
	struct virtio_blk *blk = request->blk;

	*request->status = status;
	os_memory_written(request->status, 1);
	virtqueue_push(&blk->virtio.queues[BLK_QUEUE], request->head, request->written);
	request_free(request);
}

static void request_completed(struct blk_request *request, int result)
{
	struct virtio_blk *blk = request->blk;
	struct virtio_device *virtio = &blk->virtio;

	/* From reset on, and after a failure, there is nobody to tell. */
	if (!virtio->active || virtio->failed) {
		request_free(request);
		return;
	}
	if (result == 0 && request->then_flush) {
		request->then_flush = false;
		request->io.op = OS_BLOCK_FLUSH;
		os_block_submit(blk->block, &request->io);
		virtio_notify_again(virtio, BLK_QUEUE); /* which kicks it */
		return;
	}
	request_end(request, result == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
	if (blk->kicking)
		return;
	virtio_queue_interrupt(virtio, BLK_QUEUE);
	if (blk->waiting) {
		blk->waiting = false;
		virtio_notify_again(virtio, BLK_QUEUE);
	}
}

static void request_done(struct os_block_request *io, int result)
{
	struct blk_request *request = CONTAINER_OF(io, struct blk_request, io);
	struct virtio_blk *blk = request->blk;

	if (blk->kicking) {
		request_completed(request, result);
		return;
	}
	os_mutex_lock(&blk->virtio.lock);
	request_completed(request, result);
	os_mutex_unlock(&blk->virtio.lock);
}

/* Whether count sectors from sector on are all on the disk. */
static bool sectors_valid(const struct virtio_blk *blk, uint64_t sector, uint64_t count)
{
	uint64_t capacity = blk->info.size / VIRTIO_BLK_SECTOR_SIZE;

	return sector <= capacity && count <= capacity - sector;
}

static void request_submit(struct blk_request *request, enum os_block_op op, uint64_t sector,
			   uint64_t length)
{
	struct virtio_blk *blk = request->blk;

	request->io.op = op;
	request->io.offset = sector * VIRTIO_BLK_SECTOR_SIZE;
	request->io.length = length;
	request->io.done = request_done;
	request->then_flush = (op == OS_BLOCK_WRITE || op == OS_BLOCK_WRITE_ZEROES) &&
			      !virtio_has_feature(&blk->virtio, VIRTIO_BLK_F_FLUSH);
	os_block_submit(blk->block, &request->io);
}

static void request_transfer(struct blk_request *request, enum os_block_op op, uint64_t sector,
			     const struct os_iov *iov, unsigned count, uint64_t length)
{
	struct virtio_blk *blk = request->blk;

	if (length % VIRTIO_BLK_SECTOR_SIZE || length > BLK_TRANSFER_MAX ||
	    !sectors_valid(blk, sector, length / VIRTIO_BLK_SECTOR_SIZE) ||
	    (op == OS_BLOCK_WRITE && blk->info.read_only)) {
		request_end(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (length == 0) {
		request_end(request, VIRTIO_BLK_S_OK);
		return;
	}
	request->io.iov = iov;
	request->io.iov_count = count;
	request_submit(request, op, sector, length);
}

/* DISCARD and WRITE_ZEROES, of one range. */
static void request_range(struct blk_request *request, enum os_block_op op,
			  const struct os_iov *iov, unsigned count, uint64_t length)
{
	struct virtio_blk *blk = request->blk;
	uint32_t known_flags = op == OS_BLOCK_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_F_UNMAP : 0;
	unsigned feature =
		op == OS_BLOCK_DISCARD ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES;
	struct virtio_blk_range range;

	if (!virtio_has_feature(&blk->virtio, feature)) {
		request_end(request, VIRTIO_BLK_S_UNSUPP);
		return;
	}
	if (length != sizeof(range)) {
		request_end(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	iov_read(iov, count, 0, &range, sizeof(range));
	if (range.flags & ~known_flags) {
		request_end(request, VIRTIO_BLK_S_UNSUPP);
		return;
	}
	if (range.sector_count > BLK_RANGE_SECTORS_MAX ||
	    !sectors_valid(blk, range.sector, range.sector_count)) {
		request_end(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (range.sector_count == 0) {
		request_end(request, VIRTIO_BLK_S_OK);
		return;
	}
	request_submit(request, op, range.sector,
		       (uint64_t)range.sector_count * VIRTIO_BLK_SECTOR_SIZE);
}

/* --- Chains ---------------------------------------------------------------------------------- */

/* Whether any chain could be taken now. */
static bool request_available(const struct virtio_blk *blk)
{
	return blk->free_request_count > 0 && blk->free_table_count > 0;
}

/* Where the next chain's segments are put: the table that it keeps if there are more than few. */
static struct blk_table *next_table(struct virtio_blk *blk)
{
	return &blk->tables[blk->free_tables[blk->free_table_count - 1]];
}

static struct blk_request *request_take(struct virtio_blk *blk, struct virtqueue_chain *chain)
{
	struct blk_request *request = &blk->requests[blk->free_requests[--blk->free_request_count]];
	unsigned count = chain->readable_count + chain->writable_count;

	request->blk = blk;
	request->head = chain->head;
	request->written = chain->writable_bytes;
	if (count > BLK_SEGMENTS_FEW) {
		request->table = next_table(blk);
		blk->free_table_count--;
	} else {
		memcpy(request->few, chain->iov, count * sizeof(chain->iov[0]));
		chain->iov = request->few;
	}
	return request;
}

/*
 * Serves a chain, whatever its framing: the header is the first 16 bytes to be read, the status the
 * last byte to be written.  False: one of them is missing, and the device has failed.
 */
static bool blk_serve(struct virtio_blk *blk, struct virtqueue_chain *chain)
{
	unsigned out_count = chain->readable_count, in_count = chain->writable_count;
	struct virtio_blk_request header;
	struct blk_request *request;
	struct os_iov *out, *in;
	uint64_t out_length, in_length;

	if (chain->readable_bytes < sizeof(header) || chain->writable_bytes == 0) {
		virtio_fail(&blk->virtio, "a request has no header, or no room for its status");
		return false;
	}
	request = request_take(blk, chain);
	out = chain->iov;
	in = chain->iov + out_count;
	iov_read(out, out_count, 0, &header, sizeof(header));
	iov_drop_front(&out, &out_count, sizeof(header));
	request->status = iov_take_last_byte(in, &in_count);
	out_length = chain->readable_bytes - sizeof(header);
	in_length = chain->writable_bytes - 1;

	switch (header.type) {
	case VIRTIO_BLK_T_IN:
		request_transfer(request, OS_BLOCK_READ, header.sector, in, in_count, in_length);
		break;
	case VIRTIO_BLK_T_OUT:
		request_transfer(request, OS_BLOCK_WRITE, header.sector, out, out_count,
				 out_length);
		break;
	case VIRTIO_BLK_T_FLUSH:
		request_submit(request, OS_BLOCK_FLUSH, 0, 0);
		break;
	case VIRTIO_BLK_T_GET_ID:
		iov_write(in, in_count, 0, blk->serial, sizeof(blk->serial));
		request_end(request, VIRTIO_BLK_S_OK);
		break;
	case VIRTIO_BLK_T_DISCARD:
		request_range(request, OS_BLOCK_DISCARD, out, out_count, out_length);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		request_range(request, OS_BLOCK_WRITE_ZEROES, out, out_count, out_length);
		break;
	default:
		request_end(request, VIRTIO_BLK_S_UNSUPP);
	}
	return true;
}

static void blk_kick(struct virtio_blk *blk)
{
	blk->kicking = true;
	os_block_kick(blk->block);
	blk->kicking = false;
}

/* Submits what waits in the queue, starts it all at once, and tells of what has ended by then. */
static void blk_notify(struct virtio_device *virtio, unsigned index)
{
	struct virtio_blk *blk = to_blk(virtio);
	struct virtqueue_chain chain;
	unsigned turn;

	if (!virtio_queue_usable(virtio, index))
		return;
	virtqueue_disable_doorbell(&virtio->queues[index]);
	blk->waiting = false;
	for (turn = 0; turn < BLK_TURN_CHAINS; turn++) {
		if (!request_available(blk)) {
			blk->waiting = true;
			break;
		}
		chain.iov = next_table(blk)->iov;
		if (!virtio_take_chain(virtio, index, &chain, BLK_SEGMENTS_MAX) ||
		    !blk_serve(blk, &chain))
			break;
	}
	blk_kick(blk);
	virtio_queue_interrupt(virtio, index);
	if (turn == BLK_TURN_CHAINS || (blk->waiting && request_available(blk))) {
		blk->waiting = false;
		virtio_notify_again(virtio, index);
	}
}

static void blk_activate(struct virtio_device *virtio)
{
	blk_notify(virtio, BLK_QUEUE);
}

static void blk_reset(struct virtio_device *virtio)
{
	struct virtio_blk *blk = to_blk(virtio);

	/* The device is not active any more, so that what ends now is only freed. */
	os_block_drain(blk->block);
	os_mutex_lock(&virtio->lock);
	blk->waiting = false;
	os_mutex_unlock(&virtio->lock);
}

/* --- Configuration --------------------------------------------------------------------------- */

static void blk_config_read(struct virtio_device *virtio, uint32_t offset, void *buffer,
			    uint32_t size)
{
	const struct virtio_blk *blk = to_blk(virtio);
	uint32_t sectors_per_block = blk->info.block_size / VIRTIO_BLK_SECTOR_SIZE;
	struct virtio_blk_config config = {
		.capacity = blk->info.size / VIRTIO_BLK_SECTOR_SIZE,
		.seg_max = BLK_SEGMENTS_MAX - 2,
		.blk_size = VIRTIO_BLK_SECTOR_SIZE,
		.topology.physical_block_exp = (uint8_t)__builtin_ctz(sectors_per_block),
		.topology.min_io_size = (uint16_t)sectors_per_block,
		.num_queues = 1,
	};

	if (blk->discard) {
		config.max_discard_sectors = BLK_RANGE_SECTORS_MAX;
		config.max_discard_seg = 1;
		config.discard_sector_alignment = sectors_per_block;
		config.max_write_zeroes_sectors = BLK_RANGE_SECTORS_MAX;
		config.max_write_zeroes_seg = 1;
		config.write_zeroes_may_unmap = 1;
	}
	memcpy(buffer, (const uint8_t *)&config + offset, size);
}

static const struct virtio_device_ops blk_ops = {
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.class_code = BLK_CLASS,
	.config_read = blk_config_read,
	.activate = blk_activate,
	.notify = blk_notify,
	.reset = blk_reset,
};

int virtio_blk_create(const struct guest_memory *memory, const struct virtio_blk_options *options,
		      struct virtio_device **out)
{
	struct virtio_blk *blk = os_alloc(sizeof(*blk));

	if (!blk)
		return -ENOMEM;
	os_mutex_init(&blk->virtio.lock);
	blk->block = options->block;
	os_block_get_info(blk->block, &blk->info);
	blk->discard = options->discard && blk->info.can_discard && !blk->info.read_only;
	if (options->serial)
		memcpy(blk->serial, options->serial,
		       text_length_max(options->serial, sizeof(blk->serial)));
	while (blk->free_request_count < BLK_REQUESTS) {
		blk->free_requests[blk->free_request_count] =
			(uint8_t)(BLK_REQUESTS - 1 - blk->free_request_count);
		blk->free_request_count++;
	}
	while (blk->free_table_count < BLK_TABLES) {
		blk->free_tables[blk->free_table_count] =
			(uint8_t)(BLK_TABLES - 1 - blk->free_table_count);
		blk->free_table_count++;
	}
	blk->virtio.ops = &blk_ops;
	blk->virtio.memory = memory;
	blk->virtio.offered = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
			      BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_FLUSH);
	if (blk->info.read_only)
		blk->virtio.offered |= BIT(VIRTIO_BLK_F_RO);
	if (blk->discard)
		blk->virtio.offered |= BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	blk->virtio.config_size = offsetof(struct virtio_blk_config, max_secure_erase_sectors);
	blk->virtio.queue_count = 1;
	blk->virtio.queue_max[BLK_QUEUE] = BLK_QUEUE_SIZE;
	*out = &blk->virtio;
	return 0;
}

void virtio_blk_destroy(struct virtio_device *virtio)
{
	if (virtio)
		os_free(to_blk(virtio));
}
