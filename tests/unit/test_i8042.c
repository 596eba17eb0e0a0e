/* SPDX-License-Identifier: MIT */
/* The keyboard controller without a keyboard: reset, and drivers that look for what is attached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hw/i8042.h"
#include "monitor/devices/devices.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"

struct fixture {
	struct bus ports;
	struct i8042 i8042;
	struct machine_requests requests;
	unsigned resets;
};

static void reset(void *context)
{
	((struct fixture *)context)->resets++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->requests = (struct machine_requests){.reset = reset, .context = f};
	bus_init(&f->ports);
	assert_int_equal(i8042_init(&f->i8042, &f->ports, &f->requests), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static uint8_t in(struct fixture *f, uint16_t port)
{
	return (uint8_t)access_read(&f->ports, port, 1);
}

static void out(struct fixture *f, uint16_t port, uint8_t value)
{
	access_write(&f->ports, port, 1, value);
}

static bool has_output(struct fixture *f)
{
	return in(f, I8042_COMMAND_PORT) & I8042_STATUS_OUTPUT_FULL;
}

/* Sends a command that must be answered. */
static uint8_t ask(struct fixture *f, uint8_t command)
{
	out(f, I8042_COMMAND_PORT, command);
	assert_true(has_output(f));
	command = in(f, I8042_DATA_PORT);
	assert_false(has_output(f));
	return command;
}

static void pulsing_the_reset_line_resets(void **state)
{
	struct fixture *f = *state;

	out(f, I8042_COMMAND_PORT, 0xfe);
	assert_int_equal(f->resets, 1);
	out(f, I8042_COMMAND_PORT, 0xff); /* pulls nothing */
	out(f, I8042_COMMAND_PORT, 0xfd); /* another line */
	assert_int_equal(f->resets, 1);
}

static void the_output_port_resets(void **state)
{
	struct fixture *f = *state;

	out(f, I8042_COMMAND_PORT, I8042_WRITE_OUTPUT_PORT);
	out(f, I8042_DATA_PORT, I8042_OUTPUT_RESET); /* A20 off: ignored */
	assert_int_equal(f->resets, 0);
	assert_int_equal(ask(f, I8042_READ_OUTPUT_PORT), I8042_OUTPUT_RESET | I8042_OUTPUT_A20);
	out(f, I8042_COMMAND_PORT, I8042_WRITE_OUTPUT_PORT);
	out(f, I8042_DATA_PORT, I8042_OUTPUT_A20);
	assert_int_equal(f->resets, 1);
}

static void port_92_resets_on_a_rising_bit_and_keeps_a20(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, SYSTEM_CONTROL_A_PORT), SYSTEM_CONTROL_A_A20);
	out(f, SYSTEM_CONTROL_A_PORT, 0);
	assert_int_equal(in(f, SYSTEM_CONTROL_A_PORT), SYSTEM_CONTROL_A_A20);
	assert_int_equal(f->resets, 0);
	out(f, SYSTEM_CONTROL_A_PORT, 1);
	out(f, SYSTEM_CONTROL_A_PORT, 1);
	assert_int_equal(f->resets, 1);
	out(f, SYSTEM_CONTROL_A_PORT, 0);
	out(f, SYSTEM_CONTROL_A_PORT, 1);
	assert_int_equal(f->resets, 2);
}

static void a_driver_finds_one_port_and_nothing_attached(void **state)
{
	struct fixture *f = *state;

	assert_false(has_output(f)); /* nothing to flush */
	assert_int_equal(ask(f, I8042_SELF_TEST), I8042_SELF_TEST_PASSED);
	assert_int_equal(ask(f, I8042_KEYBOARD_TEST), I8042_PORT_TEST_PASSED);
	assert_int_not_equal(ask(f, I8042_AUX_TEST), I8042_PORT_TEST_PASSED);
	out(f, I8042_COMMAND_PORT, I8042_AUX_ENABLE);
	assert_true(ask(f, I8042_READ_CONFIG) & I8042_CONFIG_AUX_OFF);
	out(f, I8042_DATA_PORT, 0xff); /* reset, keyboard: no answer */
	assert_false(has_output(f));
	out(f, I8042_COMMAND_PORT, I8042_WRITE_AUX);
	out(f, I8042_DATA_PORT, 0xff);
	assert_false(has_output(f));
	assert_int_equal(f->resets, 0);
}

static void configuration_is_kept(void **state)
{
	struct fixture *f = *state;

	out(f, I8042_COMMAND_PORT, I8042_WRITE_CONFIG);
	out(f, I8042_DATA_PORT, 0x45);
	assert_int_equal(ask(f, I8042_READ_CONFIG), 0x45 | I8042_CONFIG_AUX_OFF);
	out(f, I8042_COMMAND_PORT, I8042_KEYBOARD_DISABLE);
	assert_true(ask(f, I8042_READ_CONFIG) & I8042_CONFIG_KEYBOARD_OFF);
	out(f, I8042_COMMAND_PORT, I8042_KEYBOARD_ENABLE);
	assert_false(ask(f, I8042_READ_CONFIG) & I8042_CONFIG_KEYBOARD_OFF);
	out(f, I8042_COMMAND_PORT, I8042_ECHO_KEYBOARD);
	out(f, I8042_DATA_PORT, 0x3c);
	assert_int_equal(in(f, I8042_DATA_PORT), 0x3c);
}

static void only_the_reset_commands_reset(void **state)
{
	struct fixture *f = *state;

	for (unsigned command = 0; command < I8042_PULSE; command++) {
		out(f, I8042_COMMAND_PORT, (uint8_t)command);
		out(f, I8042_DATA_PORT, 0xff);
	}
	assert_int_equal(f->resets, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pulsing_the_reset_line_resets),
		TEST(the_output_port_resets),
		TEST(port_92_resets_on_a_rising_bit_and_keeps_a20),
		TEST(a_driver_finds_one_port_and_nothing_attached),
		TEST(configuration_is_kept),
		TEST(only_the_reset_commands_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
