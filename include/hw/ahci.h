/* SPDX-License-Identifier: MIT */
/*
 * ahci.h - registers and structures of serial ATA controllers (AHCI 1.3.1), and the ATA commands
 * that they carry (ACS-3).
 */
#ifndef DYAD_HW_AHCI_H
#define DYAD_HW_AHCI_H

#include <stddef.h>
#include <stdint.h>

#define AHCI_CLASS 0x010601 /* PCI class code */
#define AHCI_BAR 5

/* --- Registers (chapter 3) */

struct ahci_port {
	uint32_t command_list[2], fis[2]; /* addresses, low half first */
	uint32_t interrupt_status, interrupt_enable;
	uint32_t command;
	uint32_t reserved_1c;
	uint32_t task_file;
	uint32_t signature;
	uint32_t sata_status, sata_control, sata_error, sata_active;
	uint32_t command_issue;
	uint32_t reserved_3c[17];
};
_Static_assert(offsetof(struct ahci_port, command) == 0x18, "PxCMD");
_Static_assert(offsetof(struct ahci_port, sata_status) == 0x28, "PxSSTS");
_Static_assert(offsetof(struct ahci_port, command_issue) == 0x38, "PxCI");
_Static_assert(sizeof(struct ahci_port) == 0x80, "ahci_port");

#define AHCI_PORTS_MAX 32
struct ahci_registers {
	uint32_t capabilities;
	uint32_t control;
	uint32_t interrupt_status; /* a bit each port */
	uint32_t ports_implemented;
	uint32_t version;
	uint32_t reserved_14[4];
	uint32_t capabilities2;
	uint32_t handoff;
	uint32_t reserved_2c[53];
	struct ahci_port ports[AHCI_PORTS_MAX];
};
_Static_assert(offsetof(struct ahci_registers, capabilities2) == 0x24, "CAP2");
_Static_assert(offsetof(struct ahci_registers, ports) == 0x100, "ports");

#define AHCI_CAP_SLOTS(value) (((value) >> 8 & 0x1f) + 1)
#define AHCI_CAP_64_BIT 0x80000000u
#define AHCI_GHC_RESET 0x1u
#define AHCI_GHC_INTERRUPTS 0x2u
#define AHCI_GHC_ENABLE 0x80000000u
#define AHCI_CAP2_HANDOFF 0x1u
#define AHCI_BOHC_BIOS 0x1u
#define AHCI_BOHC_OS 0x2u

#define AHCI_CMD_START 0x1u
#define AHCI_CMD_SPIN_UP 0x2u
#define AHCI_CMD_POWER_ON 0x4u
#define AHCI_CMD_FIS_ENABLE 0x10u
#define AHCI_CMD_SLOT(value) ((value) >> 8 & 0x1f) /* the command under way */
#define AHCI_CMD_FIS_RUNNING 0x4000u
#define AHCI_CMD_RUNNING 0x8000u

#define AHCI_TASK_ERROR 0x01u
#define AHCI_TASK_REQUEST 0x08u
#define AHCI_TASK_BUSY 0x80u
#define AHCI_SIGNATURE_ATA 0x00000101u
#define AHCI_DETECT_MASK 0xfu /* PxSSTS.DET, PxSCTL.DET */
#define AHCI_DETECT_PRESENT 3u
#define AHCI_DETECT_RESET 1u

#define AHCI_INTERRUPT_REGISTER_FIS 0x00000001u /* a command has ended */
#define AHCI_INTERRUPT_PIO_FIS 0x00000002u
#define AHCI_INTERRUPT_INTERFACE 0x08000000u
#define AHCI_INTERRUPT_HOST_DATA 0x10000000u
#define AHCI_INTERRUPT_HOST_FATAL 0x20000000u
#define AHCI_INTERRUPT_TASK_FILE 0x40000000u
#define AHCI_INTERRUPT_ERRORS                                                                      \
	(AHCI_INTERRUPT_INTERFACE | AHCI_INTERRUPT_HOST_DATA | AHCI_INTERRUPT_HOST_FATAL |         \
	 AHCI_INTERRUPT_TASK_FILE)

/* --- Structures in memory (chapter 4) */

#define AHCI_SLOTS_MAX 32
#define AHCI_FIS_SIZE 256 /* what the device sends, aligned to its size */

/* Section 4.2.2 */
struct ahci_command_header {
	uint16_t flags; /* length of the FIS in dwords, and AHCI_HEADER_* */
	uint16_t extents;
	uint32_t transferred;
	uint64_t table;
	uint32_t reserved_10[4];
};
_Static_assert(sizeof(struct ahci_command_header) == 32, "ahci_command_header");
#define AHCI_HEADER_WRITE 0x40

struct ahci_extent {
	uint64_t address;
	uint32_t reserved_08;
	uint32_t size; /* bytes less one, which is odd */
};
_Static_assert(sizeof(struct ahci_extent) == 16, "ahci_extent");
#define AHCI_EXTENT_MAX 0x400000

/* Register FIS, host to device (serial ATA 3, section 10.5.5) */
struct ahci_fis {
	uint8_t type, flags, command, features;
	uint8_t lba_low[3], device;
	uint8_t lba_high[3], features_high;
	uint16_t count;
	uint8_t reserved_0e[6];
};
_Static_assert(sizeof(struct ahci_fis) == 20, "ahci_fis");
#define AHCI_FIS_HOST_TO_DEVICE 0x27
#define AHCI_FIS_COMMAND 0x80

/* Section 4.2.3; a multiple of 128 bytes. */
#define AHCI_TABLE_EXTENTS 56
struct ahci_table {
	struct ahci_fis fis;
	uint8_t reserved_14[108];
	struct ahci_extent extents[AHCI_TABLE_EXTENTS];
};
_Static_assert(offsetof(struct ahci_table, extents) == 0x80, "ahci_table.extents");
_Static_assert(sizeof(struct ahci_table) == 1024, "ahci_table");

/* --- ATA (ACS-3) */

#define ATA_READ_DMA 0x25            /* EXT, section 7.23 */
#define ATA_WRITE_DMA 0x35           /* EXT, section 7.58 */
#define ATA_FLUSH_CACHE 0xea         /* EXT, section 7.16 */
#define ATA_DATA_SET_MANAGEMENT 0x06 /* section 7.5 */
#define ATA_IDENTIFY 0xec            /* section 7.12 */
#define ATA_DEVICE_LBA 0x40
#define ATA_FEATURE_TRIM 0x01
#define ATA_SECTORS_MAX 65536 /* of one command; written as 0 */

#define ATA_IDENTIFY_WORDS 256
#define ATA_WORD_ADDITIONAL 69
#define ATA_ADDITIONAL_TRIM_ZEROS 0x4020 /* what was trimmed reads as zeros, and always */
#define ATA_WORD_COMMANDS 83
#define ATA_COMMANDS_48_BIT 0x0400
#define ATA_WORD_SECTORS 100 /* four words */
#define ATA_WORD_SECTOR_SIZE 106
#define ATA_SECTOR_SIZE_VALID(word) (((word)&0xc000) == 0x4000)
#define ATA_SECTOR_SIZE_LONG 0x1000
#define ATA_WORD_LOGICAL_SECTOR 117 /* two words: words in a sector */
#define ATA_WORD_DATA_SET_MANAGEMENT 169
#define ATA_DATA_SET_MANAGEMENT_TRIM 0x1

/* A range to trim: the sector, and how many in the upper 16 bits; a block has 64 of them. */
#define ATA_TRIM_RANGE(sector, count) ((uint64_t)(sector) | (uint64_t)(count) << 48)
#define ATA_TRIM_RANGES 64
#define ATA_TRIM_SECTORS_MAX 0xffff
#define ATA_TRIM_BLOCK 512

#endif
