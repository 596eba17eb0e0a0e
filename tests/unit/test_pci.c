/* SPDX-License-Identifier: MIT */
/* Configuration space, BARs and INTx, as a guest sees them through the ports and through ECAM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/bits.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"
#include "tests/support/pci_machine.h"

#define BAR(n) (offsetof(struct pci_header, bars) + 4 * (n))
#define COMMAND offsetof(struct pci_header, command)
#define STATUS offsetof(struct pci_header, status)

#define ONES UINT32_MAX

/* A function with one BAR of each kind. */
struct toy {
	struct pci_function function;
	struct os_mutex lock;
	unsigned reads, writes;
	uint64_t last_offset, last_value;
	unsigned last_size;
	unsigned moves;
	bool mapped[PCI_BARS];
	uint64_t address[PCI_BARS];
};

enum { BAR_MEMORY32 = 0, BAR_PORTS = 1, BAR_MEMORY64 = 2 };

static uint64_t toy_read(void *device, uint64_t offset, unsigned size)
{
	struct toy *toy = device;

	assert_true(fake_os_mutex_is_locked(&toy->lock));
	toy->reads++;
	toy->last_offset = offset;
	toy->last_size = size;
	return 0x1122334455667788;
}

static void toy_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct toy *toy = device;

	toy->writes++;
	toy->last_offset = offset;
	toy->last_size = size;
	toy->last_value = value;
}

static const struct bus_ops toy_bar_ops = {.read = toy_read, .write = toy_write};

static void toy_moved(void *device, unsigned bar, bool mapped, uint64_t address)
{
	struct toy *toy = device;

	toy->moves++;
	toy->mapped[bar] = mapped;
	toy->address[bar] = address;
}

static const struct pci_function_ops toy_ops = {.bar_moved = toy_moved};

struct fixture {
	struct pci_machine machine;
	struct toy toys[2]; /* slots 1 and 2 */
	struct toy more[4];
};

static void toy_init(struct toy *toy)
{
	static const struct pci_identity identity = {
		.vendor = 0x1234,
		.device = 0x5678,
		.revision = 3,
		.class_code = PCI_CLASS_OTHER,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x9abc,
		.interrupt_pin = true,
	};

	*toy = (struct toy){0};
	os_mutex_init(&toy->lock);
	pci_function_init(&toy->function, &identity, &toy_ops, toy, &toy->lock);
	pci_function_set_bar(&toy->function, BAR_MEMORY32, PCI_BAR_MEMORY32, true, 0x2000,
			     &toy_bar_ops);
	pci_function_set_bar(&toy->function, BAR_PORTS, PCI_BAR_PORTS, false, 0x20, &toy_bar_ops);
	pci_function_set_bar(&toy->function, BAR_MEMORY64, PCI_BAR_MEMORY64, false, 0x10000,
			     &toy_bar_ops);
}

static int setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	pci_machine_init(&f->machine);
	for (unsigned i = 0; i < 2; i++) {
		toy_init(&f->toys[i]);
		if (pci_host_attach(&f->machine.host, &f->toys[i].function) < 0)
			return -1;
	}
	*state = f;
	return 0;
}

static uint32_t config_read(struct fixture *f, unsigned slot, unsigned offset, unsigned size)
{
	return pci_machine_config_read(&f->machine, slot, offset, size);
}

static void config_write(struct fixture *f, unsigned slot, unsigned offset, unsigned size,
			 uint32_t value)
{
	pci_machine_config_write(&f->machine, slot, offset, size, value);
}

static uint64_t ecam_read(struct fixture *f, unsigned slot, unsigned function, unsigned offset,
			  unsigned size)
{
	return access_read(&f->machine.memory,
			   PCI_MACHINE_ECAM + (slot << 15 | function << 12) + offset, size);
}

static void ecam_write(struct fixture *f, unsigned slot, unsigned offset, unsigned size,
		       uint64_t value)
{
	access_write(&f->machine.memory, PCI_MACHINE_ECAM + (slot << 15) + offset, size, value);
}

/* Whether an access at address arrives at toy's BARs. */
static bool answers(struct fixture *f, struct toy *toy, struct bus *bus, uint64_t address)
{
	unsigned before = toy->reads;

	(void)f;
	access_read(bus, address, 4);
	return toy->reads != before;
}

/* --- Configuration mechanisms ---------------------------------------------------------------- */

static void test_identity(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(config_read(f, 0, 0, 4), 0x00081b36);
	assert_int_equal(config_read(f, 0, 8, 4) >> 8, PCI_CLASS_HOST_BRIDGE);
	assert_int_equal(config_read(f, 1, 0, 4), 0x56781234);
	assert_int_equal(config_read(f, 1, 8, 4), (uint32_t)PCI_CLASS_OTHER << 8 | 3);
	assert_int_equal(config_read(f, 1, 0x2c, 4), 0x9abc1af4);
	assert_int_equal(config_read(f, 1, offsetof(struct pci_header, interrupt_pin), 1), 1);
	assert_int_equal(config_read(f, 1, offsetof(struct pci_header, interrupt_line), 1),
			 PCI_MACHINE_GSI + 1);
}

static void test_absent_functions_read_ones(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(config_read(f, 3, 0, 4), ONES);
	assert_int_equal(config_read(f, 31, 0, 2), 0xffff);
	config_write(f, 31, COMMAND, 4, ONES);
	assert_int_equal(ecam_read(f, 31, 0, 0, 4), ONES);
	assert_int_equal(ecam_read(f, 1, 1, 0, 4), ONES);
	assert_true(ecam_read(f, 3, 0, 0, 8) == UINT64_MAX);
	/* Another bus, another function, and the enable bit off. */
	access_write(&f->machine.ports, 0xcf8, 4, PCI_ADDRESS_ENABLE | 1 << 16 | 1 << 11);
	assert_int_equal(access_read(&f->machine.ports, 0xcfc, 4), ONES);
	access_write(&f->machine.ports, 0xcf8, 4, PCI_ADDRESS_ENABLE | 1 << 11 | 1 << 8);
	assert_int_equal(access_read(&f->machine.ports, 0xcfc, 4), ONES);
	access_write(&f->machine.ports, 0xcf8, 4, 1 << 11);
	assert_int_equal(access_read(&f->machine.ports, 0xcfc, 4), ONES);
	access_write(&f->machine.ports, 0xcfc, 4, 0);
}

static void test_address_port_takes_whole_dwords_only(void **state)
{
	struct fixture *f = *state;

	access_write(&f->machine.ports, 0xcf8, 4, ONES);
	assert_int_equal(access_read(&f->machine.ports, 0xcf8, 4), 0x80fffffc);
	access_write(&f->machine.ports, 0xcf8, 4, PCI_ADDRESS_ENABLE | 1 << 11);
	access_write(&f->machine.ports, 0xcfb, 1, 0x01); /* as Linux probes */
	access_write(&f->machine.ports, 0xcf9, 1, 0x06);
	access_write(&f->machine.ports, 0xcf8, 2, 0);
	assert_int_equal(access_read(&f->machine.ports, 0xcf8, 4), PCI_ADDRESS_ENABLE | 1 << 11);
	assert_int_equal(access_read(&f->machine.ports, 0xcf8, 1), 0xff);
	assert_int_equal(access_read(&f->machine.ports, 0xcfa, 2), 0xffff);
	/* Half address, half data. */
	assert_int_equal(access_read(&f->machine.ports, 0xcfa, 4), 0x1234ffff);
}

static void test_byte_lanes(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		unsigned byte = 0x56781234 >> (8 * i) & 0xff;

		assert_int_equal(config_read(f, 1, i, 1), byte);
		assert_int_equal(ecam_read(f, 1, 0, i, 1), byte);
	}
	assert_int_equal(config_read(f, 1, 1, 2), 0x7812);
	assert_int_equal(ecam_read(f, 1, 0, 1, 2), 0x7812);
	assert_int_equal(ecam_read(f, 1, 0, 2, 4), (ecam_read(f, 1, 0, 0, 8) >> 16) & ONES);
	config_write(f, 1, BAR(0) + 1, 2, 0xab20);
	assert_int_equal(config_read(f, 1, BAR(0), 4) & 0xffff00, 0xab2000);
}

static void test_ecam_and_ports_are_one_space(void **state)
{
	struct fixture *f = *state;

	config_write(f, 1, 0x3c, 1, 0x5a);
	assert_int_equal(ecam_read(f, 1, 0, 0x3c, 1), 0x5a);
	ecam_write(f, 1, 0x38, 8, 0x0000003300000000);
	assert_int_equal(config_read(f, 1, 0x3c, 1), 0x33);
	/* Behind the 256 bytes, and at the end of the window. */
	assert_int_equal(ecam_read(f, 1, 0, 0x100, 4), ONES);
	assert_int_equal(ecam_read(f, 1, 0, 0xfe, 4), ONES);
	assert_int_equal(ecam_read(f, 31, 7, 0xffc, 4), ONES);
	ecam_write(f, 1, 0xfff, 1, 0);
}

static void test_read_only_registers_stay(void **state)
{
	struct fixture *f = *state;

	for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset += 4) {
		uint32_t before = config_read(f, 1, offset, 4);

		if (offset == COMMAND || (offset >= BAR(0) && offset < BAR(6)) || offset == 0xc ||
		    offset == 0x3c)
			continue;
		config_write(f, 1, offset, 4, ~before);
		assert_int_equal(config_read(f, 1, offset, 4), before);
	}
	config_write(f, 1, COMMAND, 4, ONES);
	assert_int_equal(config_read(f, 1, COMMAND, 2),
			 PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				 PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	config_write(f, 1, BAR(4), 4, ONES);
	assert_int_equal(config_read(f, 1, BAR(4), 4), 0);
}

static void test_status_bits_clear_when_ones_are_written(void **state)
{
	struct fixture *f = *state;
	uint8_t *status = &f->toys[0].function.config[STATUS];

	store_le16(status, PCI_STATUS_W1C | PCI_STATUS_CAPABILITIES);
	config_write(f, 1, STATUS, 2, 0);
	assert_int_equal(config_read(f, 1, STATUS, 2), PCI_STATUS_W1C | PCI_STATUS_CAPABILITIES);
	config_write(f, 1, STATUS + 1, 1, PCI_STATUS_DETECTED_PARITY >> 8);
	assert_int_equal(config_read(f, 1, STATUS, 2),
			 (PCI_STATUS_W1C & ~PCI_STATUS_DETECTED_PARITY) | PCI_STATUS_CAPABILITIES);
	config_write(f, 1, STATUS, 2, 0xffff);
	assert_int_equal(config_read(f, 1, STATUS, 2), PCI_STATUS_CAPABILITIES);
}

static void test_capabilities_are_linked(void **state)
{
	static const uint8_t body[14] = {0x10, 0xaa};
	struct fixture *f = *state;
	struct toy *toy = &f->more[0];
	unsigned count = 0;
	uint8_t at;

	toy_init(toy);
	while (pci_function_add_capability(&toy->function, PCI_CAP_ID_VENDOR, body, 15))
		count++;
	assert_int_equal(count, (256 - 64) / 16);
	assert_int_equal(pci_host_attach(&f->machine.host, &toy->function), 0);
	assert_true(config_read(f, 3, STATUS, 2) & PCI_STATUS_CAPABILITIES);
	at = (uint8_t)config_read(f, 3, 0x34, 1);
	for (; at; at = (uint8_t)config_read(f, 3, at + 1, 1), count--)
		assert_int_equal(config_read(f, 3, at, 4) & 0xffff00ff, 0xaa100009);
	assert_int_equal(count, 0);
}

/* --- BARs ------------------------------------------------------------------------------------ */

static void test_bars_are_assigned_and_decoded(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct toy *toy = &f->toys[i];

		assert_int_equal(config_read(f, i + 1, COMMAND, 2),
				 PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
		assert_true(toy->mapped[0] && toy->mapped[1] && toy->mapped[2]);
		assert_int_equal(config_read(f, i + 1, BAR(0), 4),
				 toy->address[0] | PCI_BAR_PREFETCHABLE);
		assert_int_equal(config_read(f, i + 1, BAR(1), 4), toy->address[1] | PCI_BAR_IO);
		assert_int_equal(config_read(f, i + 1, BAR(2), 4),
				 (uint32_t)toy->address[2] | PCI_BAR_TYPE_64);
		assert_int_equal(config_read(f, i + 1, BAR(3), 4), toy->address[2] >> 32);
		assert_true(answers(f, toy, &f->machine.memory, toy->address[0] + 0x1ffc));
		assert_true(answers(f, toy, &f->machine.ports, toy->address[1] + 0x1c));
		assert_true(answers(f, toy, &f->machine.memory, toy->address[2]));
		assert_false(answers(f, toy, &f->machine.memory, toy->address[0] + 0x1ffe));
		assert_false(answers(f, toy, &f->machine.ports, toy->address[1] + 0x20));
	}
}

static void test_bar_accesses_arrive_as_made(void **state)
{
	struct fixture *f = *state;
	struct toy *toy = &f->toys[1];

	assert_true(access_read(&f->machine.memory, toy->address[2] + 0x48, 8) ==
		    0x1122334455667788);
	assert_int_equal(toy->last_offset, 0x48);
	access_write(&f->machine.memory, toy->address[2] + 6, 2, 0xbeef);
	assert_int_equal(toy->last_offset, 6);
	assert_int_equal(toy->last_size, 2);
	assert_int_equal(toy->last_value, 0xbeef);
}

static uint32_t size_bar(struct fixture *f, unsigned slot, unsigned bar)
{
	uint32_t before = config_read(f, slot, BAR(bar), 4), mask;

	config_write(f, slot, BAR(bar), 4, ONES);
	mask = config_read(f, slot, BAR(bar), 4);
	config_write(f, slot, BAR(bar), 4, before);
	assert_int_equal(config_read(f, slot, BAR(bar), 4), before);
	return mask;
}

static void test_bars_tell_their_size(void **state)
{
	struct fixture *f = *state;

	for (unsigned decoding = 0; decoding < 2; decoding++) {
		config_write(f, 1, COMMAND, 2, decoding ? PCI_COMMAND_IO | PCI_COMMAND_MEMORY : 0);
		assert_int_equal(size_bar(f, 1, 0), 0xffffe008);
		assert_int_equal(size_bar(f, 1, 1), 0xffffffe1);
		assert_int_equal(size_bar(f, 1, 2), 0xffff0004);
		assert_int_equal(size_bar(f, 1, 3), 0xffffffff);
		assert_int_equal(size_bar(f, 1, 4), 0);
	}
	/* And are where they were. */
	assert_true(answers(f, &f->toys[0], &f->machine.memory, f->toys[0].address[0]));
	assert_true(answers(f, &f->toys[0], &f->machine.memory, f->toys[0].address[2]));
}

static void test_command_register_gates_decoding(void **state)
{
	struct fixture *f = *state;
	struct toy *toy = &f->toys[0];

	config_write(f, 1, COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_false(answers(f, toy, &f->machine.ports, toy->address[1]));
	assert_true(answers(f, toy, &f->machine.memory, toy->address[0]));
	config_write(f, 1, COMMAND, 2, PCI_COMMAND_IO);
	assert_true(answers(f, toy, &f->machine.ports, toy->address[1]));
	assert_false(answers(f, toy, &f->machine.memory, toy->address[0]));
	assert_false(answers(f, toy, &f->machine.memory, toy->address[2]));
	assert_false(toy->mapped[2]);
}

static void test_bars_move(void **state)
{
	struct fixture *f = *state;
	struct toy *toy = &f->toys[0];
	uint64_t old32 = toy->address[0], old64 = toy->address[2];

	config_write(f, 1, BAR(0), 4, 0xc8000000);
	assert_false(answers(f, toy, &f->machine.memory, old32));
	assert_true(answers(f, toy, &f->machine.memory, 0xc8000000));
	/* A 64-bit BAR, high half last; then below 4 GiB, where the other window is. */
	config_write(f, 1, BAR(2), 4, 0x40000000);
	config_write(f, 1, BAR(3), 4, 0x81);
	assert_false(answers(f, toy, &f->machine.memory, old64));
	assert_true(answers(f, toy, &f->machine.memory, 0x8140000000));
	config_write(f, 1, BAR(3), 4, 0);
	config_write(f, 1, BAR(2), 4, 0xc9000000);
	assert_true(answers(f, toy, &f->machine.memory, 0xc9000000));
	assert_int_equal(toy->address[2], 0xc9000000);
	config_write(f, 1, BAR(1), 4, 0xcf00);
	assert_true(answers(f, toy, &f->machine.ports, 0xcf00));
}

static void test_bars_of_one_function_change_places(void **state)
{
	struct fixture *f = *state;
	struct toy *toy = &f->toys[0];

	config_write(f, 1, COMMAND, 2, 0);
	config_write(f, 1, BAR(3), 4, 0);
	config_write(f, 1, BAR(2), 4, 0xc4000000);
	config_write(f, 1, BAR(0), 4, 0xc5000000);
	config_write(f, 1, COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(toy->address[2], 0xc4000000);
	/* BAR 2 goes where BAR 0 stands, and gets there once BAR 0 has left. */
	config_write(f, 1, BAR(2), 4, 0xc5000000);
	assert_false(toy->mapped[2]);
	config_write(f, 1, BAR(0), 4, 0xc4000000);
	assert_true(toy->mapped[0] && toy->mapped[2]);
	assert_int_equal(toy->address[0], 0xc4000000);
	assert_int_equal(toy->address[2], 0xc5000000);
}

static void test_bars_outside_the_windows_are_not_mapped(void **state)
{
	static const uint32_t bad[] = {
		0x00000000,       0x00001000, /* RAM */
		PCI_MACHINE_ECAM,             /* the bridge's own */
		0xbffff000,                   /* before the window */
		0xd0000000,                   /* behind it */
		0xfee00000,                   /* the local APIC */
		0xffffe000,                   /* the end of the address space */
	};
	struct fixture *f = *state;
	struct toy *toy = &f->toys[0];

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		config_write(f, 1, BAR(0), 4, bad[i]);
		assert_false(toy->mapped[0]);
		assert_false(answers(f, toy, &f->machine.memory, bad[i]));
	}
	config_write(f, 1, BAR(1), 4, 0xcf8 & ~0x1f);
	assert_false(toy->mapped[1]);
	config_write(f, 1, BAR(1), 4, 0xffffffe0);
	assert_false(toy->mapped[1]);
	config_write(f, 1, BAR(3), 4, ONES);
	config_write(f, 1, BAR(2), 4, ONES);
	assert_false(toy->mapped[2]);
	config_write(f, 1, BAR(0), 4, 0xcfffe000);
	assert_true(toy->mapped[0]);
}

static void test_bar_on_top_of_another_waits_for_it_to_leave(void **state)
{
	struct fixture *f = *state;
	struct toy *first = &f->toys[0], *second = &f->toys[1];
	uint32_t taken = (uint32_t)first->address[0];

	config_write(f, 2, BAR(0), 4, taken);
	assert_false(second->mapped[0]);
	assert_true(answers(f, first, &f->machine.memory, taken));
	config_write(f, 1, BAR(0), 4, 0xc7000000);
	assert_true(second->mapped[0]);
	assert_true(answers(f, second, &f->machine.memory, taken));
	assert_true(answers(f, first, &f->machine.memory, 0xc7000000));
}

static void test_moving_bars_about_logs_a_bounded_amount(void **state)
{
	struct fixture *f = *state;
	unsigned before = fake_os_log_lines;

	for (uint32_t i = 0; i < 10000; i++)
		config_write(f, 1, BAR(0), 4, i << 13);
	assert_in_range(fake_os_log_lines - before, 1, LOG_BUDGET);
}

static void test_refused_bar_is_reported_once_per_address(void **state)
{
	struct fixture *f = *state;
	unsigned before = fake_os_log_lines;

	config_write(f, 1, BAR(0), 4, 0xd0000000);
	for (unsigned i = 0; i < 10; i++)
		config_write(f, 2, COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(fake_os_log_lines - before, 1);
}

static void test_attach_says_when_there_is_no_room(void **state)
{
	static struct toy crowd[PCI_SLOTS];
	struct fixture *f = *state;
	struct toy *big = &f->more[0];
	unsigned ranges;
	unsigned i = 0;

	toy_init(big);
	pci_function_set_bar(&big->function, BAR_MEMORY32, PCI_BAR_MEMORY32, false, 0x20000000,
			     &toy_bar_ops);
	ranges = f->machine.memory.count;
	assert_int_equal(pci_host_attach(&f->machine.host, &big->function), -ENOSPC);
	assert_int_equal(f->machine.memory.count, ranges);
	assert_int_equal(config_read(f, 3, 0, 4), ONES);
	/* Slots 3 to 31, and no more. */
	do
		toy_init(&crowd[i]);
	while (pci_host_attach(&f->machine.host, &crowd[i].function) == 0 && ++i < PCI_SLOTS);
	assert_int_equal(i, PCI_SLOTS - 3);
}

static void test_big_bar_falls_back_to_the_low_window(void **state)
{
	struct fixture *f = *state;
	struct toy *toy = &f->more[0];

	toy_init(toy);
	f->machine.host.next_memory64 = PCI_MACHINE_MEMORY64_END;
	assert_int_equal(pci_host_attach(&f->machine.host, &toy->function), 0);
	assert_in_range(toy->address[2], PCI_MACHINE_MEMORY32, PCI_MACHINE_MEMORY32_END - 1);
	assert_int_equal(toy->address[2] % 0x10000, 0);
}

static void test_detached_function_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct toy *toy = &f->toys[1];
	uint64_t address = toy->address[0];

	os_mutex_lock(&toy->lock);
	pci_function_set_intx(&toy->function, true);
	os_mutex_unlock(&toy->lock);
	pci_host_detach(&f->machine.host, &toy->function);
	assert_false(f->machine.gsi_level[PCI_MACHINE_GSI + 2]);
	assert_false(answers(f, toy, &f->machine.memory, address));
	assert_int_equal(config_read(f, 2, 0, 4), ONES);
	assert_int_equal(pci_host_attach(&f->machine.host, &toy->function), 0);
	assert_true(answers(f, toy, &f->machine.memory, toy->address[0]));
}

/* --- INTx ------------------------------------------------------------------------------------ */

static void set_intx(struct toy *toy, bool level)
{
	os_mutex_lock(&toy->lock);
	pci_function_set_intx(&toy->function, level);
	os_mutex_unlock(&toy->lock);
}

static void test_intx_line_and_status(void **state)
{
	struct fixture *f = *state;

	set_intx(&f->toys[0], true);
	assert_true(f->machine.gsi_level[PCI_MACHINE_GSI + 1]);
	assert_true(config_read(f, 1, STATUS, 2) & PCI_STATUS_INTERRUPT);
	set_intx(&f->toys[0], true);
	assert_int_equal(f->machine.gsi_changes, 1);
	/* Disabled: the status stays, the line falls. */
	config_write(f, 1, COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	assert_false(f->machine.gsi_level[PCI_MACHINE_GSI + 1]);
	assert_true(config_read(f, 1, STATUS, 2) & PCI_STATUS_INTERRUPT);
	config_write(f, 1, COMMAND, 2, 0);
	assert_true(f->machine.gsi_level[PCI_MACHINE_GSI + 1]);
	set_intx(&f->toys[0], false);
	assert_false(f->machine.gsi_level[PCI_MACHINE_GSI + 1]);
	assert_false(config_read(f, 1, STATUS, 2) & PCI_STATUS_INTERRUPT);
}

static void test_intx_line_is_shared(void **state)
{
	struct fixture *f = *state;
	bool *line = &f->machine.gsi_level[PCI_MACHINE_GSI + 1];

	/* Slots 1 and 5 pull the same line. */
	for (unsigned i = 0; i < 3; i++) {
		toy_init(&f->more[i]);
		assert_int_equal(pci_host_attach(&f->machine.host, &f->more[i].function), 0);
	}
	assert_int_equal(f->more[2].function.slot, 5);
	set_intx(&f->toys[0], true);
	set_intx(&f->more[2], true);
	set_intx(&f->toys[0], false);
	assert_true(*line);
	set_intx(&f->more[2], false);
	assert_false(*line);
	assert_int_equal(f->machine.gsi_changes, 2);
}

static void test_lines_that_lead_to_one_gsi_are_shared(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++)
		f->machine.host.windows.intx_gsi[i] = 9;
	for (unsigned i = 0; i < 2; i++) {
		toy_init(&f->more[i]);
		assert_int_equal(pci_host_attach(&f->machine.host, &f->more[i].function), 0);
	}
	set_intx(&f->more[0], true);
	set_intx(&f->more[1], true);
	set_intx(&f->more[0], false);
	assert_true(f->machine.gsi_level[9]);
	set_intx(&f->more[1], false);
	assert_false(f->machine.gsi_level[9]);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_absent_functions_read_ones),
		TEST(test_address_port_takes_whole_dwords_only),
		TEST(test_byte_lanes),
		TEST(test_ecam_and_ports_are_one_space),
		TEST(test_read_only_registers_stay),
		TEST(test_status_bits_clear_when_ones_are_written),
		TEST(test_capabilities_are_linked),
		TEST(test_bars_are_assigned_and_decoded),
		TEST(test_bar_accesses_arrive_as_made),
		TEST(test_bars_tell_their_size),
		TEST(test_command_register_gates_decoding),
		TEST(test_bars_move),
		TEST(test_bars_of_one_function_change_places),
		TEST(test_bars_outside_the_windows_are_not_mapped),
		TEST(test_bar_on_top_of_another_waits_for_it_to_leave),
		TEST(test_moving_bars_about_logs_a_bounded_amount),
		TEST(test_refused_bar_is_reported_once_per_address),
		TEST(test_attach_says_when_there_is_no_room),
		TEST(test_big_bar_falls_back_to_the_low_window),
		TEST(test_detached_function_leaves_nothing),
		TEST(test_intx_line_and_status),
		TEST(test_intx_line_is_shared),
		TEST(test_lines_that_lead_to_one_gsi_are_shared),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
