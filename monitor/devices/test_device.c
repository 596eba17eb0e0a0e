/* SPDX-License-Identifier: MIT */
/*
 * test_device.c - for people who write operating systems and hypervisors: a port that ends the VM,
 * ports that print, interrupt lines that are set by a write, and registers that keep what they are
 * given.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/devices/devices.h"

enum test_port {
	SCRATCH_PORT = 0xe0,
	SCRATCH_PORTS = 8,
	DEBUG_PORT = 0xe9, /* as Bochs has it */
	OUTPUT_PORT = 0xf1,
	EXIT_PORT = 0xf4, /* as QEMU's isa-debug-exit has it in kvm-unit-tests */
	EXIT_PORTS = 4,
	CONFIG_PORT = 0x510, /* fw_cfg: selector, and the item's bytes one after the other */
	CONFIG_PORTS = 2,
	CONFIG_SELECTOR = 0,
	IRQ_PORT = 0x2000,
	IRQ_PORTS = 24, /* the pins of an I/O APIC */
};

enum config_item {
	CONFIG_SIGNATURE = 0,
	CONFIG_RAM_SIZE = 3, /* 8 bytes */
	CONFIG_CPUS = 5,     /* 2 bytes */
	CONFIG_CPUS_MAX = 15,
};

/* --- Printing, ending ------------------------------------------------------------------------ */

static void print(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct test_device *test = device;
	uint8_t byte = (uint8_t)value;

	(void)offset;
	(void)size;
	if (test->console)
		os_console_write(test->console, &byte, 1);
}

static uint64_t debug_read(void *device, uint64_t offset, unsigned size)
{
	(void)device;
	(void)offset;
	(void)size;
	return DEBUG_PORT; /* how a guest knows that it is there */
}

static uint64_t zero_read(void *device, uint64_t offset, unsigned size)
{
	(void)device;
	(void)offset;
	(void)size;
	return 0;
}

static void exit_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct test_device *test = device;

	(void)offset;
	(void)size;
	test->requests->debug_exit(test->requests->context, (uint32_t)value);
}

/* --- Scratch registers ----------------------------------------------------------------------- */

static uint64_t bytes_read(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, bytes, size);
	return value;
}

static uint64_t scratch_read(void *device, uint64_t offset, unsigned size)
{
	struct test_device *test = device;

	return bytes_read(test->scratch + offset, size);
}

static void scratch_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct test_device *test = device;

	memcpy(test->scratch + offset, &value, size);
}

static uint64_t memory_read(void *device, uint64_t offset, unsigned size)
{
	struct test_device *test = device;

	return bytes_read(test->memory + offset, size);
}

static void memory_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct test_device *test = device;

	memcpy(test->memory + offset, &value, size);
}

/* --- Interrupt lines ------------------------------------------------------------------------- */

static void irq_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct test_device *test = device;

	for (unsigned i = 0; i < size; i++, value >>= 8)
		test->irq_set(test->irq_context, (uint32_t)offset + i, value & UINT8_MAX);
}

/* --- What machine this is -------------------------------------------------------------------- */

static uint64_t config_item(const struct test_device *test)
{
	switch (test->selector) {
	case CONFIG_SIGNATURE:
		return load_le32("QEMU");
	case CONFIG_RAM_SIZE:
		return test->ram_size;
	case CONFIG_CPUS:
	case CONFIG_CPUS_MAX:
		return test->cpus;
	default:
		return 0;
	}
}

/* No item is longer than 8 bytes, and behind its end all reads 0. */
static uint64_t config_read(void *device, uint64_t offset, unsigned size)
{
	struct test_device *test = device;

	if (offset == CONFIG_SELECTOR || size != 1 || test->selector_offset >= sizeof(uint64_t))
		return 0;
	return (config_item(test) >> (8 * test->selector_offset++)) & UINT8_MAX;
}

static void config_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct test_device *test = device;

	(void)size;
	if (offset != CONFIG_SELECTOR)
		return;
	test->selector = (uint16_t)value;
	test->selector_offset = 0;
}

/* --- Making it ------------------------------------------------------------------------------- */

static const struct bus_ops scratch_ops = {.read = scratch_read, .write = scratch_write};
static const struct bus_ops debug_ops = {.read = debug_read, .write = print};
static const struct bus_ops output_ops = {.read = zero_read, .write = print};
static const struct bus_ops exit_ops = {.read = zero_read, .write = exit_write};
static const struct bus_ops config_ops = {.read = config_read, .write = config_write};
static const struct bus_ops irq_ops = {.read = zero_read, .write = irq_write};
static const struct bus_ops memory_ops = {.read = memory_read, .write = memory_write};

static const struct {
	uint16_t port;
	uint8_t length;
	const struct bus_ops *ops;
} blocks[] = {
	{SCRATCH_PORT, SCRATCH_PORTS, &scratch_ops},
	{DEBUG_PORT, 1, &debug_ops},
	{OUTPUT_PORT, 1, &output_ops},
	{EXIT_PORT, EXIT_PORTS, &exit_ops},
	{CONFIG_PORT, CONFIG_PORTS, &config_ops},
	{IRQ_PORT, IRQ_PORTS, &irq_ops},
};

static int add_ranges(struct test_device *test, struct bus *ports, struct bus *memory)
{
	struct bus_range range = {.device = test, .lock = &test->lock};
	int err = 0;

	for (unsigned i = 0; !err && i < ARRAY_COUNT(blocks); i++) {
		range.base = blocks[i].port;
		range.length = blocks[i].length;
		range.ops = blocks[i].ops;
		err = bus_add(ports, &range);
	}
	if (err < 0)
		return err;
	range.base = TEST_DEVICE_MEMORY;
	range.length = TEST_DEVICE_MEMORY_SIZE;
	range.ops = &memory_ops;
	return bus_add(memory, &range);
}

int test_device_init(struct test_device *test, struct bus *ports, struct bus *memory,
		     const struct machine_requests *requests, struct os_console *console,
		     void (*irq_set)(void *context, uint32_t gsi, bool level), void *irq_context,
		     uint32_t cpus, uint64_t ram_size)
{
	int err;

	*test = (struct test_device){.requests = requests,
				     .console = console,
				     .irq_set = irq_set,
				     .irq_context = irq_context,
				     .cpus = cpus,
				     .ram_size = ram_size};
	os_mutex_init(&test->lock);
	test->memory = os_alloc(TEST_DEVICE_MEMORY_SIZE);
	if (!test->memory)
		return -ENOMEM;
	err = add_ranges(test, ports, memory);
	if (err < 0)
		test_device_destroy(test);
	return err;
}

void test_device_destroy(struct test_device *test)
{
	os_free(test->memory);
	test->memory = NULL;
}
