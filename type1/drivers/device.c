/* SPDX-License-Identifier: MIT */
/*
 * device.c - PCI devices (device.h), on the system calls.
 */
#include "type1/drivers/device.h"

#include <linux/errno.h>

#include "hw/pci.h"
#include "type1/process/call.h"

/* How many capabilities fit behind the header: a list that is longer goes round. */
#define CAPABILITIES_MAX ((256 - PCI_CAPABILITIES_START) / 4)
#define CAPABILITY_ALIGNMENT 4

int device_open(struct device *device, uint32_t devices, const struct type1_device *info)
{
	int64_t handle = call2(TYPE1_DEVICE_OPEN, devices, info->location);
	uint32_t command;

	if (handle < 0)
		return (int)handle;
	*device = (struct device){.handle = (uint64_t)handle, .info = *info};
	command =
		device_config_read(device, offsetof(struct pci_header, command), sizeof(uint16_t));
	call4(TYPE1_DEVICE_WRITE, device->handle, offsetof(struct pci_header, command),
	      sizeof(uint16_t),
	      command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	return 0;
}

void device_close(struct device *device)
{
	if (device->handle)
		call1(TYPE1_CLOSE, device->handle);
	device->handle = 0;
}

uint32_t device_config_read(const struct device *device, unsigned offset, unsigned size)
{
	return (uint32_t)call3(TYPE1_DEVICE_READ, device->handle, offset, size);
}

unsigned device_capability(const struct device *device, uint8_t id, unsigned behind)
{
	unsigned offset = behind ? behind + (unsigned)offsetof(struct pci_capability, next)
				 : (unsigned)offsetof(struct pci_header, capabilities);

	if (!(device_config_read(device, offsetof(struct pci_header, status), sizeof(uint16_t)) &
	      PCI_STATUS_CAPABILITIES))
		return 0;
	for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
		offset = device_config_read(device, offset, 1) & ~(CAPABILITY_ALIGNMENT - 1u);
		if (offset < PCI_CAPABILITIES_START)
			return 0;
		if (device_config_read(device, offset, 1) == id)
			return offset;
		offset += (unsigned)offsetof(struct pci_capability, next);
	}
	return 0;
}

volatile void *device_map(const struct device *device, unsigned bar, uint64_t size)
{
	int64_t address;

	if (bar >= sizeof(device->info.bar_size) / sizeof(device->info.bar_size[0]) ||
	    device->info.bar_size[bar] < size)
		return NULL;
	address = call2(TYPE1_DEVICE_MAP, device->handle, bar);
	return address < 0 ? NULL : (volatile void *)(uintptr_t)address;
}

int device_interrupt(const struct device *device, unsigned number, struct os_loop *loop,
		     void (*fired)(void *), void *arg)
{
	struct os_event *event;
	int error = os_event_create(&event);

	if (error < 0)
		return error;
	error = os_loop_watch(loop, event, fired, arg);
	if (!error)
		error = (int)call3(TYPE1_DEVICE_INTERRUPT, device->handle, number,
				   (uint64_t)os_event_handle(event));
	if (error < 0)
		os_event_destroy(event);
	return error;
}

void *device_dma(const struct device *device, uint64_t size, uint64_t *physical)
{
	struct type1_extent extent = {0};
	int64_t address = call3(TYPE1_DMA_ALLOC, device->handle, size, call_address(&extent));

	if (address < 0)
		return NULL;
	*physical = extent.physical;
	return (void *)(uintptr_t)address;
}

bool device_wait(const volatile uint32_t *where, uint32_t mask, uint32_t value,
		 uint64_t nanoseconds)
{
	uint64_t end = os_clock_monotonic() + nanoseconds;

	while ((*where & mask) != value) {
		if (os_clock_monotonic() > end)
			return (*where & mask) == value;
		__builtin_ia32_pause();
	}
	return true;
}
