/* SPDX-License-Identifier: MIT */
/*
 * The store's volumes on a disk with a volatile cache whose power is cut at any write: any of the
 * blocks that weren't flushed may be lost.  The table always opens, what was answered is there, and
 * what was flushed in a volume stays.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_os.h"
#include "type1/services/store/checksum.c"
#include "type1/services/store/disk.c"
#include "type1/services/store/gpt.c"
#include "type1/services/store/import.c"
#include "type1/services/store/metadata.c"
#include "type1/services/store/open.c"
#include "type1/services/store/volumes.c"

#define DISK_SIZE (12 * MIB)
#define BLOCK 512
#define BLOCKS (DISK_SIZE / BLOCK)

/* --- The disk: what is durable, and what its cache has. */

static struct {
	struct block_device block;
	struct device controller;
	uint8_t durable[DISK_SIZE], cached[DISK_SIZE];
	bool dirty[BLOCKS];
	uint64_t writes, writes_left; /* blocks; none left: the power is off */
	struct block_request *first, **last;
	bool kicking;
	void *dma[8]; /* until the controller is closed */
	unsigned dma_count;
} fake;

static const struct block_driver fake_driver = {.name = "fake"};

void *device_dma(const struct device *device, uint64_t size, uint64_t *physical)
{
	void *memory = calloc(1, size);

	(void)device;
	assert_true(fake.dma_count < ARRAY_COUNT(fake.dma));
	fake.dma[fake.dma_count++] = memory;
	*physical = (uint64_t)(uintptr_t)memory;
	return memory;
}

static int write_blocks(uint64_t offset, const uint8_t *bytes, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += BLOCK) {
		if (!fake.writes_left)
			return -EIO;
		fake.writes_left--;
		fake.writes++;
		fake.dirty[(offset + at) / BLOCK] = true;
		if (bytes)
			memcpy(fake.cached + offset + at, bytes + at, BLOCK);
		else
			memset(fake.cached + offset + at, 0, BLOCK);
	}
	return 0;
}

static int flush(void)
{
	if (!fake.writes_left)
		return -EIO;
	for (unsigned i = 0; i < BLOCKS; i++)
		if (fake.dirty[i])
			memcpy(fake.durable + (size_t)i * BLOCK, fake.cached + (size_t)i * BLOCK,
			       BLOCK);
	memset(fake.dirty, 0, sizeof(fake.dirty));
	return 0;
}

static int serve(const struct block_request *request)
{
	uint8_t *memory =
		request->extents ? (uint8_t *)(uintptr_t)request->extents->physical : NULL;

	assert_true(request->offset <= DISK_SIZE && request->length <= DISK_SIZE - request->offset);
	assert_true(request->offset % BLOCK == 0 && request->length % BLOCK == 0);
	switch (request->operation) {
	case BLOCK_READ:
		memcpy(memory, fake.cached + request->offset, request->length);
		return 0;
	case BLOCK_WRITE:
		assert_true(request->length <= request->extents->size);
		return write_blocks(request->offset, memory, request->length);
	case BLOCK_ZERO:
	case BLOCK_DISCARD: /* at its worst */
		return write_blocks(request->offset, NULL, request->length);
	case BLOCK_FLUSH:
		break;
	}
	return flush();
}

void block_submit(struct block_device *disk, struct block_request *request)
{
	(void)disk;
	request->next = NULL;
	*fake.last = request;
	fake.last = &request->next;
}

void block_kick(struct block_device *disk)
{
	struct block_request *request;

	(void)disk;
	if (fake.kicking)
		return;
	fake.kicking = true;
	while ((request = fake.first)) {
		fake.first = request->next;
		if (!fake.first)
			fake.last = &fake.first;
		request->done(request, serve(request));
	}
	fake.kicking = false;
}

static void close_controller(void)
{
	while (fake.dma_count)
		free(fake.dma[--fake.dma_count]);
}

static void plug_in(void)
{
	close_controller();
	memset(&fake, 0, sizeof(fake));
	fake.last = &fake.first;
	fake.writes_left = UINT64_MAX;
	fake.block = (struct block_device){
		.driver = &fake_driver,
		.controller = &fake.controller,
		.info = {.size = DISK_SIZE,
			 .block_size = BLOCK,
			 .name = "fake",
			 .discard_max = DISK_SIZE},
	};
}

/* The power comes back: each block that wasn't flushed is the old or the new one. */
static void power_up(void)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		uint8_t *durable = fake.durable + (size_t)i * BLOCK;
		uint8_t *cached = fake.cached + (size_t)i * BLOCK;

		if (fake.dirty[i] && rand() % 2)
			memcpy(durable, cached, BLOCK);
		else if (fake.dirty[i])
			memcpy(cached, durable, BLOCK);
	}
	memset(fake.dirty, 0, sizeof(fake.dirty));
	fake.writes_left = UINT64_MAX;
}

/* --- Volumes */

static struct os_loop *loop;
static struct error why;

static struct volumes *open_all(bool format)
{
	struct volumes *volumes = NULL;

	return volumes_open(&fake.block, loop, format, &volumes, &why) < 0 ? NULL : volumes;
}

static void close_all(struct volumes *volumes)
{
	close_controller();
	if (!volumes)
		return;
	free(volumes->metadata);
	free(volumes->other);
	free(volumes);
}

static int change_result;

static void change_done(struct volumes_change *change, int result)
{
	(void)change;
	change_result = result;
}

static int change(struct volumes *volumes, enum volumes_operation operation, const char *name,
		  uint64_t size)
{
	struct volumes_change what = {.operation = operation, .size = size, .done = change_done};

	strcpy(what.name, name);
	change_result = 1;
	volumes_change(volumes, &what);
	assert_int_not_equal(change_result, 1);
	assert_false(volumes_busy(volumes));
	return change_result;
}

static uint64_t size_of(const struct volumes *volumes, const char *text)
{
	char name[STORE_NAME] = {0};
	unsigned volume;

	strcpy(name, text);
	volume = metadata_find(volumes->metadata, name);
	return volume == METADATA_NO_VOLUME ? 0 : volumes->metadata->volumes[volume].size;
}

static uint64_t place_of(const struct volumes *volumes, const char *text, uint64_t offset)
{
	char name[STORE_NAME] = {0};
	uint64_t length;

	strcpy(name, text);
	return volumes->start + metadata_map(volumes->metadata,
					     metadata_find(volumes->metadata, name), offset,
					     &length);
}

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 9) + 1);
}

/* A guest's data: written, and flushed. */
static int write_data(const struct volumes *volumes, const char *name, uint64_t size)
{
	uint8_t bytes[BLOCK];
	int error = 0;

	for (uint64_t at = 0; at < size && !error; at += BLOCK) {
		for (unsigned i = 0; i < BLOCK; i++)
			bytes[i] = pattern(at + i);
		error = write_blocks(place_of(volumes, name, at), bytes, BLOCK);
	}
	return error ? error : flush();
}

static bool data_is(const struct volumes *volumes, const char *name, uint64_t from, uint64_t to,
		    bool written)
{
	for (; from < to; from += BLOCK) {
		const uint8_t *bytes = fake.cached + place_of(volumes, name, from);

		for (unsigned i = 0; i < BLOCK; i++)
			if (bytes[i] != (written ? pattern(from + i) : 0))
				return false;
	}
	return true;
}

#define DATA (64 * KIB)

static void only_empty_disks_are_formatted(void **state)
{
	struct volumes *volumes;

	(void)state;
	plug_in();
	assert_null(open_all(false));
	assert_int_equal(fake.writes, 0);
	fake.cached[3000] = 1;
	assert_null(open_all(true));
	assert_int_equal(fake.writes, 0);
	fake.cached[3000] = 0;
	volumes = open_all(true);
	assert_non_null(volumes);
	assert_int_equal(volumes_free(volumes), 9 * MIB);
	close_all(volumes);
	/* And never a second time. */
	volumes = open_all(true);
	assert_int_equal(change(volumes, VOLUMES_CREATE, "a", MIB), 0);
	close_all(volumes);
	volumes = open_all(true);
	assert_int_equal(size_of(volumes, "a"), MIB);
	close_all(volumes);
	/* Two tables that are damaged are no reason, either. */
	fake.cached[MIB + 100] ^= 1;
	fake.cached[MIB + METADATA_SLOT_SIZE + 100] ^= 1;
	assert_null(open_all(true));
}

static void nobody_reads_what_others_had(void **state)
{
	struct volumes *volumes;

	(void)state;
	plug_in();
	fake.block.info.discard_max = 0;
	volumes = open_all(true);
	assert_int_equal(change(volumes, VOLUMES_CREATE, "a", 2 * MIB), 0);
	assert_int_equal(write_data(volumes, "a", 2 * MIB), 0);
	assert_int_equal(change(volumes, VOLUMES_DELETE, "a", 0), 0);
	assert_int_equal(change(volumes, VOLUMES_CREATE, "b", MIB), 0);
	assert_int_equal(change(volumes, VOLUMES_GROW, "b", 2 * MIB), 0);
	assert_true(data_is(volumes, "b", 0, 2 * MIB, false));
	close_all(volumes);
}

static void changes_that_cannot_be_are_refused(void **state)
{
	struct volumes *volumes;

	(void)state;
	plug_in();
	volumes = open_all(true);
	assert_int_equal(change(volumes, VOLUMES_DELETE, "a", 0), -ENOENT);
	assert_int_equal(change(volumes, VOLUMES_GROW, "a", MIB), -ENOENT);
	assert_int_equal(change(volumes, VOLUMES_CREATE, "a", 10 * MIB), -ENOSPC);
	assert_int_equal(change(volumes, VOLUMES_CREATE, "a", 9 * MIB), 0);
	assert_int_equal(change(volumes, VOLUMES_GROW, "a", 10 * MIB), -ENOSPC);
	assert_int_equal(size_of(volumes, "a"), 9 * MIB);
	fake.block.info.read_only = true;
	assert_int_equal(change(volumes, VOLUMES_DELETE, "a", 0), -EROFS);
	close_all(volumes);
}

static void a_file_becomes_a_volume(void **state)
{
	static uint8_t content[3 * MIB / 2 + 100];
	struct config_volume config = {.name = "root", .file = "root.img", .size = 2 * MIB};
	struct volumes *volumes;
	uint64_t size;

	(void)state;
	plug_in();
	memset(fake.cached + 2 * MIB, 0xee, 4 * MIB);
	for (unsigned i = 0; i < sizeof(content); i++)
		content[i] = i / 4096 % 100 < 50 ? pattern(i) : 0;
	fake_file_publish("root.img", content, sizeof(content));
	volumes = open_all(true);
	assert_non_null(volumes);
	assert_int_equal(import_volume(volumes, &config, loop, &size, &why), 0);
	assert_int_equal(size, 2 * MIB);
	assert_memory_equal(fake.cached + place_of(volumes, "root", 0), content, sizeof(content));
	assert_int_equal(fake.cached[place_of(volumes, "root", MIB) + MIB / 2 + 100], 0);
	strcpy(config.name, "too-large");
	config.size = 20 * MIB;
	assert_int_equal(import_volume(volumes, &config, loop, &size, &why), -ENOSPC);
	strcpy(config.file, "none");
	assert_int_equal(import_volume(volumes, &config, loop, &size, &why), -ENOENT);
	close_all(volumes);
}

/* --- Cuts of power */

/* What was answered before the power went. */
struct answers {
	bool created, written, other, grown, deleted, last;
};

static struct answers live(void)
{
	struct volumes *volumes = open_all(true);
	struct answers answers = {0};

	if (!volumes)
		return answers;
	answers.created = change(volumes, VOLUMES_CREATE, "a", 2 * MIB) == 0;
	answers.written = answers.created && write_data(volumes, "a", DATA) == 0;
	answers.other = change(volumes, VOLUMES_CREATE, "b", MIB) == 0;
	answers.grown = answers.other && change(volumes, VOLUMES_GROW, "a", 3 * MIB) == 0;
	answers.deleted = answers.other && change(volumes, VOLUMES_DELETE, "b", 0) == 0;
	answers.last = answers.deleted && change(volumes, VOLUMES_CREATE, "c", 4 * MIB) == 0;
	close_all(volumes);
	return answers;
}

static void check(const struct answers *answers)
{
	struct volumes *volumes = open_all(true);

	assert_non_null(volumes);
	if (answers->created)
		assert_true(size_of(volumes, "a") >= 2 * MIB);
	if (answers->written)
		assert_true(data_is(volumes, "a", 0, DATA, true));
	if (answers->other && !answers->grown)
		assert_true(size_of(volumes, "b"));
	if (answers->grown)
		assert_int_equal(size_of(volumes, "a"), 3 * MIB);
	if (answers->deleted)
		assert_int_equal(size_of(volumes, "b"), 0);
	/* Whoever is there is as new, and can be used. */
	if (size_of(volumes, "a"))
		assert_true(data_is(volumes, "a", DATA, DATA + MIB, false));
	if (size_of(volumes, "c"))
		assert_true(data_is(volumes, "c", 0, size_of(volumes, "c"), false));
	if (answers->last)
		assert_int_equal(size_of(volumes, "c"), 4 * MIB);
	else if (!size_of(volumes, "c"))
		assert_int_equal(change(volumes, VOLUMES_CREATE, "c", MIB), 0);
	close_all(volumes);
}

static void power_may_be_cut_at_any_write(void **state)
{
	struct answers answers;
	uint64_t total;

	(void)state;
	srand(1);
	plug_in();
	answers = live();
	assert_true(answers.last);
	total = fake.writes;
	for (unsigned trial = 0; trial < 200; trial++) {
		plug_in();
		fake.writes_left = (uint64_t)rand() % total;
		answers = live();
		power_up();
		check(&answers);
		/* Once more, in what comes then. */
		fake.writes_left = (uint64_t)rand() % (4 * MIB / BLOCK);
		close_all(open_all(true));
		power_up();
		check(&answers);
	}
}

/* The writes of tables are few among the others: each of them. */
static void power_may_be_cut_within_a_table(void **state)
{
	struct answers answers;
	uint64_t before, after;

	(void)state;
	plug_in();
	close_all(open_all(true));
	before = fake.writes;
	after = before + 2 * MIB / BLOCK + sizeof(struct metadata) / BLOCK;
	for (uint64_t left = before + 2 * MIB / BLOCK; left <= after + 2; left++) {
		plug_in();
		fake.writes_left = left;
		answers = live();
		assert_int_equal(answers.created, left > after);
		power_up();
		check(&answers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_empty_disks_are_formatted),
		cmocka_unit_test(nobody_reads_what_others_had),
		cmocka_unit_test(changes_that_cannot_be_are_refused),
		cmocka_unit_test(a_file_becomes_a_volume),
		cmocka_unit_test(power_may_be_cut_at_any_write),
		cmocka_unit_test(power_may_be_cut_within_a_table),
	};

	assert_int_equal(os_loop_create(&loop), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
