/* SPDX-License-Identifier: MIT */
/*
 * MSI-X (PCI 3.0 section 6.8.2): the table and pending bits in a BAR, and messages to the sink.
 *
 * A vector whose bit stands in `ready` is enabled, unmasked, and routed in the sink as its entry
 * says: signalling it is one test and one call.  Whatever might end that clears the bit, and the
 * next signal finds out anew.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/pci/internal.h"

#define PBA_SIZE sizeof(uint64_t)

static uint64_t table_size(const struct pci_msix *msix)
{
	return msix->vectors * sizeof(struct pci_msix_entry);
}

static uint16_t message_control(const struct pci_msix *msix)
{
	return load_le16(&msix->function->config[msix->capability +
						 offsetof(struct pci_msix_capability, control)]);
}

int pci_msix_init(struct pci_msix *msix, struct pci_function *function, const struct msi_sink *sink,
		  unsigned vectors, unsigned bar, uint32_t table_offset, uint32_t pba_offset)
{
	struct pci_msix_capability capability = {
		.control = (uint16_t)(vectors - 1),
		.table = table_offset | bar,
		.pba = pba_offset | bar,
	};
	int err;

	if (vectors == 0 || vectors > PCI_MSIX_VECTORS_MAX)
		return -EINVAL;
	*msix = (struct pci_msix){
		.function = function,
		.sink = *sink,
		.vectors = vectors,
		.table_offset = table_offset,
		.pba_offset = pba_offset,
	};
	err = sink->ops->claim(sink->context, vectors, &msix->first_vector);
	if (err < 0)
		return err;
	for (unsigned i = 0; i < vectors; i++)
		msix->table[i].control = PCI_MSIX_ENTRY_MASKED;
	msix->capability = pci_function_add_capability(function, PCI_CAP_ID_MSIX,
						       &capability.control, sizeof(capability));
	if (!msix->capability)
		return -ENOSPC;
	store_le16(&function->writable[msix->capability +
				       offsetof(struct pci_msix_capability, control)],
		   PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
	function->msix = msix;
	return 0;
}

void pci_msix_release(struct pci_msix *msix)
{
	for (unsigned i = 0; i < msix->vectors; i++)
		if (msix->routed & BIT(i))
			msix->sink.ops->route(msix->sink.context, msix->first_vector + i, false, 0,
					      0);
	msix->routed = 0;
	msix->ready = 0;
}

bool pci_msix_is_enabled(const struct pci_msix *msix)
{
	return message_control(msix) & PCI_MSIX_CONTROL_ENABLE;
}

/* The function may send messages at all: they are writes, which take a bus master. */
static bool can_send(const struct pci_msix *msix)
{
	return pci_msix_is_enabled(msix) && pci_function_is_bus_master(msix->function);
}

static bool is_masked(const struct pci_msix *msix, unsigned vector)
{
	return (message_control(msix) & PCI_MSIX_CONTROL_MASK_ALL) ||
	       (msix->table[vector].control & PCI_MSIX_ENTRY_MASKED);
}

static void route(struct pci_msix *msix, unsigned vector)
{
	const struct pci_msix_entry *entry = &msix->table[vector];
	struct pci_msix_message *message = &msix->messages[vector];

	if ((msix->routed & BIT(vector)) && message->address == entry->address &&
	    message->data == entry->data)
		return;
	*message = (struct pci_msix_message){.address = entry->address, .data = entry->data};
	msix->routed |= BIT(vector);
	msix->sink.ops->route(msix->sink.context, msix->first_vector + vector, true,
			      message->address, message->data);
}

void pci_msix_signal(struct pci_msix *msix, unsigned vector)
{
	if (vector >= msix->vectors)
		return;
	if (!(msix->ready & BIT(vector))) {
		if (!can_send(msix))
			return;
		if (is_masked(msix, vector)) {
			msix->pending |= BIT(vector);
			return;
		}
		route(msix, vector);
		msix->ready |= BIT(vector);
	}
	msix->sink.ops->signal(msix->sink.context, msix->first_vector + vector);
}

static void deliver_pending(struct pci_msix *msix, unsigned vector)
{
	if (!(msix->pending & BIT(vector)) || !can_send(msix) || is_masked(msix, vector))
		return;
	msix->pending &= ~BIT(vector);
	pci_msix_signal(msix, vector);
}

void pci_msix_control_changed(struct pci_msix *msix)
{
	msix->ready = 0;
	if (!pci_msix_is_enabled(msix))
		msix->pending = 0;
	for (unsigned i = 0; i < msix->vectors; i++)
		deliver_pending(msix, i);
}

uint64_t pci_msix_read(struct pci_msix *msix, uint64_t bar_offset, unsigned size)
{
	const uint8_t *from;
	uint64_t offset, length, value = 0;

	if (bar_offset - msix->table_offset < table_size(msix)) {
		from = (const uint8_t *)msix->table;
		offset = bar_offset - msix->table_offset;
		length = table_size(msix);
	} else {
		from = (const uint8_t *)&msix->pending;
		offset = bar_offset - msix->pba_offset;
		length = PBA_SIZE;
	}
	if (offset >= length || size > length - offset)
		return size_mask(size);
	memcpy(&value, from + offset, size);
	return value;
}

static void table_write_dword(struct pci_msix *msix, uint64_t offset, uint32_t value)
{
	unsigned vector = (unsigned)(offset / sizeof(struct pci_msix_entry));
	struct pci_msix_entry *entry = &msix->table[vector];

	switch (offset % sizeof(struct pci_msix_entry)) {
	case offsetof(struct pci_msix_entry, address):
		entry->address = (entry->address & ~(uint64_t)UINT32_MAX) | value;
		break;
	case offsetof(struct pci_msix_entry, address) + sizeof(uint32_t):
		entry->address = (uint32_t)entry->address | (uint64_t)value << 32;
		break;
	case offsetof(struct pci_msix_entry, data):
		entry->data = value;
		break;
	default:
		entry->control = value & PCI_MSIX_ENTRY_MASKED;
		break;
	}
	msix->ready &= ~BIT(vector);
	deliver_pending(msix, vector);
}

void pci_msix_write(struct pci_msix *msix, uint64_t bar_offset, unsigned size, uint64_t value)
{
	uint64_t offset = bar_offset - msix->table_offset;

	/* Aligned dwords and qwords only, says 6.8.2; pending bits are read-only. */
	if (offset >= table_size(msix) || size < sizeof(uint32_t) || !is_aligned(offset, size))
		return;
	table_write_dword(msix, offset, (uint32_t)value);
	if (size == sizeof(uint64_t))
		table_write_dword(msix, offset + sizeof(uint32_t), (uint32_t)(value >> 32));
}
