/* SPDX-License-Identifier: MIT */
/* The virtio console on a scripted terminal. */
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

#define RX VIRTIO_CONSOLE_QUEUE_RECEIVE
#define TX VIRTIO_CONSOLE_QUEUE_TRANSMIT

struct fixture {
	struct driver_memory ram;
	struct os_console *terminal;
	struct virtio_device *virtio;
	struct driver_device device;
};

static void create(void **state, struct os_console *terminal)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	driver_memory_create(&f->ram, 4 * MIB);
	f->terminal = terminal;
	assert_int_equal(virtio_console_create(&f->ram.memory, terminal, &f->virtio), 0);
	driver_attach(&f->device, f->virtio);
	driver_start(&f->device, &f->ram, UINT64_MAX, 64);
	*state = f;
}

static int setup(void **state)
{
	create(state, fake_console_create());
	return 0;
}

static int setup_no_terminal(void **state)
{
	create(state, NULL);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_reset(&f->device);
	virtio_console_destroy(f->virtio);
	fake_console_destroy(f->terminal);
	driver_memory_destroy(&f->ram);
	return 0;
}

static void print(struct fixture *f, const char *text, uint32_t piece)
{
	uint32_t size = (uint32_t)strlen(text);
	gpa_t gpa = driver_alloc_copy(&f->ram, text, size);
	struct driver_buffer buffers[64];
	unsigned count = 0;

	for (uint32_t at = 0; at < size; at += piece)
		buffers[count++] = (struct driver_buffer){gpa + at, MIN(piece, size - at), false};
	driver_add(&f->device.queues[TX], buffers, count);
	driver_notify(&f->device, TX);
}

static char *add_input(struct fixture *f, uint32_t size)
{
	gpa_t gpa = driver_alloc(&f->ram, size, 16);
	struct driver_buffer buffer = {gpa, size, true};

	driver_add(&f->device.queues[RX], &buffer, 1);
	driver_notify(&f->device, RX);
	return driver_at(&f->ram, gpa, size);
}

static uint32_t take_used(struct fixture *f, unsigned queue)
{
	uint32_t head, written;

	assert_true(driver_take_used(&f->device.queues[queue], &head, &written));
	return written;
}

static void test_what_is_sent_is_printed(void **state)
{
	struct fixture *f = *state;

	print(f, "hello ", 100);
	print(f, "world", 2);
	assert_string_equal(fake_console_output(f->terminal), "hello world");
	assert_int_equal(take_used(f, TX), 0);
	assert_int_equal(take_used(f, TX), 0);
}

static void test_a_full_terminal_keeps_the_chain(void **state)
{
	struct fixture *f = *state;

	fake_console_set_room(f->terminal, 3);
	print(f, "abcdefgh", 2);
	assert_string_equal(fake_console_output(f->terminal), "abc");
	assert_int_equal(f->device.queues[TX].used->index, 0);
	print(f, "ij", 2);
	fake_console_set_room(f->terminal, 4);
	assert_string_equal(fake_console_output(f->terminal), "abcdefg");
	assert_int_equal(f->device.queues[TX].used->index, 0);
	fake_console_set_room(f->terminal, 100);
	assert_string_equal(fake_console_output(f->terminal), "abcdefghij");
	assert_int_equal(f->device.queues[TX].used->index, 2);
	assert_int_not_equal(f->device.interrupts[TX], 0);
}

static void test_a_long_chain_is_printed_in_turns(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa = driver_alloc(&f->ram, MIB, 16);
	struct driver_buffer buffer = {gpa, MIB, false};

	driver_add(&f->device.queues[TX], &buffer, 1);
	os_mutex_lock(&f->virtio->lock);
	f->virtio->ops->notify(f->virtio, TX);
	os_mutex_unlock(&f->virtio->lock);
	assert_true(f->device.again[TX]);
	assert_true(fake_console_output_size(f->terminal) < MIB);
	driver_notify(&f->device, TX);
	assert_int_equal(fake_console_output_size(f->terminal), MIB);
	assert_int_equal(f->device.queues[TX].used->index, 1);
}

static void test_what_is_typed_is_received(void **state)
{
	struct fixture *f = *state;
	char *first = add_input(f, 4), *second = add_input(f, 4);

	fake_console_type(f->terminal, "ab", 2);
	assert_int_equal(take_used(f, RX), 2);
	assert_memory_equal(first, "ab", 2);
	assert_int_equal(f->device.interrupts[RX], 1);
	fake_console_type(f->terminal, "cdefgh", 6);
	assert_int_equal(take_used(f, RX), 4);
	assert_memory_equal(second, "cdef", 4);
	/* The rest waits for a buffer. */
	first = add_input(f, 4);
	assert_int_equal(take_used(f, RX), 2);
	assert_memory_equal(first, "gh", 2);
	assert_int_equal(f->device.queues[RX].used->index, 3);
}

static void test_what_was_typed_before_is_received_later(void **state)
{
	struct fixture *f = *state;
	char *input;

	fake_console_type(f->terminal, "early", 5);
	input = add_input(f, 64);
	assert_int_equal(take_used(f, RX), 5);
	assert_memory_equal(input, "early", 5);
}

static void test_a_reset_forgets_what_was_under_way(void **state)
{
	struct fixture *f = *state;
	char *input = add_input(f, 16);

	fake_console_set_room(f->terminal, 1);
	print(f, "old", 3);
	driver_reset(&f->device);
	fake_console_set_room(f->terminal, 100);
	fake_console_type(f->terminal, "x", 1);
	assert_int_equal(input[0], 0);
	driver_start(&f->device, &f->ram, UINT64_MAX, 64);
	print(f, "new", 3);
	assert_string_equal(fake_console_output(f->terminal), "onew");
	input = add_input(f, 16);
	assert_memory_equal(input, "x", 1);
}

static void test_a_receive_buffer_to_be_read_fails_the_device(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffer = {driver_alloc(&f->ram, 16, 16), 16, false};

	driver_add(&f->device.queues[RX], &buffer, 1);
	driver_notify(&f->device, RX);
	assert_true(f->virtio->failed);
	fake_console_type(f->terminal, "x", 1);
	print(f, "nothing", 7);
	assert_string_equal(fake_console_output(f->terminal), "");
}

static void test_a_chain_outside_memory_fails_the_device(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffer = {UINT64_MAX - 4, 16, false};

	driver_add(&f->device.queues[TX], &buffer, 1);
	driver_notify(&f->device, TX);
	assert_true(f->virtio->failed);
	assert_int_equal(f->device.config_interrupts, 1);
}

static void test_a_chain_with_nothing_to_print_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffer = {driver_alloc(&f->ram, 16, 16), 16, true};

	driver_add(&f->device.queues[TX], &buffer, 1);
	driver_notify(&f->device, TX);
	assert_int_equal(take_used(f, TX), 0);
}

static void test_without_a_terminal_output_is_thrown_away(void **state)
{
	struct fixture *f = *state;

	print(f, "nobody hears", 5);
	assert_int_equal(take_used(f, TX), 0);
	add_input(f, 16);
	assert_int_equal(f->device.queues[RX].used->index, 0);
}

static void test_config_reads_as_zero(void **state)
{
	struct fixture *f = *state;
	uint8_t config[sizeof(struct virtio_console_config)];
	static const uint8_t zero[sizeof(config)];

	memset(config, 0xff, sizeof(config));
	assert_int_equal(f->virtio->config_size, sizeof(config));
	driver_config_read(&f->device, 0, config, sizeof(config));
	assert_memory_equal(config, zero, sizeof(config));
	assert_int_equal(f->virtio->offered, 0);
}

#define CONSOLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONSOLE_TEST(test_what_is_sent_is_printed),
		CONSOLE_TEST(test_a_full_terminal_keeps_the_chain),
		CONSOLE_TEST(test_a_long_chain_is_printed_in_turns),
		CONSOLE_TEST(test_what_is_typed_is_received),
		CONSOLE_TEST(test_what_was_typed_before_is_received_later),
		CONSOLE_TEST(test_a_reset_forgets_what_was_under_way),
		CONSOLE_TEST(test_a_receive_buffer_to_be_read_fails_the_device),
		CONSOLE_TEST(test_a_chain_outside_memory_fails_the_device),
		CONSOLE_TEST(test_a_chain_with_nothing_to_print_is_given_back),
		cmocka_unit_test_setup_teardown(test_without_a_terminal_output_is_thrown_away,
						setup_no_terminal, teardown),
		CONSOLE_TEST(test_config_reads_as_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
