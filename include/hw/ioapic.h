/* SPDX-License-Identifier: MIT */
/*
 * ioapic.h - registers of the I/O APIC (Intel 82093AA data sheet, section 3).
 */
#ifndef DYAD_HW_IOAPIC_H
#define DYAD_HW_IOAPIC_H

#include <stdint.h>

#define IOAPIC_BASE_DEFAULT UINT64_C(0xfec00000)
#define IOAPIC_SIZE 0x100u
#define IOAPIC_PINS 24

/* Memory-mapped, section 3.1. */
enum ioapic_register {
	IOAPIC_SELECT = 0x00,
	IOAPIC_WINDOW = 0x10,
};

/* Behind the window, section 3.2. */
enum ioapic_index {
	IOAPIC_ID = 0x00,
	IOAPIC_VERSION = 0x01,
	IOAPIC_ARBITRATION = 0x02,
	IOAPIC_REDIRECTION = 0x10, /* two for each pin: low, high */
};

#define IOAPIC_ID_SHIFT 24
#define IOAPIC_ID_MASK 0xfu
#define IOAPIC_VERSION_VALUE ((IOAPIC_PINS - 1u) << 16 | 0x11u)

/* A redirection table entry, section 3.2.4. */
#define IOAPIC_RTE_VECTOR UINT64_C(0xff)
#define IOAPIC_RTE_MODE_SHIFT 8
#define IOAPIC_RTE_MODE_MASK UINT64_C(7)
#define IOAPIC_RTE_LOGICAL (UINT64_C(1) << 11)
#define IOAPIC_RTE_STATUS (UINT64_C(1) << 12) /* read only */
#define IOAPIC_RTE_POLARITY (UINT64_C(1) << 13)
#define IOAPIC_RTE_REMOTE_IRR (UINT64_C(1) << 14) /* read only */
#define IOAPIC_RTE_LEVEL (UINT64_C(1) << 15)
#define IOAPIC_RTE_MASKED (UINT64_C(1) << 16)
#define IOAPIC_RTE_DESTINATION_SHIFT 56
#define IOAPIC_RTE_WRITABLE_LOW UINT64_C(0x1afff)
#define IOAPIC_RTE_WRITABLE_HIGH (UINT64_C(0xff) << IOAPIC_RTE_DESTINATION_SHIFT)

#endif
