/* SPDX-License-Identifier: MIT */
/*
 * acpi.h - the ACPI tables that tell a guest what machine it is in (ACPI 6.4): RSDP, XSDT, FADT
 * (with FACS), MADT, MCFG, and a DSDT whose AML is made from the device list.
 */
#ifndef DYAD_MONITOR_ACPI_ACPI_H
#define DYAD_MONITOR_ACPI_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/machine/memory.h"
#include "monitor/pci/pci.h"

struct error;

struct acpi_platform {
	uint32_t cpus;
	uint32_t local_apic_address, io_apic_address;
	const uint32_t *apic_ids; /* cpus of them, in order */
	const struct pci_windows *pci;
	const struct pci_host *pci_host; /* its slots: which get a _PRT entry */
	bool serial;                     /* COM1, ports 0x3f8, GSI 4 */
	bool rtc;                        /* CMOS RTC, ports 0x70, GSI 8 */
};

/* The BIOS read-only area: the tables stand in it, the RSDP first, on a 16-byte boundary. */
#define ACPI_AREA_START UINT64_C(0xe0000)
#define ACPI_AREA_SIZE UINT64_C(0x20000)

/* Writes all tables to guest memory; *rsdp is where the RSDP stands.  -ENOSPC, -EFAULT. */
int acpi_write_tables(const struct guest_memory *memory, const struct acpi_platform *platform,
		      gpa_t *rsdp, struct error *why);

#endif
