/* SPDX-License-Identifier: MIT */
/*
 * A PCI function: its configuration space with what a guest may write of it, its BARs, its INTx
 * pin.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/pci/internal.h"

#define COMMAND offsetof(struct pci_header, command)
#define STATUS offsetof(struct pci_header, status)
#define BARS offsetof(struct pci_header, bars)
#define BARS_SIZE (PCI_BARS * sizeof(uint32_t))

#define COMMAND_WRITABLE                                                                           \
	(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |           \
	 PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE)

static unsigned bar_register(unsigned bar)
{
	return BARS + bar * sizeof(uint32_t);
}

void pci_function_init(struct pci_function *function, const struct pci_identity *identity,
		       const struct pci_function_ops *ops, void *device, struct os_mutex *lock)
{
	struct pci_header header = {
		.vendor = identity->vendor,
		.device = identity->device,
		.revision = identity->revision,
		.class_code = {(uint8_t)identity->class_code, (uint8_t)(identity->class_code >> 8),
			       (uint8_t)(identity->class_code >> 16)},
		.subsystem_vendor = identity->subsystem_vendor,
		.subsystem = identity->subsystem,
		.interrupt_pin = identity->interrupt_pin ? PCI_INTERRUPT_PIN_A : 0,
	};

	*function = (struct pci_function){
		.lock = lock,
		.device = device,
		.ops = ops,
		.next_free = PCI_CAPABILITIES_START,
	};
	memcpy(function->config, &header, sizeof(header));
	store_le16(&function->writable[COMMAND], COMMAND_WRITABLE);
	function->writable[offsetof(struct pci_header, cache_line_size)] = 0xff;
	function->writable[offsetof(struct pci_header, interrupt_line)] = 0xff;
}

void pci_function_set_bar(struct pci_function *function, unsigned bar, enum pci_bar_kind kind,
			  bool prefetchable, uint64_t size, const struct bus_ops *ops)
{
	unsigned at = bar_register(bar);
	/* What sizing relies on: address bits below the size are wired to zero (6.2.5.1). */
	uint64_t address_bits = ~(size - 1);
	uint32_t flags = prefetchable ? PCI_BAR_PREFETCHABLE : 0;

	function->bars[bar] = (struct pci_bar){
		.kind = kind, .prefetchable = prefetchable, .size = size, .ops = ops};
	if (kind == PCI_BAR_PORTS)
		flags = PCI_BAR_IO;
	else if (kind == PCI_BAR_MEMORY64)
		flags |= PCI_BAR_TYPE_64;
	store_le32(&function->config[at], flags);
	store_le32(&function->writable[at], (uint32_t)address_bits);
	if (kind == PCI_BAR_MEMORY64)
		store_le32(&function->writable[at + sizeof(uint32_t)],
			   (uint32_t)(address_bits >> 32));
}

uint8_t pci_function_add_capability(struct pci_function *function, uint8_t id, const void *body,
				    uint8_t size)
{
	uint8_t at = function->next_free;
	struct pci_capability header = {.id = id};
	uint8_t link = function->last_capability
			       ? function->last_capability + offsetof(struct pci_capability, next)
			       : offsetof(struct pci_header, capabilities);

	if (at == 0 || size < sizeof(header) || at + size > PCI_CONFIG_SIZE)
		return 0;
	memcpy(&function->config[at], &header, sizeof(header));
	memcpy(&function->config[at + sizeof(header)], body, size - sizeof(header));
	function->config[link] = at;
	function->config[STATUS] |= PCI_STATUS_CAPABILITIES;
	function->last_capability = at;
	/* The next begins on a dword; 0 once the space is full. */
	function->next_free = (uint8_t)align_up(at + size, sizeof(uint32_t));
	return at;
}

/* --- BARs ------------------------------------------------------------------------------------- */

static uint64_t bar_address(const struct pci_function *function, unsigned bar)
{
	const uint8_t *at = &function->config[bar_register(bar)];

	switch (function->bars[bar].kind) {
	case PCI_BAR_PORTS:
		return load_le32(at) & ~PCI_BAR_IO_FLAGS;
	case PCI_BAR_MEMORY64:
		return load_le64(at) & ~(uint64_t)PCI_BAR_MEMORY_FLAGS;
	default:
		return load_le32(at) & ~PCI_BAR_MEMORY_FLAGS;
	}
}

static bool window_holds(uint64_t base, uint64_t end, uint64_t address, uint64_t size)
{
	return address >= base && address < end && size <= end - address;
}

/* Only within its windows does the bridge pass accesses on: nothing lands on RAM or the chipset. */
static bool bridge_forwards(const struct pci_windows *windows, enum pci_bar_kind kind,
			    uint64_t address, uint64_t size)
{
	if (kind == PCI_BAR_PORTS)
		return window_holds(windows->ports_base, windows->ports_end, address, size);
	if (window_holds(windows->memory32_base, windows->memory32_end, address, size))
		return true;
	return kind == PCI_BAR_MEMORY64 &&
	       window_holds(windows->memory64_base, windows->memory64_end, address, size);
}

static bool bar_is_decoded(const struct pci_function *function, enum pci_bar_kind kind)
{
	uint16_t command = load_le16(&function->config[COMMAND]);

	if (!function->host || kind == PCI_BAR_NONE)
		return false;
	return command & (kind == PCI_BAR_PORTS ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
}

static struct bus *bar_bus(const struct pci_function *function, enum pci_bar_kind kind)
{
	return kind == PCI_BAR_PORTS ? function->host->ports : function->host->memory;
}

static void bar_unmap(struct pci_function *function, unsigned number)
{
	struct pci_bar *bar = &function->bars[number];

	bus_remove(bar_bus(function, bar->kind), bar->mapped_at, function->device);
	bar->mapped = false;
	if (function->ops->bar_moved)
		function->ops->bar_moved(function->device, number, false, bar->mapped_at);
}

static int bar_add(struct pci_function *function, const struct pci_bar *bar, uint64_t address)
{
	const struct bus_range range = {
		.base = address,
		.length = bar->size,
		.ops = bar->ops,
		.device = function->device,
		.lock = function->lock,
	};

	if (!bridge_forwards(&function->host->windows, bar->kind, address, bar->size))
		return -ERANGE;
	return bus_add(bar_bus(function, bar->kind), &range);
}

static void bar_map(struct pci_function *function, unsigned number, uint64_t address)
{
	struct pci_bar *bar = &function->bars[number];
	int err = bar_add(function, bar, address);

	if (err < 0) {
		if (!bar->refused || bar->refused_at != address)
			log_guest(&function->budget, OS_LOG_DEBUG, "pci",
				  "slot %u: BAR %u can't be at 0x%llx (error %d)", function->slot,
				  number, (unsigned long long)address, err);
		bar->refused = true;
		bar->refused_at = address;
		return;
	}
	bar->refused = false;
	bar->mapped = true;
	bar->mapped_at = address;
	if (function->ops->bar_moved)
		function->ops->bar_moved(function->device, number, true, address);
}

void pci_function_update_bars(struct pci_function *function)
{
	/* All that leave go first, so that two BARs of one function may change places. */
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &function->bars[i];
		bool decoded = bar_is_decoded(function, bar->kind);

		if (!decoded)
			bar->refused = false;
		if (bar->mapped && (!decoded || bar_address(function, i) != bar->mapped_at))
			bar_unmap(function, i);
	}
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &function->bars[i];

		if (!bar->mapped && bar_is_decoded(function, bar->kind))
			bar_map(function, i, bar_address(function, i));
	}
}

/* --- INTx ------------------------------------------------------------------------------------- */

static void intx_update(struct pci_function *function)
{
	uint16_t command = load_le16(&function->config[COMMAND]);

	irq_pin_set(&function->intx, (function->config[STATUS] & PCI_STATUS_INTERRUPT) &&
					     !(command & PCI_COMMAND_INTX_DISABLE));
}

void pci_function_set_intx(struct pci_function *function, bool level)
{
	if (level)
		function->config[STATUS] |= PCI_STATUS_INTERRUPT;
	else
		function->config[STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
	intx_update(function);
}

bool pci_function_is_bus_master(const struct pci_function *function)
{
	return function->config[COMMAND] & PCI_COMMAND_MASTER;
}

/* --- Configuration space ---------------------------------------------------------------------- */

uint32_t pci_function_config_read(struct pci_function *function, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	if (offset + size > PCI_CONFIG_SIZE)
		return (uint32_t)size_mask(size);
	if (function->ops->config_read)
		function->ops->config_read(function->device, offset, size);
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)function->config[offset + i] << (8 * i);
	return value;
}

static void config_write_byte(struct pci_function *function, unsigned offset, uint8_t value)
{
	uint8_t writable = function->writable[offset];
	uint8_t clears = 0;

	if (offset - STATUS < sizeof(uint16_t))
		clears = (uint8_t)(PCI_STATUS_W1C >> (8 * (offset - STATUS)));
	function->config[offset] =
		(uint8_t)((function->config[offset] & ~writable & ~(value & clears)) |
			  (value & writable));
}

void pci_function_config_write(struct pci_function *function, unsigned offset, unsigned size,
			       uint32_t value)
{
	bool command = pci_access_touches(offset, size, COMMAND, sizeof(uint16_t));

	if (offset + size > PCI_CONFIG_SIZE)
		return;
	for (unsigned i = 0; i < size; i++)
		config_write_byte(function, offset + i, (uint8_t)(value >> (8 * i)));
	if (command || pci_access_touches(offset, size, BARS, BARS_SIZE))
		pci_function_update_bars(function);
	if (command)
		intx_update(function);
	if (function->msix &&
	    (command || pci_access_touches(offset, size, function->msix->capability,
					   sizeof(struct pci_msix_capability))))
		pci_msix_control_changed(function->msix);
	if (function->ops->config_written)
		function->ops->config_written(function->device, offset, size);
}
