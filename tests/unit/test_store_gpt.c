/* SPDX-License-Identifier: MIT */
/* The store's partition tables: made, found by either copy, and nothing else ever taken for one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "type1/services/store/checksum.c"
#include "type1/services/store/gpt.c"

#define SIZE (8 * MIB)

static struct {
	uint8_t content[SIZE];
	uint64_t writes_left; /* blocks; then all is lost */
	uint32_t block_size;
} fake;

static int fake_read(void *arg, uint64_t offset, void *buffer, uint64_t size)
{
	(void)arg;
	assert_true(offset <= SIZE && size <= SIZE - offset);
	assert_true(offset % fake.block_size == 0 && size % fake.block_size == 0);
	memcpy(buffer, fake.content + offset, size);
	return 0;
}

static int fake_write(void *arg, uint64_t offset, const void *buffer, uint64_t size)
{
	(void)arg;
	assert_true(offset <= SIZE && size <= SIZE - offset);
	assert_true(offset % fake.block_size == 0 && size % fake.block_size == 0);
	for (uint64_t at = 0; at < size; at += fake.block_size) {
		if (!fake.writes_left)
			return -EIO;
		fake.writes_left--;
		memcpy(fake.content + offset + at, (const uint8_t *)buffer + at, fake.block_size);
	}
	return 0;
}

static int fake_flush(void *arg)
{
	(void)arg;
	return fake.writes_left ? 0 : -EIO;
}

static const uint8_t random_bytes[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static struct gpt_disk begin(uint32_t block_size)
{
	memset(&fake, 0, sizeof(fake));
	fake.writes_left = UINT64_MAX;
	fake.block_size = block_size;
	return (struct gpt_disk){NULL, SIZE, block_size, fake_read, fake_write, fake_flush};
}

static void make(const struct gpt_disk *disk)
{
	struct gpt_partition partition;

	assert_int_equal(gpt_plan(disk, &partition), 0);
	assert_int_equal(gpt_create(disk, &partition, random_bytes), 0);
}

static void the_checksums_are_the_known_ones(void **state)
{
	(void)state;
	assert_int_equal(checksum(CHECKSUM_CRC32, 0, "123456789", 9), 0xcbf43926);
	assert_int_equal(checksum(CHECKSUM_CRC32C, 0, "123456789", 9), 0xe3069283);
	assert_int_equal(
		checksum(CHECKSUM_CRC32, checksum(CHECKSUM_CRC32, 0, "1234", 4), "56789", 5),
		0xcbf43926);
}

static void what_is_made_is_found(void **state)
{
	static const uint32_t sizes[] = {512, 4096};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct gpt_disk disk = begin(sizes[i]);
		struct gpt_partition partition;

		assert_int_equal(gpt_find(&disk, &partition), -ENODATA);
		make(&disk);
		assert_int_equal(gpt_find(&disk, &partition), 0);
		assert_int_equal(partition.offset, MIB);
		assert_int_equal(partition.size, SIZE - 2 * MIB);
	}
}

static void the_backup_serves_when_the_first_is_damaged(void **state)
{
	struct gpt_disk disk = begin(512);
	struct gpt_partition partition;

	(void)state;
	make(&disk);
	fake.content[2 * 512 + 40] ^= 1; /* an entry */
	assert_int_equal(gpt_find(&disk, &partition), 0);
	fake.content[512] ^= 1; /* the header */
	assert_int_equal(gpt_find(&disk, &partition), 0);
	fake.content[SIZE - 512 + 60] ^= 1;
	assert_int_equal(gpt_find(&disk, &partition), -EINVAL);
}

static void other_disks_are_left_alone(void **state)
{
	struct gpt_disk disk = begin(512);
	struct gpt_partition partition;

	(void)state;
	/* A partition of another type: found by its own checksums. */
	make(&disk);
	for (unsigned copy = 0; copy < 2; copy++) {
		uint8_t *header = fake.content + (copy ? SIZE - 512 : 512);
		uint8_t *entries = fake.content + load_le64(header + 72) * 512;

		entries[0] ^= 1;
		store_le32(header + 88, checksum(CHECKSUM_CRC32, 0, entries, ENTRIES_SIZE));
		store_le32(header + 16, 0);
		store_le32(header + 16, checksum(CHECKSUM_CRC32, 0, header, HEADER_SIZE));
	}
	assert_int_equal(gpt_find(&disk, &partition), -ENOENT);
	/* A file system without partitions; a byte near the end. */
	disk = begin(512);
	fake.content[1024 + 56] = 0x53;
	assert_int_equal(gpt_find(&disk, &partition), -EINVAL);
	disk = begin(512);
	fake.content[SIZE - 4096] = 1;
	assert_int_equal(gpt_find(&disk, &partition), -EINVAL);
}

static void a_disk_may_be_too_small(void **state)
{
	struct gpt_disk disk = begin(512);
	struct gpt_partition partition;

	(void)state;
	disk.size = MIB;
	assert_int_equal(gpt_find(&disk, &partition), -EINVAL);
	disk.size = 2 * MIB;
	assert_int_equal(gpt_plan(&disk, &partition), -ENOSPC);
}

static void making_can_be_cut_off_at_any_write(void **state)
{
	struct gpt_disk disk = begin(512);
	struct gpt_partition planned, partition;
	uint64_t writes = 0;
	int error;

	(void)state;
	do {
		disk = begin(512);
		assert_int_equal(gpt_plan(&disk, &planned), 0);
		fake.writes_left = writes++;
		error = gpt_create(&disk, &planned, random_bytes);
		fake.writes_left = UINT64_MAX;
		if (gpt_find(&disk, &partition) == -ENODATA)
			make(&disk);
		assert_int_equal(gpt_find(&disk, &partition), 0);
		assert_memory_equal(&partition, &planned, sizeof(partition));
	} while (error);
	assert_true(writes > 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksums_are_the_known_ones),
		cmocka_unit_test(what_is_made_is_found),
		cmocka_unit_test(the_backup_serves_when_the_first_is_damaged),
		cmocka_unit_test(other_disks_are_left_alone),
		cmocka_unit_test(a_disk_may_be_too_small),
		cmocka_unit_test(making_can_be_cut_off_at_any_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
