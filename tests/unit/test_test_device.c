/* SPDX-License-Identifier: MIT */
/* The test device as kvm-unit-tests and hobby kernels use it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "monitor/devices/devices.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"

#define CPUS 4
#define RAM (UINT64_C(6) << 30)
#define LINES 24

struct fixture {
	struct bus ports, memory;
	struct test_device test;
	struct machine_requests requests;
	struct os_console *console;
	unsigned exits;
	uint32_t status;
	bool levels[LINES];
	unsigned changes;
};

static void debug_exit(void *context, uint32_t status)
{
	struct fixture *f = context;

	f->exits++;
	f->status = status;
}

static void irq_set(void *context, uint32_t gsi, bool level)
{
	struct fixture *f = context;

	assert_in_range(gsi, 0, LINES - 1);
	f->levels[gsi] = level;
	f->changes++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->requests = (struct machine_requests){.debug_exit = debug_exit, .context = f};
	f->console = fake_console_create();
	bus_init(&f->ports);
	bus_init(&f->memory);
	assert_int_equal(test_device_init(&f->test, &f->ports, &f->memory, &f->requests, f->console,
					  irq_set, f, CPUS, RAM),
			 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	test_device_destroy(&f->test);
	fake_console_destroy(f->console);
	free(f);
	return 0;
}

static void a_write_to_f4_ends_the_vm_with_its_value(void **state)
{
	struct fixture *f = *state;

	access_write(&f->ports, 0xf4, 4, 0x12345678);
	assert_int_equal(f->exits, 1);
	assert_int_equal(f->status, 0x12345678);
	access_write(&f->ports, 0xf4, 1, 3);
	assert_int_equal(f->exits, 2);
	assert_int_equal(f->status, 3);
	access_read(&f->ports, 0xf4, 4);
	assert_int_equal(f->exits, 2);
}

static void characters_appear_on_the_console(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(access_read(&f->ports, 0xe9, 1), 0xe9);
	for (const char *c = "PASS"; *c; c++)
		access_write(&f->ports, 0xe9, 1, (uint8_t)*c);
	access_write(&f->ports, 0xf1, 1, '\n');
	assert_string_equal(fake_console_output(f->console), "PASS\n");
	fake_console_set_room(f->console, 0);
	access_write(&f->ports, 0xe9, 1, 'x'); /* full: lost, and nothing waits */
	fake_console_set_room(f->console, SIZE_MAX);
	assert_string_equal(fake_console_output(f->console), "PASS\n");
}

static void scratch_ports_keep_every_width(void **state)
{
	struct fixture *f = *state;

	access_write(&f->ports, 0xe0, 4, 0x44332211);
	assert_int_equal(access_read(&f->ports, 0xe0, 4), 0x44332211);
	assert_int_equal(access_read(&f->ports, 0xe0, 1), 0x11);
	access_write(&f->ports, 0xe1, 1, 0xee);
	assert_int_equal(access_read(&f->ports, 0xe0, 2), 0xee11);
	access_write(&f->ports, 0xe4, 4, 0x88776655);
	assert_int_equal(access_read(&f->ports, 0xe3, 2), 0x5544);
}

static void scratch_memory_keeps_every_width_up_to_its_end(void **state)
{
	struct fixture *f = *state;
	uint64_t last = TEST_DEVICE_MEMORY + TEST_DEVICE_MEMORY_SIZE - 8;

	access_write(&f->memory, TEST_DEVICE_MEMORY, 8, UINT64_C(0x1122334455667788));
	assert_int_equal(access_read(&f->memory, TEST_DEVICE_MEMORY + 2, 2), 0x5566);
	access_write(&f->memory, last, 8, UINT64_MAX - 1);
	assert_int_equal(access_read(&f->memory, last, 8), UINT64_MAX - 1);
	access_write(&f->memory, last + 4, 8, 0); /* crosses the end: nobody's */
	assert_int_equal(access_read(&f->memory, last, 8), UINT64_MAX - 1);
}

static void interrupt_lines_follow_their_ports(void **state)
{
	struct fixture *f = *state;

	access_write(&f->ports, 0x200e, 1, 1);
	assert_true(f->levels[14]);
	assert_int_equal(f->changes, 1);
	access_write(&f->ports, 0x200e, 1, 0);
	assert_false(f->levels[14]);
	access_write(&f->ports, 0x2017, 1, 0x80);
	assert_true(f->levels[23]);
	access_write(&f->ports, 0x2018, 1, 1); /* there is no such line */
	assert_int_equal(f->changes, 3);
}

static uint64_t config(struct fixture *f, uint16_t selector, unsigned bytes)
{
	uint64_t value = 0;

	access_write(&f->ports, 0x510, 2, selector);
	for (unsigned i = 0; i < bytes; i++)
		value |= access_read(&f->ports, 0x511, 1) << (8 * i);
	return value;
}

static void cpus_and_ram_are_told_by_fw_cfg(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(config(f, 5, 2), CPUS);
	assert_int_equal(config(f, 15, 2), CPUS);
	assert_int_equal(config(f, 3, 8), RAM);
	assert_int_equal(config(f, 3, 4), RAM & 0xffffffff);
	assert_int_equal(config(f, 0, 4), load_le32("QEMU"));
	config(f, 3, 8);
	for (unsigned i = 0; i < 1000; i++) /* behind the end */
		assert_int_equal(access_read(&f->ports, 0x511, 1), 0);
	assert_int_equal(config(f, 1, 4), 0);
	assert_int_equal(config(f, 0xffff, 8), 0);
}

static void ranges_that_are_taken_are_an_error(void **state)
{
	struct fixture *f = *state;
	struct test_device again;

	assert_true(test_device_init(&again, &f->ports, &f->memory, &f->requests, NULL, irq_set, f,
				     CPUS, RAM) < 0);
	assert_null(again.memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_to_f4_ends_the_vm_with_its_value),
		TEST(characters_appear_on_the_console),
		TEST(scratch_ports_keep_every_width),
		TEST(scratch_memory_keeps_every_width_up_to_its_end),
		TEST(interrupt_lines_follow_their_ports),
		TEST(cpus_and_ram_are_told_by_fw_cfg),
		TEST(ranges_that_are_taken_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
