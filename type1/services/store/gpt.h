/* SPDX-License-Identifier: MIT */
/*
 * gpt.h - the store's partition on a disk: found in its GUID Partition Table (UEFI 2.10, section
 * 5.3), or made on a disk that has nothing at all.
 */
#ifndef DYAD_STORE_GPT_H
#define DYAD_STORE_GPT_H

#include <stdint.h>

/* A disk, as it is read and written before there are volumes: each function returns 0 or -errno
 * when it is done.  Offsets and sizes are multiples of the block size; buffers are of any memory.
 */
struct gpt_disk {
	void *arg;
	uint64_t size;       /* bytes */
	uint32_t block_size; /* 512 to GPT_BLOCK_MAX */
	int (*read)(void *arg, uint64_t offset, void *buffer, uint64_t size);
	int (*write)(void *arg, uint64_t offset, const void *buffer, uint64_t size);
	int (*flush)(void *arg);
};
#define GPT_BLOCK_MAX 4096

struct gpt_partition {
	uint64_t offset, size; /* bytes */
};

/*
 * The first partition of the store's type, by the primary table or, where that is damaged, by the
 * backup.  -ENOENT: the table has none.  -ENODATA: the disk has nothing at all.  -EINVAL: something
 * that is no such table, or one that is damaged twice.
 */
int gpt_find(const struct gpt_disk *disk, struct gpt_partition *partition);

/*
 * Where the partition will be on a disk that has nothing: all but what tables need, aligned to
 * GPT_ALIGNMENT; -ENOSPC.
 */
#define GPT_ALIGNMENT (UINT64_C(1) << 20)
int gpt_plan(const struct gpt_disk *disk, struct gpt_partition *partition);
/* Writes the tables of that, the backup first: until that is complete the disk counts as one that
 * has nothing.  random: 32 bytes, of which the GUIDs of disk and partition are made. */
int gpt_create(const struct gpt_disk *disk, const struct gpt_partition *partition,
	       const uint8_t random[32]);

#endif
