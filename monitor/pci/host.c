/* SPDX-License-Identifier: MIT */
/*
 * The host bridge: configuration by ports and by ECAM, addresses for BARs as firmware would hand
 * them out, and the four shared INTx lines.
 *
 * The bridge says that it is Red Hat's generic PCIe host bridge (1b36:0008).  That device has no
 * registers beyond the standard header, so neither a kernel nor firmware expects more of it.  An
 * Intel memory controller hub (8086:29c0, the Q35's) would be found by the kernel's AGP driver, and
 * by firmware that then programs its PAM, SMRAM and PCIEXBAR registers.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "monitor/pci/internal.h"

#define BRIDGE_VENDOR 0x1b36
#define BRIDGE_DEVICE 0x0008
#define BRIDGE_SUBSYSTEM_VENDOR 0x1af4
#define BRIDGE_SUBSYSTEM 0x1100

#define BAR_ALIGNMENT_MIN 4096 /* no two devices in one page */
#define INTX_LINES 4
/* Behind these registers a write may have moved a BAR. */
#define BARS_END (offsetof(struct pci_header, bars) + PCI_BARS * sizeof(uint32_t))

/* --- Configuration accesses ------------------------------------------------------------------- */

static uint32_t function_read(struct pci_function *function, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	os_mutex_lock(function->lock);
	if (is_aligned(offset, size))
		value = pci_function_config_read(function, offset, size);
	else
		for (unsigned i = 0; i < size; i++)
			value |= pci_function_config_read(function, offset + i, 1) << (8 * i);
	os_mutex_unlock(function->lock);
	return value;
}

static void function_write(struct pci_function *function, unsigned offset, unsigned size,
			   uint32_t value)
{
	os_mutex_lock(function->lock);
	if (is_aligned(offset, size))
		pci_function_config_write(function, offset, size, value);
	else
		for (unsigned i = 0; i < size; i++)
			pci_function_config_write(function, offset + i, 1,
						  (uint8_t)(value >> (8 * i)));
	os_mutex_unlock(function->lock);
}

/* A BAR that left its place may have stood in the way of another function's. */
static void retry_refused_bars(struct pci_host *host)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_function *function = host->slots[slot];

		if (!function)
			continue;
		os_mutex_lock(function->lock);
		pci_function_update_bars(function);
		os_mutex_unlock(function->lock);
	}
}

/* size is 1, 2 or 4, of any alignment within a function's space.  The host's lock is held. */
static uint32_t config_read(struct pci_host *host, unsigned slot, unsigned number, unsigned offset,
			    unsigned size)
{
	struct pci_function *function = host->slots[slot];

	if (!function || number != 0 || offset + size > PCI_CONFIG_SIZE)
		return (uint32_t)size_mask(size);
	return function_read(function, offset, size);
}

static void config_write(struct pci_host *host, unsigned slot, unsigned number, unsigned offset,
			 unsigned size, uint32_t value)
{
	struct pci_function *function = host->slots[slot];

	if (!function || number != 0 || offset + size > PCI_CONFIG_SIZE)
		return;
	function_write(function, offset, size, value);
	if (offset < BARS_END)
		retry_refused_bars(host);
}

/* --- Mechanism 1: ports 0xcf8 to 0xcff -------------------------------------------------------- */

#define DATA_OFFSET (PCI_PORT_DATA - PCI_PORT_ADDRESS)

/* Whether CONFIG_ADDRESS selects something on bus 0. */
static bool address_selects(const struct pci_host *host)
{
	return (host->address & PCI_ADDRESS_ENABLE) && PCI_ADDRESS_BUS(host->address) == 0;
}

static uint64_t ports_read(void *device, uint64_t offset, unsigned size)
{
	struct pci_host *host = device;
	uint64_t value = 0;

	/* CONFIG_ADDRESS is there for whole dwords only (PCI 3.0 section 3.2.2.3.2). */
	if (offset == 0 && size == sizeof(uint32_t))
		return host->address;
	if (offset >= DATA_OFFSET) {
		if (!address_selects(host))
			return size_mask(size);
		return config_read(
			host, PCI_ADDRESS_SLOT(host->address), PCI_ADDRESS_FUNCTION(host->address),
			PCI_ADDRESS_REGISTER(host->address) + (unsigned)(offset - DATA_OFFSET),
			size);
	}
	if (offset + size <= DATA_OFFSET)
		return size_mask(size);
	for (unsigned i = 0; i < size; i++)
		value |= ports_read(device, offset + i, 1) << (8 * i);
	return value;
}

static void ports_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci_host *host = device;

	if (offset == 0 && size == sizeof(uint32_t)) {
		host->address = (uint32_t)value & PCI_ADDRESS_MASK;
		return;
	}
	if (offset >= DATA_OFFSET) {
		if (address_selects(host))
			config_write(host, PCI_ADDRESS_SLOT(host->address),
				     PCI_ADDRESS_FUNCTION(host->address),
				     PCI_ADDRESS_REGISTER(host->address) +
					     (unsigned)(offset - DATA_OFFSET),
				     size, (uint32_t)value);
		return;
	}
	if (offset + size <= DATA_OFFSET)
		return;
	for (unsigned i = 0; i < size; i++)
		ports_write(device, offset + i, 1, (uint8_t)(value >> (8 * i)));
}

static const struct bus_ops ports_ops = {.read = ports_read, .write = ports_write};

/* --- ECAM ------------------------------------------------------------------------------------- */

static uint64_t ecam_read(void *device, uint64_t offset, unsigned size)
{
	struct pci_host *host = device;

	if (size == sizeof(uint64_t))
		return ecam_read(device, offset, 4) | ecam_read(device, offset + 4, 4) << 32;
	return config_read(host, PCI_ECAM_SLOT(offset), PCI_ECAM_FUNCTION(offset),
			   PCI_ECAM_REGISTER(offset), size);
}

static void ecam_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci_host *host = device;

	if (size == sizeof(uint64_t)) {
		ecam_write(device, offset, 4, (uint32_t)value);
		ecam_write(device, offset + 4, 4, value >> 32);
		return;
	}
	config_write(host, PCI_ECAM_SLOT(offset), PCI_ECAM_FUNCTION(offset),
		     PCI_ECAM_REGISTER(offset), size, (uint32_t)value);
}

static const struct bus_ops ecam_ops = {.read = ecam_read, .write = ecam_write};

/* --- INTx ------------------------------------------------------------------------------------- */

/* Whether any slot pulls a line that leads to gsi.  intx_lock held. */
static bool intx_level(const struct pci_host *host, uint32_t gsi)
{
	for (unsigned line = 0; line < INTX_LINES; line++)
		if (host->windows.intx_gsi[line] == gsi && host->intx_levels[line])
			return true;
	return false;
}

/* A function's pin: context is the function.  Called with its lock held. */
static void intx_set(void *context, uint32_t gsi, bool level)
{
	struct pci_function *function = context;
	struct pci_host *host = function->host;
	uint32_t *line = &host->intx_levels[function->slot % INTX_LINES];
	uint32_t slot = (uint32_t)BIT(function->slot);
	bool was, is;

	os_mutex_lock(&host->intx_lock);
	was = intx_level(host, gsi);
	*line = level ? *line | slot : *line & ~slot;
	is = intx_level(host, gsi);
	/* Within the lock, so that two changes cannot overtake each other. */
	if (was != is)
		host->irq_set(host->irq_context, gsi, is);
	os_mutex_unlock(&host->intx_lock);
}

/* --- Attaching -------------------------------------------------------------------------------- */

static bool take(uint64_t *next, uint64_t end, uint64_t size, uint64_t alignment, uint64_t *address)
{
	uint64_t at = align_up(*next, alignment);

	if (at < *next || at >= end || size > end - at)
		return false;
	*address = at;
	*next = at + size;
	return true;
}

static bool assign_bar(struct pci_host *host, struct pci_function *function, unsigned number)
{
	const struct pci_windows *windows = &host->windows;
	const struct pci_bar *bar = &function->bars[number];
	uint8_t *at =
		&function->config[offsetof(struct pci_header, bars) + number * sizeof(uint32_t)];
	uint64_t alignment = MAX(bar->size, BAR_ALIGNMENT_MIN), address;
	uint32_t flags;

	if (bar->kind == PCI_BAR_PORTS) {
		if (!take(&host->next_port, windows->ports_end, bar->size, bar->size, &address))
			return false;
	} else if (bar->kind != PCI_BAR_MEMORY64 ||
		   !take(&host->next_memory64, windows->memory64_end, bar->size, alignment,
			 &address)) {
		if (!take(&host->next_memory32, windows->memory32_end, bar->size, alignment,
			  &address))
			return false;
	}
	flags = bar->kind == PCI_BAR_PORTS ? PCI_BAR_IO_FLAGS : PCI_BAR_MEMORY_FLAGS;
	store_le32(at, (load_le32(at) & flags) | (uint32_t)address);
	if (bar->kind == PCI_BAR_MEMORY64)
		store_le32(at + sizeof(uint32_t), (uint32_t)(address >> 32));
	return true;
}

/* Addresses and decoding, as firmware would leave them.  0 or -ENOSPC. */
static int assign_bars(struct pci_host *host, struct pci_function *function)
{
	uint16_t command = 0;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (function->bars[i].kind == PCI_BAR_NONE)
			continue;
		if (!assign_bar(host, function, i))
			return -ENOSPC;
		command |= function->bars[i].kind == PCI_BAR_PORTS ? PCI_COMMAND_IO
								   : PCI_COMMAND_MEMORY;
	}
	pci_function_config_write(function, offsetof(struct pci_header, command), sizeof(command),
				  command);
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (function->bars[i].kind != PCI_BAR_NONE && !function->bars[i].mapped)
			return -ENOSPC;
	return 0;
}

int pci_host_attach(struct pci_host *host, struct pci_function *function)
{
	unsigned slot = 0;
	int err;

	while (slot < PCI_SLOTS && host->slots[slot])
		slot++;
	if (slot == PCI_SLOTS)
		return -ENOSPC;
	function->host = host;
	function->slot = slot;
	host->slots[slot] = function;
	os_mutex_lock(function->lock);
	if (function->config[offsetof(struct pci_header, interrupt_pin)]) {
		uint32_t gsi = host->windows.intx_gsi[slot % INTX_LINES];

		function->intx = (struct irq_pin){.set = intx_set, .context = function, .gsi = gsi};
		function->config[offsetof(struct pci_header, interrupt_line)] = (uint8_t)gsi;
	}
	err = assign_bars(host, function);
	os_mutex_unlock(function->lock);
	if (err < 0)
		pci_host_detach(host, function);
	return err;
}

void pci_host_detach(struct pci_host *host, struct pci_function *function)
{
	os_mutex_lock(function->lock);
	pci_function_set_intx(function, false);
	pci_function_config_write(function, offsetof(struct pci_header, command), sizeof(uint16_t),
				  0);
	os_mutex_unlock(function->lock);
	host->slots[function->slot] = NULL;
}

int pci_host_init(struct pci_host *host, struct bus *ports, struct bus *memory,
		  const struct pci_windows *windows,
		  void (*irq_set)(void *context, uint32_t gsi, bool level), void *irq_context)
{
	static const struct pci_identity identity = {
		.vendor = BRIDGE_VENDOR,
		.device = BRIDGE_DEVICE,
		.class_code = PCI_CLASS_HOST_BRIDGE,
		.subsystem_vendor = BRIDGE_SUBSYSTEM_VENDOR,
		.subsystem = BRIDGE_SUBSYSTEM,
	};
	static const struct pci_function_ops bridge_ops = {0};
	const struct bus_range ports_range = {
		.base = PCI_PORT_ADDRESS,
		.length = PCI_PORT_COUNT,
		.ops = &ports_ops,
		.device = host,
		.lock = &host->lock,
	};
	const struct bus_range ecam_range = {
		.base = windows->ecam,
		.length = PCI_ECAM_BUS_SIZE,
		.ops = &ecam_ops,
		.device = host,
		.lock = &host->lock,
	};
	int err;

	*host = (struct pci_host){
		.ports = ports,
		.memory = memory,
		.windows = *windows,
		.irq_set = irq_set,
		.irq_context = irq_context,
		.next_memory32 = windows->memory32_base,
		.next_memory64 = windows->memory64_base,
		.next_port = windows->ports_base,
	};
	os_mutex_init(&host->lock);
	os_mutex_init(&host->bridge_lock);
	os_mutex_init(&host->intx_lock);
	pci_function_init(&host->bridge, &identity, &bridge_ops, host, &host->bridge_lock);
	err = bus_add(ports, &ports_range);
	if (err < 0)
		return err;
	err = bus_add(memory, &ecam_range);
	if (err < 0) {
		bus_remove(ports, PCI_PORT_ADDRESS, host);
		return err;
	}
	return pci_host_attach(host, &host->bridge);
}
