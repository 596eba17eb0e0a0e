/* SPDX-License-Identifier: MIT */
/*
 * i8042.c - a keyboard controller to which nothing is attached.  It passes its self-test, hands
 * back what it is told to echo, and resets the machine; what is sent to a keyboard or mouse is
 * never answered. The ACPI tables say that it is not there, so this is for guests that do not ask
 * them.
 */
#include "hw/i8042.h"

#include "monitor/devices/devices.h"

static void answer(struct i8042 *i8042, uint8_t byte)
{
	i8042->output = byte;
	i8042->output_full = true;
}

static void reset_machine(const struct i8042 *i8042)
{
	i8042->requests->reset(i8042->requests->context);
}

static void command_write(struct i8042 *i8042, uint8_t command)
{
	i8042->command = 0;
	switch (command) {
	case I8042_READ_CONFIG:
		answer(i8042, i8042->config);
		break;
	case I8042_KEYBOARD_DISABLE:
		i8042->config |= I8042_CONFIG_KEYBOARD_OFF;
		break;
	case I8042_KEYBOARD_ENABLE:
		i8042->config &= (uint8_t)~I8042_CONFIG_KEYBOARD_OFF;
		break;
	case I8042_SELF_TEST:
		answer(i8042, I8042_SELF_TEST_PASSED);
		break;
	case I8042_KEYBOARD_TEST:
		answer(i8042, I8042_PORT_TEST_PASSED);
		break;
	case I8042_AUX_TEST:
		answer(i8042, I8042_PORT_TEST_CLOCK_LOW);
		break;
	case I8042_READ_OUTPUT_PORT:
		answer(i8042, I8042_OUTPUT_RESET | I8042_OUTPUT_A20);
		break;
	case I8042_READ_INPUT_PORT:
	case I8042_READ_TEST_INPUTS:
		answer(i8042, 0);
		break;
	case I8042_WRITE_CONFIG:
	case I8042_WRITE_OUTPUT_PORT:
	case I8042_ECHO_KEYBOARD:
	case I8042_ECHO_AUX:
	case I8042_WRITE_AUX:
		i8042->command = command;
		break;
	default:
		/* A low bit that is 0 pulls its line; bit 0 is the CPU's reset. */
		if (command >= I8042_PULSE && !(command & I8042_OUTPUT_RESET))
			reset_machine(i8042);
		break;
	}
}

static void data_write(struct i8042 *i8042, uint8_t byte)
{
	uint8_t command = i8042->command;

	i8042->command = 0;
	switch (command) {
	case I8042_WRITE_CONFIG:
		/* There is no second port to switch on: it stays off, which is how drivers tell. */
		i8042->config = byte | I8042_CONFIG_AUX_OFF;
		break;
	case I8042_WRITE_OUTPUT_PORT:
		if (!(byte & I8042_OUTPUT_RESET))
			reset_machine(i8042);
		break;
	case I8042_ECHO_KEYBOARD:
		answer(i8042, byte);
		break;
	default:
		break; /* for a keyboard or mouse that is not there */
	}
}

static uint64_t data_port_read(void *device, uint64_t offset, unsigned size)
{
	struct i8042 *i8042 = device;

	(void)offset;
	(void)size;
	i8042->output_full = false;
	return i8042->output;
}

static void data_port_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)offset;
	(void)size;
	data_write(device, (uint8_t)value);
}

static uint64_t command_port_read(void *device, uint64_t offset, unsigned size)
{
	struct i8042 *i8042 = device;
	uint8_t status = I8042_STATUS_UNLOCKED;

	(void)offset;
	(void)size;
	if (i8042->config & I8042_CONFIG_SYSTEM)
		status |= I8042_STATUS_SYSTEM;
	if (i8042->output_full)
		status |= I8042_STATUS_OUTPUT_FULL;
	return status;
}

static void command_port_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)offset;
	(void)size;
	command_write(device, (uint8_t)value);
}

static uint64_t control_a_read(void *device, uint64_t offset, unsigned size)
{
	struct i8042 *i8042 = device;

	(void)offset;
	(void)size;
	return SYSTEM_CONTROL_A_A20 | (i8042->reset_bit ? SYSTEM_CONTROL_A_RESET : 0);
}

static void control_a_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct i8042 *i8042 = device;
	bool before = i8042->reset_bit;

	(void)offset;
	(void)size;
	i8042->reset_bit = value & SYSTEM_CONTROL_A_RESET;
	if (i8042->reset_bit && !before)
		reset_machine(i8042);
}

static const struct bus_ops data_ops = {.read = data_port_read, .write = data_port_write};
static const struct bus_ops command_ops = {.read = command_port_read, .write = command_port_write};
static const struct bus_ops control_a_ops = {.read = control_a_read, .write = control_a_write};

static int add_port(struct i8042 *i8042, struct bus *ports, uint16_t port,
		    const struct bus_ops *ops)
{
	struct bus_range range = {
		.base = port, .length = 1, .ops = ops, .device = i8042, .lock = &i8042->lock};

	return bus_add(ports, &range);
}

int i8042_init(struct i8042 *i8042, struct bus *ports, const struct machine_requests *requests)
{
	int err;

	*i8042 = (struct i8042){.requests = requests,
				.config = I8042_CONFIG_SYSTEM | I8042_CONFIG_AUX_OFF};
	os_mutex_init(&i8042->lock);
	err = add_port(i8042, ports, I8042_DATA_PORT, &data_ops);
	if (!err)
		err = add_port(i8042, ports, I8042_COMMAND_PORT, &command_ops);
	if (!err)
		err = add_port(i8042, ports, SYSTEM_CONTROL_A_PORT, &control_a_ops);
	return err;
}
