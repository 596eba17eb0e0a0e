/* SPDX-License-Identifier: MIT */
/*
 * virtio_pci.h - the PCI transport of virtio 1.2 (section 4.1): modern only, capabilities in one
 * 64-bit memory BAR with the MSI-X table, doorbells by ioeventfd in that BAR and, for drivers that
 * can use it, as ports: a write to a port costs the hypervisor no decoding of the instruction.
 */
#ifndef DYAD_MONITOR_VIRTIO_VIRTIO_PCI_H
#define DYAD_MONITOR_VIRTIO_VIRTIO_PCI_H

#include "monitor/pci/pci.h"
#include "monitor/virtio/virtio.h"

struct virtio_pci;

/* Doorbells: the machine turns a write at an address into an event (KVM_IOEVENTFD), or says it
 * can't. */
enum doorbell_space { DOORBELL_MEMORY, DOORBELL_PORT };
#define DOORBELL_SPACES 2

struct doorbell_sink {
	/* assign true or false; the write is of any width and any value.  0 or -errno. */
	int (*set)(void *context, enum doorbell_space space, uint64_t address,
		   struct os_event *event, bool assign);
	void *context;
};

/*
 * Makes the PCI function of virtio and attaches it to host.  virtio is the device's and outlives
 * the function; the device's ops, memory, offered, config_size and queue_max are filled in.
 */
int virtio_pci_create(struct virtio_device *virtio, struct pci_host *host, struct os_loop *loop,
		      const struct msi_sink *msi, const struct doorbell_sink *doorbells,
		      struct virtio_pci **out);
/* Resets the device (ops->reset) and frees.  vCPUs have stopped. */
void virtio_pci_destroy(struct virtio_pci *pci);

#endif
