/* SPDX-License-Identifier: MIT */
/*
 * volumes.c - changes of a partition's volumes, as steps that wait for the disk.
 *
 * The order is what a cut of power may not break: what a new volume holds, then a flush, the table
 * in the slot that isn't the current one, a flush, and only then is what was deleted discarded. The
 * current slot is durable all the while: by the flush after it, or by open.c's.
 */
#include "type1/services/store/volumes.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"

enum step { ZERO, FILL, FLUSH_BEFORE, WRITE, FLUSH_AFTER, DISCARD };

static void advance(struct volumes *volumes);

static void end(struct volumes *volumes, int result)
{
	struct volumes_change *change = volumes->change;

	volumes->change = NULL;
	change->done(change, result);
}

static void stepped(struct block_request *request, int result)
{
	struct volumes *volumes = CONTAINER_OF(request, struct volumes, request);

	/* What can't be discarded is only lost as a hint. */
	if (result < 0 && volumes->step != DISCARD)
		end(volumes, result);
	else
		advance(volumes);
}

static void submit(struct volumes *volumes, enum block_operation operation, uint64_t place,
		   uint64_t length)
{
	volumes->request = (struct block_request){
		.operation = operation,
		.offset = volumes->start + place,
		.length = length,
		.extents = &volumes->image_extent,
		.done = stepped,
	};
	block_submit(volumes->disk, &volumes->request);
	block_kick(volumes->disk);
}

/* Zeroes or discards the next extent of the volume in a table.  False: that was all. */
static bool submit_extent(struct volumes *volumes, const struct metadata *metadata,
			  enum block_operation operation)
{
	while (volumes->extent < metadata->extent_count) {
		const struct metadata_extent *extent = &metadata->extents[volumes->extent++];

		if (extent->volume != volumes->volume)
			continue;
		submit(volumes, operation, extent->start * METADATA_UNIT,
		       extent->count * METADATA_UNIT);
		return true;
	}
	return false;
}

static void submit_table(struct volumes *volumes)
{
	volumes->other->sequence = volumes->metadata->sequence;
	metadata_seal(volumes->other);
	memcpy(volumes->image, volumes->other, sizeof(*volumes->image));
	submit(volumes, BLOCK_WRITE, (volumes->slot ^ 1) * METADATA_SLOT_SIZE,
	       sizeof(*volumes->image));
}

/* The table that was written counts from now on. */
static void commit(struct volumes *volumes)
{
	struct metadata *old = volumes->metadata;

	volumes->metadata = volumes->other;
	volumes->other = old;
	volumes->slot ^= 1;
	volumes->extent = 0;
}

/* Begins the next step that there is. */
static void advance(struct volumes *volumes)
{
	struct volumes_change *change = volumes->change;

	switch ((enum step)volumes->step) {
	case ZERO:
		if (submit_extent(volumes, volumes->other, BLOCK_ZERO))
			return;
		volumes->step = FILL;
		if (change->fill) {
			change->fill(change);
			return;
		}
		__attribute__((fallthrough));
	case FILL:
		volumes->step = FLUSH_BEFORE;
		submit(volumes, BLOCK_FLUSH, 0, 0);
		return;
	case FLUSH_BEFORE:
		volumes->step = WRITE;
		submit_table(volumes);
		return;
	case WRITE:
		volumes->step = FLUSH_AFTER;
		submit(volumes, BLOCK_FLUSH, 0, 0);
		return;
	case FLUSH_AFTER:
		commit(volumes);
		volumes->step = DISCARD;
		__attribute__((fallthrough));
	case DISCARD:
		if (change->operation == VOLUMES_DELETE && volumes->disk->info.discard_max &&
		    submit_extent(volumes, volumes->other, BLOCK_DISCARD))
			return;
		end(volumes, 0);
	}
}

void volumes_filled(struct volumes *volumes, int result)
{
	if (result < 0)
		end(volumes, result);
	else
		advance(volumes);
}

/* The table as it is to become. */
static int prepare(struct volumes *volumes, const struct volumes_change *change)
{
	struct metadata *table = volumes->other;
	int error;

	memcpy(table, volumes->metadata, sizeof(*table));
	volumes->step = ZERO;
	volumes->extent = table->extent_count; /* new ones are put behind those that are there */
	volumes->volume = metadata_find(table, change->name);
	if (change->operation == VOLUMES_CREATE) {
		error = metadata_create(table, volumes->units, change->name, change->size);
		volumes->volume = metadata_find(table, change->name);
		return error;
	}
	if (!metadata_name_valid(change->name) || volumes->volume == METADATA_NO_VOLUME)
		return -ENOENT;
	if (change->operation == VOLUMES_GROW)
		return metadata_grow(table, volumes->units, volumes->volume, change->size);
	metadata_delete(table, volumes->volume);
	volumes->step = FILL;
	return 0;
}

void volumes_change(struct volumes *volumes, struct volumes_change *change)
{
	int error;

	volumes->change = change;
	error = volumes->disk->info.read_only ? -EROFS : prepare(volumes, change);
	if (error < 0)
		end(volumes, error);
	else
		advance(volumes);
}

uint64_t volumes_new_place(const struct volumes *volumes, uint64_t offset, uint64_t *length)
{
	return volumes->start + metadata_map(volumes->other, volumes->volume, offset, length);
}

uint64_t volumes_free(const struct volumes *volumes)
{
	uint64_t used = METADATA_FIRST_UNIT;

	for (uint32_t i = 0; i < volumes->metadata->extent_count; i++)
		used += volumes->metadata->extents[i].count;
	return (volumes->units - used) * METADATA_UNIT;
}
