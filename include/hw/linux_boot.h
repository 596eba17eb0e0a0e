/* SPDX-License-Identifier: MIT */
/*
 * linux_boot.h - what Linux on x86 and its boot loader tell each other: the setup header in a
 * bzImage and struct boot_params ("zero page").  Linux documentation, arch/x86/boot.rst and
 * zero-page.rst.
 */
#ifndef DYAD_HW_LINUX_BOOT_H
#define DYAD_HW_LINUX_BOOT_H

#include <stddef.h>
#include <stdint.h>

#define LINUX_SECTOR 512
#define LINUX_BOOT_FLAG 0xaa55
#define LINUX_HEADER_MAGIC 0x53726448 /* "HdrS" */
#define LINUX_PROTOCOL_2_12 0x020c    /* the first with xloadflags and a 64-bit entry point */
#define LINUX_SETUP_SECTS_DEFAULT 4   /* where setup_sects is 0 */
#define LINUX_LOADER_UNDEFINED 0xff
#define LINUX_ENTRY_64 0x200 /* from the beginning of the protected-mode part */

/* loadflags */
#define LINUX_LOADED_HIGH 0x01

/* xloadflags */
#define LINUX_XLF_KERNEL_64 0x0001
#define LINUX_XLF_CAN_BE_LOADED_ABOVE_4G 0x0002

/* Where the header stands in the file, and in boot_params. */
#define LINUX_SETUP_HEADER 0x1f1
#define LINUX_SETUP_HEADER_MAX 0x290 /* what follows it in boot_params stands here */
/* The header ends as far behind 0x202 as the byte at 0x201, a jump's displacement, says. */
#define LINUX_JUMP_DISPLACEMENT 0x201
#define LINUX_JUMP_END 0x202

struct linux_setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize; /* of the protected-mode part, in units of 16 bytes */
	uint16_t ram_size;
	uint16_t vid_mode;
	uint16_t root_dev;
	uint16_t boot_flag;
	uint16_t jump;
	uint32_t header;
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg;
	uint16_t kernel_version;
	uint8_t type_of_loader;
	uint8_t loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start;
	uint32_t ramdisk_image;
	uint32_t ramdisk_size;
	uint32_t bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver;
	uint8_t ext_loader_type;
	uint32_t cmd_line_ptr;
	uint32_t initrd_addr_max; /* the last byte that an initrd may occupy */
	uint32_t kernel_alignment;
	uint8_t relocatable_kernel;
	uint8_t min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size; /* without the closing NUL */
	uint32_t hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset; /* from the beginning of the protected-mode part */
	uint32_t payload_length;
	uint64_t setup_data;
	uint64_t pref_address;
	uint32_t init_size; /* memory that the kernel needs, from where it runs, before it reads any
			       map */
	uint32_t handover_offset;
	uint32_t kernel_info_offset;
} __attribute__((packed));
_Static_assert(sizeof(struct linux_setup_header) == 0x26c - LINUX_SETUP_HEADER, "setup_header");
_Static_assert(offsetof(struct linux_setup_header, header) == 0x202 - LINUX_SETUP_HEADER,
	       "setup_header.header");
_Static_assert(offsetof(struct linux_setup_header, cmd_line_ptr) == 0x228 - LINUX_SETUP_HEADER,
	       "setup_header.cmd_line_ptr");
_Static_assert(offsetof(struct linux_setup_header, payload_offset) == 0x248 - LINUX_SETUP_HEADER,
	       "setup_header.payload_offset");
_Static_assert(offsetof(struct linux_setup_header, init_size) == 0x260 - LINUX_SETUP_HEADER,
	       "setup_header.init_size");

#define LINUX_E820_MAX 128

struct linux_e820_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct linux_e820_entry) == 20, "e820_entry");

/* Only what a loader without firmware, video and BIOS disks has to say is named. */
struct linux_boot_params {
	uint8_t screen_info[0x40];
	uint8_t reserved_040[0x30];
	uint64_t acpi_rsdp_addr;
	uint8_t reserved_078[0x48];
	uint32_t ext_ramdisk_image;
	uint32_t ext_ramdisk_size;
	uint32_t ext_cmd_line_ptr;
	uint8_t reserved_0cc[0x11c];
	uint8_t e820_entries;
	uint8_t reserved_1e9[6];
	uint8_t sentinel; /* 0: the loader filled in this structure and not only the header */
	uint8_t reserved_1f0;
	union {
		struct linux_setup_header hdr;
		uint8_t hdr_bytes[LINUX_SETUP_HEADER_MAX - LINUX_SETUP_HEADER];
	};
	uint8_t edd_mbr_sig_buffer[0x40];
	struct linux_e820_entry e820_table[LINUX_E820_MAX];
	uint8_t reserved_cd0[0x330];
} __attribute__((packed));
_Static_assert(sizeof(struct linux_boot_params) == 4096, "boot_params");
_Static_assert(offsetof(struct linux_boot_params, acpi_rsdp_addr) == 0x70, "acpi_rsdp_addr");
_Static_assert(offsetof(struct linux_boot_params, ext_ramdisk_image) == 0xc0, "ext_ramdisk_image");
_Static_assert(offsetof(struct linux_boot_params, e820_entries) == 0x1e8, "e820_entries");
_Static_assert(offsetof(struct linux_boot_params, sentinel) == 0x1ef, "sentinel");
_Static_assert(offsetof(struct linux_boot_params, hdr) == LINUX_SETUP_HEADER, "hdr");
_Static_assert(offsetof(struct linux_boot_params, e820_table) == 0x2d0, "e820_table");

#endif
