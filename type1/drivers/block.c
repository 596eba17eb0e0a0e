/* SPDX-License-Identifier: MIT */
/*
 * block.c - disks of any driver (block.h): cuts requests into commands, and queues them.
 *
 * Requests are started in the order in which they came, and end in any.
 */
#include "type1/drivers/block.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/format.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

#define PAGE_SIZE (4 * KIB)
/* A PCI location as people write it. */
#define LOCATION_FORMAT "%x:%02x.%x"
#define LOCATION_BUS(location) ((location) >> 8)
#define LOCATION_DEVICE(location) ((location) >> 3 & 0x1f)
#define LOCATION_FUNCTION(location) ((location)&7)
#define ZEROS_SIZE (64 * KIB) /* of zeroed memory, where a disk must be written with zeros */

static const struct block_driver *const drivers[] = {
	&nvme_driver,
	&ahci_driver,
	&virtio_blk_driver,
};

/* --- Requests as commands */

/* How many bytes of a piece's memory, at most that many, a command takes. */
static uint64_t fit_memory(const struct block_info *info, const struct block_piece *piece,
			   uint64_t most)
{
	const struct type1_extent *extent = piece->extents;
	uint64_t skip = piece->skip, bytes = 0;

	for (unsigned count = 0; count < info->extents_max && bytes < most; count++) {
		uint64_t start = extent->physical + skip;

		if (info->whole_pages && count && !is_aligned(start, PAGE_SIZE))
			break;
		bytes += extent->size - skip;
		if (info->whole_pages && !is_aligned(extent->physical + extent->size, PAGE_SIZE))
			break;
		extent++;
		skip = 0;
	}
	return align_down(MIN(bytes, most), info->block_size);
}

static void skip_memory(struct block_request *request, uint64_t bytes)
{
	while (bytes) {
		uint64_t left = request->extents[request->extent].size - request->extent_skip;
		uint64_t size = MIN(bytes, left);

		bytes -= size;
		request->extent_skip += size;
		if (size == left) {
			request->extent++;
			request->extent_skip = 0;
		}
	}
}

/* The next command of a request.  False: the disk can't have it with memory that lies so. */
static bool cut_piece(struct block_device *disk, struct block_request *request,
		      struct block_piece *piece)
{
	const struct block_info *info = &disk->info;
	uint64_t left = request->length - request->started;

	*piece = (struct block_piece){
		.request = request,
		.operation = request->operation,
		.offset = request->offset + request->started,
	};
	switch (request->operation) {
	case BLOCK_FLUSH:
		return true;
	case BLOCK_DISCARD:
		piece->length = MIN(left, info->discard_max);
		return true;
	case BLOCK_ZERO:
		if (info->zero_max) {
			piece->length = MIN(left, info->zero_max);
			return true;
		}
		piece->operation = BLOCK_WRITE;
		piece->extents = disk->zeros;
		left = MIN(left, ARRAY_COUNT(disk->zeros) * ZEROS_SIZE);
		break;
	case BLOCK_READ:
	case BLOCK_WRITE:
		piece->extents = &request->extents[request->extent];
		piece->skip = request->extent_skip;
		break;
	}
	piece->length = fit_memory(info, piece, MIN(left, info->transfer_max));
	return piece->length;
}

static bool has_ended(const struct block_request *request)
{
	return !request->queued && !request->commands;
}

/* Starts what can be started of the first request.  False: the disk is full. */
static bool start_first(struct block_device *disk, bool *kick)
{
	struct block_request *request = disk->first;
	struct block_piece piece;

	/* A flush has no length, and one command. */
	do {
		if (request->result ||
		    (request->operation == BLOCK_FLUSH && disk->info.write_through))
			break;
		if (!cut_piece(disk, request, &piece)) {
			request->result = -EINVAL;
			break;
		}
		if (!disk->driver->start(disk, &piece))
			return false;
		*kick = true;
		request->commands++;
		request->started += piece.length;
		if (request->operation == BLOCK_READ || request->operation == BLOCK_WRITE)
			skip_memory(request, piece.length);
	} while (request->started < request->length);
	disk->first = request->next;
	request->queued = false;
	if (has_ended(request))
		request->done(request, request->result);
	return true;
}

void block_kick(struct block_device *disk)
{
	bool kick = false;

	/* From within a done() that is called below: what it has submitted is started below. */
	if (disk->starting)
		return;
	disk->starting = true;
	while (disk->first && start_first(disk, &kick))
		;
	disk->starting = false;
	if (kick)
		disk->driver->kick(disk);
}

void block_submit(struct block_device *disk, struct block_request *request)
{
	request->next = NULL;
	request->extent = request->commands = 0;
	request->extent_skip = request->started = 0;
	if (request->operation == BLOCK_READ || request->operation == BLOCK_WRITE)
		skip_memory(request, request->memory_offset);
	request->queued = true;
	request->result = 0;
	if (disk->first)
		disk->last->next = request;
	else
		disk->first = request;
	disk->last = request;
}

void block_finish(struct block_request *request, int result)
{
	if (result < 0)
		request->result = result;
	request->commands--;
	if (has_ended(request))
		request->done(request, request->result);
}

/* --- Disks */

int block_add(struct block_device *disk, struct block_device **disks)
{
	uint16_t location = disk->controller->info.location;
	uint64_t physical;
	unsigned number = 0;

	if (!disk->info.zero_max) {
		if (!device_dma(disk->controller, ZEROS_SIZE, &physical))
			return -ENOMEM;
		for (unsigned i = 0; i < ARRAY_COUNT(disk->zeros); i++)
			disk->zeros[i] = (struct type1_extent){physical, ZEROS_SIZE};
	}
	for (; *disks; disks = &(*disks)->next)
		number += (*disks)->controller == disk->controller;
	format_text(disk->info.name, sizeof(disk->info.name), "%s " LOCATION_FORMAT " disk %u",
		    disk->driver->name, LOCATION_BUS(location), LOCATION_DEVICE(location),
		    LOCATION_FUNCTION(location), number);
	*disks = disk;
	return 0;
}

static void open_controller(const struct block_driver *driver, uint32_t devices,
			    const struct type1_device *info, struct os_loop *loop,
			    struct block_device **disks)
{
	struct device *device = os_alloc(sizeof(*device));
	struct error why;
	int error = device ? device_open(device, devices, info) : -ENOMEM;

	if (error < 0)
		error_set(&why, error, "error %d", -error);
	else
		error = driver->open(device, loop, disks, &why);
	if (error < 0) {
		process_log(OS_LOG_WARNING,
			    "the %s controller at " LOCATION_FORMAT " can't be used: %s",
			    driver->name, LOCATION_BUS(info->location),
			    LOCATION_DEVICE(info->location), LOCATION_FUNCTION(info->location),
			    why.text);
		if (device)
			device_close(device);
		os_free(device);
	}
}

void block_open_all(uint32_t devices, struct os_loop *loop, struct block_device **disks)
{
	struct type1_device info = {0};

	for (unsigned i = 0; !call3(TYPE1_DEVICE_LIST, devices, i, call_address(&info)); i++)
		for (unsigned j = 0; j < ARRAY_COUNT(drivers); j++)
			if (!info.open && drivers[j]->matches(&info))
				open_controller(drivers[j], devices, &info, loop, disks);
}
