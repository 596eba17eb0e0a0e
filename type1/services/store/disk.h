/* SPDX-License-Identifier: MIT */
/*
 * disk.h - a disk while the store starts: reads and writes that are waited for, by a buffer for
 * DMA. The loop must not be running: each call runs it until the disk has answered.
 */
#ifndef DYAD_STORE_DISK_H
#define DYAD_STORE_DISK_H

#include "type1/drivers/block.h"
#include "type1/services/store/gpt.h"

struct disk {
	struct block_device *block;
	struct os_loop *loop;
	uint8_t *buffer; /* GPT_BLOCK_MAX bytes at the least */
	struct type1_extent buffer_extent;
	struct block_request request;
	int result;
};

/* Offsets are bytes on the disk.  buffer: any memory. */
int disk_read(void *disk, uint64_t offset, void *buffer, uint64_t size);
int disk_write(void *disk, uint64_t offset, const void *buffer, uint64_t size);
int disk_flush(void *disk);

static inline struct gpt_disk disk_for_gpt(struct disk *disk)
{
	return (struct gpt_disk){
		.arg = disk,
		.size = disk->block->info.size,
		.block_size = disk->block->info.block_size,
		.read = disk_read,
		.write = disk_write,
		.flush = disk_flush,
	};
}

#endif
