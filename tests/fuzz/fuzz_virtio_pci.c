/* SPDX-License-Identifier: MIT */
/*
 * The PCI transport with the simplest device behind it: register accesses, doorbells, configuration
 * space and memory writes in any order, between turns of the loop thread.
 */
#include <string.h>

#include "hw/virtio.h"
#include "lib/bits.h"
#include "tests/support/bus_access.h"
#include "tests/support/driver.h"
#include "tests/support/echo.h"
#include "tests/support/fake_os.h"
#include "tests/support/fuzz_input.h"
#include "tests/support/pci_machine.h"

#define RAM_SIZE 0x10000
#define SLOT 1
#define QUEUE_SIZE 8

struct target {
	struct pci_machine machine;
	struct driver_memory ram;
	struct driver_queue queues[ECHO_QUEUES];
	struct os_loop *loop;
	struct echo echo;
	struct virtio_pci *pci;
};

static uint64_t bar(struct target *target)
{
	unsigned at = offsetof(struct pci_header, bars);

	return (pci_machine_config_read(&target->machine, SLOT, at, 4) & ~15u) |
	       (uint64_t)pci_machine_config_read(&target->machine, SLOT, at + 4, 4) << 32;
}

#define SET(target, name, value)                                                                   \
	pci_machine_write(&(target)->machine,                                                      \
			  bar(target) + offsetof(struct virtio_pci_common_cfg, name),              \
			  sizeof(((struct virtio_pci_common_cfg *)0)->name), value)

/* The way a driver goes, so that the fuzzer need not find it. */
static void bring_up(struct target *target, uint8_t flags)
{
	const uint8_t ready = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	SET(target, device_status, ready);
	SET(target, driver_feature_select, 1);
	SET(target, driver_feature, 1);
	SET(target, driver_feature_select, 0);
	SET(target, driver_feature, (uint32_t)(flags & 3) << VIRTIO_F_INDIRECT_DESC);
	SET(target, device_status, ready | VIRTIO_STATUS_FEATURES_OK);
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		SET(target, queue_select, i);
		SET(target, queue_size, QUEUE_SIZE);
		SET(target, queue_desc, target->queues[i].descriptors_gpa);
		SET(target, queue_driver, target->queues[i].available_gpa);
		SET(target, queue_device, target->queues[i].used_gpa);
		SET(target, queue_msix_vector, i);
		SET(target, queue_enable, 1);
	}
	SET(target, device_status, ready | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
}

static void offer(struct target *target, struct fuzz_input *input)
{
	struct driver_queue *queue = &target->queues[fuzz_take(input, 1) % ECHO_QUEUES];
	struct virtq_desc *descriptor = &queue->descriptors[fuzz_take(input, 1) % QUEUE_SIZE];

	descriptor->address = fuzz_take(input, 2) * 2;
	descriptor->length = (uint32_t)fuzz_take(input, 2);
	descriptor->flags = (uint16_t)(fuzz_take(input, 1) & 7);
	descriptor->next = (uint16_t)fuzz_take(input, 1);
	driver_offer(queue, (uint16_t)fuzz_take(input, 1) % (QUEUE_SIZE + 1));
}

static void step(struct target *target, struct fuzz_input *input)
{
	struct pci_machine *machine = &target->machine;
	uint8_t operation = (uint8_t)fuzz_take(input, 1);
	unsigned size = (operation >> 4) % 8 + 1;
	uint64_t offset;

	switch (operation % 12) {
	case 0: /* common configuration */
		offset = fuzz_take(input, 1) % 72;
		pci_machine_write(machine, bar(target) + offset, size, fuzz_take(input, size));
		break;
	case 1: /* anywhere in the BAR */
		offset = fuzz_take(input, 2) % 0x8000;
		pci_machine_write(machine, bar(target) + offset, size, fuzz_take(input, size));
		break;
	case 2:
		access_read(&machine->memory, bar(target) + fuzz_take(input, 2) % 0x8000, size);
		break;
	case 3:
		pci_machine_config_write(machine, SLOT, (unsigned)fuzz_take(input, 1), size,
					 (uint32_t)fuzz_take(input, size));
		break;
	case 4:
		pci_machine_config_read(machine, SLOT, (unsigned)fuzz_take(input, 1), size);
		break;
	case 5:
		fake_os_run(target->loop);
		break;
	case 6: /* doorbell */
		pci_machine_write(machine, bar(target) + 0x3000 + fuzz_take(input, 1) % 16, 2, 0);
		pci_machine_write_port(machine, (uint16_t)(PCI_MACHINE_PORTS + operation), 2, 0);
		break;
	case 7:
		bring_up(target, operation >> 4);
		break;
	case 8:
		offer(target, input);
		break;
	case 9: /* memory, rings and all */
		offset = fuzz_take(input, size);
		guest_memory_write(&target->ram.memory, fuzz_take(input, 2), &offset, size);
		break;
	case 10:
		SET(target, device_status, operation & 0x80 ? 0 : fuzz_take(input, 1));
		break;
	default:
		pci_machine_command(machine, SLOT,
				    PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.at = data, .left = size};
	struct target *target = calloc(1, sizeof(*target));
	struct msi_sink msi;
	struct doorbell_sink doorbells;
	unsigned log_lines = fake_os_log_lines;

	fuzz_check(target != NULL);
	pci_machine_init(&target->machine);
	driver_memory_create(&target->ram, RAM_SIZE);
	fuzz_check(os_loop_create(&target->loop) == 0);
	for (unsigned i = 0; i < ECHO_QUEUES; i++)
		driver_queue_init(&target->queues[i], &target->ram, QUEUE_SIZE);
	echo_init(&target->echo, &target->ram.memory);
	msi = pci_machine_msi(&target->machine);
	doorbells = pci_machine_doorbells(&target->machine);
	fuzz_check(virtio_pci_create(&target->echo.virtio, &target->machine.host, target->loop,
				     &msi, &doorbells, &target->pci) == 0);
	pci_machine_command(&target->machine, SLOT, PCI_COMMAND_MASTER);
	while (input.left)
		step(target, &input);
	virtio_pci_destroy(target->pci);
	fuzz_check(pci_machine_doorbell_count(&target->machine, DOORBELL_MEMORY) == 0);
	fuzz_check(pci_machine_doorbell_count(&target->machine, DOORBELL_PORT) == 0);
	fuzz_check(target->machine.memory.count == 1);
	/* The device's budget and its PCI function's. */
	fuzz_check(fake_os_log_lines - log_lines <= 2 * LOG_BUDGET);
	fake_os_run(target->loop);
	os_loop_destroy(target->loop);
	driver_memory_destroy(&target->ram);
	free(target);
	return 0;
}
