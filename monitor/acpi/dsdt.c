/* SPDX-License-Identifier: MIT */
/*
 * dsdt.c - \_S5, and in \_SB the PCI bus with its windows and interrupt lines, the ISA devices, and
 * what is taken although no device claims it.
 */
#include "monitor/acpi/dsdt.h"

#include "hw/pci.h"
#include "hw/rtc.h"
#include "hw/uart.h"
#include "monitor/devices/devices.h"
#include "monitor/machine/layout.h"

#define PCI_CONFIG_PORTS 0xcf8
#define PCI_CONFIG_PORTS_COUNT 8
#define PCI_PINS 4 /* INTA# to INTD# */
/* In a _PRT the address of all functions of a slot (6.2.13). */
#define PRT_ADDRESS(slot) ((uint64_t)(slot) << 16 | 0xffff)

static void name_integer(struct aml *aml, const char *name, uint64_t value)
{
	aml_name(aml, name);
	aml_integer(aml, value);
}

static void name_id(struct aml *aml, const char *name, const char *id)
{
	aml_name(aml, name);
	aml_eisa_id(aml, id);
}

/* \_S5: what to write to SLP_TYP of PM1a and PM1b control (7.4.2). */
static void write_sleep_states(struct aml *aml)
{
	size_t package;

	aml_name(aml, "_S5_");
	package = aml_package_begin(aml, 4);
	aml_integer(aml, ACPI_SLEEP_TYPE_S5);
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_end(aml, package);
}

static void write_pci_resources(struct aml *aml, const struct pci_windows *pci)
{
	size_t resources;

	aml_name(aml, "_CRS");
	resources = aml_resources_begin(aml);
	aml_resource_bus_window(aml, 0, 1);
	aml_resource_ports(aml, PCI_CONFIG_PORTS, PCI_CONFIG_PORTS_COUNT);
	if (pci->ports_end > pci->ports_base)
		aml_resource_port_window(aml, pci->ports_base, pci->ports_end);
	if (pci->memory32_end > pci->memory32_base)
		aml_resource_memory32_window(aml, (uint32_t)pci->memory32_base, pci->memory32_end);
	if (pci->memory64_end > pci->memory64_base)
		aml_resource_memory64_window(aml, pci->memory64_base, pci->memory64_end);
	aml_resources_end(aml, resources);
}

/* Each pin of a slot goes straight to a GSI: there are no link devices (6.2.13). */
static void write_pci_slot_routing(struct aml *aml, const struct pci_windows *pci, unsigned slot)
{
	for (unsigned pin = 0; pin < PCI_PINS; pin++) {
		size_t entry = aml_package_begin(aml, 4);

		aml_integer(aml, PRT_ADDRESS(slot));
		aml_integer(aml, pin);
		aml_integer(aml, 0);
		aml_integer(aml, pci->intx_gsi[(slot + pin) % PCI_PINS]);
		aml_end(aml, entry);
	}
}

static void write_pci_routing(struct aml *aml, const struct acpi_platform *platform)
{
	unsigned slots = 0;
	size_t table;

	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		slots += platform->pci_host->slots[slot] != NULL;
	aml_name(aml, "_PRT");
	table = aml_package_begin(aml, (uint8_t)(slots * PCI_PINS));
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		if (platform->pci_host->slots[slot])
			write_pci_slot_routing(aml, platform->pci, slot);
	aml_end(aml, table);
}

static void write_pci(struct aml *aml, const struct acpi_platform *platform)
{
	size_t device = aml_device_begin(aml, "PCI0");

	name_id(aml, "_HID", "PNP0A08"); /* PCI Express */
	name_id(aml, "_CID", "PNP0A03");
	name_integer(aml, "_UID", 0);
	name_integer(aml, "_SEG", 0);
	name_integer(aml, "_BBN", 0);
	write_pci_resources(aml, platform->pci);
	write_pci_routing(aml, platform);
	aml_end(aml, device);
}

static void write_isa_device(struct aml *aml, const char *name, const char *id, uint16_t port,
			     uint8_t ports, unsigned irq)
{
	size_t device = aml_device_begin(aml, name), resources;

	name_id(aml, "_HID", id);
	name_integer(aml, "_UID", 0);
	aml_name(aml, "_CRS");
	resources = aml_resources_begin(aml);
	aml_resource_ports(aml, port, ports);
	aml_resource_irq(aml, irq);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

/* Guests use ECAM only where it is reserved (PCI Firmware Specification 3.3, section 4.1.2). */
static void write_reserved(struct aml *aml, const struct pci_windows *pci)
{
	size_t device = aml_device_begin(aml, "RSVD"), resources;

	name_id(aml, "_HID", "PNP0C02");
	name_integer(aml, "_UID", 0);
	aml_name(aml, "_CRS");
	resources = aml_resources_begin(aml);
	aml_resource_memory32_fixed(aml, (uint32_t)pci->ecam, PCI_ECAM_BUS_SIZE);
	aml_resource_ports(aml, ACPI_PM1_EVENT_PORT, ACPI_PM_PORTS);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

void dsdt_write(struct aml *aml, const struct acpi_platform *platform)
{
	size_t system_bus;

	write_sleep_states(aml);
	system_bus = aml_scope_begin(aml, "_SB_");
	write_pci(aml, platform);
	write_reserved(aml, platform->pci);
	if (platform->serial)
		write_isa_device(aml, "COM1", "PNP0501", LAYOUT_SERIAL_PORT, UART_REGISTERS,
				 LAYOUT_SERIAL_GSI);
	if (platform->rtc)
		write_isa_device(aml, "RTC0", "PNP0B00", RTC_INDEX_PORT, 2, LAYOUT_RTC_GSI);
	aml_end(aml, system_bus);
}
