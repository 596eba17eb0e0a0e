/* SPDX-License-Identifier: MIT */
/*
 * pci.c - configuration space by the ports of mechanism 1 (PCI 3.0, section 3.2.2.3.2), which all
 * PCs have, and what is found there.  Addresses of BARs are the firmware's.
 */
#include "type1/runtime/pci.h"

#include "lib/bits.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/memory.h"

#define BUSES 256u
#define SLOTS 32u
#define FUNCTIONS 8u
#define NO_VENDOR 0xffffu
#define LOCATION_BUS_SHIFT 8
#define LOCATION_SLOT_SHIFT 3
#define ADDRESS_LOCATION_SHIFT 8 /* of PCI_PORT_ADDRESS: bus, device and function as a location */
#define CAPABILITIES_MAX 48      /* as many as there is room for */
#define CAPABILITY_ALIGNMENT 4u
#define MSIX_BAR 0x7u /* of the capability's table field */
#define ALL_ONES UINT32_MAX

#define HEADER(field) offsetof(struct pci_header, field)

struct pci_function pci_functions[PCI_FUNCTIONS_MAX];
unsigned pci_function_count;

static struct spin port_lock = SPIN_INIT;

uint32_t pci_read(const struct pci_function *function, unsigned offset, unsigned size)
{
	uint16_t port = (uint16_t)(PCI_PORT_DATA + offset % sizeof(uint32_t));
	uint32_t value;

	spin_lock(&port_lock);
	out32(PCI_PORT_ADDRESS, PCI_ADDRESS_ENABLE |
					(uint32_t)function->location << ADDRESS_LOCATION_SHIFT |
					PCI_ADDRESS_REGISTER(offset));
	value = size == 1 ? in8(port) : size == sizeof(uint16_t) ? in16(port) : in32(port);
	spin_unlock(&port_lock);
	return value;
}

void pci_write(const struct pci_function *function, unsigned offset, unsigned size, uint32_t value)
{
	uint16_t port = (uint16_t)(PCI_PORT_DATA + offset % sizeof(uint32_t));

	spin_lock(&port_lock);
	out32(PCI_PORT_ADDRESS, PCI_ADDRESS_ENABLE |
					(uint32_t)function->location << ADDRESS_LOCATION_SHIFT |
					PCI_ADDRESS_REGISTER(offset));
	if (size == 1)
		out8(port, (uint8_t)value);
	else if (size == sizeof(uint16_t))
		out16(port, (uint16_t)value);
	else
		out32(port, value);
	spin_unlock(&port_lock);
}

static uint32_t read32(const struct pci_function *function, unsigned offset)
{
	return pci_read(function, offset, sizeof(uint32_t));
}

static uint16_t read16(const struct pci_function *function, unsigned offset)
{
	return (uint16_t)pci_read(function, offset, sizeof(uint16_t));
}

static uint8_t read8(const struct pci_function *function, unsigned offset)
{
	return (uint8_t)pci_read(function, offset, 1);
}

/* --- What a function has ---------------------------------------------------------------------- */

unsigned pci_capability(const struct pci_function *function, uint8_t id, unsigned behind)
{
	unsigned at = behind ? behind + (unsigned)offsetof(struct pci_capability, next)
			     : (unsigned)HEADER(capabilities);

	if (!(read16(function, HEADER(status)) & PCI_STATUS_CAPABILITIES))
		return 0;
	for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
		at = read8(function, at) & ~(CAPABILITY_ALIGNMENT - 1);
		if (at < PCI_CAPABILITIES_START)
			break;
		if (read8(function, at) == id)
			return at;
		at += (unsigned)offsetof(struct pci_capability, next);
	}
	return 0;
}

/* What a BAR's register reads as when all ones were written to it. */
static uint32_t probe(const struct pci_function *function, unsigned offset, uint32_t value)
{
	uint32_t mask;

	pci_write(function, offset, sizeof(uint32_t), ALL_ONES);
	mask = read32(function, offset);
	pci_write(function, offset, sizeof(uint32_t), value);
	return mask;
}

/* Section 6.2.5.1.  The function answers at none of its BARs. */
static void size_bars(struct pci_function *function)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		unsigned bar = i, offset = (unsigned)HEADER(bars) + i * sizeof(uint32_t);
		uint32_t low = read32(function, offset), low_mask = probe(function, offset, low);
		uint64_t physical = low & ~(uint32_t)PCI_BAR_MEMORY_FLAGS;
		uint64_t mask = low_mask & ~(uint32_t)PCI_BAR_MEMORY_FLAGS;

		if (low & PCI_BAR_IO)
			continue;
		if ((low & PCI_BAR_TYPE_64) && ++i < PCI_BARS) {
			uint32_t high = read32(function, offset + sizeof(uint32_t));

			physical |= (uint64_t)high << 32;
			mask |= (uint64_t)probe(function, offset + sizeof(uint32_t), high) << 32;
		} else if (mask) {
			mask |= ~(uint64_t)UINT32_MAX;
		}
		if (physical && mask) {
			function->bars[bar].physical = physical;
			function->bars[bar].size = -mask;
		}
	}
}

static void find_msix(struct pci_function *function)
{
	unsigned at = function->msix, count;
	uint32_t table;
	uint64_t size, end;

	table = read32(function, at + (unsigned)offsetof(struct pci_msix_capability, table));
	count = 1u +
		(read16(function, at + (unsigned)offsetof(struct pci_msix_capability, control)) &
		 PCI_MSIX_CONTROL_SIZE);
	if ((table & MSIX_BAR) >= PCI_BARS)
		return;
	function->msix_bar = (uint8_t)(table & MSIX_BAR);
	function->msix_offset = table & ~MSIX_BAR;
	size = function->bars[function->msix_bar].size;
	end = function->msix_offset + count * sizeof(struct pci_msix_entry);
	if (end > size)
		return;
	function->msix_table =
		map_device(function->bars[function->msix_bar].physical + function->msix_offset,
			   count * sizeof(struct pci_msix_entry));
	if (function->msix_table)
		function->msix_count = (uint16_t)count;
}

/* Bridges are left as they are: what is behind them needs them so. */
static void examine(struct pci_function *function)
{
	uint16_t command = read16(function, HEADER(command));

	if (PCI_CLASS_BASE(function->class_code) == PCI_CLASS_BASE_BRIDGE)
		return;
	command = (uint16_t)((command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_INTX_DISABLE);
	pci_write(function, HEADER(command), sizeof(command),
		  command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	size_bars(function);
	pci_write(function, HEADER(command), sizeof(command), command);
	function->msi = (uint8_t)pci_capability(function, PCI_CAP_ID_MSI, 0);
	function->msix = (uint8_t)pci_capability(function, PCI_CAP_ID_MSIX, 0);
	if (function->msix)
		find_msix(function);
	pci_stop_find(function);
}

/* --- The buses -------------------------------------------------------------------------------- */

static bool reachable[BUSES]; /* of pci_init() */

/* Its header's type; -1: there is nothing. */
static int add_function(uint16_t location)
{
	struct pci_function *function = &pci_functions[pci_function_count];
	uint8_t type;

	if (pci_function_count == PCI_FUNCTIONS_MAX)
		return -1;
	*function = (struct pci_function){.location = location};
	function->vendor = read16(function, HEADER(vendor));
	if (function->vendor == NO_VENDOR)
		return -1;
	function->device = read16(function, HEADER(device));
	/* The revision's byte, then three of the class. */
	function->class_code = read32(function, HEADER(revision)) >> 8;
	function->revision = read8(function, HEADER(revision));
	type = read8(function, HEADER(header_type));
	pci_function_count++;
	if ((type & PCI_HEADER_KIND) == PCI_HEADER_BRIDGE)
		reachable[read8(function, PCI_BRIDGE_SECONDARY_BUS)] = true;
	else if ((type & PCI_HEADER_KIND) == PCI_HEADER_DEVICE)
		examine(function);
	return type;
}

/* A bridge's other side has a higher number: in order of the numbers, none is missed. */
void pci_init(void)
{
	reachable[0] = true;
	for (unsigned bus = 0; bus < BUSES; bus++) {
		for (unsigned slot = 0; reachable[bus] && slot < SLOTS; slot++) {
			uint16_t first =
				(uint16_t)(bus << LOCATION_BUS_SHIFT | slot << LOCATION_SLOT_SHIFT);
			int type = add_function(first);

			if (type < 0 || !(type & PCI_HEADER_FUNCTIONS))
				continue;
			for (unsigned i = 1; i < FUNCTIONS; i++)
				add_function((uint16_t)(first | i));
		}
	}
	log_line(LOG_INFO, "%u PCI functions", pci_function_count);
}

/* --- Who may write what ----------------------------------------------------------------------- */

bool pci_may_write(const struct pci_function *function, unsigned offset, unsigned size)
{
	static const struct {
		uint8_t id, size;
	} guarded[] = {
		{PCI_CAP_ID_MSI, PCI_MSI_SIZE_MAX},
		{PCI_CAP_ID_MSIX, sizeof(struct pci_msix_capability)},
		{PCI_CAP_ID_ENHANCED_ALLOCATION, PCI_CONFIG_SIZE - 1},
	};

	if (offset < PCI_CAPABILITIES_START)
		return false;
	for (unsigned i = 0; i < ARRAY_COUNT(guarded); i++) {
		unsigned at = pci_capability(function, guarded[i].id, 0);

		if (at && offset < at + guarded[i].size && at < offset + size)
			return false;
	}
	return true;
}
