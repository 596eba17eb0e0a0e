/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the registers of all platform devices: any access in any order, while time passes,
 * somebody types, the console fills up and the power button is pressed.
 *
 * Input: operations of an opcode byte and what it needs.  What must hold besides memory safety: a
 * pin is only told of changes, the loop comes to rest, and reads stay within their width.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hw/i8042.h"
#include "lib/bits.h"
#include "monitor/devices/devices.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"

#define SERIAL_BASE 0x3f8
#define LINES 24
#define TYPED_MAX 64

struct machine {
	struct os_loop *loop;
	struct bus ports, memory;
	struct os_console *console;
	struct uart uart;
	struct rtc rtc;
	struct i8042 i8042;
	struct acpi_pm pm;
	struct test_device test;
	struct machine_requests requests;
	bool levels[LINES];
};

struct input {
	const uint8_t *bytes;
	size_t left;
};

enum operation {
	PORT_READ,
	PORT_WRITE,
	MEMORY_READ,
	MEMORY_WRITE,
	TYPE,
	ROOM,
	PASS_TIME,
	SET_HOST_CLOCK,
	POWER_BUTTON,
	OPERATIONS,
};

static uint64_t take(struct input *input, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++) {
		if (!input->left)
			return value;
		value = value << 8 | *input->bytes++;
		input->left--;
	}
	return value;
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void pin_set(void *context, uint32_t gsi, bool level)
{
	struct machine *machine = context;

	require(gsi < LINES && machine->levels[gsi] != level);
	machine->levels[gsi] = level;
}

/* The test device sets lines as it is told, over and over. */
static void line_set(void *context, uint32_t gsi, bool level)
{
	(void)context;
	(void)level;
	require(gsi < LINES);
}

static void request(void *context)
{
	(void)context;
}

static void debug_exit(void *context, uint32_t status)
{
	(void)context;
	(void)status;
}

static struct irq_pin pin(struct machine *machine, uint32_t gsi)
{
	return (struct irq_pin){.set = pin_set, .context = machine, .gsi = gsi};
}

static void create(struct machine *machine)
{
	struct irq_pin serial = pin(machine, 4), rtc = pin(machine, 8);
	struct irq_pin sci = pin(machine, ACPI_SCI_GSI);
	struct bus *ports = &machine->ports;
	int err;

	fake_os_wall = INT64_C(1700000000000000000);
	fake_os_monotonic = 1000000000;
	machine->requests = (struct machine_requests){
		.reset = request, .power_off = request, .debug_exit = debug_exit};
	bus_init(&machine->ports);
	bus_init(&machine->memory);
	machine->console = fake_console_create();
	err = os_loop_create(&machine->loop);
	err |= uart_init(&machine->uart, ports, SERIAL_BASE, &serial, machine->console);
	err |= rtc_init(&machine->rtc, machine->loop, ports, &rtc, 3 * GIB, GIB);
	err |= i8042_init(&machine->i8042, ports, &machine->requests);
	err |= acpi_pm_init(&machine->pm, ports, &sci, &machine->requests);
	err |= test_device_init(&machine->test, ports, &machine->memory, &machine->requests,
				machine->console, line_set, machine, 4, 4 * GIB);
	require(!err);
}

static void destroy(struct machine *machine)
{
	test_device_destroy(&machine->test);
	rtc_destroy(&machine->rtc);
	uart_destroy(&machine->uart);
	os_loop_destroy(machine->loop);
	fake_console_destroy(machine->console);
	free(machine);
}

/* Mostly a port that somebody answers; the last choice is any port. */
static uint16_t choose_port(struct input *input)
{
	static const struct {
		uint16_t base;
		uint8_t count;
	} ranges[] = {
		{SERIAL_BASE, 8},          {RTC_INDEX_PORT, 2}, {I8042_DATA_PORT, 5}, {0x92, 1},
		{ACPI_PM1_EVENT_PORT, 16}, {0xe0, 24},          {0x510, 2},           {0x2000, 25},
	};
	unsigned choice = (unsigned)take(input, 1);
	unsigned range = choice % (ARRAY_COUNT(ranges) + 1);

	if (range == ARRAY_COUNT(ranges))
		return (uint16_t)take(input, 2);
	return (uint16_t)(ranges[range].base + choice / 9 % ranges[range].count);
}

/* Both clocks go on by less than two hours; the loop must come to rest. */
static void pass_time(struct machine *machine, struct input *input)
{
	uint64_t ns = take(input, 6) % UINT64_C(7200000000000);

	fake_os_wall += (int64_t)ns;
	fake_os_monotonic += ns;
	fake_os_run(machine->loop);
}

static void type(struct machine *machine, struct input *input)
{
	size_t count = take(input, 1) % TYPED_MAX;

	count = MIN(count, input->left);
	fake_console_type(machine->console, (const char *)input->bytes, count);
	input->bytes += count;
	input->left -= count;
}

static void step(struct machine *machine, struct input *input)
{
	uint8_t opcode = (uint8_t)take(input, 1);
	unsigned size = 1u << (opcode >> 6);
	uint64_t address = TEST_DEVICE_MEMORY;

	switch (opcode % 64 % OPERATIONS) {
	case PORT_READ:
		address = choose_port(input);
		require(access_read(&machine->ports, address, size) <= size_mask(size));
		break;
	case PORT_WRITE:
		address = choose_port(input);
		access_write(&machine->ports, address, size, take(input, size));
		break;
	case MEMORY_READ:
		address += take(input, 2);
		require(access_read(&machine->memory, address, size) <= size_mask(size));
		break;
	case MEMORY_WRITE:
		address += take(input, 2);
		access_write(&machine->memory, address, size, take(input, size));
		break;
	case TYPE:
		type(machine, input);
		break;
	case ROOM:
		fake_console_set_room(machine->console, (size_t)take(input, 1));
		break;
	case PASS_TIME:
		pass_time(machine, input);
		break;
	case SET_HOST_CLOCK: /* up to the year 2106 */
		fake_os_wall = (int64_t)take(input, 4) * 1000000000;
		break;
	case POWER_BUTTON:
		acpi_pm_power_button(&machine->pm);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	struct input input = {data, size};

	require(machine != NULL);
	create(machine);
	while (input.left)
		step(machine, &input);
	destroy(machine);
	return 0;
}
