/* SPDX-License-Identifier: MIT */
/*
 * volumes.h - the store's partition of one disk: opened or made, and its volumes changed, one
 * change at a time.  All on the loop thread.
 *
 * A new volume, and what one grows by, is zeroed before it is named: nobody reads what others had.
 */
#ifndef DYAD_STORE_VOLUMES_H
#define DYAD_STORE_VOLUMES_H

#include "type1/drivers/block.h"
#include "type1/services/store/metadata.h"

enum volumes_operation { VOLUMES_CREATE, VOLUMES_DELETE, VOLUMES_GROW };

/* The caller's, and left alone until done() is called; that may be from within volumes_change(). */
struct volumes_change {
	enum volumes_operation operation;
	char name[STORE_NAME];
	uint64_t size; /* CREATE, GROW */
	/* CREATE, or NULL: writes the volume's first content, at volumes_new_place(), and then
	 * calls volumes_filled(). */
	void (*fill)(struct volumes_change *change);
	void (*done)(struct volumes_change *change, int result);
};

struct volumes {
	struct block_device *disk;
	struct volumes *next; /* of all disks */
	uint64_t start;       /* bytes; where the partition begins on the disk */
	uint64_t units;
	/* What counts, which is durable; what it is being changed to, or was before. */
	struct metadata *metadata, *other;
	unsigned slot; /* that has it */
	/* Memory for DMA, of struct metadata. */
	struct metadata *image;
	struct type1_extent image_extent;

	struct volumes_change *change; /* NULL: none */
	unsigned step;
	unsigned volume; /* that changes */
	uint32_t extent; /* the next to be zeroed or discarded */
	struct block_request request;
};

/*
 * The store's partition of a disk, while no loop runs.  format: see abi/store.h.  -ENOENT: the disk
 * is none of the store's, and was left alone; why says so, as with all errors.
 */
int volumes_open(struct block_device *disk, struct os_loop *loop, bool format,
		 struct volumes **volumes, struct error *why);

/* Nothing else is being changed: the caller looks. */
static inline bool volumes_busy(const struct volumes *volumes)
{
	return volumes->change;
}
void volumes_change(struct volumes *volumes, struct volumes_change *change);
/* Where on the disk a byte of the volume that is being created stands, as metadata_map(). */
uint64_t volumes_new_place(const struct volumes *volumes, uint64_t offset, uint64_t *length);
void volumes_filled(struct volumes *volumes, int result);

/* Bytes that no volume has. */
uint64_t volumes_free(const struct volumes *volumes);

#endif
