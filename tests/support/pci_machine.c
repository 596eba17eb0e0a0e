/* SPDX-License-Identifier: MIT */
#include "tests/support/pci_machine.h"
#include "tests/support/bus_access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void gsi_set(void *context, uint32_t gsi, bool level)
{
	struct pci_machine *machine = context;

	machine->gsi_level[gsi] = level;
	machine->gsi_changes++;
}

static int msi_claim(void *context, unsigned count, uint32_t *first)
{
	struct pci_machine *machine = context;

	if (count > machine->vectors_limit - machine->vectors_claimed)
		return -ENOSPC;
	*first = machine->vectors_claimed;
	machine->vectors_claimed += count;
	return 0;
}

static void msi_route(void *context, uint32_t vector, bool enabled, uint64_t address, uint32_t data)
{
	struct pci_machine *machine = context;

	machine->routes++;
	machine->vectors[vector].enabled = enabled;
	machine->vectors[vector].address = address;
	machine->vectors[vector].data = data;
}

static void msi_signal(void *context, uint32_t vector)
{
	struct pci_machine *machine = context;

	if (!machine->vectors[vector].enabled) {
		fprintf(stderr, "a vector was signalled that has no route\n");
		abort();
	}
	machine->vectors[vector].signals++;
}

struct msi_sink pci_machine_msi(struct pci_machine *machine)
{
	static const struct msi_sink_ops ops = {
		.claim = msi_claim, .route = msi_route, .signal = msi_signal};

	return (struct msi_sink){.ops = &ops, .context = machine};
}

static int doorbell_set(void *context, enum doorbell_space space, uint64_t address,
			struct os_event *event, bool assign)
{
	struct pci_machine *machine = context;

	if (machine->doorbells_refused)
		return -ENOSPC;
	for (unsigned i = 0; i < PCI_MACHINE_DOORBELLS; i++) {
		if (assign && !machine->doorbells[i].event) {
			machine->doorbells[i].event = event;
			machine->doorbells[i].address = address;
			machine->doorbells[i].space = space;
			return 0;
		}
		if (!assign && machine->doorbells[i].event == event &&
		    machine->doorbells[i].space == space &&
		    machine->doorbells[i].address == address) {
			machine->doorbells[i].event = NULL;
			return 0;
		}
	}
	fprintf(stderr, "a doorbell was taken away that is not there, or one too many set\n");
	abort();
}

struct doorbell_sink pci_machine_doorbells(struct pci_machine *machine)
{
	return (struct doorbell_sink){.set = doorbell_set, .context = machine};
}

unsigned pci_machine_doorbell_count(const struct pci_machine *machine, enum doorbell_space space)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PCI_MACHINE_DOORBELLS; i++)
		count += machine->doorbells[i].event && machine->doorbells[i].space == space;
	return count;
}

void pci_machine_init(struct pci_machine *machine)
{
	static const struct pci_windows windows = {
		.ecam = PCI_MACHINE_ECAM,
		.memory32_base = PCI_MACHINE_MEMORY32,
		.memory32_end = PCI_MACHINE_MEMORY32_END,
		.memory64_base = PCI_MACHINE_MEMORY64,
		.memory64_end = PCI_MACHINE_MEMORY64_END,
		.ports_base = PCI_MACHINE_PORTS,
		.ports_end = PCI_MACHINE_PORTS_END,
		.intx_gsi = {PCI_MACHINE_GSI, PCI_MACHINE_GSI + 1, PCI_MACHINE_GSI + 2,
			     PCI_MACHINE_GSI + 3},
	};

	*machine = (struct pci_machine){.vectors_limit = PCI_MACHINE_VECTORS};
	bus_init(&machine->ports);
	bus_init(&machine->memory);
	if (pci_host_init(&machine->host, &machine->ports, &machine->memory, &windows, gsi_set,
			  machine) < 0)
		abort();
}

static void config_select(struct pci_machine *machine, unsigned slot, unsigned offset)
{
	access_write(&machine->ports, PCI_PORT_ADDRESS, 4,
		     PCI_ADDRESS_ENABLE | slot << 11 | (offset & 0xfc));
}

uint32_t pci_machine_config_read(struct pci_machine *machine, unsigned slot, unsigned offset,
				 unsigned size)
{
	config_select(machine, slot, offset);
	return (uint32_t)access_read(&machine->ports, PCI_PORT_DATA + (offset & 3), size);
}

void pci_machine_config_write(struct pci_machine *machine, unsigned slot, unsigned offset,
			      unsigned size, uint32_t value)
{
	config_select(machine, slot, offset);
	access_write(&machine->ports, PCI_PORT_DATA + (offset & 3), size, value);
}

void pci_machine_command(struct pci_machine *machine, unsigned slot, uint16_t bits)
{
	unsigned offset = offsetof(struct pci_header, command);

	pci_machine_config_write(machine, slot, offset, 2,
				 pci_machine_config_read(machine, slot, offset, 2) | bits);
}

static bool ring(struct pci_machine *machine, enum doorbell_space space, uint64_t address)
{
	for (unsigned i = 0; i < PCI_MACHINE_DOORBELLS; i++) {
		if (machine->doorbells[i].event && machine->doorbells[i].space == space &&
		    machine->doorbells[i].address == address) {
			os_event_signal(machine->doorbells[i].event);
			return true;
		}
	}
	return false;
}

void pci_machine_write(struct pci_machine *machine, uint64_t address, unsigned size, uint64_t value)
{
	if (!ring(machine, DOORBELL_MEMORY, address))
		access_write(&machine->memory, address, size, value);
}

void pci_machine_write_port(struct pci_machine *machine, uint16_t port, unsigned size,
			    uint64_t value)
{
	if (!ring(machine, DOORBELL_PORT, port))
		access_write(&machine->ports, port, size, value);
}
