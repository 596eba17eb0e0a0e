/* SPDX-License-Identifier: MIT */
/*
 * block.h - disks, as the store sees them: requests, and what a driver of a controller provides.
 *
 * A request may be of any length and any extents of memory; block.c cuts it into pieces that a
 * command of the hardware takes, and queues what doesn't fit.  All on the loop thread.
 */
#ifndef DYAD_TYPE1_DRIVERS_BLOCK_H
#define DYAD_TYPE1_DRIVERS_BLOCK_H

#include "lib/error.h"
#include "type1/drivers/device.h"

/* What memory must be aligned to for all of the drivers; PRP entries need the most (NVMe 1.4,
 * section 4.3). */
#define BLOCK_MEMORY_ALIGNMENT 4

enum block_operation {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,   /* all that was done before it was submitted is durable */
	BLOCK_DISCARD, /* of a disk with a discard_max only */
	BLOCK_ZERO,    /* by writing zeros where the disk has nothing better */
};

/* The caller's, and left alone until done() is called: never from within block_submit(), but maybe
 * from block_kick(). */
struct block_request {
	enum block_operation operation;
	uint64_t offset, length; /* bytes, multiples of the disk's block size, within the disk */
	/* READ, WRITE: length bytes of memory that stay where they are.  Inside a block, one ends
	 * and the next begins at pages' ends only. */
	const struct type1_extent *extents;
	uint64_t memory_offset; /* where the first byte is in all that memory */
	void (*done)(struct block_request *request, int result); /* 0 or -errno */

	/* block.c's. */
	struct block_request *next;
	unsigned extent, commands; /* the first extent that isn't started; commands under way */
	uint64_t extent_skip, started;
	bool queued;
	int result;
};

/* What one command does, for a driver to start. */
struct block_piece {
	struct block_request *request;
	enum block_operation operation;
	uint64_t offset, length;
	/* READ, WRITE: where the memory begins, in the first extent `skip` bytes further. */
	const struct type1_extent *extents;
	uint64_t skip;
};

struct block_info {
	uint64_t size;       /* bytes */
	uint32_t block_size; /* 512 to BLOCK_SIZE_MAX */
	bool read_only;
	bool write_through; /* nothing is ever left to be flushed */
	char name[40];      /* block_add()'s, for people: NVMe 0:04.0 disk 0 */
	/* Of one command: bytes, multiples of the block size, and extents, at least 2.  0: the disk
	 * can't do that. */
	uint64_t transfer_max, discard_max, zero_max;
	unsigned extents_max;
	/* All but the first extent of a command begin, and all but the last end, with a page. */
	bool whole_pages;
};
#define BLOCK_SIZE_MAX 4096

struct block_device {
	const struct block_driver *driver;
	struct device *controller;
	struct block_info info;
	struct block_device *next; /* of all */
	/* block.c's. */
	struct block_request *first, *last;
	struct type1_extent zeros[32]; /* the same zeroed memory again and again */
	bool starting;
};

struct block_driver {
	const char *name;
	bool (*matches)(const struct type1_device *info);
	/* Sets up the controller and adds its disks, by block_add(). */
	int (*open)(struct device *device, struct os_loop *loop, struct block_device **disks,
		    struct error *why);
	/* Starts a command, or false: as many are under way as it takes.  The controller is told by
	 * kick().  The end of it is block_finish(). */
	bool (*start)(struct block_device *disk, const struct block_piece *piece);
	void (*kick)(struct block_device *disk);
};

extern const struct block_driver nvme_driver, ahci_driver, virtio_blk_driver;

/* Opens all controllers of disks that nobody else has, and adds their disks to *disks.  What can't
 * be opened is told in the log. */
void block_open_all(uint32_t devices, struct os_loop *loop, struct block_device **disks);

/* Queues a request; block_kick() starts what was queued. */
void block_submit(struct block_device *disk, struct block_request *request);
void block_kick(struct block_device *disk);

/* --- For drivers */

/* The disk is complete but for what is block.c's.  -ENOMEM */
int block_add(struct block_device *disk, struct block_device **disks);
/* A command has ended, with 0 or -errno.  block_kick() follows when all that have ended are told.
 */
void block_finish(struct block_request *request, int result);

/* Goes through a piece's memory. */
struct block_memory {
	const struct type1_extent *extent;
	uint64_t skip, left;
};
static inline struct block_memory block_memory(const struct block_piece *piece)
{
	return (struct block_memory){piece->extents, piece->skip, piece->length};
}
/* The next extent of at most `most` bytes; false: that was all. */
static inline bool block_memory_next(struct block_memory *memory, uint64_t most,
				     struct type1_extent *extent)
{
	uint64_t size = memory->left;

	if (!size)
		return false;
	if (size > memory->extent->size - memory->skip)
		size = memory->extent->size - memory->skip;
	if (size > most)
		size = most;
	*extent = (struct type1_extent){memory->extent->physical + memory->skip, size};
	memory->left -= size;
	memory->skip += size;
	if (memory->skip == memory->extent->size) {
		memory->extent++;
		memory->skip = 0;
	}
	return true;
}

#endif
