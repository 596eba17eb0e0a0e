/* SPDX-License-Identifier: MIT */
/*
 * layout.h - where things stand in the guest's physical address space and on its interrupt lines.
 *
 *   0 .. 3 GiB             RAM (with the BIOS area's ACPI tables at 0xe0000)
 *   0xc0000000             32-bit PCI memory window
 *   0xe8000000             PCI ECAM, bus 0
 *   0xfec00000, 0xfee00000 I/O APIC, local APICs
 *   0xff000000             test device, if there is one
 *   4 GiB ..               the rest of RAM, and from the next GiB on the 64-bit PCI memory window
 */
#ifndef DYAD_MONITOR_MACHINE_LAYOUT_H
#define DYAD_MONITOR_MACHINE_LAYOUT_H

#include "lib/bits.h"

#define LAYOUT_HOLE_START (3 * GIB)
#define LAYOUT_PCI_MEMORY32 UINT64_C(0xc0000000)
#define LAYOUT_PCI_MEMORY32_END UINT64_C(0xe0000000)
#define LAYOUT_PCI_ECAM UINT64_C(0xe8000000)
#define LAYOUT_PCI_MEMORY64_SIZE (4 * GIB)
#define LAYOUT_PCI_PORTS 0xc000
#define LAYOUT_PCI_PORTS_END 0xd000
#define LAYOUT_IO_APIC 0xfec00000u
#define LAYOUT_LOCAL_APIC 0xfee00000u

/* The extended BIOS data area and what PCs keep between it and the first megabyte. */
#define LAYOUT_EBDA UINT64_C(0x9fc00)
#define LAYOUT_LOW_RAM_END UINT64_C(0xa0000)
#define LAYOUT_HIGH_RAM_START UINT64_C(0x100000)

#define LAYOUT_SERIAL_PORT 0x3f8
#define LAYOUT_SERIAL_GSI 4
#define LAYOUT_RTC_GSI 8
#define LAYOUT_SCI_GSI 9
/* The four INTx lines of the PCI bus: I/O APIC pins that no legacy device has. */
#define LAYOUT_FIRST_INTX_GSI 16

#endif
