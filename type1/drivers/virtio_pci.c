/* SPDX-License-Identifier: MIT */
/*
 * virtio_pci.c - finding a virtio device's structures, and its initialization (virtio 1.2, sections
 * 3.1 and 4.1).
 */
#include "type1/drivers/virtio_pci.h"

#include <linux/errno.h>

#include "hw/pci.h"
#include "lib/bits.h"

#define TRANSITIONAL_DEVICE_BASE                                                                   \
	0x1000 /* section 4.1.2.1: legacy as well; these keep an own type */
#define TRANSITIONAL_NET 0
#define TRANSITIONAL_BLOCK 1
#define RESET_TIME (100 * DEVICE_MILLISECOND)
#define QUEUE_ALIGNMENT 64 /* each part in cache lines of its own */

bool virtio_pci_matches(const struct type1_device *info, uint16_t type)
{
	unsigned transitional = TRANSITIONAL_DEVICE_BASE +
				(type == VIRTIO_ID_BLOCK ? TRANSITIONAL_BLOCK : TRANSITIONAL_NET);

	if (info->vendor != VIRTIO_PCI_VENDOR)
		return false;
	return info->device == VIRTIO_PCI_DEVICE_BASE + type ||
	       ((type == VIRTIO_ID_NET || type == VIRTIO_ID_BLOCK) && info->device == transitional);
}

/* The structure that a capability describes, if its BAR has it; NULL. */
static volatile uint8_t *find_structure(const struct device *device, uint8_t type,
					uint32_t size_least, unsigned *at, uint32_t *size)
{
	unsigned offset = 0;

	while ((offset = device_capability(device, PCI_CAP_ID_VENDOR, offset))) {
		uint32_t bar = device_config_read(
			device, offset + (unsigned)offsetof(struct virtio_pci_cap, bar), 1);
		uint32_t start = device_config_read(
			device, offset + (unsigned)offsetof(struct virtio_pci_cap, offset), 4);
		volatile uint8_t *registers;

		*size = device_config_read(
			device, offset + (unsigned)offsetof(struct virtio_pci_cap, length), 4);
		if (device_config_read(device,
				       offset + (unsigned)offsetof(struct virtio_pci_cap, type),
				       1) != type ||
		    *size < size_least)
			continue;
		registers = device_map(device, bar, (uint64_t)start + *size);
		if (!registers)
			continue;
		*at = offset;
		return registers + start;
	}
	return NULL;
}

static bool find_structures(struct virtio_pci *virtio, const struct device *device)
{
	unsigned at;
	uint32_t size;

	/* Without the fields of features that we don't ask for. */
	virtio->common = (volatile struct virtio_pci_common_cfg *)find_structure(
		device, VIRTIO_PCI_CAP_COMMON_CFG,
		offsetof(struct virtio_pci_common_cfg, queue_notify_data), &at, &size);
	virtio->config =
		find_structure(device, VIRTIO_PCI_CAP_DEVICE_CFG, 1, &at, &virtio->config_size);
	virtio->notify = find_structure(device, VIRTIO_PCI_CAP_NOTIFY_CFG, sizeof(uint16_t), &at,
					&virtio->notify_size);
	if (!virtio->common || !virtio->notify)
		return false;
	virtio->notify_multiplier = device_config_read(
		device,
		at + (unsigned)offsetof(struct virtio_pci_notify_cap, notify_off_multiplier), 4);
	return true;
}

static bool reset(struct virtio_pci *virtio)
{
	uint64_t end = os_clock_monotonic() + RESET_TIME;

	/* Section 4.1.4.3.2: until it reads as 0, the device is not reset. */
	virtio->common->device_status = 0;
	while (virtio->common->device_status)
		if (os_clock_monotonic() > end)
			return false;
	return true;
}

static uint64_t read_features(struct virtio_pci *virtio)
{
	uint64_t low;

	virtio->common->device_feature_select = 0;
	low = virtio->common->device_feature;
	virtio->common->device_feature_select = 1;
	return low | (uint64_t)virtio->common->device_feature << 32;
}

static void write_features(struct virtio_pci *virtio)
{
	virtio->common->driver_feature_select = 0;
	virtio->common->driver_feature = (uint32_t)virtio->features;
	virtio->common->driver_feature_select = 1;
	virtio->common->driver_feature = (uint32_t)(virtio->features >> 32);
}

int virtio_pci_open(struct virtio_pci *virtio, const struct device *device, uint64_t wanted,
		    struct error *why)
{
	uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	*virtio = (struct virtio_pci){.device = device};
	if (!find_structures(virtio, device))
		return error_set(why, -ENODEV,
				 "the virtio device lacks the structures of virtio 1.x: make it a "
				 "modern one");
	if (!reset(virtio))
		return error_set(why, -EIO, "the virtio device can't be reset");
	virtio->common->device_status = VIRTIO_STATUS_ACKNOWLEDGE;
	virtio->common->device_status = status;
	virtio->features = read_features(virtio) & (wanted | BIT(VIRTIO_F_VERSION_1));
	write_features(virtio);
	status |= VIRTIO_STATUS_FEATURES_OK;
	virtio->common->device_status = status;
	if (!(virtio->common->device_status & VIRTIO_STATUS_FEATURES_OK) ||
	    !virtio_pci_has(virtio, VIRTIO_F_VERSION_1))
		return error_set(why, -ENODEV, "the virtio device doesn't take our features (%llx)",
				 (unsigned long long)virtio->features);
	return 0;
}

bool virtio_pci_has(const struct virtio_pci *virtio, unsigned feature)
{
	return virtio->features & BIT(feature);
}

void virtio_pci_config(const struct virtio_pci *virtio, uint32_t offset, void *buffer,
		       uint32_t size)
{
	uint8_t *bytes = buffer;
	uint8_t generation;

	/* Again when the device has changed it meanwhile, section 2.5.1. */
	do {
		generation = virtio->common->config_generation;
		for (uint32_t i = 0; i < size; i++)
			bytes[i] =
				offset + i < virtio->config_size ? virtio->config[offset + i] : 0;
	} while (virtio->common->config_generation != generation);
}

/* Section 4.1.3.1: 64-bit fields are accessed by halves. */
static void write_address(volatile uint64_t *field, uint64_t address)
{
	volatile uint32_t *halves = (volatile uint32_t *)field;

	halves[0] = (uint32_t)address;
	halves[1] = (uint32_t)(address >> 32);
}

int virtio_pci_queue(struct virtio_pci *virtio, struct virtio_queue *queue, uint16_t index,
		     uint16_t size_max, uint16_t interrupt)
{
	volatile struct virtio_pci_common_cfg *common = virtio->common;
	uint64_t available, used, physical, notify;
	uint16_t size;
	uint8_t *memory;

	common->queue_select = index;
	size = common->queue_size;
	if (index >= common->num_queues || !is_power_of_two(size))
		return -ENODEV;
	size = MIN(size, size_max);
	available = align_up(virtq_descriptors_size(size), QUEUE_ALIGNMENT);
	used = align_up(available + virtq_available_size(size), QUEUE_ALIGNMENT);
	notify = (uint64_t)common->queue_notify_off * virtio->notify_multiplier;
	if (notify + sizeof(uint16_t) > virtio->notify_size)
		return -ENODEV;
	memory = device_dma(virtio->device, used + virtq_used_size(size), &physical);
	if (!memory)
		return -ENOMEM;
	*queue = (struct virtio_queue){
		.index = index,
		.size = size,
		.descriptors = (struct virtq_desc *)memory,
		.descriptors_physical = physical,
		.available = (struct virtq_avail *)(memory + available),
		.used = (const struct virtq_used *)(memory + used),
		.notify = (volatile uint16_t *)(virtio->notify + notify),
	};
	common->queue_size = size;
	write_address(&common->queue_desc, physical);
	write_address(&common->queue_driver, physical + available);
	write_address(&common->queue_device, physical + used);
	common->queue_msix_vector = interrupt;
	/* Section 4.1.5.1.2.1: a device without room for the vector says so. */
	if (common->queue_msix_vector != interrupt)
		return -ENOSPC;
	common->queue_enable = 1;
	return 0;
}

void virtio_pci_start(struct virtio_pci *virtio)
{
	virtio->common->device_status |= VIRTIO_STATUS_DRIVER_OK;
}

void virtio_pci_reset(struct virtio_pci *virtio)
{
	reset(virtio);
}
