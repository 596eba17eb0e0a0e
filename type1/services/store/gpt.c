/* SPDX-License-Identifier: MIT */
/*
 * gpt.c - GUID Partition Tables (gpt.h).  Sections are those of UEFI 2.10.
 */
#include "type1/services/store/gpt.h"

#include <linux/errno.h>
#include <stdbool.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/store/checksum.h"

/* --- Structures on the disk */

#define GUID_SIZE 16

/* Section 5.3.2, at block 1 and in the last one. */
struct header {
	uint8_t signature[8];
	uint32_t revision;
	uint32_t header_size;
	uint32_t header_checksum; /* of header_size bytes, with this as 0 */
	uint32_t reserved_14;
	uint64_t own, other; /* where this and the other header stand, in blocks as all here */
	uint64_t first_usable, last_usable;
	uint8_t disk[GUID_SIZE];
	uint64_t entries;
	uint32_t entry_count, entry_size;
	uint32_t entries_checksum;
	uint32_t padding; /* behind the 92 bytes of the header */
};
#define HEADER_SIZE 92
_Static_assert(offsetof(struct header, padding) == HEADER_SIZE, "header");
#define REVISION 0x00010000
#define HEADER_PRIMARY 1 /* block */

/* Section 5.3.3 */
struct entry {
	uint8_t type[GUID_SIZE], partition[GUID_SIZE];
	uint64_t first, last; /* blocks, both are the partition's */
	uint64_t attributes;
	uint16_t name[36];
};
_Static_assert(sizeof(struct entry) == 128, "entry");
#define ENTRIES 128 /* that we make; a table has room for 16 KiB at least */
#define ENTRIES_SIZE (ENTRIES * sizeof(struct entry))
#define ENTRIES_SIZE_MAX MIB /* that we read */

/* Section 5.2.3: one partition in the old table, over the whole disk. */
/* Boot code, INT 18h: a BIOS that begins with this disk goes on to the next. */
#define MBR_BOOT_CODE UINT16_C(0x18cd)
#define MBR_PARTITION 446
#define MBR_TYPE 4
#define MBR_START 8
#define MBR_SIZE 12
#define MBR_TYPE_PROTECTIVE 0xee
#define MBR_SIGNATURE 510

/* What is looked through at each end of the disk for anything at all. */
#define EMPTY_SIZE MIB

static const uint8_t signature[8] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};
/* The type of the store's partition: 3af9bb71-5e0c-4b57-9d54-8b1f6f0a7dc2 */
static const uint8_t store_type[GUID_SIZE] = {0x71, 0xbb, 0xf9, 0x3a, 0x0c, 0x5e, 0x57, 0x4b,
					      0x9d, 0x54, 0x8b, 0x1f, 0x6f, 0x0a, 0x7d, 0xc2};
static const char partition_name[] = "dyad store";
/* UUIDs of version 4 and variant 1 (RFC 4122, section 4.4), in the byte order of GUIDs */
#define UUID_VERSION_BYTE 7
#define UUID_VERSION_MASK 0x0f
#define UUID_VERSION_RANDOM 0x40
#define UUID_VARIANT_BYTE 8
#define UUID_VARIANT_MASK 0x3f
#define UUID_VARIANT 0x80

static uint64_t last_block(const struct gpt_disk *disk)
{
	return disk->size / disk->block_size - 1;
}

/* --- Reading */

static bool header_valid(const struct gpt_disk *disk, const uint8_t *block, uint64_t own,
			 struct header *header)
{
	uint8_t copy[GPT_BLOCK_MAX];
	uint64_t entries_size;

	memcpy(header, block, sizeof(*header));
	if (memcmp(header->signature, signature, sizeof(signature)) != 0 ||
	    header->header_size < HEADER_SIZE || header->header_size > disk->block_size ||
	    header->own != own)
		return false;
	memcpy(copy, block, header->header_size);
	memset(copy + offsetof(struct header, header_checksum), 0, sizeof(uint32_t));
	if (checksum(CHECKSUM_CRC32, 0, copy, header->header_size) != header->header_checksum)
		return false;
	/* A size of 128 << n (5.3.2), whose entries don't go over the end of what is read at once.
	 */
	if (!is_power_of_two(header->entry_size) || header->entry_size < sizeof(struct entry) ||
	    header->entry_size > GPT_BLOCK_MAX)
		return false;
	entries_size = (uint64_t)header->entry_count * header->entry_size;
	return entries_size && entries_size <= ENTRIES_SIZE_MAX &&
	       header->entries <= last_block(disk) &&
	       entries_size <= (last_block(disk) + 1 - header->entries) * disk->block_size &&
	       header->first_usable <= header->last_usable &&
	       header->last_usable <= last_block(disk);
}

static bool entry_valid(const struct header *header, const struct entry *entry)
{
	return entry->first >= header->first_usable && entry->first <= entry->last &&
	       entry->last <= header->last_usable;
}

/* Goes through a table.  -EINVAL: its checksum is wrong. */
static int find_entry(const struct gpt_disk *disk, const struct header *header,
		      struct gpt_partition *partition)
{
	uint64_t left = (uint64_t)header->entry_count * header->entry_size;
	uint64_t offset = header->entries * disk->block_size;
	uint8_t buffer[GPT_BLOCK_MAX];
	uint32_t sum = 0;
	bool found = false;

	while (left) {
		uint64_t size = MIN(left, sizeof(buffer));
		int error = disk->read(disk->arg, offset, buffer, align_up(size, disk->block_size));

		if (error < 0)
			return error;
		sum = checksum(CHECKSUM_CRC32, sum, buffer, size);
		for (uint64_t at = 0; at < size && !found; at += header->entry_size) {
			struct entry entry;

			memcpy(&entry, buffer + at, sizeof(entry));
			if (memcmp(entry.type, store_type, GUID_SIZE) != 0 ||
			    !entry_valid(header, &entry))
				continue;
			found = true;
			partition->offset = entry.first * disk->block_size;
			partition->size = (entry.last - entry.first + 1) * disk->block_size;
		}
		offset += size;
		left -= size;
	}
	if (sum != header->entries_checksum)
		return -EINVAL;
	return found ? 0 : -ENOENT;
}

static int find_in_table(const struct gpt_disk *disk, uint64_t own, struct gpt_partition *partition)
{
	uint8_t block[GPT_BLOCK_MAX];
	struct header header;
	int error = disk->read(disk->arg, own * disk->block_size, block, disk->block_size);

	if (error < 0)
		return error;
	if (!header_valid(disk, block, own, &header))
		return -EINVAL;
	return find_entry(disk, &header, partition);
}

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Whether the backup's entries begin with ours: what is left when its making was cut off. */
static bool is_unfinished(const struct gpt_disk *disk, uint64_t offset, const uint8_t *bytes)
{
	uint64_t entries =
		last_block(disk) * disk->block_size - align_up(ENTRIES_SIZE, disk->block_size);

	return offset == entries && !memcmp(bytes, store_type, GUID_SIZE) &&
	       is_zero(bytes + sizeof(struct entry), disk->block_size - sizeof(struct entry));
}

static int check_empty(const struct gpt_disk *disk)
{
	uint8_t buffer[GPT_BLOCK_MAX];
	uint64_t end = disk->size - EMPTY_SIZE;

	for (uint64_t i = 0; i < EMPTY_SIZE; i += disk->block_size) {
		int error = disk->read(disk->arg, i, buffer, disk->block_size);

		if (error < 0)
			return error;
		if (!is_zero(buffer, disk->block_size))
			return -EINVAL;
		error = disk->read(disk->arg, end + i, buffer, disk->block_size);
		if (error < 0)
			return error;
		if (!is_zero(buffer, disk->block_size) && !is_unfinished(disk, end + i, buffer))
			return -EINVAL;
	}
	return -ENODATA;
}

int gpt_find(const struct gpt_disk *disk, struct gpt_partition *partition)
{
	int error;

	if (disk->size < 2 * EMPTY_SIZE)
		return -EINVAL;
	error = find_in_table(disk, HEADER_PRIMARY, partition);
	if (error == -EINVAL)
		error = find_in_table(disk, last_block(disk), partition);
	if (error == -EINVAL)
		error = check_empty(disk);
	return error;
}

/* --- Making */

int gpt_plan(const struct gpt_disk *disk, struct gpt_partition *partition)
{
	uint64_t end = align_down(disk->size - MIN(disk->size, GPT_ALIGNMENT), GPT_ALIGNMENT);

	if (end <= GPT_ALIGNMENT)
		return -ENOSPC;
	*partition = (struct gpt_partition){GPT_ALIGNMENT, end - GPT_ALIGNMENT};
	return 0;
}

static void make_uuid(uint8_t uuid[GUID_SIZE], const uint8_t random[GUID_SIZE])
{
	memcpy(uuid, random, GUID_SIZE);
	uuid[UUID_VERSION_BYTE] =
		(uuid[UUID_VERSION_BYTE] & UUID_VERSION_MASK) | UUID_VERSION_RANDOM;
	uuid[UUID_VARIANT_BYTE] = (uuid[UUID_VARIANT_BYTE] & UUID_VARIANT_MASK) | UUID_VARIANT;
}

/* One table: its entries, then what names them. */
static int write_table(const struct gpt_disk *disk, struct header *header,
		       const struct entry *entry)
{
	uint8_t block[GPT_BLOCK_MAX] = {0};
	uint64_t size = align_up(ENTRIES_SIZE, disk->block_size);
	int error = 0;

	memcpy(block, entry, sizeof(*entry));
	for (uint64_t at = 0; at < size && !error; at += disk->block_size) {
		error = disk->write(disk->arg, header->entries * disk->block_size + at, block,
				    disk->block_size);
		memset(block, 0, sizeof(*entry));
	}
	if (!error)
		error = disk->flush(disk->arg);
	header->header_checksum = 0;
	header->header_checksum = checksum(CHECKSUM_CRC32, 0, header, HEADER_SIZE);
	memcpy(block, header, HEADER_SIZE);
	if (!error)
		error = disk->write(disk->arg, header->own * disk->block_size, block,
				    disk->block_size);
	if (!error)
		error = disk->flush(disk->arg);
	return error;
}

static int write_protective_mbr(const struct gpt_disk *disk)
{
	uint8_t block[GPT_BLOCK_MAX] = {0};

	store_le16(block, MBR_BOOT_CODE);
	block[MBR_PARTITION + MBR_TYPE] = MBR_TYPE_PROTECTIVE;
	store_le32(block + MBR_PARTITION + MBR_START, HEADER_PRIMARY);
	store_le32(block + MBR_PARTITION + MBR_SIZE, (uint32_t)MIN(last_block(disk), UINT32_MAX));
	block[MBR_SIGNATURE] = 0x55;
	block[MBR_SIGNATURE + 1] = 0xaa;
	return disk->write(disk->arg, 0, block, disk->block_size);
}

int gpt_create(const struct gpt_disk *disk, const struct gpt_partition *partition,
	       const uint8_t random[32])
{
	uint64_t entries_blocks = align_up(ENTRIES_SIZE, disk->block_size) / disk->block_size;
	uint64_t last = last_block(disk);
	struct entry entry = {
		.first = partition->offset / disk->block_size,
		.last = (partition->offset + partition->size) / disk->block_size - 1,
	};
	struct header header = {
		.revision = REVISION,
		.header_size = HEADER_SIZE,
		.own = last,
		.other = HEADER_PRIMARY,
		.first_usable = HEADER_PRIMARY + 1 + entries_blocks,
		.last_usable = last - 1 - entries_blocks,
		.entries = last - entries_blocks,
		.entry_count = ENTRIES,
		.entry_size = sizeof(struct entry),
	};
	static const uint8_t zeros[sizeof(struct entry)];
	int error;

	memcpy(entry.type, store_type, GUID_SIZE);
	make_uuid(entry.partition, random);
	for (unsigned i = 0; partition_name[i]; i++)
		entry.name[i] = (uint16_t)partition_name[i];
	memcpy(header.signature, signature, sizeof(signature));
	make_uuid(header.disk, random + GUID_SIZE);
	header.entries_checksum = checksum(CHECKSUM_CRC32, 0, &entry, sizeof(entry));
	for (unsigned i = 1; i < ENTRIES; i++)
		header.entries_checksum =
			checksum(CHECKSUM_CRC32, header.entries_checksum, zeros, sizeof(zeros));
	error = write_table(disk, &header, &entry);
	if (!error)
		error = write_protective_mbr(disk);
	header.own = HEADER_PRIMARY;
	header.other = last;
	header.entries = HEADER_PRIMARY + 1;
	if (!error)
		error = write_table(disk, &header, &entry);
	return error;
}
