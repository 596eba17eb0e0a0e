/* SPDX-License-Identifier: MIT */
/*
 * metadata.h - what volumes a partition has, and of which extents they are made: as it is on the
 * disk, which is as it is in memory.
 *
 * The partition is counted in units of METADATA_UNIT.  Unit 0 has two slots for this table, which
 * are written in turn, each with the next sequence number and a checksum over all of it: so
 * whatever of a write gets lost, the other slot has the state before.  Who writes flushes before
 * (the state that the written one replaces, and the data that it names, are durable) and after.
 */
#ifndef DYAD_STORE_METADATA_H
#define DYAD_STORE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/store.h"

#define METADATA_UNIT (UINT64_C(1) << 20)
#define METADATA_SLOTS 2
#define METADATA_SLOT_SIZE (METADATA_UNIT / METADATA_SLOTS)
#define METADATA_FIRST_UNIT 1 /* of volumes */
#define METADATA_VOLUMES 256
#define METADATA_EXTENTS 4096

struct metadata_volume {
	char name[STORE_NAME]; /* "": there is none */
	uint64_t size;         /* bytes; a multiple of METADATA_BLOCK */
	uint8_t reserved_48[24];
};
_Static_assert(sizeof(struct metadata_volume) == 96, "of the format");
#define METADATA_BLOCK 4096 /* so that volumes can be on disks of any block size */

/* A volume's extents follow each other in the order of the table. */
struct metadata_extent {
	uint32_t volume;       /* index */
	uint32_t start, count; /* units */
};
_Static_assert(sizeof(struct metadata_extent) == 12, "of the format");

struct metadata {
	uint8_t magic[8];
	uint32_t version;
	uint32_t checksum; /* CRC-32C of the whole structure with this as 0 */
	uint64_t sequence;
	uint32_t extent_count;
	uint8_t reserved_1c[36];
	struct metadata_volume volumes[METADATA_VOLUMES];
	struct metadata_extent extents[METADATA_EXTENTS];
	uint8_t padding[3 * 1024 + 960]; /* to a multiple of METADATA_BLOCK */
};
_Static_assert(offsetof(struct metadata, volumes) == 64, "of the format");
_Static_assert(sizeof(struct metadata) % METADATA_BLOCK == 0, "whole blocks");
_Static_assert(sizeof(struct metadata) <= METADATA_SLOT_SIZE, "it fits its slot");

/* An empty table. */
void metadata_init(struct metadata *metadata);
/* What is written: the next sequence number, and the checksum. */
void metadata_seal(struct metadata *metadata);
/* Whether what was read is a table of a partition of that many units, and keeps all its rules. */
bool metadata_valid(const struct metadata *metadata, uint64_t units);
/* Whether nothing was ever written to where this was read from. */
bool metadata_blank(const struct metadata *metadata);

/* --- Volumes.  Indices stay the same for as long as a volume lives. */

/* 1 to STORE_NAME - 1 characters of those that names are made of, and zeros behind. */
bool metadata_name_valid(const char name[STORE_NAME]);
#define METADATA_NO_VOLUME METADATA_VOLUMES
unsigned metadata_find(const struct metadata *metadata, const char name[STORE_NAME]);
/*
 * The extent of the disk that has a volume's byte, from it on: its place in the partition; its
 * length.  offset: within the volume; where there is nothing the length is 0.
 */
uint64_t metadata_map(const struct metadata *metadata, unsigned volume, uint64_t offset,
		      uint64_t *length);

/* --- Changes of a table in memory; 0 or -errno, and what failed has changed nothing that counts:
 * who makes them throws the table away then. */

/* -EINVAL, -EEXIST, -ENOSPC (of the disk, or the table) */
int metadata_create(struct metadata *metadata, uint64_t units, const char name[STORE_NAME],
		    uint64_t size);
/* Not below what it is: -EINVAL */
int metadata_grow(struct metadata *metadata, uint64_t units, unsigned volume, uint64_t size);
void metadata_delete(struct metadata *metadata, unsigned volume);

#endif
