/* SPDX-License-Identifier: MIT */
/*
 * disk.c - waiting for a disk (disk.h).
 */
#include "type1/services/store/disk.h"

#include "lib/bits.h"
#include "lib/bytes.h"

static void done(struct block_request *request, int result)
{
	struct disk *disk = CONTAINER_OF(request, struct disk, request);

	disk->result = result;
	os_loop_stop(disk->loop);
}

static int run(struct disk *disk, enum block_operation operation, uint64_t offset, uint64_t size)
{
	disk->request = (struct block_request){
		.operation = operation,
		.offset = offset,
		.length = size,
		.extents = &disk->buffer_extent,
		.done = done,
	};
	block_submit(disk->block, &disk->request);
	block_kick(disk->block);
	os_loop_run(disk->loop);
	return disk->result;
}

int disk_read(void *arg, uint64_t offset, void *buffer, uint64_t size)
{
	struct disk *disk = arg;
	uint8_t *to = buffer;
	int error = 0;

	while (size && !error) {
		uint64_t part = MIN(size, disk->buffer_extent.size);

		error = run(disk, BLOCK_READ, offset, part);
		memcpy(to, disk->buffer, part);
		to += part;
		offset += part;
		size -= part;
	}
	return error;
}

int disk_write(void *arg, uint64_t offset, const void *buffer, uint64_t size)
{
	struct disk *disk = arg;
	const uint8_t *from = buffer;
	int error = 0;

	while (size && !error) {
		uint64_t part = MIN(size, disk->buffer_extent.size);

		memcpy(disk->buffer, from, part);
		error = run(disk, BLOCK_WRITE, offset, part);
		from += part;
		offset += part;
		size -= part;
	}
	return error;
}

int disk_flush(void *arg)
{
	return run(arg, BLOCK_FLUSH, 0, 0);
}
