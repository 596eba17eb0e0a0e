/* SPDX-License-Identifier: MIT */
/* The entropy device; the fake operating system's random bytes are all 0xa5. */
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

#define REQUEST_MAX (64 * KIB)

struct fixture {
	struct driver_memory ram;
	struct virtio_device *virtio;
	struct driver_device device;
	struct driver_queue *queue;
};

static int setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	driver_memory_create(&f->ram, 4 * MIB);
	assert_int_equal(virtio_rng_create(&f->ram.memory, &f->virtio), 0);
	driver_attach(&f->device, f->virtio);
	driver_start(&f->device, &f->ram, UINT64_MAX, 64);
	f->queue = &f->device.queues[0];
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_reset(&f->device);
	virtio_rng_destroy(f->virtio);
	driver_memory_destroy(&f->ram);
	return 0;
}

static uint8_t *add(struct fixture *f, uint32_t size, bool writable)
{
	gpa_t gpa = driver_alloc(&f->ram, size, 16);
	struct driver_buffer buffer = {gpa, size, writable};

	driver_add(f->queue, &buffer, 1);
	return driver_at(&f->ram, gpa, size);
}

static void test_buffers_are_filled(void **state)
{
	struct fixture *f = *state;
	uint8_t *first = add(f, 16, true), *second = add(f, 5, true);
	uint32_t head, written;

	driver_notify(&f->device, 0);
	assert_true(driver_take_used(f->queue, &head, &written));
	assert_int_equal(written, 16);
	assert_int_equal(first[0], 0xa5);
	assert_int_equal(first[15], 0xa5);
	assert_true(driver_take_used(f->queue, &head, &written));
	assert_int_equal(written, 5);
	assert_int_equal(second[4], 0xa5);
	assert_int_equal(second[5], 0);
	assert_int_equal(f->device.interrupts[0], 1);
}

static void test_a_request_is_bounded(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes = add(f, MIB, true);
	uint32_t head, written;

	driver_notify(&f->device, 0);
	assert_true(driver_take_used(f->queue, &head, &written));
	assert_int_equal(written, REQUEST_MAX);
	assert_int_equal(bytes[REQUEST_MAX - 1], 0xa5);
	assert_int_equal(bytes[REQUEST_MAX], 0);
}

static void test_many_large_requests_yield_to_others(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 32; i++)
		add(f, REQUEST_MAX, true);
	os_mutex_lock(&f->virtio->lock);
	f->virtio->ops->notify(f->virtio, 0);
	os_mutex_unlock(&f->virtio->lock);
	assert_true(f->device.again[0]);
	assert_true(f->queue->used->index < 32);
	driver_notify(&f->device, 0);
	assert_int_equal(f->queue->used->index, 32);
}

static void test_a_buffer_to_be_read_fails_the_device(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes = add(f, 16, false);

	driver_notify(&f->device, 0);
	assert_true(f->virtio->failed);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(f->queue->used->index, 0);
	bytes = add(f, 16, true);
	driver_notify(&f->device, 0);
	assert_int_equal(bytes[0], 0);
	driver_reset(&f->device);
	driver_start(&f->device, &f->ram, 0, 8);
	bytes = add(f, 16, true);
	driver_notify(&f->device, 0);
	assert_int_equal(bytes[0], 0xa5);
}

#define RNG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RNG_TEST(test_buffers_are_filled),
		RNG_TEST(test_a_request_is_bounded),
		RNG_TEST(test_many_large_requests_yield_to_others),
		RNG_TEST(test_a_buffer_to_be_read_fails_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
