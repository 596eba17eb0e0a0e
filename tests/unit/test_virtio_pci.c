/* SPDX-License-Identifier: MIT */
/* The PCI transport of virtio, driven through its registers as a guest does it, or should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/bits.h"
#include "monitor/virtio/virtio_pci.h"
#include "tests/support/bus_access.h"
#include "tests/support/driver.h"
#include "tests/support/echo.h"
#include "tests/support/fake_os.h"
#include "tests/support/pci_machine.h"

#define RAM_SIZE (16 * MIB)
#define SLOT 1
#define PORT_BAR 2
#define QUEUE_SIZE 16
#define GSI (PCI_MACHINE_GSI + SLOT)
#define COMMAND offsetof(struct pci_header, command)

#define READY                                                                                      \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |            \
	 VIRTIO_STATUS_DRIVER_OK)
#define RING_FEATURES                                                                              \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_INDIRECT_DESC))

struct fixture {
	struct pci_machine machine;
	struct driver_memory ram;
	struct os_loop *loop;
	struct echo echo;
	struct virtio_pci *pci;
	struct driver_queue queues[ECHO_QUEUES];
	gpa_t buffer;
	/* where the driver found things */
	uint64_t common, notify, isr, config, msix_table;
	uint16_t notify_port;
	uint32_t multiplier;
	unsigned msix_capability, window;
};

/* --- The driver ------------------------------------------------------------------------------ */

static uint32_t pci_read(struct fixture *f, unsigned offset, unsigned size)
{
	return pci_machine_config_read(&f->machine, SLOT, offset, size);
}

static void pci_write(struct fixture *f, unsigned offset, unsigned size, uint32_t value)
{
	pci_machine_config_write(&f->machine, SLOT, offset, size, value);
}

static uint64_t bar_address(struct fixture *f, unsigned bar)
{
	unsigned at = offsetof(struct pci_header, bars) + 4 * bar;

	return (pci_read(f, at, 4) & ~15u) | (uint64_t)pci_read(f, at + 4, 4) << 32;
}

static void find_structures(struct fixture *f)
{
	for (unsigned at = pci_read(f, 0x34, 1); at; at = pci_read(f, at + 1, 1)) {
		uint64_t address;

		if (pci_read(f, at, 1) == PCI_CAP_ID_MSIX)
			f->msix_capability = at;
		if (pci_read(f, at, 1) != PCI_CAP_ID_VENDOR)
			continue;
		address = bar_address(f, pci_read(f, at + 4, 1)) + pci_read(f, at + 8, 4);
		switch (pci_read(f, at + 3, 1)) {
		case VIRTIO_PCI_CAP_COMMON_CFG:
			f->common = address;
			break;
		case VIRTIO_PCI_CAP_NOTIFY_CFG:
			f->multiplier = pci_read(f, at + 16, 4);
			if (pci_read(f, at + 4, 1) == PORT_BAR)
				f->notify_port =
					(uint16_t)pci_read(
						f, offsetof(struct pci_header, bars) + 4 * PORT_BAR,
						4) &
					0xfffc;
			else
				f->notify = address;
			break;
		case VIRTIO_PCI_CAP_ISR_CFG:
			f->isr = address;
			break;
		case VIRTIO_PCI_CAP_DEVICE_CFG:
			f->config = address;
			break;
		case VIRTIO_PCI_CAP_PCI_CFG:
			f->window = at;
			break;
		}
	}
	f->msix_table = bar_address(f, 0) + pci_read(f, f->msix_capability + 4, 4);
}

static uint64_t mem_read(struct fixture *f, uint64_t address, unsigned size)
{
	return access_read(&f->machine.memory, address, size);
}

static void mem_write(struct fixture *f, uint64_t address, unsigned size, uint64_t value)
{
	pci_machine_write(&f->machine, address, size, value);
}

#define REGISTER(name) offsetof(struct virtio_pci_common_cfg, name)
#define SIZE_OF(name) sizeof(((struct virtio_pci_common_cfg *)0)->name)
#define GET(f, name) mem_read(f, (f)->common + REGISTER(name), SIZE_OF(name))
#define SET(f, name, value) mem_write(f, (f)->common + REGISTER(name), SIZE_OF(name), value)

static uint64_t offered(struct fixture *f)
{
	uint64_t features;

	SET(f, device_feature_select, 1);
	features = GET(f, device_feature) << 32;
	SET(f, device_feature_select, 0);
	return features | GET(f, device_feature);
}

static void accept(struct fixture *f, uint64_t features)
{
	SET(f, driver_feature_select, 0);
	SET(f, driver_feature, (uint32_t)features);
	SET(f, driver_feature_select, 1);
	SET(f, driver_feature, features >> 32);
}

static void negotiate(struct fixture *f, uint64_t features)
{
	SET(f, device_status, VIRTIO_STATUS_ACKNOWLEDGE);
	SET(f, device_status, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	accept(f, features);
	SET(f, device_status, READY & ~VIRTIO_STATUS_DRIVER_OK);
}

static void setup_queue(struct fixture *f, unsigned index)
{
	struct driver_queue *queue = &f->queues[index];

	driver_queue_init(queue, &f->ram, QUEUE_SIZE);
	SET(f, queue_select, index);
	SET(f, queue_size, QUEUE_SIZE);
	SET(f, queue_desc, queue->descriptors_gpa);
	SET(f, queue_driver, queue->available_gpa);
	mem_write(f, f->common + REGISTER(queue_device), 4, (uint32_t)queue->used_gpa);
	mem_write(f, f->common + REGISTER(queue_device) + 4, 4, queue->used_gpa >> 32);
	SET(f, queue_msix_vector, index + 1);
	SET(f, queue_enable, 1);
}

static void enable_msix(struct fixture *f)
{
	pci_write(f, f->msix_capability + 2, 2, PCI_MSIX_CONTROL_ENABLE);
	for (unsigned i = 0; i <= ECHO_QUEUES; i++) {
		mem_write(f, f->msix_table + 16 * i, 4, 0xfee00000);
		mem_write(f, f->msix_table + 16 * i + 8, 4, 0x30 + i);
		mem_write(f, f->msix_table + 16 * i + 12, 4, 0);
	}
}

static void ring(struct fixture *f, unsigned queue)
{
	SET(f, queue_select, queue);
	mem_write(f, f->notify + GET(f, queue_notify_off) * f->multiplier, 2, queue);
}

static void run(struct fixture *f)
{
	fake_os_run(f->loop);
}

/* The whole of 3.1.1. */
static void start(struct fixture *f)
{
	negotiate(f, RING_FEATURES | BIT(ECHO_FEATURE));
	for (unsigned i = 0; i < ECHO_QUEUES; i++)
		setup_queue(f, i);
	SET(f, config_msix_vector, 0);
	SET(f, device_status, READY);
	run(f);
}

static void request(struct fixture *f, unsigned queue)
{
	const struct driver_buffer buffers[] = {{f->buffer, 16, false},
						{f->buffer + 16, 100, true}};

	driver_add(&f->queues[queue], buffers, 2);
}

static void assert_served(struct fixture *f, unsigned queue, unsigned count)
{
	const uint8_t *bytes = driver_at(&f->ram, f->buffer, 117);
	uint32_t head, written;

	for (unsigned i = 0; i < count; i++) {
		assert_true(driver_take_used(&f->queues[queue], &head, &written));
		assert_int_equal(written, 100);
		assert_int_equal(bytes[15], 0);
		assert_int_equal(bytes[16], ECHO_BYTE);
		assert_int_equal(bytes[115], ECHO_BYTE);
		assert_int_equal(bytes[116], 0);
	}
	assert_false(driver_take_used(&f->queues[queue], &head, &written));
}

static void assert_works(struct fixture *f)
{
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		request(f, i);
		ring(f, i);
		run(f);
		assert_served(f, i, 1);
	}
}

static bool needs_reset(struct fixture *f)
{
	return GET(f, device_status) & VIRTIO_STATUS_DEVICE_NEEDS_RESET;
}

static void reset(struct fixture *f)
{
	SET(f, device_status, 0);
	run(f);
	assert_int_equal(GET(f, device_status), 0);
}

/* --- Fixture --------------------------------------------------------------------------------- */

static int create(struct fixture *f)
{
	struct msi_sink msi = pci_machine_msi(&f->machine);
	struct doorbell_sink doorbells = pci_machine_doorbells(&f->machine);

	return virtio_pci_create(&f->echo.virtio, &f->machine.host, f->loop, &msi, &doorbells,
				 &f->pci);
}

static int setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	pci_machine_init(&f->machine);
	driver_memory_create(&f->ram, RAM_SIZE);
	f->buffer = driver_alloc(&f->ram, 4096, 4096);
	os_loop_create(&f->loop);
	echo_init(&f->echo, &f->ram.memory);
	*state = f;
	if (create(f) < 0)
		return -1;
	pci_machine_command(&f->machine, SLOT, PCI_COMMAND_MASTER);
	find_structures(f);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_pci_destroy(f->pci);
	/* Nothing is left behind on the buses, in the sinks or on the loop. */
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_MEMORY), 0);
	assert_int_equal(f->machine.memory.count, 1);
	assert_false(f->machine.gsi_level[GSI]);
	run(f);
	os_loop_destroy(f->loop);
	driver_memory_destroy(&f->ram);
	return 0;
}

/* --- What a driver finds --------------------------------------------------------------------- */

static void test_identity_and_structures(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pci_read(f, 0, 2), VIRTIO_PCI_VENDOR);
	assert_int_equal(pci_read(f, 2, 2), VIRTIO_PCI_DEVICE_BASE + ECHO_ID);
	assert_int_equal(pci_read(f, 8, 1), VIRTIO_PCI_REVISION);
	assert_true(f->common && f->notify && f->isr && f->config && f->window);
	assert_int_equal(f->multiplier, 4);
	assert_int_equal(f->notify % 4096, 0);
	assert_int_equal(GET(f, num_queues), ECHO_QUEUES);
	assert_true(offered(f) == (RING_FEATURES | BIT(ECHO_FEATURE)));
	SET(f, device_feature_select, 2);
	assert_int_equal(GET(f, device_feature), 0);
	SET(f, queue_select, 1);
	assert_int_equal(GET(f, queue_size), ECHO_QUEUE_MAX);
	assert_int_equal(GET(f, queue_enable), 0);
	assert_int_equal(GET(f, queue_msix_vector), VIRTIO_MSI_NO_VECTOR);
	SET(f, queue_select, ECHO_QUEUES);
	assert_int_equal(GET(f, queue_size), 0);
	SET(f, queue_select, 0xffff);
	SET(f, queue_size, 4);
	SET(f, queue_desc, UINT64_MAX);
	SET(f, queue_enable, 1);
	SET(f, queue_msix_vector, 0);
	assert_int_equal(GET(f, queue_enable), 0);
}

static void test_device_without_configuration_shows_none(void **state)
{
	struct fixture *f = *state;

	virtio_pci_destroy(f->pci);
	f->echo.virtio.config_size = 0;
	f->config = 0;
	assert_int_equal(create(f), 0);
	find_structures(f);
	assert_true(f->common != 0);
	assert_true(f->config == 0);
}

static void test_chains_are_served_with_messages(void **state)
{
	struct fixture *f = *state;

	enable_msix(f);
	start(f);
	assert_int_equal(f->echo.activations, 1);
	assert_true(f->echo.virtio.negotiated == (RING_FEATURES | BIT(ECHO_FEATURE)));
	assert_works(f);
	assert_int_equal(f->machine.vectors[0].signals, 0);
	assert_int_equal(f->machine.vectors[1].signals, 1);
	assert_int_equal(f->machine.vectors[2].signals, 1);
	assert_int_equal(mem_read(f, f->isr, 1), 0);
	assert_false(f->machine.gsi_level[GSI]);
}

static void test_chains_are_served_with_the_interrupt_line(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_works(f);
	assert_true(f->machine.gsi_level[GSI]);
	assert_int_equal(mem_read(f, f->isr, 1), VIRTIO_PCI_ISR_QUEUE);
	assert_false(f->machine.gsi_level[GSI]);
	assert_int_equal(mem_read(f, f->isr, 1), 0);
	os_mutex_lock(&f->echo.virtio.lock);
	virtio_config_changed(&f->echo.virtio);
	os_mutex_unlock(&f->echo.virtio.lock);
	assert_true(f->machine.gsi_level[GSI]);
	/* With MSI-X on the line is silent. */
	pci_write(f, f->msix_capability + 2, 2, PCI_MSIX_CONTROL_ENABLE);
	assert_false(f->machine.gsi_level[GSI]);
	pci_write(f, f->msix_capability + 2, 2, 0);
	assert_true(f->machine.gsi_level[GSI]);
	assert_int_equal(mem_read(f, f->isr, 4), VIRTIO_PCI_ISR_CONFIG);
}

static void test_queue_without_a_vector_is_silent(void **state)
{
	struct fixture *f = *state;

	enable_msix(f);
	start(f);
	SET(f, queue_select, 0);
	SET(f, queue_msix_vector, ECHO_QUEUES + 1); /* there is none of that number */
	assert_int_equal(GET(f, queue_msix_vector), VIRTIO_MSI_NO_VECTOR);
	SET(f, config_msix_vector, 0xfffe);
	assert_int_equal(GET(f, config_msix_vector), VIRTIO_MSI_NO_VECTOR);
	request(f, 0);
	ring(f, 0);
	run(f);
	assert_served(f, 0, 1);
	assert_int_equal(f->machine.vectors[1].signals, 0);
}

static void test_configuration_changes_count(void **state)
{
	struct fixture *f = *state;
	uint64_t before = GET(f, config_generation);

	enable_msix(f);
	os_mutex_lock(&f->echo.virtio.lock);
	virtio_config_changed(&f->echo.virtio);
	os_mutex_unlock(&f->echo.virtio.lock);
	assert_int_not_equal(GET(f, config_generation), before);
	/* No interrupt before DRIVER_OK. */
	assert_int_equal(mem_read(f, f->isr, 1), 0);
	start(f);
	os_mutex_lock(&f->echo.virtio.lock);
	virtio_config_changed(&f->echo.virtio);
	os_mutex_unlock(&f->echo.virtio.lock);
	assert_int_equal(f->machine.vectors[0].signals, 1);
	assert_int_equal(mem_read(f, f->isr, 1), VIRTIO_PCI_ISR_CONFIG);
}

static void test_device_configuration(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mem_read(f, f->config, 4), 0x13121110);
	assert_true(mem_read(f, f->config + 3, 8) == 0x1a19181716151413);
	assert_true(mem_read(f, f->config + 8, 8) == 0x1b1a1918);
	assert_int_equal(mem_read(f, f->config + ECHO_CONFIG_SIZE, 4), 0);
	assert_int_equal(mem_read(f, f->config + 4092, 4), 0);
	mem_write(f, f->config + 2, 2, 0xbeef);
	assert_int_equal(mem_read(f, f->config, 4), 0xbeef1110);
	mem_write(f, f->config + 11, 2, 0xffff);
	mem_write(f, f->config + 4088, 8, UINT64_MAX);
	assert_int_equal(f->echo.config[11], 0x1b);
}

static void test_doorbell_that_came_before_activation_is_heard(void **state)
{
	struct fixture *f = *state;

	negotiate(f, RING_FEATURES);
	setup_queue(f, 0);
	request(f, 0);
	ring(f, 0);
	run(f);
	assert_int_equal(f->echo.notifies, 0);
	SET(f, device_status, READY);
	assert_int_equal(GET(f, device_status), READY);
	run(f);
	assert_served(f, 0, 1);
	/* The queue that was not enabled hears nothing. */
	ring(f, 1);
	run(f);
	assert_int_equal(f->echo.notifies, 1);
}

static void test_device_may_ask_to_be_notified_again(void **state)
{
	struct fixture *f = *state;

	negotiate(f, RING_FEATURES);
	SET(f, queue_size, ECHO_QUEUE_MAX);
	setup_queue(f, 0);
	SET(f, device_status, READY);
	run(f);
	f->echo.notifies = 0;
	os_mutex_lock(&f->echo.virtio.lock);
	virtio_notify_again(&f->echo.virtio, 0);
	os_mutex_unlock(&f->echo.virtio.lock);
	assert_int_equal(f->echo.notifies, 0);
	run(f);
	assert_int_equal(f->echo.notifies, 1);
}

/* --- Doorbells and the BAR ------------------------------------------------------------------- */

static void test_doorbells_follow_the_bar(void **state)
{
	struct fixture *f = *state;
	unsigned bar = offsetof(struct pci_header, bars);
	uint64_t old = f->notify;

	start(f);
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_MEMORY), ECHO_QUEUES);
	pci_write(f, bar + 4, 4, 0x81);
	find_structures(f);
	assert_int_equal(f->notify >> 32, 0x81);
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_MEMORY), ECHO_QUEUES);
	assert_works(f);
	request(f, 0);
	mem_write(f, old, 2, 0);
	run(f);
	assert_served(f, 0, 0);
	/* Decoding off: no doorbell at all. */
	pci_write(f, COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_MEMORY), 0);
	pci_write(f, COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	ring(f, 0);
	run(f);
	assert_served(f, 0, 1);
}

static void test_doorbells_are_ports_too(void **state)
{
	struct fixture *f = *state;
	unsigned bar = offsetof(struct pci_header, bars) + 4 * PORT_BAR;
	uint16_t old = f->notify_port;

	pci_machine_command(&f->machine, SLOT, PCI_COMMAND_IO);
	start(f);
	assert_in_range(old, PCI_MACHINE_PORTS, PCI_MACHINE_PORTS_END);
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_PORT), ECHO_QUEUES);
	request(f, 1);
	pci_machine_write_port(&f->machine, (uint16_t)(old + f->multiplier), 2, 1);
	run(f);
	assert_served(f, 1, 1);
	/* They move with their BAR, and go with its decoding. */
	pci_write(f, bar, 4, old + 0x100);
	request(f, 1);
	pci_machine_write_port(&f->machine, (uint16_t)(old + f->multiplier), 2, 1);
	run(f);
	assert_served(f, 1, 0);
	pci_machine_write_port(&f->machine, (uint16_t)(old + 0x100 + f->multiplier), 2, 1);
	run(f);
	assert_served(f, 1, 1);
	pci_write(f, COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_PORT), 0);
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_MEMORY), ECHO_QUEUES);
}

static void test_doorbells_work_without_the_sink(void **state)
{
	struct fixture *f = *state;

	virtio_pci_destroy(f->pci);
	f->machine.doorbells_refused = true;
	assert_int_equal(create(f), 0);
	pci_machine_command(&f->machine, SLOT, PCI_COMMAND_MASTER);
	find_structures(f);
	start(f);
	assert_works(f);
	/* No queue stands behind these. */
	mem_write(f, f->notify + ECHO_QUEUES * f->multiplier, 2, 0);
	mem_write(f, f->notify + 4092, 4, 0);
	run(f);
	/* By port. */
	pci_machine_command(&f->machine, SLOT, PCI_COMMAND_IO);
	request(f, 0);
	pci_machine_write_port(&f->machine, f->notify_port, 2, 0);
	run(f);
	assert_int_equal(pci_machine_doorbell_count(&f->machine, DOORBELL_PORT), 0);
	pci_machine_write_port(&f->machine, (uint16_t)(f->notify_port + 28), 2, 0);
}

static void test_nothing_is_touched_without_bus_mastering(void **state)
{
	struct fixture *f = *state;

	enable_msix(f);
	start(f);
	pci_write(f, COMMAND, 2, PCI_COMMAND_MEMORY);
	request(f, 0);
	ring(f, 0);
	run(f);
	assert_served(f, 0, 0);
	assert_int_equal(f->queues[0].used->flags, 0);
	os_mutex_lock(&f->echo.virtio.lock);
	virtio_config_changed(&f->echo.virtio);
	f->echo.virtio.ops->notify(&f->echo.virtio, 0); /* a call back of the device's own */
	os_mutex_unlock(&f->echo.virtio.lock);
	assert_served(f, 0, 0);
	assert_int_equal(f->machine.vectors[0].signals, 0);
	/* Once it is back, what waited is served. */
	pci_write(f, COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	run(f);
	assert_served(f, 0, 1);
}

static void test_window_in_configuration_space(void **state)
{
	struct fixture *f = *state;
	unsigned data = f->window + offsetof(struct virtio_pci_cfg_cap, data);
	unsigned offset = f->window + offsetof(struct virtio_pci_cap, offset);
	unsigned length = f->window + offsetof(struct virtio_pci_cap, length);

	/* It needs no BAR that is decoded. */
	pci_write(f, COMMAND, 2, 0);
	pci_write(f, f->window + 4, 1, 0);
	pci_write(f, offset, 4, REGISTER(num_queues));
	pci_write(f, length, 4, 2);
	assert_int_equal(pci_read(f, data, 2), ECHO_QUEUES);
	pci_write(f, offset, 4, REGISTER(device_status));
	pci_write(f, length, 4, 1);
	pci_write(f, data, 1, VIRTIO_STATUS_ACKNOWLEDGE);
	assert_int_equal(pci_read(f, data, 1), VIRTIO_STATUS_ACKNOWLEDGE);
	pci_write(f, offset, 4, (uint32_t)(f->config - bar_address(f, 0)));
	pci_write(f, length, 4, 4);
	assert_int_equal(pci_read(f, data, 4), 0x13121110);
}

static void test_window_that_leads_nowhere(void **state)
{
	static const struct {
		uint8_t bar;
		uint32_t offset, length;
	} bad[] = {
		{1, 0, 4},          {6, 0, 4},          {255, 0, 4},        {0, 0, 0},
		{0, 0, 3},          {0, 0, 8},          {0, 2, 4},          {0, 1, 2},
		{0, 0x8000, 4},     {0, 0xfffffffc, 4}, {0, 0, 0x80000000}, {0, 0x7fff, 4},
		{0, 0xffffffff, 1},
	};
	struct fixture *f = *state;
	unsigned data = f->window + offsetof(struct virtio_pci_cfg_cap, data);

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		pci_write(f, f->window + 4, 1, bad[i].bar);
		pci_write(f, f->window + 8, 4, bad[i].offset);
		pci_write(f, f->window + 12, 4, bad[i].length);
		pci_write(f, data, 4, 0x600df00d);
		assert_int_equal(pci_read(f, data, 4), 0x600df00d);
	}
	assert_int_equal(GET(f, device_feature_select), 0);
}

/* --- Negotiation ----------------------------------------------------------------------------- */

static void test_features_must_be_acceptable(void **state)
{
	static const uint64_t bad[] = {
		0,
		BIT(ECHO_FEATURE), /* no VERSION_1 */
		BIT(VIRTIO_F_VERSION_1) | BIT(6),
		BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED),
		BIT(VIRTIO_F_VERSION_1) | BIT(63),
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		negotiate(f, bad[i]);
		assert_int_equal(GET(f, device_status),
				 VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
		/* And without it no DRIVER_OK. */
		SET(f, device_status,
		    VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK);
		run(f);
		assert_int_equal(f->echo.activations, 0);
		reset(f);
	}
	negotiate(f, BIT(VIRTIO_F_VERSION_1));
	assert_true(GET(f, device_status) & VIRTIO_STATUS_FEATURES_OK);
}

static void test_features_are_settled_by_features_ok(void **state)
{
	struct fixture *f = *state;

	negotiate(f, BIT(VIRTIO_F_VERSION_1));
	accept(f, UINT64_MAX);
	SET(f, driver_feature_select, 0);
	assert_int_equal(GET(f, driver_feature), 0);
	SET(f, driver_feature_select, 1);
	assert_int_equal(GET(f, driver_feature), 1);
	SET(f, driver_feature_select, 7);
	SET(f, driver_feature, 1);
	assert_int_equal(GET(f, driver_feature), 0);
	SET(f, device_status, READY);
	run(f);
	assert_true(f->echo.virtio.negotiated == BIT(VIRTIO_F_VERSION_1));
}

static void test_status_bits_are_not_cleared_one_by_one(void **state)
{
	struct fixture *f = *state;

	start(f);
	SET(f, device_status, VIRTIO_STATUS_ACKNOWLEDGE);
	assert_int_equal(GET(f, device_status), READY);
	SET(f, device_status, 0xff);
	run(f);
	assert_int_equal(GET(f, device_status), READY | VIRTIO_STATUS_FAILED);
	assert_int_equal(f->echo.activations, 1);
}

static void test_enabled_queue_is_frozen(void **state)
{
	struct fixture *f = *state;
	uint64_t used;

	for (unsigned live = 0; live < 2; live++) {
		if (!live) {
			negotiate(f, RING_FEATURES);
			setup_queue(f, 0);
		} else {
			SET(f, device_status, READY);
			run(f);
		}
		SET(f, queue_select, 0);
		used = GET(f, queue_device);
		SET(f, queue_size, 4);
		SET(f, queue_desc, 0x1000);
		SET(f, queue_driver, 0x1000);
		SET(f, queue_device, 0x1000);
		mem_write(f, f->common + REGISTER(queue_device) + 4, 4, 0x80);
		SET(f, queue_enable, 0);
		assert_int_equal(GET(f, queue_size), QUEUE_SIZE);
		assert_int_equal(GET(f, queue_desc), f->queues[0].descriptors_gpa);
		assert_int_equal(GET(f, queue_driver), f->queues[0].available_gpa);
		assert_int_equal(GET(f, queue_device), used);
		assert_int_equal(GET(f, queue_enable), 1);
	}
	request(f, 0);
	ring(f, 0);
	run(f);
	assert_served(f, 0, 1);
	/* One that is enabled too late stays dead. */
	setup_queue(f, 1);
	assert_int_equal(GET(f, queue_enable), 0);
	request(f, 1);
	ring(f, 1);
	run(f);
	assert_served(f, 1, 0);
}

static void test_odd_accesses_change_nothing(void **state)
{
	struct virtio_pci_common_cfg before, after;
	struct fixture *f = *state;

	negotiate(f, RING_FEATURES);
	SET(f, queue_select, 1);
	for (unsigned i = 0; i < sizeof(before); i++)
		((uint8_t *)&before)[i] = (uint8_t)mem_read(f, f->common + i, 1);
	for (unsigned i = 0; i < 256; i++) {
		for (unsigned size = 1; size <= 8; size++) {
			bool address = i >= REGISTER(queue_desc) &&
				       i < REGISTER(queue_notify_data) &&
				       ((size == 4 && i % 4 == 0) || (size == 8 && i % 8 == 0));
			bool natural = (size == 1 && i == REGISTER(device_status)) ||
				       (size == 2 && i >= 16 && i < 32 && i % 2 == 0) ||
				       (size == 4 && i < 16 && i % 4 == 0);
			/* A size that is no power of two is a row of bytes, the status among them.
			 */
			bool status = i <= REGISTER(device_status) &&
				      i + size > REGISTER(device_status) && !is_power_of_two(size);

			if (!address && !natural && !status)
				mem_write(f, f->common + i, size, 0x8181818181818181);
		}
	}
	for (unsigned i = 0; i < sizeof(after); i++)
		((uint8_t *)&after)[i] = (uint8_t)mem_read(f, f->common + i, 1);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(mem_read(f, f->common + 63, 4), 0);
	assert_int_equal(mem_read(f, f->common + 4095, 4), 0);
}

/* --- Hostile queues -------------------------------------------------------------------------- */

static void assert_recovers(struct fixture *f)
{
	unsigned notifies = f->echo.notifies;

	assert_true(needs_reset(f));
	ring(f, 0);
	run(f);
	assert_int_equal(f->echo.notifies, notifies);
	assert_served(f, 0, 0);
	reset(f);
	assert_false(needs_reset(f));
	start(f);
	assert_works(f);
}

static void test_bad_queues_fail_the_device(void **state)
{
	/* The rings at the device's own registers, in the hole, wrapping, misaligned; bad sizes. */
	static const struct {
		unsigned offset, size;
		uint64_t value;
	} bad[] = {
		{REGISTER(queue_desc), 8, PCI_MACHINE_MEMORY64},
		{REGISTER(queue_driver), 8, PCI_MACHINE_ECAM},
		{REGISTER(queue_device), 8, 0xfee00000},
		{REGISTER(queue_desc), 8, UINT64_MAX - 15},
		{REGISTER(queue_driver), 8, UINT64_MAX - 1},
		{REGISTER(queue_device), 8, RAM_SIZE - 4},
		{REGISTER(queue_desc), 4, 8},
		{REGISTER(queue_device), 4, 2},
		{REGISTER(queue_size), 2, 0},
		{REGISTER(queue_size), 2, 12},
		{REGISTER(queue_size), 2, ECHO_QUEUE_MAX * 2},
		{REGISTER(queue_size), 2, 0xffff},
	};
	struct fixture *f = *state;

	enable_msix(f);
	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		unsigned activations = f->echo.activations;
		unsigned signals = f->machine.vectors[0].signals;

		negotiate(f, RING_FEATURES);
		setup_queue(f, 0);
		SET(f, config_msix_vector, 0);
		SET(f, queue_select, 1);
		SET(f, queue_size, QUEUE_SIZE);
		SET(f, queue_desc, f->queues[0].descriptors_gpa);
		SET(f, queue_driver, f->queues[0].available_gpa);
		SET(f, queue_device, f->queues[0].used_gpa);
		mem_write(f, f->common + bad[i].offset, bad[i].size, bad[i].value);
		SET(f, queue_enable, 1);
		SET(f, device_status, READY);
		run(f);
		assert_int_equal(f->echo.activations, activations);
		assert_int_equal(f->machine.vectors[0].signals, signals + 1);
		assert_recovers(f);
		reset(f);
	}
}

static void test_bad_chain_fails_the_device_until_reset(void **state)
{
	struct fixture *f = *state;

	enable_msix(f);
	start(f);
	driver_offer(&f->queues[0], 0xffff);
	ring(f, 0);
	run(f);
	assert_int_equal(f->machine.vectors[0].signals, 1);
	/* The other queue rests too. */
	request(f, 1);
	ring(f, 1);
	run(f);
	assert_served(f, 1, 0);
	/* The bit can't be written away, nor can the device be restarted without a reset. */
	SET(f, device_status, READY);
	run(f);
	assert_recovers(f);
	assert_int_equal(f->echo.resets, 1);
}

static void test_failing_over_and_over_logs_a_bounded_amount(void **state)
{
	struct fixture *f = *state;
	unsigned before = fake_os_log_lines;

	for (unsigned i = 0; i < 200; i++) {
		start(f);
		driver_offer(&f->queues[0], 0xffff);
		ring(f, 0);
		run(f);
		SET(f, queue_size, 3);
		mem_write(f, f->common + 1, 1, 3);
		reset(f);
	}
	assert_in_range(fake_os_log_lines - before, 1, LOG_BUDGET);
}

/* --- Reset ----------------------------------------------------------------------------------- */

static void test_reset_of_an_idle_device_is_immediate(void **state)
{
	struct fixture *f = *state;

	SET(f, device_status, 0);
	assert_int_equal(GET(f, device_status), 0);
	negotiate(f, RING_FEATURES);
	setup_queue(f, 0);
	assert_int_equal(GET(f, device_status), READY & ~VIRTIO_STATUS_DRIVER_OK);
	assert_int_equal(GET(f, queue_enable), 1);
	SET(f, device_status, 0);
	assert_int_equal(GET(f, device_status), 0);
	SET(f, queue_select, 0);
	assert_int_equal(GET(f, queue_enable), 0);
	assert_int_equal(GET(f, queue_size), ECHO_QUEUE_MAX);
	assert_int_equal(GET(f, queue_desc), 0);
	assert_int_equal(GET(f, driver_feature), 0);
	assert_int_equal(f->echo.resets, 0);
	/* Also between DRIVER_OK and the loop thread's turn. */
	negotiate(f, RING_FEATURES);
	setup_queue(f, 0);
	SET(f, device_status, READY);
	SET(f, device_status, 0);
	assert_int_equal(GET(f, device_status), 0);
	run(f);
	assert_int_equal(f->echo.activations, 0);
	start(f);
	assert_works(f);
}

static void test_status_stays_until_the_reset_is_done(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_works(f);
	SET(f, device_status, 0);
	assert_int_equal(GET(f, device_status), READY);
	/* Meanwhile nothing takes effect. */
	request(f, 0);
	ring(f, 0);
	SET(f, device_status, VIRTIO_STATUS_ACKNOWLEDGE);
	SET(f, driver_feature, 1);
	mem_write(f, f->config, 4, 0);
	run(f);
	assert_int_equal(GET(f, device_status), 0);
	assert_int_equal(f->echo.resets, 1);
	assert_int_equal(f->echo.config[0], 0x10);
	assert_served(f, 0, 0);
	start(f);
	assert_works(f);
}

/* The guest goes on while the device waits for its requests in flight. */
static void guest_goes_on(struct echo *echo)
{
	struct fixture *f = echo->context;

	assert_int_equal(GET(f, device_status), READY);
	SET(f, device_status, 0);
	SET(f, device_status, READY);
	SET(f, queue_desc, 0);
	ring(f, 0);
	assert_int_equal(mem_read(f, f->config, 4), 0);
	mem_write(f, f->config, 4, UINT32_MAX);
	/* A request that ends now, with the driver keen to hear of it. */
	*driver_used_event(&f->queues[0]) = f->queues[0].used->index;
	os_mutex_lock(&echo->virtio.lock);
	virtqueue_push(&echo->virtio.queues[0], 0, 0);
	virtio_queue_interrupt(&echo->virtio, 0);
	virtio_config_changed(&echo->virtio);
	os_mutex_unlock(&echo->virtio.lock);
}

static void test_reset_with_requests_in_flight(void **state)
{
	struct fixture *f = *state;
	unsigned signals;

	enable_msix(f);
	start(f);
	assert_works(f);
	signals = f->machine.vectors[1].signals;
	f->echo.on_reset = guest_goes_on;
	f->echo.context = f;
	reset(f);
	f->echo.on_reset = NULL;
	assert_int_equal(f->echo.resets, 1);
	assert_int_equal(f->machine.vectors[1].signals, signals);
	assert_int_equal(f->machine.vectors[0].signals, 0);
	start(f);
	assert_works(f);
}

static void test_reset_takes_the_interrupt_line_back(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_works(f);
	assert_true(f->machine.gsi_level[GSI]);
	reset(f);
	assert_false(f->machine.gsi_level[GSI]);
	assert_int_equal(mem_read(f, f->isr, 1), 0);
}

static void test_destroying_a_live_device_resets_it(void **state)
{
	struct fixture *f = *state;

	enable_msix(f);
	start(f);
	request(f, 0);
	ring(f, 0);
	virtio_pci_destroy(f->pci);
	assert_int_equal(f->echo.resets, 1);
	run(f);
	assert_int_equal(create(f), 0);
}

static void test_create_fails_whole(void **state)
{
	struct fixture *f = *state;
	struct echo second;
	struct virtio_pci *pci = NULL;
	struct msi_sink msi = pci_machine_msi(&f->machine);

	echo_init(&second, &f->ram.memory);
	second.virtio.queue_count = VIRTIO_QUEUES_MAX + 1;
	assert_int_equal(
		virtio_pci_create(&second.virtio, &f->machine.host, f->loop, &msi, NULL, &pci),
		-EINVAL);
	echo_init(&second, &f->ram.memory);
	f->machine.vectors_limit = f->machine.vectors_claimed + ECHO_QUEUES;
	assert_int_equal(
		virtio_pci_create(&second.virtio, &f->machine.host, f->loop, &msi, NULL, &pci),
		-ENOSPC);
	f->machine.vectors_limit = PCI_MACHINE_VECTORS;
	f->machine.host.next_memory32 = PCI_MACHINE_MEMORY32_END;
	f->machine.host.next_memory64 = PCI_MACHINE_MEMORY64_END;
	assert_int_equal(
		virtio_pci_create(&second.virtio, &f->machine.host, f->loop, &msi, NULL, &pci),
		-ENOSPC);
	assert_null(pci);
	assert_int_equal(pci_machine_config_read(&f->machine, SLOT + 1, 0, 4), UINT32_MAX);
	start(f);
	assert_works(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_identity_and_structures),
		TEST(test_device_without_configuration_shows_none),
		TEST(test_chains_are_served_with_messages),
		TEST(test_chains_are_served_with_the_interrupt_line),
		TEST(test_queue_without_a_vector_is_silent),
		TEST(test_configuration_changes_count),
		TEST(test_device_configuration),
		TEST(test_doorbell_that_came_before_activation_is_heard),
		TEST(test_device_may_ask_to_be_notified_again),
		TEST(test_doorbells_follow_the_bar),
		TEST(test_doorbells_are_ports_too),
		TEST(test_doorbells_work_without_the_sink),
		TEST(test_nothing_is_touched_without_bus_mastering),
		TEST(test_window_in_configuration_space),
		TEST(test_window_that_leads_nowhere),
		TEST(test_features_must_be_acceptable),
		TEST(test_features_are_settled_by_features_ok),
		TEST(test_status_bits_are_not_cleared_one_by_one),
		TEST(test_enabled_queue_is_frozen),
		TEST(test_odd_accesses_change_nothing),
		TEST(test_bad_queues_fail_the_device),
		TEST(test_bad_chain_fails_the_device_until_reset),
		TEST(test_failing_over_and_over_logs_a_bounded_amount),
		TEST(test_reset_of_an_idle_device_is_immediate),
		TEST(test_status_stays_until_the_reset_is_done),
		TEST(test_reset_with_requests_in_flight),
		TEST(test_reset_takes_the_interrupt_line_back),
		TEST(test_destroying_a_live_device_resets_it),
		TEST(test_create_fails_whole),
	};

	return cmocka_run_group_tests_name("virtio_pci", tests, NULL, NULL);
}
