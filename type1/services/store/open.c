/* SPDX-License-Identifier: MIT */
/*
 * open.c - how a disk's volumes are found when the store starts, or an empty disk becomes the
 * store's (volumes.h).
 *
 * A disk is only written if its partition table says that it is ours, or, with `format`, if there
 * is nothing at all on it.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/store/disk.h"
#include "type1/services/store/volumes.h"

/* Both slots; the newest that is valid counts. */
static int read_slots(struct volumes *volumes, struct disk *disk, bool *blank)
{
	bool found = false;
	int error = 0;

	*blank = true;
	/* What a store that crashed has written is durable before anything is built on it. */
	if (!disk->block->info.read_only)
		error = disk_flush(disk);
	if (error < 0)
		return error;
	for (unsigned slot = 0; slot < METADATA_SLOTS; slot++) {
		struct metadata *table = volumes->other;

		error = disk_read(disk, volumes->start + slot * METADATA_SLOT_SIZE, table,
				  sizeof(*table));
		if (error < 0)
			return error;
		*blank = *blank && metadata_blank(table);
		if (!metadata_valid(table, volumes->units) ||
		    (found && table->sequence < volumes->metadata->sequence))
			continue;
		volumes->other = volumes->metadata;
		volumes->metadata = table;
		volumes->slot = slot;
		found = true;
	}
	return found ? 0 : -EINVAL;
}

/* An empty table in the first slot; nothing in the other. */
static int write_slots(struct volumes *volumes, struct disk *disk)
{
	int error;

	memset(volumes->other, 0, sizeof(*volumes->other));
	error = disk_write(disk, volumes->start + METADATA_SLOT_SIZE, volumes->other,
			   sizeof(*volumes->other));
	metadata_init(volumes->metadata);
	metadata_seal(volumes->metadata);
	if (!error)
		error = disk_write(disk, volumes->start, volumes->metadata,
				   sizeof(*volumes->metadata));
	if (!error)
		error = disk_flush(disk);
	volumes->slot = 0;
	return error;
}

static void set_partition(struct volumes *volumes, const struct gpt_partition *partition)
{
	volumes->start = partition->offset;
	volumes->units = MIN(partition->size / METADATA_UNIT, UINT32_MAX);
}

/* The table of volumes before the partition's: what is cut off leaves an empty disk. */
static int format_disk(struct volumes *volumes, struct disk *disk, const struct gpt_disk *gpt)
{
	struct gpt_partition partition;
	uint8_t random[32];
	int error = gpt_plan(gpt, &partition);

	if (error < 0)
		return error;
	set_partition(volumes, &partition);
	error = write_slots(volumes, disk);
	os_random(random, sizeof(random));
	return error ? error : gpt_create(gpt, &partition, random);
}

static int open_partition(struct volumes *volumes, struct disk *disk, bool format,
			  struct error *why)
{
	const struct block_info *info = &disk->block->info;
	struct gpt_disk gpt = disk_for_gpt(disk);
	struct gpt_partition partition;
	bool blank;
	int error = gpt_find(&gpt, &partition);

	if (error == -ENODATA && format && !info->read_only) {
		error = format_disk(volumes, disk, &gpt);
		return error ? error_set(why, error, "%s: it can't be formatted (error %d)",
					 info->name, -error)
			     : 0;
	}
	if (error == -ENODATA)
		return error_set(why, -ENOENT,
				 "%s: it is empty, and not used without the line 'format' in the "
				 "store's module",
				 info->name);
	if (error == -ENOENT || error == -EINVAL)
		return error_set(why, -ENOENT,
				 "%s: it has no partition of the store's, and is left alone",
				 info->name);
	if (error < 0)
		return error_set(why, error, "%s: it can't be read (error %d)", info->name, -error);
	set_partition(volumes, &partition);
	if (volumes->units <= METADATA_FIRST_UNIT)
		return error_set(why, -ENOSPC, "%s: the store's partition is too small",
				 info->name);
	error = read_slots(volumes, disk, &blank);
	if (error == -EINVAL && blank && format && !info->read_only)
		error = write_slots(volumes, disk);
	if (error < 0)
		return error_set(why, error,
				 "%s: the store's partition has no valid table of volumes%s "
				 "(error %d)",
				 info->name, error == -EINVAL && blank ? ": it is empty" : "",
				 -error);
	return 0;
}

int volumes_open(struct block_device *block, struct os_loop *loop, bool format,
		 struct volumes **out, struct error *why)
{
	struct disk disk = {.block = block, .loop = loop};
	struct volumes *volumes = os_alloc(sizeof(*volumes));
	int error = -ENOMEM;

	if (!volumes)
		return error_set(why, -ENOMEM, "%s: out of memory", block->info.name);
	volumes->disk = block;
	volumes->metadata = os_alloc(sizeof(*volumes->metadata));
	volumes->other = os_alloc(sizeof(*volumes->other));
	volumes->image = device_dma(block->controller, sizeof(*volumes->image),
				    &volumes->image_extent.physical);
	volumes->image_extent.size = sizeof(*volumes->image);
	disk.buffer = (uint8_t *)volumes->image;
	disk.buffer_extent = volumes->image_extent;
	if (!volumes->metadata || !volumes->other || !volumes->image)
		error_set(why, error, "%s: out of memory", block->info.name);
	else
		error = open_partition(volumes, &disk, format, why);
	if (error < 0) {
		os_free(volumes->metadata);
		os_free(volumes->other);
		os_free(volumes);
		return error;
	}
	*out = volumes;
	return 0;
}
