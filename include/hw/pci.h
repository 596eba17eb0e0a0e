/* SPDX-License-Identifier: MIT */
/*
 * pci.h - configuration space (PCI Local Bus Specification 3.0, chapter 6), configuration mechanism
 * 1 (section 3.2.2.3.2), the enhanced mechanism (PCI Express Base 5.0 section 7.2.2), and the MSI-X
 * capability (PCI 3.0 section 6.8.2).
 */
#ifndef DYAD_HW_PCI_H
#define DYAD_HW_PCI_H

#include <stddef.h>
#include <stdint.h>

/* --- Configuration header, type 0 (section 6.1) ---------------------------------------------- */

struct pci_header {
	uint16_t vendor;
	uint16_t device;
	uint16_t command;
	uint16_t status;
	uint8_t revision;
	uint8_t class_code[3]; /* interface, subclass, base class */
	uint8_t cache_line_size;
	uint8_t latency_timer;
	uint8_t header_type;
	uint8_t bist;
	uint32_t bars[6];
	uint32_t cardbus_cis;
	uint16_t subsystem_vendor;
	uint16_t subsystem;
	uint32_t expansion_rom;
	uint8_t capabilities;
	uint8_t reserved_35[7];
	uint8_t interrupt_line;
	uint8_t interrupt_pin;
	uint8_t min_grant;
	uint8_t max_latency;
};
_Static_assert(sizeof(struct pci_header) == 64, "pci_header");
_Static_assert(offsetof(struct pci_header, bars) == 0x10, "pci_header.bars");
_Static_assert(offsetof(struct pci_header, capabilities) == 0x34, "pci_header.capabilities");
_Static_assert(offsetof(struct pci_header, interrupt_line) == 0x3c, "pci_header.interrupt_line");

#define PCI_COMMAND_IO 0x0001
#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_MASTER 0x0004
#define PCI_COMMAND_PARITY 0x0040
#define PCI_COMMAND_SERR 0x0100
#define PCI_COMMAND_INTX_DISABLE 0x0400

#define PCI_STATUS_INTERRUPT 0x0008
#define PCI_STATUS_CAPABILITIES 0x0010
#define PCI_STATUS_MASTER_PARITY 0x0100
#define PCI_STATUS_SIGNALLED_TARGET_ABORT 0x0800
#define PCI_STATUS_RECEIVED_TARGET_ABORT 0x1000
#define PCI_STATUS_RECEIVED_MASTER_ABORT 0x2000
#define PCI_STATUS_SIGNALLED_SYSTEM_ERROR 0x4000
#define PCI_STATUS_DETECTED_PARITY 0x8000
/* The bits that software clears by writing ones to them. */
#define PCI_STATUS_W1C                                                                             \
	(PCI_STATUS_MASTER_PARITY | PCI_STATUS_SIGNALLED_TARGET_ABORT |                            \
	 PCI_STATUS_RECEIVED_TARGET_ABORT | PCI_STATUS_RECEIVED_MASTER_ABORT |                     \
	 PCI_STATUS_SIGNALLED_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY)

/* Base address registers (section 6.2.5). */
#define PCI_BAR_IO 0x1
#define PCI_BAR_TYPE_64 0x4
#define PCI_BAR_PREFETCHABLE 0x8
#define PCI_BAR_IO_FLAGS 0x3
#define PCI_BAR_MEMORY_FLAGS 0xf

#define PCI_INTERRUPT_PIN_A 1

/* What header_type has: the kind, and that there are other functions than 0. */
#define PCI_HEADER_KIND 0x7f
#define PCI_HEADER_DEVICE 0
#define PCI_HEADER_BRIDGE 1
#define PCI_HEADER_FUNCTIONS 0x80
/* Header type 1 (PCI-to-PCI Bridge Architecture 1.2, section 3.2). */
#define PCI_BRIDGE_SECONDARY_BUS 0x19

/* Where capabilities may stand. */
#define PCI_CAPABILITIES_START 0x40

#define PCI_CAP_ID_MSI 0x05
#define PCI_CAP_ID_VENDOR 0x09
#define PCI_CAP_ID_MSIX 0x11
#define PCI_CAP_ID_ENHANCED_ALLOCATION 0x14

struct pci_capability {
	uint8_t id;
	uint8_t next; /* offset, 0 ends the list */
};
_Static_assert(sizeof(struct pci_capability) == 2, "pci_capability");

/* Class codes (appendix D): base class, subclass, interface. */
#define PCI_CLASS_SCSI_STORAGE 0x010000
#define PCI_CLASS_OTHER_STORAGE 0x018000
#define PCI_CLASS_ETHERNET 0x020000
#define PCI_CLASS_HOST_BRIDGE 0x060000
#define PCI_CLASS_BASE(class_code) ((class_code) >> 16)
#define PCI_CLASS_BASE_BRIDGE 0x06
#define PCI_CLASS_OTHER_COMMUNICATION 0x078000
#define PCI_CLASS_OTHER 0xff0000

/* --- Configuration mechanisms ---------------------------------------------------------------- */

#define PCI_PORT_ADDRESS 0xcf8
#define PCI_PORT_DATA 0xcfc
#define PCI_PORT_COUNT 8

#define PCI_ADDRESS_ENABLE 0x80000000u
#define PCI_ADDRESS_BUS(address) (((address) >> 16) & 0xff)
#define PCI_ADDRESS_SLOT(address) (((address) >> 11) & 0x1f)
#define PCI_ADDRESS_FUNCTION(address) (((address) >> 8) & 0x7)
#define PCI_ADDRESS_REGISTER(address) ((address)&0xfc)
/* What CONFIG_ADDRESS keeps of a write: bits 30-24 and 1-0 are reserved and read as zero. */
#define PCI_ADDRESS_MASK 0x80fffffcu

#define PCI_ECAM_BUS_SIZE 0x100000
#define PCI_ECAM_SLOT(offset) (((offset) >> 15) & 0x1f)
#define PCI_ECAM_FUNCTION(offset) (((offset) >> 12) & 0x7)
#define PCI_ECAM_REGISTER(offset) ((offset)&0xfff)

/* --- MSI (section 6.8.1) --------------------------------------------------------------------- */

/* Offsets in the capability; with 64 bits of address those behind it stand 4 further. */
#define PCI_MSI_CONTROL 2
#define PCI_MSI_ADDRESS 4
#define PCI_MSI_ADDRESS_HIGH 8
#define PCI_MSI_DATA 8
#define PCI_MSI_MASK 12
#define PCI_MSI_SIZE_MAX 24
#define PCI_MSI_64_SHIFT 4

#define PCI_MSI_CONTROL_ENABLE 0x0001
#define PCI_MSI_CONTROL_VECTORS 0x0070 /* how many are in use: log2 */
#define PCI_MSI_CONTROL_64 0x0080
#define PCI_MSI_CONTROL_MASKS 0x0100

/* --- MSI-X (section 6.8.2) ------------------------------------------------------------------- */

struct pci_msix_capability {
	struct pci_capability header;
	uint16_t control;
	uint32_t table; /* offset in the BAR, with the BAR's number in the low three bits */
	uint32_t pba;   /* the same */
};
_Static_assert(sizeof(struct pci_msix_capability) == 12, "pci_msix_capability");
_Static_assert(offsetof(struct pci_msix_capability, table) == 4, "pci_msix_capability.table");

#define PCI_MSIX_CONTROL_SIZE 0x07ff /* vectors less one */
#define PCI_MSIX_CONTROL_MASK_ALL 0x4000
#define PCI_MSIX_CONTROL_ENABLE 0x8000

struct pci_msix_entry {
	uint64_t address;
	uint32_t data;
	uint32_t control;
};
_Static_assert(sizeof(struct pci_msix_entry) == 16, "pci_msix_entry");
_Static_assert(offsetof(struct pci_msix_entry, control) == 12, "pci_msix_entry.control");

#define PCI_MSIX_ENTRY_MASKED 0x1

#endif
