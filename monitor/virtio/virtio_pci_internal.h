/* SPDX-License-Identifier: MIT */
/*
 * virtio_pci_internal.h - the state of a PCI transport, shared by its two halves: virtio_pci.c
 * (life, hand-over to the loop thread, interrupts) and virtio_pci_registers.c (what the guest reads
 * and writes).
 *
 * Locks: all fields that change are guarded by virtio->lock, which is also the PCI function's.
 */
#ifndef DYAD_MONITOR_VIRTIO_PCI_INTERNAL_H
#define DYAD_MONITOR_VIRTIO_PCI_INTERNAL_H

#include "hw/virtio.h"
#include "monitor/virtio/virtio_pci.h"

/* The memory BAR: a page for each structure, so that a guest may map each as it likes. */
#define VIRTIO_PCI_BAR 0
#define VIRTIO_PCI_PAGE 0x1000
#define VIRTIO_PCI_COMMON 0x0000
#define VIRTIO_PCI_ISR 0x1000
#define VIRTIO_PCI_DEVICE 0x2000
#define VIRTIO_PCI_NOTIFY 0x3000
#define VIRTIO_PCI_MSIX_TABLE 0x4000
#define VIRTIO_PCI_MSIX_PBA 0x5000
#define VIRTIO_PCI_BAR_SIZE 0x8000

#define VIRTIO_PCI_NOTIFY_MULTIPLIER 4

/* The doorbells once more, as ports. */
#define VIRTIO_PCI_PORT_BAR 2
#define VIRTIO_PCI_PORT_BAR_SIZE (VIRTIO_QUEUES_MAX * VIRTIO_PCI_NOTIFY_MULTIPLIER)

struct virtio_pci_doorbell {
	struct virtio_pci *pci;
	unsigned queue;
	struct os_event *event; /* watched by the loop */
	/* the sink turns writes into this event; virtio->lock */
	bool assigned[DOORBELL_SPACES];
};

struct virtio_pci {
	struct virtio_device *virtio;
	struct pci_function function;
	struct pci_msix msix;
	struct pci_host *host;
	struct os_loop *loop;
	struct doorbell_sink doorbells;
	struct virtio_pci_doorbell doorbell[VIRTIO_QUEUES_MAX];
	struct os_event *control; /* the loop thread is to activate or reset the device */
	uint8_t pci_cfg;          /* offset of the configuration access capability */

	/* virtio->lock */
	uint8_t status; /* without DEVICE_NEEDS_RESET, which is virtio->failed */
	bool activate_pending;
	bool reset_pending; /* registers are frozen until the loop thread is done */
	bool bus_master;    /* as the queues know it */
	bool msix_enabled;  /* as the interrupt path knows it */
	uint8_t isr;
	uint8_t generation;
	uint32_t device_feature_select, driver_feature_select;
	uint64_t driver_features;
	uint16_t config_vector;
	uint16_t queue_select;
	uint16_t queue_vector[VIRTIO_QUEUES_MAX];
	bool queue_enabled[VIRTIO_QUEUES_MAX]; /* its settings in virtio->queues are frozen */
};

/* Sets the registers and queues as they are after a reset; the device model is done with them. */
void virtio_pci_reset_registers(struct virtio_pci *pci);
/* INTx follows the ISR while MSI-X is off. */
void virtio_pci_update_intx(struct virtio_pci *pci);

/* The BARs; the capability that reads and writes it through configuration space. */
extern const struct bus_ops virtio_pci_bar_ops, virtio_pci_port_ops;
void virtio_pci_config_read(void *device, unsigned offset, unsigned size);
void virtio_pci_config_access(struct virtio_pci *pci, unsigned offset, unsigned size);

#endif
