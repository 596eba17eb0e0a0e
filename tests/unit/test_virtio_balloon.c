/* SPDX-License-Identifier: MIT */
/* The memory balloon: a page that was discarded reads as zero. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "monitor/virtio/devices.h"
#include "tests/support/driver.h"
#include "tests/support/fake_os.h"

#define PAGE UINT64_C(4096)
#define RAM_SIZE (32 * MIB)
#define INFLATE VIRTIO_BALLOON_QUEUE_INFLATE
#define DEFLATE VIRTIO_BALLOON_QUEUE_DEFLATE
#define FIRST_PAGE 4096 /* of those that tests play with: from 16 MiB on */

struct fixture {
	struct driver_memory ram;
	struct virtio_device *virtio;
	struct driver_device device;
};

static int setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	driver_memory_create(&f->ram, RAM_SIZE);
	assert_int_equal(virtio_balloon_create(&f->ram.memory, &f->virtio), 0);
	driver_attach(&f->device, f->virtio);
	driver_start(&f->device, &f->ram, UINT64_MAX, 128);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_reset(&f->device);
	virtio_balloon_destroy(f->virtio);
	driver_memory_destroy(&f->ram);
	return 0;
}

static uint8_t *page(struct fixture *f, uint32_t number)
{
	return driver_at(&f->ram, number * PAGE, PAGE);
}

static void mark(struct fixture *f, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		memset(page(f, first + i), 0x77, PAGE);
}

static bool is_marked(struct fixture *f, uint32_t number)
{
	return page(f, number)[0] == 0x77 && page(f, number)[PAGE - 1] == 0x77;
}

static bool is_discarded(struct fixture *f, uint32_t number)
{
	return page(f, number)[0] == 0 && page(f, number)[PAGE - 1] == 0;
}

static void put(struct fixture *f, unsigned queue, const uint32_t *numbers, unsigned count)
{
	uint32_t size = count * (uint32_t)sizeof(*numbers);
	gpa_t gpa = driver_alloc_copy(&f->ram, numbers, size);
	struct driver_buffer buffer = {gpa, size, false};

	driver_add(&f->device.queues[queue], &buffer, 1);
	driver_notify(&f->device, queue);
}

static void test_inflated_pages_are_discarded(void **state)
{
	struct fixture *f = *state;
	static const uint32_t up[] = {FIRST_PAGE, FIRST_PAGE + 1, FIRST_PAGE + 2};
	static const uint32_t down[] = {FIRST_PAGE + 9, FIRST_PAGE + 8, FIRST_PAGE + 5,
					FIRST_PAGE + 5};

	mark(f, FIRST_PAGE, 12);
	put(f, INFLATE, up, ARRAY_COUNT(up));
	for (uint32_t i = 0; i < 3; i++)
		assert_true(is_discarded(f, FIRST_PAGE + i));
	for (uint32_t i = 3; i < 12; i++)
		assert_true(is_marked(f, FIRST_PAGE + i));
	put(f, INFLATE, down, ARRAY_COUNT(down));
	assert_true(is_marked(f, FIRST_PAGE + 4));
	assert_true(is_discarded(f, FIRST_PAGE + 5));
	assert_true(is_marked(f, FIRST_PAGE + 6));
	assert_true(is_marked(f, FIRST_PAGE + 7));
	assert_true(is_discarded(f, FIRST_PAGE + 8));
	assert_true(is_discarded(f, FIRST_PAGE + 9));
	assert_true(is_marked(f, FIRST_PAGE + 10));
	assert_int_equal(f->device.queues[INFLATE].used->index, 2);
}

static void test_numbers_may_be_cut_by_descriptors(void **state)
{
	struct fixture *f = *state;
	static const uint32_t numbers[] = {FIRST_PAGE, FIRST_PAGE + 2};
	gpa_t gpa = driver_alloc_copy(&f->ram, numbers, sizeof(numbers));
	struct driver_buffer buffers[] = {
		{gpa, 3, false}, {gpa + 3, 3, false}, {gpa + 6, 2, false}};

	mark(f, FIRST_PAGE, 3);
	driver_add(&f->device.queues[INFLATE], buffers, ARRAY_COUNT(buffers));
	driver_notify(&f->device, INFLATE);
	assert_true(is_discarded(f, FIRST_PAGE));
	assert_true(is_marked(f, FIRST_PAGE + 1));
	assert_true(is_discarded(f, FIRST_PAGE + 2));
}

static void test_deflating_leaves_pages_alone(void **state)
{
	struct fixture *f = *state;
	static const uint32_t numbers[] = {FIRST_PAGE, UINT32_MAX};

	mark(f, FIRST_PAGE, 1);
	put(f, DEFLATE, numbers, ARRAY_COUNT(numbers));
	assert_true(is_marked(f, FIRST_PAGE));
	assert_int_equal(f->device.queues[DEFLATE].used->index, 1);
	assert_int_equal(f->device.interrupts[DEFLATE], 1);
}

static void test_pages_outside_memory_fail_the_device(void **state)
{
	struct fixture *f = *state;
	static const uint32_t numbers[] = {FIRST_PAGE, RAM_SIZE / PAGE, FIRST_PAGE + 1};

	mark(f, FIRST_PAGE, 2);
	put(f, INFLATE, numbers, ARRAY_COUNT(numbers));
	assert_true(f->virtio->failed);
	assert_true(is_marked(f, FIRST_PAGE + 1));
	assert_int_equal(f->device.queues[INFLATE].used->index, 0);
}

static void test_a_long_list_is_done_in_turns(void **state)
{
	struct fixture *f = *state;
	static uint32_t numbers[64 * 1024];
	gpa_t gpa;

	for (uint32_t i = 0; i < ARRAY_COUNT(numbers); i++)
		numbers[i] = FIRST_PAGE + 2 * (i % 1024);
	mark(f, FIRST_PAGE, 4);
	gpa = driver_alloc_copy(&f->ram, numbers, sizeof(numbers));

	struct driver_buffer buffer = {gpa, sizeof(numbers), false};

	driver_add(&f->device.queues[INFLATE], &buffer, 1);
	os_mutex_lock(&f->virtio->lock);
	f->virtio->ops->notify(f->virtio, INFLATE);
	os_mutex_unlock(&f->virtio->lock);
	assert_true(f->device.again[INFLATE]);
	assert_int_equal(f->device.queues[INFLATE].used->index, 0);
	assert_true(is_discarded(f, FIRST_PAGE));
	driver_notify(&f->device, INFLATE);
	assert_int_equal(f->device.queues[INFLATE].used->index, 1);
	assert_true(is_marked(f, FIRST_PAGE + 1));
}

static void report(struct fixture *f, unsigned queue)
{
	gpa_t start = FIRST_PAGE * PAGE;
	struct driver_buffer buffers[] = {
		{start + PAGE, 2 * PAGE, true},
		/* Only whole pages go: not the ends of this one. */
		{start + 4 * PAGE + 100, 2 * PAGE, true},
		{start + 8 * PAGE + 8, 16, true},
	};

	mark(f, FIRST_PAGE, 10);
	driver_add(&f->device.queues[queue], buffers, ARRAY_COUNT(buffers));
	driver_notify(&f->device, queue);
	assert_true(is_marked(f, FIRST_PAGE));
	assert_true(is_discarded(f, FIRST_PAGE + 1));
	assert_true(is_discarded(f, FIRST_PAGE + 2));
	assert_true(is_marked(f, FIRST_PAGE + 3));
	assert_true(is_marked(f, FIRST_PAGE + 4));
	assert_true(is_discarded(f, FIRST_PAGE + 5));
	assert_true(is_marked(f, FIRST_PAGE + 6));
	assert_true(is_marked(f, FIRST_PAGE + 8));
	assert_int_equal(f->device.queues[queue].used->index, 1);
}

static void test_reported_pages_are_discarded(void **state)
{
	report(*state, 2);
}

static void test_reports_are_taken_by_the_number_of_the_specification(void **state)
{
	report(*state, 4);
}

static void test_a_report_to_be_read_fails_the_device(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffer = {FIRST_PAGE * PAGE, PAGE, false};

	mark(f, FIRST_PAGE, 1);
	driver_add(&f->device.queues[2], &buffer, 1);
	driver_notify(&f->device, 2);
	assert_true(f->virtio->failed);
	assert_true(is_marked(f, FIRST_PAGE));
}

static void test_reports_that_were_not_negotiated_do_nothing(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffer = {FIRST_PAGE * PAGE, PAGE, true};

	driver_reset(&f->device);
	driver_start(&f->device, &f->ram, 0, 128);
	mark(f, FIRST_PAGE, 1);
	driver_add(&f->device.queues[2], &buffer, 1);
	driver_notify(&f->device, 2);
	assert_true(is_marked(f, FIRST_PAGE));
}

static void test_the_target_reaches_the_driver_and_its_answer_us(void **state)
{
	struct fixture *f = *state;
	struct virtio_balloon_config config = {0};
	uint32_t actual = 0x12345678;

	virtio_balloon_set_target(f->virtio, 500);
	assert_int_equal(f->device.config_interrupts, 1);
	driver_config_read(&f->device, 0, &config, sizeof(config));
	assert_int_equal(config.num_pages, 500);
	assert_int_equal(config.actual, 0);
	driver_config_write(&f->device, 4, &actual, sizeof(actual));
	assert_int_equal(virtio_balloon_get_actual(f->virtio), 0x12345678);
	driver_config_read(&f->device, 4, &actual, sizeof(actual));
	assert_int_equal(actual, 0x12345678);
}

static void test_only_actual_can_be_written(void **state)
{
	struct fixture *f = *state;
	struct virtio_balloon_config config;
	uint8_t ones[sizeof(config)];

	memset(ones, 0xff, sizeof(ones));
	driver_config_write(&f->device, 0, ones, sizeof(ones));
	driver_config_read(&f->device, 0, &config, sizeof(config));
	assert_int_equal(config.num_pages, 0);
	assert_int_equal(config.actual, UINT32_MAX);
	assert_int_equal(config.poison_val, 0);
	driver_config_write(&f->device, 5, &config.poison_val, 1);
	assert_int_equal(virtio_balloon_get_actual(f->virtio), 0xffff00ff);
}

static void test_a_reset_empties_the_balloon_and_keeps_the_target(void **state)
{
	struct fixture *f = *state;
	struct virtio_balloon_config config = {.actual = 7};

	virtio_balloon_set_target(f->virtio, 9);
	driver_config_write(&f->device, 4, &config.actual, 4);
	driver_reset(&f->device);
	driver_config_read(&f->device, 0, &config, sizeof(config));
	assert_int_equal(config.actual, 0);
	assert_int_equal(config.num_pages, 9);
	virtio_balloon_set_target(f->virtio, 10);
	assert_int_equal(f->device.config_interrupts, 1);
	driver_start(&f->device, &f->ram, UINT64_MAX, 128);
}

#define BALLOON_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BALLOON_TEST(test_inflated_pages_are_discarded),
		BALLOON_TEST(test_numbers_may_be_cut_by_descriptors),
		BALLOON_TEST(test_deflating_leaves_pages_alone),
		BALLOON_TEST(test_pages_outside_memory_fail_the_device),
		BALLOON_TEST(test_a_long_list_is_done_in_turns),
		BALLOON_TEST(test_reported_pages_are_discarded),
		BALLOON_TEST(test_reports_are_taken_by_the_number_of_the_specification),
		BALLOON_TEST(test_a_report_to_be_read_fails_the_device),
		BALLOON_TEST(test_reports_that_were_not_negotiated_do_nothing),
		BALLOON_TEST(test_the_target_reaches_the_driver_and_its_answer_us),
		BALLOON_TEST(test_only_actual_can_be_written),
		BALLOON_TEST(test_a_reset_empties_the_balloon_and_keeps_the_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
