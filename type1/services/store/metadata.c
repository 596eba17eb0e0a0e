/* SPDX-License-Identifier: MIT */
/*
 * metadata.c - the table of volumes: its rules, lookup and changes; units are given out first-fit.
 */
#include "type1/services/store/metadata.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/store/checksum.h"

#define VERSION 1
static const uint8_t magic[8] = {'d', 'y', 'a', 'd', 's', 't', 'o', 'r'};

void metadata_init(struct metadata *metadata)
{
	memset(metadata, 0, sizeof(*metadata));
	memcpy(metadata->magic, magic, sizeof(magic));
	metadata->version = VERSION;
}

static uint32_t sum(const struct metadata *metadata)
{
	static const uint8_t zeros[sizeof(metadata->checksum)];
	const uint8_t *bytes = (const uint8_t *)metadata;
	size_t behind = offsetof(struct metadata, checksum) + sizeof(zeros);
	uint32_t crc;

	crc = checksum(CHECKSUM_CRC32C, 0, bytes, offsetof(struct metadata, checksum));
	crc = checksum(CHECKSUM_CRC32C, crc, zeros, sizeof(zeros));
	return checksum(CHECKSUM_CRC32C, crc, bytes + behind, sizeof(*metadata) - behind);
}

void metadata_seal(struct metadata *metadata)
{
	metadata->sequence++;
	metadata->checksum = sum(metadata);
}

bool metadata_blank(const struct metadata *metadata)
{
	const uint8_t *bytes = (const uint8_t *)metadata;

	for (size_t i = 0; i < sizeof(*metadata); i++)
		if (bytes[i])
			return false;
	return true;
}

/* --- Rules */

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool metadata_name_valid(const char name[STORE_NAME])
{
	unsigned length = 0;

	while (length < STORE_NAME && name_character(name[length]))
		length++;
	if (!length)
		return false;
	for (unsigned i = length; i < STORE_NAME; i++)
		if (name[i])
			return false;
	return length < STORE_NAME;
}

static bool in_use(const struct metadata *metadata, unsigned volume)
{
	return metadata->volumes[volume].name[0];
}

static bool overlap(const struct metadata_extent *a, const struct metadata_extent *b)
{
	return a->start < (uint64_t)b->start + b->count && b->start < (uint64_t)a->start + a->count;
}

static bool extents_valid(const struct metadata *metadata, uint64_t units)
{
	for (uint32_t i = 0; i < metadata->extent_count; i++) {
		const struct metadata_extent *extent = &metadata->extents[i];

		if (extent->volume >= METADATA_VOLUMES || !in_use(metadata, extent->volume) ||
		    extent->start < METADATA_FIRST_UNIT || !extent->count ||
		    (uint64_t)extent->start + extent->count > units)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (overlap(extent, &metadata->extents[j]))
				return false;
	}
	return true;
}

/* Units that a volume has. */
static uint64_t volume_units(const struct metadata *metadata, unsigned volume)
{
	uint64_t units = 0;

	for (uint32_t i = 0; i < metadata->extent_count; i++)
		if (metadata->extents[i].volume == volume)
			units += metadata->extents[i].count;
	return units;
}

static bool volume_valid(const struct metadata *metadata, unsigned volume)
{
	const struct metadata_volume *info = &metadata->volumes[volume];

	return metadata_name_valid(info->name) && metadata_find(metadata, info->name) == volume &&
	       info->size && is_aligned(info->size, METADATA_BLOCK) &&
	       info->size <= volume_units(metadata, volume) * METADATA_UNIT;
}

bool metadata_valid(const struct metadata *metadata, uint64_t units)
{
	if (memcmp(metadata->magic, magic, sizeof(magic)) != 0 || metadata->version != VERSION ||
	    metadata->checksum != sum(metadata) || metadata->extent_count > METADATA_EXTENTS ||
	    !extents_valid(metadata, units))
		return false;
	for (unsigned i = 0; i < METADATA_VOLUMES; i++)
		if (in_use(metadata, i) && !volume_valid(metadata, i))
			return false;
	return true;
}

/* --- Lookup */

unsigned metadata_find(const struct metadata *metadata, const char name[STORE_NAME])
{
	unsigned i = 0;

	while (i < METADATA_VOLUMES && memcmp(metadata->volumes[i].name, name, STORE_NAME) != 0)
		i++;
	return i;
}

uint64_t metadata_map(const struct metadata *metadata, unsigned volume, uint64_t offset,
		      uint64_t *length)
{
	for (uint32_t i = 0; i < metadata->extent_count; i++) {
		const struct metadata_extent *extent = &metadata->extents[i];
		uint64_t size = extent->count * METADATA_UNIT;

		if (extent->volume != volume)
			continue;
		if (offset < size) {
			*length = size - offset;
			return extent->start * METADATA_UNIT + offset;
		}
		offset -= size;
	}
	*length = 0;
	return 0;
}

/* --- Free space */

/* The first unit from start on that nobody has, and how many more there are of that kind: 0: none.
 */
static uint64_t next_gap(const struct metadata *metadata, uint64_t units, uint64_t *start)
{
	uint64_t end = units;
	bool moved;

	do {
		moved = false;
		for (uint32_t i = 0; i < metadata->extent_count; i++) {
			const struct metadata_extent *extent = &metadata->extents[i];
			uint64_t behind = (uint64_t)extent->start + extent->count;

			if (*start >= extent->start && *start < behind) {
				*start = behind;
				moved = true;
			}
		}
	} while (moved);
	for (uint32_t i = 0; i < metadata->extent_count; i++)
		if (metadata->extents[i].start >= *start)
			end = MIN(end, metadata->extents[i].start);
	return *start < end ? end - *start : 0;
}

/* The first gap that has all of it, else the largest; its units, at most so many.  0: no space. */
static uint64_t find_gap(const struct metadata *metadata, uint64_t units, uint64_t wanted,
			 uint64_t *place)
{
	uint64_t start = METADATA_FIRST_UNIT, largest = 0, size;

	while ((size = next_gap(metadata, units, &start))) {
		if (size > largest) {
			largest = size;
			*place = start;
		}
		if (size >= wanted)
			return wanted;
		start += size;
	}
	return largest;
}

/* Gives a volume as many units as its size needs. */
static int allocate(struct metadata *metadata, uint64_t units, unsigned volume)
{
	uint64_t wanted = align_up(metadata->volumes[volume].size, METADATA_UNIT) / METADATA_UNIT;
	uint64_t have = volume_units(metadata, volume);

	while (have < wanted) {
		uint64_t place = 0, size = find_gap(metadata, units, wanted - have, &place);

		if (!size || metadata->extent_count == METADATA_EXTENTS)
			return -ENOSPC;
		metadata->extents[metadata->extent_count++] = (struct metadata_extent){
			.volume = volume,
			.start = (uint32_t)place,
			.count = (uint32_t)size,
		};
		have += size;
	}
	return 0;
}

/* --- Changes */

static bool size_valid(uint64_t size, uint64_t units)
{
	return size && is_aligned(size, METADATA_BLOCK) && size <= units * METADATA_UNIT;
}

int metadata_create(struct metadata *metadata, uint64_t units, const char name[STORE_NAME],
		    uint64_t size)
{
	unsigned volume = 0;

	if (!metadata_name_valid(name) || !size || !is_aligned(size, METADATA_BLOCK))
		return -EINVAL;
	if (metadata_find(metadata, name) != METADATA_NO_VOLUME)
		return -EEXIST;
	while (volume < METADATA_VOLUMES && in_use(metadata, volume))
		volume++;
	if (volume == METADATA_VOLUMES || !size_valid(size, units))
		return -ENOSPC;
	memcpy(metadata->volumes[volume].name, name, STORE_NAME);
	metadata->volumes[volume].size = size;
	return allocate(metadata, units, volume);
}

int metadata_grow(struct metadata *metadata, uint64_t units, unsigned volume, uint64_t size)
{
	if (size < metadata->volumes[volume].size || !is_aligned(size, METADATA_BLOCK))
		return -EINVAL;
	if (!size_valid(size, units))
		return -ENOSPC;
	metadata->volumes[volume].size = size;
	return allocate(metadata, units, volume);
}

void metadata_delete(struct metadata *metadata, unsigned volume)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < metadata->extent_count; i++)
		if (metadata->extents[i].volume != volume)
			metadata->extents[kept++] = metadata->extents[i];
	memset(&metadata->extents[kept], 0,
	       (metadata->extent_count - kept) * sizeof(metadata->extents[0]));
	metadata->extent_count = kept;
	memset(&metadata->volumes[volume], 0, sizeof(metadata->volumes[volume]));
}
