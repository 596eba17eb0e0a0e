/* SPDX-License-Identifier: MIT */
/*
 * pci.h - PCI functions and the host bridge (PCI Local Bus 3.0; PCI Express Base 5.0 for ECAM).
 *
 * One bus, number 0.  A function is a configuration space with rules for what may be written, up to
 * six BARs that the host bridge puts on the machine's buses where the guest says, an optional MSI-X
 * capability, and an INTx pin.  Locks: see bus.h; a function's lock is its device's.
 */
#ifndef DYAD_MONITOR_PCI_PCI_H
#define DYAD_MONITOR_PCI_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/pci.h"
#include "monitor/log.h"
#include "monitor/machine/bus.h"
#include "monitor/machine/irq.h"

#define PCI_CONFIG_SIZE 256
#define PCI_BARS 6
#define PCI_SLOTS 32

struct pci_function;
struct pci_host;

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_PORTS, PCI_BAR_MEMORY32, PCI_BAR_MEMORY64 };

struct pci_bar {
	enum pci_bar_kind kind; /* MEMORY64 takes this BAR and the next */
	bool prefetchable;
	uint64_t size;             /* bytes, a power of two, 16 or more for memory */
	const struct bus_ops *ops; /* called with pci_function.device, the function's lock held */
	/* state, the function's lock */
	bool mapped;
	uint64_t mapped_at;
	bool refused; /* decoding is on, but the address is no good or taken */
	uint64_t refused_at;
};

struct pci_function_ops {
	/* A BAR has been put at address, or taken away (mapped false).  May be NULL.  Lock held. */
	void (*bar_moved)(void *device, unsigned bar, bool mapped, uint64_t address);
	/*
	 * For capabilities that a device answers itself (virtio's PCI configuration access): called
	 * before each read and after each write of configuration space.  May be NULL.  Lock held.
	 */
	void (*config_read)(void *device, unsigned offset, unsigned size);
	void (*config_written)(void *device, unsigned offset, unsigned size);
};

struct pci_function {
	struct os_mutex *lock; /* the device's */
	void *device;
	const struct pci_function_ops *ops;
	struct irq_pin intx;               /* set by pci_host_attach() */
	uint8_t config[PCI_CONFIG_SIZE];   /* lock */
	uint8_t writable[PCI_CONFIG_SIZE]; /* which bits a guest may write; fixed once attached */
	struct pci_bar bars[PCI_BARS];
	uint8_t last_capability; /* offset of the capability that the next is linked behind, or 0 */
	uint8_t next_free;       /* where the next capability goes */
	struct pci_msix *msix;   /* NULL: none */
	struct pci_host *host;   /* set by pci_host_attach() */
	unsigned slot;
	struct log_budget budget; /* lock */
};

struct pci_identity {
	uint16_t vendor, device;
	uint8_t revision;
	uint32_t class_code; /* 24 bits: base class, subclass, interface */
	uint16_t subsystem_vendor, subsystem;
	bool interrupt_pin; /* INTA# */
};

void pci_function_init(struct pci_function *function, const struct pci_identity *identity,
		       const struct pci_function_ops *ops, void *device, struct os_mutex *lock);
/* Describes a BAR; before the function is attached. */
void pci_function_set_bar(struct pci_function *function, unsigned bar, enum pci_bar_kind kind,
			  bool prefetchable, uint64_t size, const struct bus_ops *ops);
/*
 * Adds a capability of size bytes (id and link included) and returns its offset in config; body is
 * what stands behind those two bytes.  Capabilities come from the model, so running out is a
 * programming error; returns 0 then.
 */
uint8_t pci_function_add_capability(struct pci_function *function, uint8_t id, const void *body,
				    uint8_t size);
/* Reads and writes of configuration space as a guest does them: size 1, 2 or 4, aligned.  Lock
 * held. */
uint32_t pci_function_config_read(struct pci_function *function, unsigned offset, unsigned size);
void pci_function_config_write(struct pci_function *function, unsigned offset, unsigned size,
			       uint32_t value);
/* INTx, honouring the command register's interrupt-disable bit and keeping the status bit.  Lock
 * held. */
void pci_function_set_intx(struct pci_function *function, bool level);
/* Whether the guest lets it master the bus; without, a device must leave guest memory alone. */
bool pci_function_is_bus_master(const struct pci_function *function);

/* --- MSI-X (PCI 3.0 section 6.8.2) ----------------------------------------------------------- */

#define PCI_MSIX_VECTORS_MAX 64

struct pci_msix {
	struct pci_function *function;
	struct msi_sink sink;
	uint32_t first_vector; /* in the sink */
	unsigned vectors;
	uint8_t capability; /* its offset */
	uint64_t table_offset, pba_offset;
	/* the function's lock */
	struct pci_msix_entry table[PCI_MSIX_VECTORS_MAX];
	uint64_t pending;
	/*
	 * The sink is told of a message when the first interrupt needs it: drivers rewrite messages
	 * far more often than that, and a route is dear.
	 */
	uint64_t routed; /* vectors that the sink has a message for: this one */
	struct pci_msix_message {
		uint64_t address;
		uint32_t data;
	} messages[PCI_MSIX_VECTORS_MAX];
	uint64_t ready; /* vectors that may be signalled with no further question */
};

/*
 * Gives function an MSI-X capability whose table and PBA stand in BAR bar at the offsets given; the
 * BAR's own ops pass accesses in [table_offset, +16*vectors) and [pba_offset, +8) on to the two
 * functions below.  -ENOSPC when the sink has no more vectors.
 */
int pci_msix_init(struct pci_msix *msix, struct pci_function *function, const struct msi_sink *sink,
		  unsigned vectors, unsigned bar, uint32_t table_offset, uint32_t pba_offset);
uint64_t pci_msix_read(struct pci_msix *msix, uint64_t bar_offset, unsigned size);
void pci_msix_write(struct pci_msix *msix, uint64_t bar_offset, unsigned size, uint64_t value);
bool pci_msix_is_enabled(const struct pci_msix *msix);
/* Sends vector, or marks it pending while it is masked.  Lock held. */
void pci_msix_signal(struct pci_msix *msix, unsigned vector);
/* Ends the sink's routes.  The vectors stay claimed: a sink takes none back. */
void pci_msix_release(struct pci_msix *msix);

/* --- Host bridge ----------------------------------------------------------------------------- */

/* Where things are; the same numbers go into the ACPI tables. */
struct pci_windows {
	uint64_t ecam;                        /* 1 MiB: bus 0 */
	uint64_t memory32_base, memory32_end; /* [base, end): for 32-bit BARs */
	uint64_t memory64_base, memory64_end; /* for 64-bit BARs */
	uint16_t ports_base, ports_end;
	uint32_t intx_gsi[4]; /* INTA# of slot s is intx_gsi[s % 4] */
};

struct pci_host {
	struct os_mutex lock;
	struct bus *ports, *memory;
	struct pci_windows windows;
	void (*irq_set)(void *context, uint32_t gsi, bool level);
	void *irq_context;
	struct os_mutex bridge_lock;           /* the bridge's as a device */
	struct pci_function bridge;            /* slot 0 */
	struct pci_function *slots[PCI_SLOTS]; /* fixed once the machine runs */
	uint32_t address;                      /* CONFIG_ADDRESS, port 0xcf8; lock */
	/* BARs are given addresses from here when a function is attached, so that a guest need not
	 */
	uint64_t next_memory32, next_memory64, next_port;
	/* who pulls a shared INTx line: bit s is slot s; lock of its own inside */
	struct os_mutex intx_lock;
	uint32_t intx_levels[4];
};

/* Puts configuration ports 0xcf8 to 0xcff and the ECAM window on the buses. */
int pci_host_init(struct pci_host *host, struct bus *ports, struct bus *memory,
		  const struct pci_windows *windows,
		  void (*irq_set)(void *context, uint32_t gsi, bool level), void *irq_context);
/*
 * Attaches function at the next free slot and gives its BARs addresses within the windows, decoding
 * enabled, as firmware would leave it.  -ENOSPC.
 */
int pci_host_attach(struct pci_host *host, struct pci_function *function);
/* Takes function off the buses and frees its slot.  vCPUs do not run. */
void pci_host_detach(struct pci_host *host, struct pci_function *function);

#endif
