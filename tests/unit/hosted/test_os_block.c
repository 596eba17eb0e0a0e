/* SPDX-License-Identifier: MIT */
/*
 * test_os_block.c - block storage on real files, with both engines and both cache modes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/loop.h>

#include "lib/bits.h"
#include "type2/process/block.h"
#include "type2/process/process.h"

#define SECTOR 512
#define DISK_SIZE (4 * MIB)

static char directory[] = "/tmp/dyad-test-XXXXXX";
static struct os_loop *loop;

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) && os_loop_create(&loop) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	os_loop_destroy(loop);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void make_file(const char *name, uint64_t size)
{
	int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

struct way {
	enum process_block_engine engine;
	enum os_block_cache cache;
};

static const struct way ways[] = {
	{PROCESS_BLOCK_URING, OS_BLOCK_WRITEBACK},
	{PROCESS_BLOCK_URING, OS_BLOCK_NONE},
	{PROCESS_BLOCK_THREADS, OS_BLOCK_WRITEBACK},
	{PROCESS_BLOCK_THREADS, OS_BLOCK_NONE},
};

/* NULL: the host has no io_uring, or the file system no O_DIRECT. */
static struct os_block *open_by(const char *name, const struct way *way)
{
	struct os_block_options options = {.name = path_of(name), .cache = way->cache};
	struct os_block *block;
	struct error why;
	int error = process_block_open(loop, &options, way->engine, &block, &why);

	if (!error)
		return block;
	if (way->cache == OS_BLOCK_NONE)
		assert_non_null(strstr(why.text, "cache=writeback"));
	else
		assert_non_null(strstr(why.text, "io_uring"));
	return NULL;
}

struct operation {
	struct os_block_request request;
	struct os_iov iov[8];
	int result;
	bool done;
	unsigned *left; /* counts down; at 0 the loop stops */
};

static void operation_done(struct os_block_request *request, int result)
{
	struct operation *operation = CONTAINER_OF(request, struct operation, request);

	assert_false(operation->done);
	operation->done = true;
	operation->result = result;
	if (operation->left && --*operation->left == 0)
		os_loop_stop(loop);
}

static void operation_init(struct operation *operation, enum os_block_op op, uint64_t offset,
			   void *buffer, uint64_t length)
{
	*operation = (struct operation){
		.request = {.op = op, .offset = offset, .length = length, .done = operation_done}};
	if (buffer) {
		operation->iov[0] = (struct os_iov){buffer, length};
		operation->request.iov_count = 1;
	}
	operation->request.iov = operation->iov;
}

/* One operation, through the loop. */
static int run_one(struct os_block *block, enum os_block_op op, uint64_t offset, void *buffer,
		   uint64_t length)
{
	struct operation operation;
	unsigned left = 1;

	operation_init(&operation, op, offset, buffer, length);
	operation.left = &left;
	os_block_submit(block, &operation.request);
	assert_false(operation.done);
	os_block_kick(block);
	os_loop_run(loop);
	assert_true(operation.done);
	return operation.result;
}

/* --- Opening
 * ---------------------------------------------------------------------------------------- */

static void expect_open_error(const char *path, bool read_only, int error, const char *words)
{
	struct os_block_options options = {.name = path, .read_only = read_only};
	struct os_block *block;
	struct error why;

	assert_int_equal(os_block_open(loop, &options, &block, &why), error);
	assert_non_null(strstr(why.text, path));
	assert_non_null(strstr(why.text, words));
}

static void test_what_is_no_disk_is_refused_with_a_sentence(void **state)
{
	(void)state;
	expect_open_error(path_of("missing"), false, -ENOENT, "there is no file");
	expect_open_error(directory, false, -EISDIR, "is a directory");
	expect_open_error("/dev/null", false, -EINVAL, "is a character device");
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	expect_open_error(path_of("fifo"), true, -EINVAL, "is a pipe");
	make_file("empty", 0);
	expect_open_error(path_of("empty"), false, -EINVAL, "is empty");
	make_file("odd", 1000);
	expect_open_error(path_of("odd"), false, -EINVAL, "1000 bytes, which is no multiple");
}

static void test_no_right_to_write_is_said(void **state)
{
	(void)state;
	make_file("guarded", 4096);
	assert_int_equal(chmod(path_of("guarded"), 0444), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	if (getuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	expect_open_error(path_of("guarded"), false, -EACCES, "read-only");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

static struct os_block *open_plain(const char *name, bool read_only)
{
	struct os_block_options options = {.name = path_of(name), .read_only = read_only};
	struct os_block *block;
	struct error why;

	assert_int_equal(os_block_open(loop, &options, &block, &why), 0);
	return block;
}

static void test_one_writer_or_many_readers(void **state)
{
	struct os_block *first, *second;

	(void)state;
	make_file("shared", 4096);
	first = open_plain("shared", false);
	expect_open_error(path_of("shared"), false, -EBUSY, "in use by another virtual machine");
	expect_open_error(path_of("shared"), true, -EBUSY, "in use by another virtual machine");
	os_block_close(first);
	first = open_plain("shared", true);
	second = open_plain("shared", true);
	expect_open_error(path_of("shared"), false, -EBUSY, "read-only");
	os_block_close(first);
	os_block_close(second);
	os_block_close(open_plain("shared", false));
	os_block_close(NULL);
}

static void test_info_tells_size_and_rights(void **state)
{
	struct os_block_info info;
	struct os_block *block;

	(void)state;
	make_file("info", 3 * SECTOR);
	block = open_plain("info", true);
	os_block_get_info(block, &info);
	assert_int_equal(info.size, 3 * SECTOR);
	assert_int_equal(info.block_size, SECTOR);
	assert_true(info.read_only);
	assert_false(info.can_discard);
	os_block_close(block);
	block = open_plain("info", false);
	os_block_get_info(block, &info);
	assert_false(info.read_only);
	os_block_close(block);
	/* Asking whether holes can be made has not made the file longer. */
	block = open_plain("info", true);
	os_block_get_info(block, &info);
	assert_int_equal(info.size, 3 * SECTOR);
	os_block_close(block);
}

/* --- Requests
 * --------------------------------------------------------------------------------------- */

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

#define BATCH 24
#define ROUNDS 60
#define REQUEST_MAX (64 * KIB)

/* Splits its one segment into several of random lengths, multiples of unit. */
static void operation_split(struct operation *operation, uint32_t unit)
{
	uint8_t *buffer = operation->iov[0].base;
	uint64_t left = operation->request.length;
	uint32_t i = 0;

	while (left) {
		uint64_t part = left;

		if (i < ARRAY_COUNT(operation->iov) - 1)
			part = MIN(left,
				   (uint64_t)unit * (1 + random_below((uint32_t)(left / unit))));
		operation->iov[i++] = (struct os_iov){buffer, part};
		buffer += part;
		left -= part;
	}
	operation->request.iov_count = i;
}

/*
 * Batches of requests that don't overlap, of all shapes, are compared with a disk in memory.
 * Segments and memory are aligned to 512 bytes, or not at all.
 */
static void check_against_model(struct os_block *block)
{
	static struct operation operations[BATCH];
	uint8_t *model = calloc(1, DISK_SIZE), *buffers = NULL, *whole;

	buffers = aligned_alloc(4096, BATCH * (REQUEST_MAX + 512));
	assert_non_null(buffers);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const uint64_t zone = DISK_SIZE / BATCH / SECTOR * SECTOR;
		bool aligned = random_below(2);

		for (unsigned i = 0; i < BATCH; i++) {
			uint64_t sectors = 1 + random_below(REQUEST_MAX / SECTOR);
			uint64_t offset =
				i * zone +
				SECTOR * random_below((uint32_t)(zone / SECTOR - sectors + 1));
			uint8_t *buffer = buffers + i * (REQUEST_MAX + 512) +
					  (aligned ? 0 : random_below(512));
			bool write = random_below(2);

			operation_init(&operations[i], write ? OS_BLOCK_WRITE : OS_BLOCK_READ,
				       offset, buffer, sectors * SECTOR);
			operation_split(&operations[i], aligned ? SECTOR : 1);
			for (uint64_t at = 0; at < sectors * SECTOR; at++)
				buffer[at] = (uint8_t)random_below(256);
			if (write)
				memcpy(model + offset, buffer, sectors * SECTOR);
			os_block_submit(block, &operations[i].request);
		}
		os_block_drain(block);
		for (unsigned i = 0; i < BATCH; i++) {
			assert_true(operations[i].done);
			assert_int_equal(operations[i].result, 0);
			assert_memory_equal(operations[i].iov[0].base,
					    model + operations[i].request.offset,
					    operations[i].request.length);
		}
	}
	free(buffers);
	whole = aligned_alloc(4096, DISK_SIZE);
	assert_non_null(whole);
	assert_int_equal(run_one(block, OS_BLOCK_READ, 0, whole, DISK_SIZE), 0);
	assert_memory_equal(whole, model, DISK_SIZE);
	free(whole);
	free(model);
}

static void test_requests_of_all_shapes_match_a_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct os_block *block;

		make_file("model", DISK_SIZE);
		block = open_by("model", &ways[i]);
		if (!block)
			continue;
		check_against_model(block);
		os_block_close(block);
	}
}

/* As on a disk with sectors of 4096 bytes, which this host may not have. */
static void test_parts_of_larger_units_are_read_modified_and_written(void **state)
{
	const struct way way = {PROCESS_BLOCK_THREADS, OS_BLOCK_NONE};
	struct os_block *block;

	(void)state;
	make_file("model", DISK_SIZE);
	block = open_by("model", &way);
	if (!block) {
		skip();
		return;
	}
	block->file.offset_alignment = block->file.memory_alignment = 4096;
	check_against_model(block);
	os_block_close(block);
}

static void test_more_requests_than_a_queue_holds(void **state)
{
	enum { COUNT = 1000 };
	struct operation *operations = calloc(COUNT, sizeof(*operations));
	uint8_t *buffers = calloc(COUNT, SECTOR);

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct os_block *block;
		unsigned left = COUNT;

		make_file("many", DISK_SIZE);
		block = open_by("many", &ways[i]);
		if (!block)
			continue;
		for (unsigned j = 0; j < COUNT; j++) {
			operation_init(&operations[j], OS_BLOCK_WRITE, j * SECTOR,
				       buffers + j * SECTOR, SECTOR);
			operations[j].left = &left;
			os_block_submit(block, &operations[j].request);
		}
		os_block_kick(block);
		os_loop_run(loop);
		for (unsigned j = 0; j < COUNT; j++)
			assert_int_equal(operations[j].result, 0);
		os_block_close(block);
	}
	free(operations);
	free(buffers);
}

static void test_close_waits_for_what_is_outstanding(void **state)
{
	static uint8_t bytes[64 * KIB];

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct operation operation;
		struct os_block *block;
		uint8_t back[SECTOR];
		int fd;

		make_file("closed", sizeof(bytes));
		block = open_by("closed", &ways[i]);
		if (!block)
			continue;
		operation_init(&operation, OS_BLOCK_WRITE, 0, bytes, sizeof(bytes));
		os_block_submit(block, &operation.request);
		os_block_close(block);
		assert_true(operation.done);
		assert_int_equal(operation.result, 0);
		fd = open(path_of("closed"), O_RDONLY);
		assert_int_equal(pread(fd, back, SECTOR, sizeof(bytes) - SECTOR), SECTOR);
		assert_memory_equal(back, bytes, SECTOR);
		close(fd);
	}
}

struct chain {
	struct operation operation;
	struct os_block *block;
	unsigned left;
	uint8_t sector[SECTOR];
};

static void chain_done(struct os_block_request *request, int result)
{
	struct chain *chain = CONTAINER_OF(request, struct chain, operation.request);

	assert_int_equal(result, 0);
	if (--chain->left == 0) {
		os_loop_stop(loop);
		return;
	}
	os_block_submit(chain->block, request);
	os_block_kick(chain->block);
}

static void test_done_may_submit_the_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct chain chain = {.left = 5000};

		make_file("chain", DISK_SIZE);
		chain.block = open_by("chain", &ways[i]);
		if (!chain.block)
			continue;
		operation_init(&chain.operation, OS_BLOCK_READ, 0, chain.sector, SECTOR);
		chain.operation.request.done = chain_done;
		os_block_submit(chain.block, &chain.operation.request);
		os_block_kick(chain.block);
		os_loop_run(loop);
		assert_int_equal(chain.left, 0);
		os_block_close(chain.block);
	}
}

static void test_flush_discard_and_zeroes(void **state)
{
	static uint8_t bytes[64 * KIB], zeroes[64 * KIB];

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct os_block_info info;
		struct os_block *block;
		struct stat status;
		uint8_t *back;

		make_file("zero", DISK_SIZE);
		block = open_by("zero", &ways[i]);
		if (!block)
			continue;
		os_block_get_info(block, &info);
		back = aligned_alloc(4096, sizeof(bytes));
		assert_non_null(back);
		assert_int_equal(run_one(block, OS_BLOCK_WRITE, 0, bytes, sizeof(bytes)), 0);
		assert_int_equal(run_one(block, OS_BLOCK_FLUSH, 0, NULL, 0), 0);
		assert_int_equal(run_one(block, OS_BLOCK_WRITE_ZEROES, SECTOR, NULL, 20 * KIB), 0);
		assert_int_equal(run_one(block, OS_BLOCK_READ, 0, back, sizeof(bytes)), 0);
		assert_memory_equal(back, bytes, SECTOR);
		assert_memory_equal(back + SECTOR, zeroes, 20 * KIB);
		assert_memory_equal(back + SECTOR + 20 * KIB, bytes,
				    sizeof(bytes) - SECTOR - 20 * KIB);
		if (info.can_discard) {
			assert_int_equal(run_one(block, OS_BLOCK_DISCARD, 0, NULL, DISK_SIZE), 0);
			assert_int_equal(stat(path_of("zero"), &status), 0);
			assert_int_equal(status.st_blocks, 0);
			assert_int_equal(status.st_size, DISK_SIZE);
		}
		assert_int_equal(run_one(block, OS_BLOCK_DISCARD, 0, NULL, 0), 0);
		assert_int_equal(run_one(block, OS_BLOCK_WRITE_ZEROES, 0, NULL, 0), 0);
		free(back);
		os_block_close(block);
	}
}

static void test_file_cut_meanwhile_is_an_error(void **state)
{
	static _Alignas(4096) uint8_t bytes[16 * KIB];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct os_block *block;

		make_file("cut", DISK_SIZE);
		block = open_by("cut", &ways[i]);
		if (!block)
			continue;
		assert_int_equal(truncate(path_of("cut"), 8 * KIB), 0);
		assert_int_equal(run_one(block, OS_BLOCK_READ, 0, bytes, 8 * KIB), 0);
		assert_int_equal(run_one(block, OS_BLOCK_READ, 0, bytes, 16 * KIB), -EIO);
		assert_int_equal(run_one(block, OS_BLOCK_READ, MIB, bytes, 4 * KIB), -EIO);
		/* Not aligned. */
		assert_int_equal(run_one(block, OS_BLOCK_READ, 0, bytes + 1, 12 * KIB), -EIO);
		os_block_close(block);
	}
}

static void test_write_to_a_read_only_disk_fails(void **state)
{
	static _Alignas(4096) uint8_t bytes[4 * KIB];
	static const enum process_block_engine engines[] = {PROCESS_BLOCK_AUTO,
							    PROCESS_BLOCK_THREADS};

	(void)state;
	make_file("readonly", DISK_SIZE);
	for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
		struct os_block_options options = {.name = path_of("readonly"), .read_only = true};
		struct os_block *block;
		struct error why;

		assert_int_equal(process_block_open(loop, &options, engines[i], &block, &why), 0);
		assert_int_equal(run_one(block, OS_BLOCK_WRITE, 0, bytes, sizeof(bytes)), -EBADF);
		assert_int_equal(run_one(block, OS_BLOCK_READ, 0, bytes, sizeof(bytes)), 0);
		os_block_close(block);
	}
}

static void test_rest_of_a_request_starts_where_it_stopped(void **state)
{
	static char memory[100];
	struct os_iov iov[] = {{memory, 10}, {memory + 20, 0}, {memory + 30, 5}, {memory + 50, 7}};
	struct os_block_request request = {.iov = iov, .iov_count = 4, .length = 22};
	const struct iovec *rest;

	(void)state;
	assert_int_equal(block_remaining(&request, &rest), 4);
	assert_ptr_equal(rest[0].iov_base, memory);
	block_job(&request)->transferred = 4;
	assert_int_equal(block_remaining(&request, &rest), 1);
	assert_ptr_equal(rest[0].iov_base, memory + 4);
	assert_int_equal(rest[0].iov_len, 6);
	block_job(&request)->transferred = 10;
	assert_int_equal(block_remaining(&request, &rest), 2);
	assert_ptr_equal(rest[0].iov_base, memory + 30);
	block_job(&request)->transferred = 21;
	assert_int_equal(block_remaining(&request, &rest), 1);
	assert_ptr_equal(rest[0].iov_base, memory + 56);
	assert_int_equal(rest[0].iov_len, 1);
	block_job(&request)->transferred = 22;
	assert_int_equal(block_remaining(&request, &rest), 0);
}

static void test_more_segments_than_a_system_call_takes(void **state)
{
	enum { COUNT = 3 * IOV_MAX };
	struct os_iov *iov = calloc(COUNT, sizeof(*iov));
	uint8_t *bytes = malloc(2 * COUNT), *back = malloc(2 * COUNT);

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		bytes[2 * i] = bytes[2 * i + 1] = (uint8_t)(i * 7);
		iov[i] = (struct os_iov){bytes + 2 * i, 2};
	}
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct operation operation;
		struct os_block *block;

		make_file("segments", DISK_SIZE);
		block = open_by("segments", &ways[i]);
		if (!block)
			continue;
		operation_init(&operation, OS_BLOCK_WRITE, 0, NULL, 2 * COUNT);
		operation.request.iov = iov;
		operation.request.iov_count = COUNT;
		os_block_submit(block, &operation.request);
		os_block_drain(block);
		assert_int_equal(operation.result, 0);
		assert_int_equal(run_one(block, OS_BLOCK_READ, 0, back, 2 * COUNT), 0);
		assert_memory_equal(back, bytes, 2 * COUNT);
		os_block_close(block);
	}
	free(iov);
	free(bytes);
	free(back);
}

/* --- A block device
 * ----------------------------------------------------------------------------------- */

/* A loop device on the file; skips where there is none to be had. */
static int loop_device(const char *file, uint32_t sector_size, char *path, size_t size)
{
	struct loop_config config = {.block_size = sector_size};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, device;

	if (control < 0)
		skip();
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, size, "/dev/loop%d", number);
	device = number < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
	config.fd = (uint32_t)open(file, O_RDWR | O_CLOEXEC);
	if (device < 0 || ioctl(device, LOOP_CONFIGURE, &config) < 0)
		skip();
	close((int)config.fd);
	return device;
}

static void check_device(uint32_t sector_size)
{
	struct os_block_info info;
	struct os_block *block;
	char path[64];
	int device;

	make_file("backing", DISK_SIZE);
	device = loop_device(path_of("backing"), sector_size, path, sizeof(path));
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct os_block_options options = {.name = path, .cache = ways[i].cache};
		static uint8_t zeroes[DISK_SIZE];
		struct error why;

		assert_int_equal(process_block_open(loop, &options, ways[i].engine, &block, &why),
				 0);
		os_block_get_info(block, &info);
		assert_int_equal(info.size, DISK_SIZE);
		assert_int_equal(info.block_size, sector_size);
		expect_open_error(path, false, -EBUSY, "in use");
		assert_int_equal(run_one(block, OS_BLOCK_WRITE_ZEROES, 0, NULL, DISK_SIZE), 0);
		check_against_model(block);
		assert_int_equal(run_one(block, OS_BLOCK_FLUSH, 0, NULL, 0), 0);
		assert_int_equal(run_one(block, OS_BLOCK_WRITE_ZEROES, SECTOR, NULL, 9 * KIB), 0);
		assert_int_equal(run_one(block, OS_BLOCK_READ, SECTOR, zeroes, 9 * KIB), 0);
		assert_int_equal(zeroes[0] | zeroes[9 * KIB - 1], 0);
		if (info.can_discard)
			assert_int_equal(run_one(block, OS_BLOCK_DISCARD, SECTOR, NULL, MIB), 0);
		os_block_close(block);
	}
	ioctl(device, LOOP_CLR_FD, 0);
	close(device);
}

static void test_block_device(void **state)
{
	(void)state;
	check_device(SECTOR);
}

static void test_block_device_with_sectors_of_4096(void **state)
{
	(void)state;
	check_device(4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_no_disk_is_refused_with_a_sentence),
		cmocka_unit_test(test_no_right_to_write_is_said),
		cmocka_unit_test(test_one_writer_or_many_readers),
		cmocka_unit_test(test_info_tells_size_and_rights),
		cmocka_unit_test(test_requests_of_all_shapes_match_a_model),
		cmocka_unit_test(test_parts_of_larger_units_are_read_modified_and_written),
		cmocka_unit_test(test_more_requests_than_a_queue_holds),
		cmocka_unit_test(test_close_waits_for_what_is_outstanding),
		cmocka_unit_test(test_done_may_submit_the_next),
		cmocka_unit_test(test_flush_discard_and_zeroes),
		cmocka_unit_test(test_file_cut_meanwhile_is_an_error),
		cmocka_unit_test(test_write_to_a_read_only_disk_fails),
		cmocka_unit_test(test_rest_of_a_request_starts_where_it_stopped),
		cmocka_unit_test(test_more_segments_than_a_system_call_takes),
		cmocka_unit_test(test_block_device),
		cmocka_unit_test(test_block_device_with_sectors_of_4096),
	};

	process_init();
	return cmocka_run_group_tests(tests, setup, teardown);
}
