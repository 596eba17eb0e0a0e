/* SPDX-License-Identifier: MIT */
/* MSI-X: table, masks, pending bits, and how often the sink is bothered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/bits.h"
#include "tests/support/bus_access.h"
#include "tests/support/pci_machine.h"

#define SLOT 1
#define VECTORS 4
#define TABLE 0x1000
#define PBA 0x2000

#define COMMAND offsetof(struct pci_header, command)
#define CONTROL_MASKED 1

struct fixture {
	struct pci_machine machine;
	struct pci_function function;
	struct pci_msix msix;
	struct os_mutex lock;
	uint64_t bar;
};

static uint64_t bar_read(void *device, uint64_t offset, unsigned size)
{
	struct fixture *f = device;

	return pci_msix_read(&f->msix, offset, size);
}

static void bar_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct fixture *f = device;

	pci_msix_write(&f->msix, offset, size, value);
}

static const struct bus_ops bar_ops = {.read = bar_read, .write = bar_write};

static void bar_moved(void *device, unsigned bar, bool mapped, uint64_t address)
{
	struct fixture *f = device;

	(void)bar;
	if (mapped)
		f->bar = address;
}

static int create(struct fixture *f, unsigned vectors)
{
	static const struct pci_function_ops ops = {.bar_moved = bar_moved};
	static const struct pci_identity identity = {.vendor = 0x1234, .interrupt_pin = true};
	struct msi_sink sink;

	os_mutex_init(&f->lock);
	pci_function_init(&f->function, &identity, &ops, f, &f->lock);
	pci_function_set_bar(&f->function, 0, PCI_BAR_MEMORY32, false, 0x4000, &bar_ops);
	sink = pci_machine_msi(&f->machine);
	return pci_msix_init(&f->msix, &f->function, &sink, vectors, 0, TABLE, PBA);
}

static int setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	*state = f;
	pci_machine_init(&f->machine);
	if (create(f, VECTORS) < 0 || pci_host_attach(&f->machine.host, &f->function) < 0)
		return -1;
	pci_machine_command(&f->machine, SLOT, PCI_COMMAND_MASTER);
	return 0;
}

static void control(struct fixture *f, uint16_t value)
{
	pci_machine_config_write(&f->machine, SLOT, f->msix.capability + 2, 2, value);
}

static void entry_write(struct fixture *f, unsigned vector, unsigned field, uint32_t value)
{
	access_write(&f->machine.memory, f->bar + TABLE + vector * 16 + field, 4, value);
}

static uint32_t entry_read(struct fixture *f, unsigned vector, unsigned field)
{
	return (uint32_t)access_read(&f->machine.memory, f->bar + TABLE + vector * 16 + field, 4);
}

/* As a driver does it: masked, then the message, then unmasked. */
static void entry_set(struct fixture *f, unsigned vector, uint32_t address, uint32_t data)
{
	entry_write(f, vector, 12, CONTROL_MASKED);
	entry_write(f, vector, 0, address);
	entry_write(f, vector, 4, 0);
	entry_write(f, vector, 8, data);
	entry_write(f, vector, 12, 0);
}

static void raise_vector(struct fixture *f, unsigned vector)
{
	os_mutex_lock(&f->lock);
	pci_msix_signal(&f->msix, vector);
	os_mutex_unlock(&f->lock);
}

static uint64_t pending(struct fixture *f)
{
	return access_read(&f->machine.memory, f->bar + PBA, 8);
}

static void test_capability(void **state)
{
	struct fixture *f = *state;
	unsigned at = pci_machine_config_read(&f->machine, SLOT, 0x34, 1);

	assert_int_equal(pci_machine_config_read(&f->machine, SLOT, at, 4),
			 PCI_CAP_ID_MSIX | (VECTORS - 1) << 16);
	assert_int_equal(pci_machine_config_read(&f->machine, SLOT, at + 4, 4), TABLE);
	assert_int_equal(pci_machine_config_read(&f->machine, SLOT, at + 8, 4), PBA);
	control(f, 0xffff);
	assert_int_equal(pci_machine_config_read(&f->machine, SLOT, at + 2, 2),
			 PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL | (VECTORS - 1));
}

static void test_init_refuses_what_cannot_be(void **state)
{
	struct fixture *f = *state;

	pci_machine_init(&f->machine);
	assert_int_equal(create(f, 0), -EINVAL);
	assert_int_equal(create(f, PCI_MSIX_VECTORS_MAX + 1), -EINVAL);
	f->machine.vectors_limit = 3;
	assert_int_equal(create(f, 4), -ENOSPC);
	assert_null(f->function.msix);
	assert_int_equal(create(f, 3), 0);
}

static void test_table_reads_back(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < VECTORS; i++)
		assert_int_equal(entry_read(f, i, 12), CONTROL_MASKED);
	access_write(&f->machine.memory, f->bar + TABLE + 16, 8, 0x00000001fee01000);
	access_write(&f->machine.memory, f->bar + TABLE + 24, 8, 0xffffffff00000042);
	assert_int_equal(entry_read(f, 1, 0), 0xfee01000);
	assert_int_equal(entry_read(f, 1, 4), 1);
	assert_int_equal(entry_read(f, 1, 8), 0x42);
	assert_int_equal(entry_read(f, 1, 12), CONTROL_MASKED);
	assert_true(access_read(&f->machine.memory, f->bar + TABLE + 16, 8) == 0x1fee01000);
	assert_int_equal(access_read(&f->machine.memory, f->bar + TABLE + 17, 1), 0x10);
	/* Neither small nor misaligned writes, nor any behind the last entry. */
	access_write(&f->machine.memory, f->bar + TABLE + 24, 1, 0xff);
	access_write(&f->machine.memory, f->bar + TABLE + 24, 2, 0xffff);
	access_write(&f->machine.memory, f->bar + TABLE + 22, 4, 0xffffffff);
	access_write(&f->machine.memory, f->bar + TABLE + 20, 8, UINT64_MAX);
	access_write(&f->machine.memory, f->bar + TABLE + VECTORS * 16, 8, UINT64_MAX);
	access_write(&f->machine.memory, f->bar + PBA, 8, UINT64_MAX);
	assert_int_equal(entry_read(f, 1, 8), 0x42);
	assert_int_equal(entry_read(f, 1, 4), 1);
	assert_int_equal(entry_read(f, 2, 0), 0);
	assert_true(pending(f) == 0);
	assert_int_equal(entry_read(f, VECTORS, 0), UINT32_MAX);
	assert_true(access_read(&f->machine.memory, f->bar + TABLE + VECTORS * 16 - 4, 8) ==
		    UINT64_MAX);
	assert_int_equal(access_read(&f->machine.memory, f->bar + PBA + 8, 4), UINT32_MAX);
}

static void test_message_arrives(void **state)
{
	struct fixture *f = *state;

	entry_set(f, 2, 0xfee03000, 0x31);
	control(f, PCI_MSIX_CONTROL_ENABLE);
	raise_vector(f, 2);
	assert_true(f->machine.vectors[2].enabled);
	assert_int_equal(f->machine.vectors[2].address, 0xfee03000);
	assert_int_equal(f->machine.vectors[2].data, 0x31);
	assert_int_equal(f->machine.vectors[2].signals, 1);
	raise_vector(f, 1000);
}

static void test_sink_is_told_of_a_message_only_when_it_is_needed_and_new(void **state)
{
	struct fixture *f = *state;

	control(f, PCI_MSIX_CONTROL_ENABLE);
	for (unsigned i = 0; i < VECTORS; i++)
		entry_set(f, i, 0xfee00000, 0x20 + i);
	assert_int_equal(f->machine.routes, 0);
	for (unsigned i = 0; i < 10; i++)
		raise_vector(f, 0);
	assert_int_equal(f->machine.routes, 1);
	/* Masked and unmasked, or written again as it was. */
	entry_set(f, 0, 0xfee00000, 0x20);
	control(f, 0);
	control(f, PCI_MSIX_CONTROL_ENABLE);
	raise_vector(f, 0);
	assert_int_equal(f->machine.routes, 1);
	/* Moved to another processor. */
	entry_set(f, 0, 0xfee05000, 0x20);
	raise_vector(f, 0);
	raise_vector(f, 0);
	assert_int_equal(f->machine.routes, 2);
	assert_int_equal(f->machine.vectors[0].address, 0xfee05000);
	assert_int_equal(f->machine.vectors[0].signals, 13);
}

static void test_masked_vector_waits(void **state)
{
	struct fixture *f = *state;

	entry_set(f, 1, 0xfee00000, 0x21);
	control(f, PCI_MSIX_CONTROL_ENABLE);
	raise_vector(f, 1);
	entry_write(f, 1, 12, CONTROL_MASKED);
	raise_vector(f, 1);
	raise_vector(f, 1);
	assert_true(pending(f) == 2);
	assert_int_equal(f->machine.vectors[1].signals, 1);
	/* The message may change while it waits. */
	entry_write(f, 1, 8, 0x55);
	entry_write(f, 1, 12, 0);
	assert_int_equal(f->machine.vectors[1].signals, 2);
	assert_int_equal(f->machine.vectors[1].data, 0x55);
	assert_true(pending(f) == 0);
}

static void test_function_mask(void **state)
{
	struct fixture *f = *state;

	control(f, PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
	entry_set(f, 0, 0xfee00000, 0x20);
	entry_set(f, 3, 0xfee00000, 0x23);
	raise_vector(f, 0);
	raise_vector(f, 1); /* masked by itself too */
	raise_vector(f, 3);
	assert_true(pending(f) == 0xb);
	control(f, PCI_MSIX_CONTROL_ENABLE);
	assert_int_equal(f->machine.vectors[0].signals, 1);
	assert_int_equal(f->machine.vectors[1].signals, 0);
	assert_int_equal(f->machine.vectors[3].signals, 1);
	assert_true(pending(f) == 2);
}

static void test_disabled_function_sends_nothing(void **state)
{
	struct fixture *f = *state;

	entry_set(f, 0, 0xfee00000, 0x20);
	raise_vector(f, 0);
	assert_int_equal(f->machine.vectors[0].signals, 0);
	control(f, PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
	raise_vector(f, 0);
	assert_true(pending(f) == 1);
	control(f, 0);
	assert_true(pending(f) == 0);
	control(f, PCI_MSIX_CONTROL_ENABLE);
	assert_int_equal(f->machine.vectors[0].signals, 0);
	raise_vector(f, 0);
	assert_int_equal(f->machine.vectors[0].signals, 1);
	control(f, 0);
	raise_vector(f, 0);
	assert_int_equal(f->machine.vectors[0].signals, 1);
}

static void test_messages_take_a_bus_master(void **state)
{
	struct fixture *f = *state;

	entry_set(f, 0, 0xfee00000, 0x20);
	control(f, PCI_MSIX_CONTROL_ENABLE);
	raise_vector(f, 0);
	pci_machine_config_write(&f->machine, SLOT, COMMAND, 2, PCI_COMMAND_MEMORY);
	raise_vector(f, 0);
	assert_int_equal(f->machine.vectors[0].signals, 1);
	pci_machine_command(&f->machine, SLOT, PCI_COMMAND_MASTER);
	raise_vector(f, 0);
	assert_int_equal(f->machine.vectors[0].signals, 2);
}

static void test_release_ends_the_routes(void **state)
{
	struct fixture *f = *state;

	control(f, PCI_MSIX_CONTROL_ENABLE);
	entry_set(f, 0, 0xfee00000, 0x20);
	entry_set(f, 1, 0xfee00000, 0x21);
	raise_vector(f, 0);
	pci_msix_release(&f->msix);
	assert_false(f->machine.vectors[0].enabled);
	assert_int_equal(f->machine.routes, 2);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_capability),
		TEST(test_init_refuses_what_cannot_be),
		TEST(test_table_reads_back),
		TEST(test_message_arrives),
		TEST(test_sink_is_told_of_a_message_only_when_it_is_needed_and_new),
		TEST(test_masked_vector_waits),
		TEST(test_function_mask),
		TEST(test_disabled_function_sends_nothing),
		TEST(test_messages_take_a_bus_master),
		TEST(test_release_ends_the_routes),
	};

	return cmocka_run_group_tests_name("pci_msix", tests, NULL, NULL);
}
