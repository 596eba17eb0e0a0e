/* SPDX-License-Identifier: MIT */
/*
 * pci_stop.c - controllers of disks are stopped by their own reset, for when a process leaves one
 * in the middle of its work.
 *
 * Bus mastering keeps a function of PCI from reading and writing memory.  Emulated ones go on, with
 * what they began before, in memory that they have looked up before; and then it is somebody
 * else's.
 */
#include "type1/runtime/pci.h"

#include "hw/ahci.h"
#include "hw/nvme.h"
#include "hw/virtio.h"
#include "lib/bits.h"
#include "type1/runtime/clock.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/log.h"
#include "type1/runtime/memory.h"

#define STOP_TIME UINT64_C(5000000000) /* ns */

/* An offset in a BAR; NULL: the BAR ends before. */
static volatile void *map(const struct pci_function *function, unsigned bar, uint64_t offset,
			  unsigned size)
{
	if (bar >= PCI_BARS || offset + size > function->bars[bar].size)
		return NULL;
	return map_device(function->bars[bar].physical + offset, size);
}

static volatile void *map_virtio_status(const struct pci_function *function)
{
	unsigned at = 0;

	while ((at = pci_capability(function, PCI_CAP_ID_VENDOR, at))) {
#define CAPABILITY(field) (at + (unsigned)offsetof(struct virtio_pci_cap, field))
		if (pci_read(function, CAPABILITY(type), 1) != VIRTIO_PCI_CAP_COMMON_CFG)
			continue;
		return map(function, pci_read(function, CAPABILITY(bar), 1),
			   pci_read(function, CAPABILITY(offset), sizeof(uint32_t)) +
				   offsetof(struct virtio_pci_common_cfg, device_status),
			   1);
#undef CAPABILITY
	}
	return NULL;
}

void pci_stop_find(struct pci_function *function)
{
	struct pci_stop *stop = &function->stop;

	if (function->class_code == NVME_CLASS) { /* NVMe 1.4, section 7.3.2 */
		stop->written = map(function, 0, offsetof(struct nvme_registers, configuration),
				    sizeof(uint32_t));
		stop->read =
			map(function, 0, offsetof(struct nvme_registers, status), sizeof(uint32_t));
		stop->busy = NVME_CSTS_READY;
	} else if (function->class_code == AHCI_CLASS) { /* AHCI 1.3.1, section 10.4.3 */
		stop->written = map(function, AHCI_BAR, offsetof(struct ahci_registers, control),
				    sizeof(uint32_t));
		stop->read = stop->written;
		stop->value = AHCI_GHC_ENABLE | AHCI_GHC_RESET;
		stop->busy = AHCI_GHC_RESET;
	} else if (function->vendor == VIRTIO_PCI_VENDOR) { /* virtio 1.2, section 2.4 */
		stop->written = map_virtio_status(function);
		stop->read = stop->written;
		stop->busy = UINT8_MAX;
		stop->bytes = true;
	}
	if (!stop->read)
		stop->written = NULL;
}

static uint32_t read_register(const struct pci_stop *stop)
{
	return stop->bytes ? *(volatile uint8_t *)stop->read : *(volatile uint32_t *)stop->read;
}

void pci_stop(const struct pci_function *function)
{
	const struct pci_stop *stop = &function->stop;
	uint64_t end = clock_now() + STOP_TIME;

	if (!stop->written)
		return;
	if (stop->bytes)
		*(volatile uint8_t *)stop->written = (uint8_t)stop->value;
	else
		*(volatile uint32_t *)stop->written = stop->value;
	while (read_register(stop) & stop->busy) {
		if (clock_now() > end) {
			log_line(LOG_WARNING, "the device %04x:%04x doesn't stop", function->vendor,
				 function->device);
			break;
		}
		cpu_relax();
	}
}
