/* SPDX-License-Identifier: MIT */
/*
 * import.c - the first content of a volume: a file of the image, written in the volume's extents
 * before the volume is named in the table.  So what is cut off leaves no volume, and is begun again
 * the next time.
 *
 * The volume was zeroed: what is zero in the file isn't written.
 */
#include "type1/services/store/import.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"

#define BUFFER_SIZE (256 * KIB)

struct import {
	struct volumes_change change;
	struct volumes *volumes;
	struct os_loop *loop;
	struct os_file *file;
	uint64_t file_size, done;
	uint8_t *buffer;
	struct type1_extent extent;
	struct block_request request;
	int result;
};

static bool all_zero(const uint8_t *bytes, uint64_t size)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

static void write_next(struct import *import);

static void written(struct block_request *request, int result)
{
	struct import *import = CONTAINER_OF(request, struct import, request);

	if (result < 0)
		volumes_filled(import->volumes, result);
	else
		write_next(import);
}

static void write_next(struct import *import)
{
	while (import->done < import->file_size) {
		uint64_t size = MIN(BUFFER_SIZE, import->file_size - import->done), length;
		uint64_t place = volumes_new_place(import->volumes, import->done, &length);
		int error;

		/* Extents are whole units, and so many buffers. */
		memset(import->buffer, 0, BUFFER_SIZE);
		error = os_file_read(import->file, import->done, import->buffer, size);
		if (error < 0) {
			volumes_filled(import->volumes, error);
			return;
		}
		import->done += size;
		if (all_zero(import->buffer, BUFFER_SIZE))
			continue;
		import->request = (struct block_request){
			.operation = BLOCK_WRITE,
			.offset = place,
			.length = align_up(size, METADATA_BLOCK),
			.extents = &import->extent,
			.done = written,
		};
		block_submit(import->volumes->disk, &import->request);
		block_kick(import->volumes->disk);
		return;
	}
	volumes_filled(import->volumes, 0);
}
_Static_assert(METADATA_UNIT % BUFFER_SIZE == 0, "a buffer's place is in one extent");

static void fill(struct volumes_change *change)
{
	write_next(CONTAINER_OF(change, struct import, change));
}

static void imported(struct volumes_change *change, int result)
{
	struct import *import = CONTAINER_OF(change, struct import, change);

	import->result = result;
	os_loop_stop(import->loop);
}

/* The file, and memory for its parts, which stays until the disk's controller is closed. */
static int open_file(struct import *import, const struct config_volume *config, struct error *why)
{
	int error = os_file_open(config->file, &import->file, why);

	if (error < 0)
		return error;
	import->file_size = os_file_size(import->file);
	import->buffer = device_dma(import->volumes->disk->controller, BUFFER_SIZE,
				    &import->extent.physical);
	import->extent.size = BUFFER_SIZE;
	import->change.fill = fill;
	return import->buffer ? 0 : error_set(why, -ENOMEM, "out of memory");
}

int import_volume(struct volumes *volumes, const struct config_volume *config, struct os_loop *loop,
		  uint64_t *size, struct error *why)
{
	struct import import = {
		.volumes = volumes,
		.loop = loop,
		.change = {.operation = VOLUMES_CREATE, .done = imported},
	};
	int error = config->file[0] ? open_file(&import, config, why) : 0;

	if (error < 0)
		goto out;
	memcpy(import.change.name, config->name, STORE_NAME);
	import.change.size = align_up(import.file_size, METADATA_BLOCK);
	import.change.size = MAX(import.change.size, config->size);
	*size = import.change.size;
	volumes_change(volumes, &import.change);
	os_loop_run(loop);
	error = import.result;
	if (error < 0)
		error_set(why, error,
			  error == -ENOSPC ? "%s has no space for its %llu MiB"
					   : "%s can't take its %llu MiB",
			  volumes->disk->info.name, (unsigned long long)(*size / MIB));
out:
	os_file_close(import.file);
	return error;
}
