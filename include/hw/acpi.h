/* SPDX-License-Identifier: MIT */
/*
 * acpi.h - ACPI 6.4: fixed hardware registers (section 4.8) and tables (section 5.2), as far as a
 * machine of ours has them.
 */
#ifndef DYAD_HW_ACPI_H
#define DYAD_HW_ACPI_H

#include <stddef.h>
#include <stdint.h>

/* --- Fixed hardware -------------------------------------------------------------------------- */

/* PM1 status and enable (4.8.3.1): an event's enable bit stands at its status bit's place. */
enum acpi_pm1_event {
	ACPI_PM1_TIMER = 1 << 0,
	ACPI_PM1_BUS_MASTER = 1 << 4, /* status only */
	ACPI_PM1_GLOBAL = 1 << 5,
	ACPI_PM1_POWER_BUTTON = 1 << 8,
	ACPI_PM1_SLEEP_BUTTON = 1 << 9,
	ACPI_PM1_RTC = 1 << 10,
	ACPI_PM1_WAKE = 1 << 15, /* status only */
};

/* PM1 control (4.8.3.2). */
enum acpi_pm1_control {
	ACPI_PM1_SCI_ENABLE = 1 << 0,
	ACPI_PM1_BUS_MASTER_RELOAD = 1 << 1,
	ACPI_PM1_SLEEP_TYPE_SHIFT = 10,
	ACPI_PM1_SLEEP_TYPE = 7 << ACPI_PM1_SLEEP_TYPE_SHIFT,
	ACPI_PM1_SLEEP_ENABLE = 1 << 13, /* write only */
};

#define ACPI_PM_TIMER_HZ 3579545 /* 4.8.3.3 */

/* --- Tables ---------------------------------------------------------------------------------- */

/* Root System Description Pointer, 5.2.5.3. */
struct acpi_rsdp {
	char signature[8]; /* "RSD PTR " */
	uint8_t checksum;  /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt_address;
	uint32_t length;
	uint64_t xsdt_address;
	uint8_t extended_checksum; /* of all */
	uint8_t reserved_21[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_rsdp) == 36, "acpi_rsdp");
#define ACPI_RSDP_REVISION 2
#define ACPI_RSDP_CHECKSUMMED 20

/* System description table header, 5.2.6. */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum; /* all bytes of the table add up to 0 */
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_header) == 36, "acpi_header");

/* Generic Address Structure, 5.2.3.2. */
struct acpi_address {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_address) == 12, "acpi_address");

enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };
enum acpi_access { ACPI_ACCESS_BYTE = 1, ACPI_ACCESS_WORD = 2, ACPI_ACCESS_DWORD = 3 };

/* Fixed ACPI Description Table, 5.2.9. */
struct acpi_fadt {
	struct acpi_header header; /* "FACP" */
	uint32_t firmware_ctrl;    /* the FACS */
	uint32_t dsdt;
	uint8_t reserved_2c;
	uint8_t preferred_pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable;
	uint8_t acpi_disable;
	uint8_t s4bios_req;
	uint8_t pstate_cnt;
	uint32_t pm1a_evt_blk;
	uint32_t pm1b_evt_blk;
	uint32_t pm1a_cnt_blk;
	uint32_t pm1b_cnt_blk;
	uint32_t pm2_cnt_blk;
	uint32_t pm_tmr_blk;
	uint32_t gpe0_blk;
	uint32_t gpe1_blk;
	uint8_t pm1_evt_len;
	uint8_t pm1_cnt_len;
	uint8_t pm2_cnt_len;
	uint8_t pm_tmr_len;
	uint8_t gpe0_blk_len;
	uint8_t gpe1_blk_len;
	uint8_t gpe1_base;
	uint8_t cst_cnt;
	uint16_t p_lvl2_lat;
	uint16_t p_lvl3_lat;
	uint16_t flush_size;
	uint16_t flush_stride;
	uint8_t duty_offset;
	uint8_t duty_width;
	uint8_t day_alrm;
	uint8_t mon_alrm;
	uint8_t century;
	uint16_t iapc_boot_arch;
	uint8_t reserved_6f;
	uint32_t flags;
	struct acpi_address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl;
	uint64_t x_dsdt;
	struct acpi_address x_pm1a_evt_blk;
	struct acpi_address x_pm1b_evt_blk;
	struct acpi_address x_pm1a_cnt_blk;
	struct acpi_address x_pm1b_cnt_blk;
	struct acpi_address x_pm2_cnt_blk;
	struct acpi_address x_pm_tmr_blk;
	struct acpi_address x_gpe0_blk;
	struct acpi_address x_gpe1_blk;
	struct acpi_address sleep_control_reg;
	struct acpi_address sleep_status_reg;
	uint64_t hypervisor_vendor;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_fadt) == 276, "acpi_fadt");
_Static_assert(offsetof(struct acpi_fadt, pm1a_evt_blk) == 56, "acpi_fadt.pm1a_evt_blk");
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "acpi_fadt.flags");
_Static_assert(offsetof(struct acpi_fadt, x_firmware_ctrl) == 132, "acpi_fadt.x_firmware_ctrl");
_Static_assert(offsetof(struct acpi_fadt, hypervisor_vendor) == 268, "acpi_fadt.hypervisor_vendor");
#define ACPI_FADT_REVISION 6
#define ACPI_FADT_MINOR_REVISION 4

enum acpi_fadt_flags { /* table 5.10 */
		       ACPI_FADT_WBINVD = 1 << 0,
		       ACPI_FADT_PROC_C1 = 1 << 2,
		       ACPI_FADT_NO_FIXED_SLEEP_BUTTON = 1 << 5, /* SLP_BUTTON */
		       ACPI_FADT_NO_FIXED_RTC = 1 << 6,          /* FIX_RTC */
		       ACPI_FADT_TIMER_32_BIT = 1 << 8,          /* TMR_VAL_EXT */
		       ACPI_FADT_RESET_REGISTER = 1 << 10,       /* RESET_REG_SUP */
};

enum acpi_boot_arch { /* table 5.11 */
		      ACPI_BOOT_LEGACY_DEVICES = 1 << 0,
		      ACPI_BOOT_8042 = 1 << 1,
		      ACPI_BOOT_NO_VGA = 1 << 2,
		      ACPI_BOOT_NO_MSI = 1 << 3,
		      ACPI_BOOT_NO_ASPM = 1 << 4,
		      ACPI_BOOT_NO_CMOS_RTC = 1 << 5,
};

/* P_LVL2_LAT and P_LVL3_LAT above these: no such state. */
#define ACPI_NO_C2_LATENCY 101
#define ACPI_NO_C3_LATENCY 1001

/* Firmware ACPI Control Structure, 5.2.10; on a 64-byte boundary, without a checksum. */
struct acpi_facs {
	char signature[4]; /* "FACS" */
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t firmware_waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_firmware_waking_vector;
	uint8_t version;
	uint8_t reserved_21[3];
	uint32_t ospm_flags;
	uint8_t reserved_28[24];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_facs) == 64, "acpi_facs");
#define ACPI_FACS_VERSION 2
#define ACPI_FACS_ALIGNMENT 64

/* Multiple APIC Description Table, 5.2.12; entries follow. */
struct acpi_madt {
	struct acpi_header header; /* "APIC" */
	uint32_t local_apic_address;
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt) == 44, "acpi_madt");
#define ACPI_MADT_REVISION 5
#define ACPI_MADT_PCAT_COMPAT 1 /* there are two 8259s besides */

enum acpi_madt_type {
	ACPI_MADT_LOCAL_APIC = 0,
	ACPI_MADT_IO_APIC = 1,
	ACPI_MADT_OVERRIDE = 2,
	ACPI_MADT_LOCAL_APIC_NMI = 4,
	ACPI_MADT_LOCAL_X2APIC = 9,
	ACPI_MADT_LOCAL_X2APIC_NMI = 10,
};

struct acpi_madt_entry {
	uint8_t type;
	uint8_t length;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_entry) == 2, "acpi_madt_entry");

#define ACPI_MADT_ENABLED 1

/* 5.2.12.2 */
struct acpi_madt_local_apic {
	struct acpi_madt_entry entry;
	uint8_t processor_uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_local_apic) == 8, "acpi_madt_local_apic");

/* 5.2.12.3 */
struct acpi_madt_io_apic {
	struct acpi_madt_entry entry;
	uint8_t id;
	uint8_t reserved_3;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_io_apic) == 12, "acpi_madt_io_apic");

/* 5.2.12.5 */
struct acpi_madt_override {
	struct acpi_madt_entry entry;
	uint8_t bus; /* 0: ISA */
	uint8_t source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_override) == 10, "acpi_madt_override");

enum acpi_inti_flags { /* table 5.26 */
		       ACPI_INTI_BUS_DEFAULT = 0,
		       ACPI_INTI_ACTIVE_HIGH = 1,
		       ACPI_INTI_ACTIVE_LOW = 3,
		       ACPI_INTI_EDGE = 1 << 2,
		       ACPI_INTI_LEVEL = 3 << 2,
};

/* 5.2.12.7 */
struct acpi_madt_local_apic_nmi {
	struct acpi_madt_entry entry;
	uint8_t processor_uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_local_apic_nmi) == 6, "acpi_madt_local_apic_nmi");
#define ACPI_MADT_ALL_PROCESSORS 0xff
#define ACPI_MADT_ALL_X2APIC_PROCESSORS 0xffffffff

/* 5.2.12.12 */
struct acpi_madt_local_x2apic {
	struct acpi_madt_entry entry;
	uint16_t reserved_2;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t processor_uid;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_local_x2apic) == 16, "acpi_madt_local_x2apic");

/* 5.2.12.13 */
struct acpi_madt_local_x2apic_nmi {
	struct acpi_madt_entry entry;
	uint16_t flags;
	uint32_t processor_uid;
	uint8_t lint;
	uint8_t reserved_9[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_local_x2apic_nmi) == 12, "acpi_madt_local_x2apic_nmi");

/* Memory-mapped configuration space: PCI Firmware Specification 3.3, section 4.1.2. */
struct acpi_mcfg {
	struct acpi_header header; /* "MCFG" */
	uint8_t reserved_24[8];
	/* one allocation */
	uint64_t base_address;
	uint16_t segment;
	uint8_t start_bus;
	uint8_t end_bus;
	uint8_t reserved_38[4];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_mcfg) == 60, "acpi_mcfg");
#define ACPI_MCFG_REVISION 1

/* Extended System Description Table, 5.2.8: 64-bit addresses of tables follow the header. */
#define ACPI_XSDT_REVISION 1
/* 2 and above: AML integers have 64 bits (5.2.11.1). */
#define ACPI_DSDT_REVISION 2

#endif
