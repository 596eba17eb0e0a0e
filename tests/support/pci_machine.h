/* SPDX-License-Identifier: MIT */
/*
 * pci_machine.h - buses, a host bridge, and recorders where the machine would have interrupts and
 * doorbells: what tests and fuzzers of PCI functions stand on.
 */
#ifndef DYAD_TESTS_PCI_MACHINE_H
#define DYAD_TESTS_PCI_MACHINE_H

#include "monitor/pci/pci.h"
#include "monitor/virtio/virtio_pci.h"

#define PCI_MACHINE_ECAM 0xb0000000
#define PCI_MACHINE_MEMORY32 0xc0000000
#define PCI_MACHINE_MEMORY32_END 0xd0000000
#define PCI_MACHINE_MEMORY64 0x8000000000
#define PCI_MACHINE_MEMORY64_END 0x9000000000
#define PCI_MACHINE_PORTS 0xc000
#define PCI_MACHINE_PORTS_END 0xd000
#define PCI_MACHINE_GSI 16
#define PCI_MACHINE_VECTORS 96
#define PCI_MACHINE_DOORBELLS 32

struct pci_machine {
	struct bus ports, memory;
	struct pci_host host;
	/* pins */
	bool gsi_level[32];
	unsigned gsi_changes;
	/* messages */
	unsigned vectors_claimed, vectors_limit;
	unsigned routes; /* how often one was set */
	struct {
		bool enabled;
		uint64_t address;
		uint32_t data;
		unsigned signals;
	} vectors[PCI_MACHINE_VECTORS];
	/* doorbells */
	struct {
		uint64_t address;
		struct os_event *event; /* NULL: unused */
		enum doorbell_space space;
	} doorbells[PCI_MACHINE_DOORBELLS];
	bool doorbells_refused;
};

void pci_machine_init(struct pci_machine *machine);
struct msi_sink pci_machine_msi(struct pci_machine *machine);
struct doorbell_sink pci_machine_doorbells(struct pci_machine *machine);
unsigned pci_machine_doorbell_count(const struct pci_machine *machine, enum doorbell_space space);

/* Configuration space by ports 0xcf8 and 0xcfc. */
uint32_t pci_machine_config_read(struct pci_machine *machine, unsigned slot, unsigned offset,
				 unsigned size);
void pci_machine_config_write(struct pci_machine *machine, unsigned slot, unsigned offset,
			      unsigned size, uint32_t value);
/* Turns bits of the command register on. */
void pci_machine_command(struct pci_machine *machine, unsigned slot, uint16_t bits);
/* A memory write as a vCPU does it: a doorbell that is assigned takes it, else the bus. */
void pci_machine_write(struct pci_machine *machine, uint64_t address, unsigned size,
		       uint64_t value);
/* The same for a port. */
void pci_machine_write_port(struct pci_machine *machine, uint16_t port, unsigned size,
			    uint64_t value);

#endif
