/* SPDX-License-Identifier: MIT */
/* The block device on a disk in memory, driven as a driver would, and as one never should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/errno.h>

#include "lib/bits.h"
#include "monitor/virtio/devices.h"
#include "tests/support/driver.h"
#include "tests/support/fake_os.h"

#define DISK_SIZE (64 * KIB)
#define SECTOR VIRTIO_BLK_SECTOR_SIZE
#define SECTORS (DISK_SIZE / SECTOR)
#define NO_STATUS 0xee

struct fixture {
	struct driver_memory ram;
	struct os_block *block;
	struct virtio_device *virtio;
	struct driver_device device;
	struct driver_queue *queue;
};

static void start(struct fixture *f, uint64_t features)
{
	driver_start(&f->device, &f->ram, features, 256);
	f->queue = &f->device.queues[0];
}

static void create(struct fixture *f, const struct os_block_info *info, const char *serial)
{
	struct virtio_blk_options options = {.serial = serial, .discard = true};

	driver_memory_create(&f->ram, 4 * MIB);
	f->block = fake_block_create(DISK_SIZE);
	if (info)
		fake_block_set_info(f->block, info);
	options.block = f->block;
	assert_int_equal(virtio_blk_create(&f->ram.memory, &options, &f->virtio), 0);
	driver_attach(&f->device, f->virtio);
	start(f, UINT64_MAX);
}

static int setup(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	create(&fixture, NULL, "disk-serial");
	*state = &fixture;
	return 0;
}

static int setup_read_only(void **state)
{
	static struct fixture fixture;
	struct os_block_info info = {
		.size = DISK_SIZE, .block_size = 4096, .read_only = true, .can_discard = true};

	memset(&fixture, 0, sizeof(fixture));
	create(&fixture, &info, "a serial number that is too long");
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_reset(&f->device);
	virtio_blk_destroy(f->virtio);
	os_block_close(f->block);
	driver_memory_destroy(&f->ram);
	return 0;
}

struct request {
	uint8_t *data, *status;
	uint16_t head;
};

/* Offers a request in the usual framing: header, data (if any), status. */
static struct request offer(struct fixture *f, uint32_t type, uint64_t sector, const void *out,
			    uint32_t out_size, uint32_t in_size)
{
	struct virtio_blk_request header = {.type = type, .sector = sector};
	struct driver_buffer buffers[4];
	struct request request;
	unsigned count = 0;
	gpa_t gpa;

	gpa = driver_alloc_copy(&f->ram, &header, sizeof(header));
	buffers[count++] = (struct driver_buffer){gpa, sizeof(header), false};
	if (out_size) {
		gpa = driver_alloc_copy(&f->ram, out, out_size);
		buffers[count++] = (struct driver_buffer){gpa, out_size, false};
		request.data = driver_at(&f->ram, gpa, out_size);
	}
	if (in_size) {
		gpa = driver_alloc(&f->ram, in_size, 16);
		buffers[count++] = (struct driver_buffer){gpa, in_size, true};
		request.data = driver_at(&f->ram, gpa, in_size);
	}
	gpa = driver_alloc(&f->ram, 1, 1);
	buffers[count++] = (struct driver_buffer){gpa, 1, true};
	request.status = driver_at(&f->ram, gpa, 1);
	*request.status = NO_STATUS;
	request.head = driver_add(f->queue, buffers, count);
	return request;
}

static void expect_used(struct fixture *f, uint16_t head, uint32_t written)
{
	uint32_t used_head, used_written;

	assert_true(driver_take_used(f->queue, &used_head, &used_written));
	assert_int_equal(used_head, head);
	assert_int_equal(used_written, written);
}

/* A request in the usual framing, served at once; returns its status. */
static uint8_t perform(struct fixture *f, uint32_t type, uint64_t sector, const void *out,
		       uint32_t out_size, uint32_t in_size, uint8_t **data)
{
	struct request request = offer(f, type, sector, out, out_size, in_size);

	driver_notify(&f->device, 0);
	expect_used(f, request.head, in_size + 1);
	if (data)
		*data = request.data;
	return *request.status;
}

static uint8_t perform_range(struct fixture *f, uint32_t type, uint64_t sector, uint32_t count,
			     uint32_t flags)
{
	struct virtio_blk_range range = {.sector = sector, .sector_count = count, .flags = flags};

	return perform(f, type, 0, &range, sizeof(range), 0, NULL);
}

static void assert_failed(struct fixture *f)
{
	assert_true(f->virtio->failed);
	assert_int_equal(f->device.config_interrupts, 1);
}

static void test_config_says_what_the_disk_is(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_config config = {0};

	driver_config_read(&f->device, 0, &config, f->virtio->config_size);
	assert_int_equal(config.capacity, SECTORS);
	assert_int_equal(config.blk_size, 512);
	assert_int_equal(config.topology.physical_block_exp, 0);
	assert_true(config.seg_max + 2 <= f->virtio->queue_max[0]);
	assert_int_equal(config.max_discard_seg, 1);
	assert_true(config.max_write_zeroes_sectors > 0);
	assert_false(f->virtio->offered & BIT(VIRTIO_BLK_F_RO));
}

static void test_config_is_readable_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	uint8_t whole[sizeof(struct virtio_blk_config)], piece[4];

	driver_config_read(&f->device, 0, whole, f->virtio->config_size);
	for (uint32_t i = 0; i < f->virtio->config_size; i++) {
		driver_config_read(&f->device, i, piece, 1);
		assert_int_equal(piece[0], whole[i]);
	}
}

static void test_written_data_is_on_the_disk_and_read_back(void **state)
{
	struct fixture *f = *state;
	uint8_t content[3 * SECTOR], *data;

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(perform(f, VIRTIO_BLK_T_OUT, 5, content, sizeof(content), 0, NULL),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(fake_block_content(f->block) + 5 * SECTOR, content, sizeof(content));
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 5, NULL, 0, sizeof(content), &data),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(data, content, sizeof(content));
}

static void test_the_last_sector_can_be_reached_and_the_next_cannot(void **state)
{
	struct fixture *f = *state;
	uint8_t content[2 * SECTOR] = {1};

	assert_int_equal(perform(f, VIRTIO_BLK_T_OUT, SECTORS - 1, content, SECTOR, 0, NULL),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(perform(f, VIRTIO_BLK_T_OUT, SECTORS - 1, content, 2 * SECTOR, 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, SECTORS, NULL, 0, SECTOR, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, UINT64_MAX, NULL, 0, SECTOR, NULL),
			 VIRTIO_BLK_S_IOERR);
	/* A byte offset that would wrap to the first sector. */
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, BIT(55), NULL, 0, SECTOR, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_false(f->virtio->failed);
}

static void test_parts_of_sectors_are_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t content[SECTOR + 1] = {1};

	assert_int_equal(perform(f, VIRTIO_BLK_T_OUT, 0, content, SECTOR + 1, 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR - 1, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, 0, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_block_content(f->block)[0], 0);
}

static void test_framing_does_not_matter(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_request header = {.type = VIRTIO_BLK_T_OUT, .sector = 2};
	uint8_t bytes[sizeof(header) + SECTOR];
	struct driver_buffer buffers[24];
	gpa_t gpa, in;
	unsigned count = 0;
	uint16_t head;

	/* The header byte by byte but its end, which shares a descriptor with the data. */
	memcpy(bytes, &header, sizeof(header));
	memset(bytes + sizeof(header), 0x3c, SECTOR);
	gpa = driver_alloc_copy(&f->ram, bytes, sizeof(bytes));
	for (; count < 13; count++)
		buffers[count] = (struct driver_buffer){gpa + count, 1, false};
	buffers[count++] = (struct driver_buffer){gpa + 13, sizeof(bytes) - 13, false};
	in = driver_alloc(&f->ram, 1, 1);
	buffers[count++] = (struct driver_buffer){in, 1, true};
	head = driver_add(f->queue, buffers, count);
	driver_notify(&f->device, 0);
	expect_used(f, head, 1);
	assert_int_equal(fake_block_content(f->block)[2 * SECTOR], 0x3c);
	assert_int_equal(fake_block_content(f->block)[3 * SECTOR - 1], 0x3c);
	assert_int_equal(fake_block_content(f->block)[3 * SECTOR], 0);

	/* Data and status in one descriptor. */
	header.type = VIRTIO_BLK_T_IN;
	gpa = driver_alloc_copy(&f->ram, &header, sizeof(header));
	in = driver_alloc(&f->ram, SECTOR + 1, 16);
	buffers[0] = (struct driver_buffer){gpa, sizeof(header), false};
	buffers[1] = (struct driver_buffer){in, SECTOR + 1, true};
	*(uint8_t *)driver_at(&f->ram, in + SECTOR, 1) = NO_STATUS;
	head = driver_add_indirect(f->queue, buffers, 2);
	driver_notify(&f->device, 0);
	expect_used(f, head, SECTOR + 1);
	assert_int_equal(*(uint8_t *)driver_at(&f->ram, in + SECTOR - 1, 1), 0x3c);
	assert_int_equal(*(uint8_t *)driver_at(&f->ram, in + SECTOR, 1), VIRTIO_BLK_S_OK);
}

static void test_flush_reaches_the_disk(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(perform(f, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 0, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_block_flushes(f->block), 1);
}

static void test_writes_of_a_driver_that_knows_no_flush_are_durable(void **state)
{
	struct fixture *f = *state;
	uint8_t content[SECTOR] = {9};
	struct request request;

	driver_reset(&f->device);
	start(f, ~BIT(VIRTIO_BLK_F_FLUSH));
	assert_int_equal(perform(f, VIRTIO_BLK_T_OUT, 1, content, SECTOR, 0, NULL),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(fake_block_flushes(f->block), 1);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 1, 1, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_block_flushes(f->block), 2);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 1, NULL, 0, SECTOR, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_block_flushes(f->block), 2);

	/* The write alone does not end the request; nor does a flush that fails make it good. */
	fake_block_hold(f->block, true);
	request = offer(f, VIRTIO_BLK_T_OUT, 1, content, SECTOR, 0);
	driver_notify(&f->device, 0);
	assert_true(fake_block_complete_one(f->block));
	assert_int_equal(*request.status, NO_STATUS);
	assert_true(f->device.again[0]);
	driver_notify(&f->device, 0);
	fake_block_fail_next(f->block, -EIO);
	assert_true(fake_block_complete_one(f->block));
	assert_int_equal(*request.status, VIRTIO_BLK_S_IOERR);
}

static void test_id_is_the_serial(void **state)
{
	struct fixture *f = *state;
	static const char id[VIRTIO_BLK_ID_SIZE] = "disk-serial";
	uint8_t *data;

	assert_int_equal(perform(f, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, VIRTIO_BLK_ID_SIZE, &data),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(data, id, sizeof(id));
	assert_int_equal(perform(f, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, 4, &data), VIRTIO_BLK_S_OK);
	assert_memory_equal(data, "disk", 4);
}

static void test_discard_and_write_zeroes(void **state)
{
	struct fixture *f = *state;
	uint8_t *disk = fake_block_content(f->block);

	memset(disk, 0x11, DISK_SIZE);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 2, 3, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(disk[2 * SECTOR - 1], 0x11);
	assert_int_equal(disk[2 * SECTOR], 0);
	assert_int_equal(disk[5 * SECTOR - 1], 0);
	assert_int_equal(disk[5 * SECTOR], 0x11);
	assert_int_equal(
		perform_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 8, 1, VIRTIO_BLK_WRITE_ZEROES_F_UNMAP),
		VIRTIO_BLK_S_OK);
	assert_int_equal(disk[8 * SECTOR], 0);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_DISCARD, 10, 2, 0), VIRTIO_BLK_S_OK);
	assert_int_not_equal(disk[10 * SECTOR], 0x11);
	assert_int_not_equal(disk[12 * SECTOR - 1], 0x11);
	assert_int_equal(disk[12 * SECTOR], 0x11);
}

static void test_bad_ranges_are_refused(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_range ranges[2] = {{.sector_count = 1}, {.sector_count = 1}};
	uint8_t *disk = fake_block_content(f->block);

	memset(disk, 0x11, DISK_SIZE);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_DISCARD, 0, 1, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_DISCARD, SECTORS, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_DISCARD, UINT64_MAX, 2, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 1, UINT32_MAX, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_DISCARD, 0, ranges, sizeof(ranges), 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_DISCARD, 0, ranges, 7, 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, NULL, 0, 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_DISCARD, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(disk[0], 0x11);
	assert_int_equal(disk[SECTOR], 0x11);
}

static void test_unknown_requests_are_unsupported(void **state)
{
	struct fixture *f = *state;
	uint8_t content[SECTOR] = {1};

	assert_int_equal(perform(f, 0x7777, 0, content, SECTOR, SECTOR, NULL), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(perform(f, VIRTIO_BLK_T_SECURE_ERASE, 0, content, 16, 0, NULL),
			 VIRTIO_BLK_S_UNSUPP);
	driver_reset(&f->device);
	start(f, 0);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_DISCARD, 0, 1, 0), VIRTIO_BLK_S_UNSUPP);
}

static void test_errors_of_the_disk_reach_the_driver(void **state)
{
	struct fixture *f = *state;

	fake_block_fail_next(f->block, -EIO);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR, NULL), VIRTIO_BLK_S_IOERR);
	fake_block_fail_next(f->block, -ENOSPC);
	assert_int_equal(perform(f, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 0, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform(f, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 0, NULL), VIRTIO_BLK_S_OK);
}

static void test_a_read_only_disk_is_never_written(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_config config = {0};
	uint8_t content[SECTOR] = {1}, *data;

	assert_true(f->virtio->offered & BIT(VIRTIO_BLK_F_RO));
	assert_false(f->virtio->offered & BIT(VIRTIO_BLK_F_DISCARD));
	driver_config_read(&f->device, 0, &config, f->virtio->config_size);
	assert_int_equal(config.blk_size, 512);
	assert_int_equal(config.topology.physical_block_exp, 3);
	assert_int_equal(perform(f, VIRTIO_BLK_T_OUT, 0, content, SECTOR, 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(perform_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(perform(f, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, VIRTIO_BLK_ID_SIZE, &data),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(data, "a serial number that", VIRTIO_BLK_ID_SIZE);
}

static void test_a_batch_is_one_interrupt(void **state)
{
	struct fixture *f = *state;

	driver_reset(&f->device);
	start(f, ~BIT(VIRTIO_F_EVENT_IDX));
	for (unsigned i = 0; i < 20; i++)
		offer(f, VIRTIO_BLK_T_IN, i, NULL, 0, SECTOR);
	driver_notify(&f->device, 0);
	assert_int_equal(f->queue->used->index, 20);
	assert_int_equal(f->device.interrupts[0], 1);
}

static void test_no_interrupt_that_is_not_wanted(void **state)
{
	struct fixture *f = *state;

	driver_reset(&f->device);
	start(f, ~BIT(VIRTIO_F_EVENT_IDX));
	f->queue->available->flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(f->device.interrupts[0], 0);
}

static void test_later_completions_interrupt_by_themselves(void **state)
{
	struct fixture *f = *state;
	struct request first, second;

	fake_block_hold(f->block, true);
	first = offer(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR);
	second = offer(f, VIRTIO_BLK_T_IN, 1, NULL, 0, SECTOR);
	driver_notify(&f->device, 0);
	assert_int_equal(f->device.interrupts[0], 0);
	assert_int_equal(fake_block_outstanding(f->block), 2);
	assert_int_equal(*first.status, NO_STATUS);
	fake_block_complete_one(f->block);
	assert_int_equal(*first.status, VIRTIO_BLK_S_OK);
	assert_int_equal(*second.status, NO_STATUS);
	assert_int_equal(f->device.interrupts[0], 1);
	expect_used(f, first.head, SECTOR + 1);
	assert_int_equal(f->queue->used->index, 1);
}

/* Offers count requests of one sector cut into segments pieces each, in indirect tables. */
static void offer_many(struct fixture *f, unsigned count, unsigned segments)
{
	struct virtio_blk_request header = {.type = VIRTIO_BLK_T_OUT};
	gpa_t header_gpa = driver_alloc_copy(&f->ram, &header, sizeof(header));
	gpa_t data = driver_alloc(&f->ram, SECTOR, 16), status = driver_alloc(&f->ram, 1, 1);
	struct driver_buffer buffers[256];

	assert_true(segments + 2 <= ARRAY_COUNT(buffers));
	buffers[0] = (struct driver_buffer){header_gpa, sizeof(header), false};
	for (unsigned i = 0; i < segments; i++)
		buffers[1 + i] = (struct driver_buffer){data, SECTOR / segments, false};
	buffers[1 + segments] = (struct driver_buffer){status, 1, true};
	for (unsigned i = 0; i < count; i++)
		driver_add_indirect(f->queue, buffers, segments + 2);
}

static void complete_all(struct fixture *f)
{
	do {
		while (fake_block_complete_one(f->block))
			;
		if (f->device.again[0])
			driver_notify(&f->device, 0);
	} while (fake_block_outstanding(f->block) > 0);
}

static void test_more_requests_than_the_device_can_hold_wait(void **state)
{
	struct fixture *f = *state;

	fake_block_hold(f->block, true);
	offer_many(f, 256, 1);
	driver_notify(&f->device, 0);
	assert_true(fake_block_outstanding(f->block) < 256);
	assert_int_equal(f->queue->used->index, 0);
	complete_all(f);
	assert_int_equal(f->queue->used->index, 256);
}

static void test_more_long_requests_than_the_device_can_hold_wait(void **state)
{
	struct fixture *f = *state;

	fake_block_hold(f->block, true);
	for (unsigned i = 0; i < 10; i++)
		offer_many(f, 10, 128);
	driver_notify(&f->device, 0);
	assert_true(fake_block_outstanding(f->block) < 100);
	complete_all(f);
	assert_int_equal(f->queue->used->index, 100);
	assert_false(f->virtio->failed);
}

static void test_a_full_ring_is_served_at_once(void **state)
{
	struct fixture *f = *state;

	offer_many(f, 256, 1);
	driver_notify(&f->device, 0);
	assert_int_equal(f->queue->used->index, 256);
}

static void test_the_largest_number_of_segments(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_config config = {0};

	driver_config_read(&f->device, 0, &config, f->virtio->config_size);
	/* 128 is the largest divisor of a sector below it. */
	assert_true(config.seg_max >= 128);
	offer_many(f, 1, 128);
	driver_notify(&f->device, 0);
	assert_int_equal(f->queue->used->index, 1);
	assert_false(f->virtio->failed);
}

static void test_a_reset_ends_what_is_under_way(void **state)
{
	struct fixture *f = *state;
	struct driver_queue before;
	struct request request;

	fake_block_hold(f->block, true);
	request = offer(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR);
	driver_notify(&f->device, 0);
	before = *f->queue;
	driver_reset(&f->device);
	assert_int_equal(fake_block_outstanding(f->block), 0);
	assert_int_equal(before.used->index, 0);
	assert_int_equal(*request.status, NO_STATUS);
	assert_int_equal(f->device.interrupts[0], 0);
	fake_block_hold(f->block, false);
	start(f, UINT64_MAX);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR, NULL), VIRTIO_BLK_S_OK);
}

static void test_resets_leak_no_requests(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 8; i++) {
		fake_block_hold(f->block, true);
		offer_many(f, 64, 1);
		driver_notify(&f->device, 0);
		driver_reset(&f->device);
		fake_block_hold(f->block, false);
		start(f, UINT64_MAX);
	}
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR, NULL), VIRTIO_BLK_S_OK);
}

static void test_what_waits_before_activation_is_served(void **state)
{
	struct fixture *f = *state;
	struct request request = offer(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR);

	os_mutex_lock(&f->virtio->lock);
	f->virtio->ops->activate(f->virtio);
	os_mutex_unlock(&f->virtio->lock);
	assert_int_equal(*request.status, VIRTIO_BLK_S_OK);
}

static void add_buffer(struct fixture *f, gpa_t gpa, uint32_t length, bool writable)
{
	struct driver_buffer buffer = {gpa, length, writable};

	driver_add(f->queue, &buffer, 1);
	driver_notify(&f->device, 0);
}

static void test_a_request_without_status_fails_the_device(void **state)
{
	struct fixture *f = *state;

	add_buffer(f, driver_alloc(&f->ram, 64, 16), 64, false);
	assert_failed(f);
	assert_int_equal(f->queue->used->index, 0);
}

static void test_a_request_without_header_fails_the_device(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa = driver_alloc(&f->ram, 64, 16);
	struct driver_buffer buffers[2] = {{gpa, 15, false}, {gpa + 16, 1, true}};

	driver_add(f->queue, buffers, 2);
	driver_notify(&f->device, 0);
	assert_failed(f);
}

static void test_buffers_outside_memory_fail_the_device(void **state)
{
	struct fixture *f = *state;

	add_buffer(f, f->ram.memory.size - 8, 16, false);
	assert_failed(f);
}

static void test_a_failed_device_does_nothing_until_it_is_reset(void **state)
{
	struct fixture *f = *state;
	struct request request;
	unsigned lines;

	fake_block_hold(f->block, true);
	offer(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR);
	driver_notify(&f->device, 0);
	add_buffer(f, driver_alloc(&f->ram, 64, 16), 64, false);
	assert_failed(f);
	fake_block_hold(f->block, false);
	assert_int_equal(f->queue->used->index, 0);
	lines = fake_os_log_lines;
	request = offer(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR);
	driver_notify(&f->device, 0);
	assert_int_equal(*request.status, NO_STATUS);
	assert_int_equal(fake_os_log_lines, lines);
	driver_reset(&f->device);
	start(f, UINT64_MAX);
	assert_int_equal(perform(f, VIRTIO_BLK_T_IN, 0, NULL, 0, SECTOR, NULL), VIRTIO_BLK_S_OK);
}

#define BLK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLK_TEST(test_config_says_what_the_disk_is),
		BLK_TEST(test_config_is_readable_byte_by_byte),
		BLK_TEST(test_written_data_is_on_the_disk_and_read_back),
		BLK_TEST(test_the_last_sector_can_be_reached_and_the_next_cannot),
		BLK_TEST(test_parts_of_sectors_are_refused),
		BLK_TEST(test_framing_does_not_matter),
		BLK_TEST(test_flush_reaches_the_disk),
		BLK_TEST(test_writes_of_a_driver_that_knows_no_flush_are_durable),
		BLK_TEST(test_id_is_the_serial),
		BLK_TEST(test_discard_and_write_zeroes),
		BLK_TEST(test_bad_ranges_are_refused),
		BLK_TEST(test_unknown_requests_are_unsupported),
		BLK_TEST(test_errors_of_the_disk_reach_the_driver),
		cmocka_unit_test_setup_teardown(test_a_read_only_disk_is_never_written,
						setup_read_only, teardown),
		BLK_TEST(test_a_batch_is_one_interrupt),
		BLK_TEST(test_no_interrupt_that_is_not_wanted),
		BLK_TEST(test_later_completions_interrupt_by_themselves),
		BLK_TEST(test_more_requests_than_the_device_can_hold_wait),
		BLK_TEST(test_more_long_requests_than_the_device_can_hold_wait),
		BLK_TEST(test_a_full_ring_is_served_at_once),
		BLK_TEST(test_the_largest_number_of_segments),
		BLK_TEST(test_a_reset_ends_what_is_under_way),
		BLK_TEST(test_resets_leak_no_requests),
		BLK_TEST(test_what_waits_before_activation_is_served),
		BLK_TEST(test_a_request_without_status_fails_the_device),
		BLK_TEST(test_a_request_without_header_fails_the_device),
		BLK_TEST(test_buffers_outside_memory_fail_the_device),
		BLK_TEST(test_a_failed_device_does_nothing_until_it_is_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
