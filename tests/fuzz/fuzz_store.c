/* SPDX-License-Identifier: MIT */
/*
 * Opens disks with damaged partition tables and tables of volumes, whose checksums fit, so that
 * what they say is reached: what is accepted keeps the rules that the store relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/support/fuzz_input.h"
#include "type1/services/store/checksum.c"
#include "type1/services/store/gpt.c"
#include "type1/services/store/metadata.c"

#define SIZE (4 * MIB)
#define BLOCK 512
#define CHANGES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *disk_content;

static int read_disk(void *arg, uint64_t offset, void *buffer, uint64_t size)
{
	(void)arg;
	fuzz_check(offset <= SIZE && size <= SIZE - offset && (offset | size) % BLOCK == 0);
	memcpy(buffer, disk_content + offset, size);
	return 0;
}

static int write_disk(void *arg, uint64_t offset, const void *buffer, uint64_t size)
{
	(void)arg;
	memcpy(disk_content + offset, buffer, size);
	return 0;
}

static int flush_disk(void *arg)
{
	(void)arg;
	return 0;
}

static void damage(struct fuzz_input *input, uint8_t *bytes, uint64_t size)
{
	unsigned count = (unsigned)fuzz_take(input, 1) % CHANGES_MAX;

	for (unsigned i = 0; i < count && input->left; i++) {
		uint64_t at = fuzz_take(input, 3) % size;

		bytes[at] = (uint8_t)fuzz_take(input, 1);
	}
}

/* Makes a header's sums right, as far as what it says can be summed up. */
static void fix_header(uint8_t *block)
{
	struct header header;
	uint64_t size, offset;

	memcpy(&header, block, sizeof(header));
	size = (uint64_t)header.entry_count * header.entry_size;
	offset = header.entries * BLOCK;
	if (offset <= SIZE && size <= SIZE - offset)
		store_le32(block + offsetof(struct header, entries_checksum),
			   checksum(CHECKSUM_CRC32, 0, disk_content + offset, size));
	store_le32(block + offsetof(struct header, header_checksum), 0);
	if (header.header_size <= BLOCK)
		store_le32(block + offsetof(struct header, header_checksum),
			   checksum(CHECKSUM_CRC32, 0, block, header.header_size));
}

static void check_table(const struct gpt_disk *disk, struct fuzz_input *input)
{
	static const uint8_t random[32];
	struct gpt_partition partition;
	int error;

	fuzz_check(gpt_plan(disk, &partition) == 0);
	gpt_create(disk, &partition, random);
	damage(input, disk_content + BLOCK, BLOCK + sizeof(struct entry) * 4);
	damage(input, disk_content + SIZE - BLOCK, BLOCK);
	if (fuzz_take(input, 1) & 1) {
		fix_header(disk_content + BLOCK);
		fix_header(disk_content + SIZE - BLOCK);
	}
	error = gpt_find(disk, &partition);
	fuzz_check(error <= 0);
	if (!error)
		fuzz_check(partition.size && partition.size <= SIZE &&
			   partition.offset <= SIZE - partition.size);
}

static void check_volumes(struct fuzz_input *input)
{
	static struct metadata table;
	uint64_t units = fuzz_take(input, 2);
	char name[STORE_NAME] = "a";

	metadata_init(&table);
	metadata_create(&table, units, name, 3 * METADATA_UNIT);
	name[0] = 'b';
	metadata_create(&table, units, name, 5 * METADATA_UNIT);
	damage(input, (uint8_t *)&table, offsetof(struct metadata, volumes[4]));
	damage(input, (uint8_t *)table.extents, sizeof(table.extents[0]) * 8);
	metadata_seal(&table);
	if (!metadata_valid(&table, units))
		return;
	for (unsigned i = 0; i < METADATA_VOLUMES; i++) {
		uint64_t length, place;

		if (!table.volumes[i].name[0])
			continue;
		fuzz_check(metadata_find(&table, table.volumes[i].name) == i);
		for (uint64_t at = 0; at < table.volumes[i].size; at += length) {
			place = metadata_map(&table, i, at, &length);
			fuzz_check(length && place >= METADATA_UNIT &&
				   place + length <= units * METADATA_UNIT);
		}
	}
	name[0] = 'c';
	metadata_create(&table, units, name, fuzz_take(input, 1) * METADATA_UNIT);
	metadata_delete(&table, 0);
	metadata_seal(&table);
	metadata_valid(&table, units);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gpt_disk disk = {NULL, SIZE, BLOCK, read_disk, write_disk, flush_disk};
	struct fuzz_input input = {data, size};

	if (!disk_content)
		disk_content = malloc(SIZE);
	memset(disk_content, 0, MIB);
	memset(disk_content + SIZE - MIB, 0, MIB);
	check_table(&disk, &input);
	check_volumes(&input);
	return 0;
}
