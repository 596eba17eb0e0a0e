/* SPDX-License-Identifier: MIT */
/*
 * multiboot.h - the Multiboot Specification 0.6.96: the header in a kernel's file, and what a boot
 * loader hands to the kernel.
 */
#ifndef DYAD_HW_MULTIBOOT_H
#define DYAD_HW_MULTIBOOT_H

#include <stddef.h>
#include <stdint.h>

/* The header stands whole within the first bytes of the file, on a multiple of 4 (section 3.1). */
#define MULTIBOOT_SEARCH 8192
#define MULTIBOOT_HEADER_ALIGN 4
#define MULTIBOOT_HEADER_MAGIC 0x1badb002
/* eax at the entry (section 3.2). */
#define MULTIBOOT_BOOTLOADER_MAGIC 0x2badb002

/* Header flags (section 3.1.2); a loader must refuse what it does not know among bits 0 to 15. */
#define MULTIBOOT_PAGE_ALIGN 0x00000001
#define MULTIBOOT_MEMORY_INFO 0x00000002
#define MULTIBOOT_VIDEO_MODE 0x00000004
#define MULTIBOOT_REQUIRED 0x0000ffff
#define MULTIBOOT_AOUT_KLUDGE 0x00010000 /* the address fields stand for ELF's program headers */

/* Section 3.1; magic, flags and checksum add up to zero. */
struct multiboot_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;
	/* With MULTIBOOT_AOUT_KLUDGE. */
	uint32_t header_addr;
	uint32_t load_addr;
	uint32_t load_end_addr; /* 0: to the end of the file */
	uint32_t bss_end_addr;  /* 0: no bss */
	uint32_t entry_addr;
};
_Static_assert(sizeof(struct multiboot_header) == 32, "multiboot_header");
#define MULTIBOOT_HEADER_SHORT offsetof(struct multiboot_header, header_addr)

/* Which fields of the information are there (section 3.3). */
#define MULTIBOOT_INFO_MEMORY 0x00000001
#define MULTIBOOT_INFO_CMDLINE 0x00000004
#define MULTIBOOT_INFO_MODS 0x00000008
#define MULTIBOOT_INFO_MEM_MAP 0x00000040
#define MULTIBOOT_INFO_BOOT_LOADER_NAME 0x00000200

/* Section 3.3; ebx points at it. */
struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB from 0 on */
	uint32_t mem_upper; /* KiB from 1 MiB on, up to the first hole */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length; /* bytes */
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe_control_info;
	uint32_t vbe_mode_info;
	uint16_t vbe_mode;
	uint16_t vbe_interface_seg;
	uint16_t vbe_interface_off;
	uint16_t vbe_interface_len;
	uint8_t framebuffer[28];
};
_Static_assert(sizeof(struct multiboot_info) == 116, "multiboot_info");
_Static_assert(offsetof(struct multiboot_info, mmap_length) == 44, "multiboot_info.mmap_length");
_Static_assert(offsetof(struct multiboot_info, boot_loader_name) == 64, "boot_loader_name");

struct multiboot_module {
	uint32_t mod_start;
	uint32_t mod_end; /* the first byte behind it */
	uint32_t string;
	uint32_t reserved_0c;
};
_Static_assert(sizeof(struct multiboot_module) == 16, "multiboot_module");

struct multiboot_mmap_entry {
	uint32_t size; /* of the rest of the entry */
	uint64_t addr;
	uint64_t len;
	uint32_t type; /* 1: RAM */
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_mmap_entry) == 24, "multiboot_mmap_entry");

#endif
