/* SPDX-License-Identifier: MIT */
/*
 * partition.h - the hypervisor's side of a machine, through the KVM ABI: the VM object with its
 * guest memory, its in-kernel interrupt controllers and timer, interrupt routes and doorbells.
 *
 * Relies on <linux/kvm.h> for meaning, and on os_kvm_command() for transport: nothing here knows
 * which hypervisor answers.
 */
#ifndef DYAD_MONITOR_MACHINE_PARTITION_H
#define DYAD_MONITOR_MACHINE_PARTITION_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "monitor/machine/irq.h"
#include "monitor/machine/memory.h"
#include "monitor/virtio/virtio_pci.h"
#include "os.h"

struct error;

#define PARTITION_IOAPIC_PINS 24
#define PARTITION_PIC_PINS 16
#define PARTITION_MSI_VECTORS 256
/* Each PIC pin and each I/O APIC pin is a route of its own, as is each message. */
#define PARTITION_ROUTES_MAX (PARTITION_PIC_PINS + PARTITION_IOAPIC_PINS + PARTITION_MSI_VECTORS)

/* A message-signalled interrupt: a GSI whose route is the message, and the event that raises it. */
struct partition_vector {
	struct os_event *event; /* NULL until the vector is first routed */
	bool enabled;
	uint64_t address;
	uint32_t data;
};

struct partition {
	struct os_kvm *system; /* the caller's */
	struct os_kvm *vm;
	size_t run_size; /* of a vCPU's struct kvm_run */
	struct os_mutex route_lock;
	/* route_lock */
	unsigned vector_count;
	struct partition_vector vectors[PARTITION_MSI_VECTORS];
	struct kvm_irq_routing *routes; /* owned; PARTITION_ROUTES_MAX entries */
};

/*
 * Makes a VM on system with interrupt controllers, PIT and the memory given as its RAM.  The error
 * says what the hypervisor lacks.
 */
int partition_create(struct partition *partition, struct os_kvm *system,
		     const struct guest_memory *memory, struct error *why);
/* vCPUs have been closed. */
void partition_destroy(struct partition *partition);

/* Sets an interrupt line (GSI 0 to 23); context is the partition, so that it fits an irq_pin. */
void partition_irq_set(void *context, uint32_t gsi, bool level);

/* Where devices' messages and doorbells go. */
struct msi_sink partition_msi_sink(struct partition *partition);
struct doorbell_sink partition_doorbell_sink(struct partition *partition);

#endif
