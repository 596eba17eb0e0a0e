/* SPDX-License-Identifier: MIT */
/*
 * pvh.h - how a kernel with a PVH note is started: "x86/HVM direct boot ABI" of the Xen
 * documentation (docs/misc/pvh.pandoc), and its structures
 * (xen/include/public/arch-x86/hvm/start_info.h).
 */
#ifndef DYAD_HW_PVH_H
#define DYAD_HW_PVH_H

#include <stddef.h>
#include <stdint.h>

/* The note: its descriptor is the physical address of the 32-bit entry point. */
#define XEN_ELFNOTE_NAME "Xen"
#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define HVM_START_INFO_MAGIC 0x336ec578
#define HVM_START_INFO_VERSION 1

/* ebx points at it. */
struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	/* From version 1 on. */
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved_034;
};
_Static_assert(sizeof(struct hvm_start_info) == 56, "hvm_start_info");
_Static_assert(offsetof(struct hvm_start_info, rsdp_paddr) == 32, "hvm_start_info.rsdp_paddr");
_Static_assert(offsetof(struct hvm_start_info, memmap_entries) == 48, "memmap_entries");

struct hvm_modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved_018;
};
_Static_assert(sizeof(struct hvm_modlist_entry) == 32, "hvm_modlist_entry");

/* The types are those of e820. */
struct hvm_memmap_table_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved_014;
};
_Static_assert(sizeof(struct hvm_memmap_table_entry) == 24, "hvm_memmap_table_entry");

#endif
