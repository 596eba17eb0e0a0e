/* SPDX-License-Identifier: MIT */
/*
 * parts.h - what the loaders share: where boot structures stand, what of the guest's RAM is free,
 * how a file's bytes get there.  Only for monitor/load.
 *
 * Boot structures stand at fixed places below 640 KiB, behind what a kernel in low memory may need:
 *
 *   0x80000  command lines, of the kernel and of its modules
 *   0x90000  GDT
 *   0x91000  the one structure that the kernel is handed: boot_params, hvm_start_info, Multiboot's
 *   0x92000  memory map
 *   0x93000  list of modules
 *   0x94000  page tables (64-bit entry)
 *   0x9b000  a page of stack
 *
 * No vCPU runs and no device is live while a guest is loaded, so guest memory does not change under
 * these functions.
 */
#ifndef DYAD_MONITOR_LOAD_PARTS_H
#define DYAD_MONITOR_LOAD_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"
#include "monitor/load/load.h"

#define BOOT_AREA_START UINT64_C(0x80000)
#define BOOT_STRINGS UINT64_C(0x80000)
#define BOOT_STRINGS_END UINT64_C(0x90000)
#define BOOT_GDT UINT64_C(0x90000)
#define BOOT_INFO UINT64_C(0x91000)
#define BOOT_MAP UINT64_C(0x92000)
#define BOOT_MODULES UINT64_C(0x93000)
#define BOOT_PAGE_TABLES UINT64_C(0x94000)
#define BOOT_STACK_TOP UINT64_C(0x9c000)
#define BOOT_AREA_END UINT64_C(0x9c000)

/* Above this stands what is no boot structure and no BIOS area. */
#define LOAD_HIGH_START UINT64_C(0x100000)

struct load_context {
	const struct guest_memory *memory;
	const struct load_request *request;
	struct error *why;
	const char *kernel; /* its name, for messages */
	gpa_t kernel_start; /* what the kernel and its modules take; nothing else is put there */
	gpa_t kernel_end;
	gpa_t strings_end; /* of what is used of BOOT_STRINGS */
};

/* --- A file, a part of one, or bytes in the monitor's memory (load.c) ------------------------- */

struct load_blob {
	const uint8_t *bytes; /* NULL: a file */
	struct os_file *file;
	uint64_t offset; /* in the file */
	uint64_t size;
};

/* 0, -EINVAL where the blob ends before (nothing is read), -EIO. */
int load_blob_read(const struct load_blob *blob, uint64_t offset, void *buffer, uint64_t size);
/* Reads a file from its beginning into guest RAM that is known to be there; tells what failed. */
int load_read_file(struct load_context *context, const struct load_file *from, gpa_t to);

/* In MiB, rounded up, for messages. */
static inline unsigned long long load_mebibytes(uint64_t bytes)
{
	return bytes / MIB + (bytes % MIB != 0);
}

/* --- Guest RAM (place.c) ---------------------------------------------------------------------- */

/* Whether the memory map has length bytes of RAM at start, in one piece. */
bool load_is_ram(const struct load_context *context, gpa_t start, uint64_t length);
/* As that, and nothing of the boot structures' area; the error says what is wrong with the kernel.
 */
int load_check_kernel_range(struct load_context *context, gpa_t start, uint64_t length);
/* Adds a range to what the kernel takes. */
void load_claim(struct load_context *context, gpa_t start, uint64_t length);

enum load_direction { LOAD_LOWEST, LOAD_HIGHEST };
/* Finds length bytes of free RAM above 1 MiB within [floor, ceiling), on a multiple of alignment.
 */
bool load_find_room(const struct load_context *context, uint64_t length, uint64_t alignment,
		    gpa_t floor, gpa_t ceiling, enum load_direction direction, gpa_t *found);

/* Makes RAM that is known to be there read as zero; whole pages are given back, not written. */
void load_zero(const struct load_context *context, gpa_t start, uint64_t length);

/* --- What every protocol hands over (place.c) ------------------------------------------------- */

/* Puts "first second" (second may be NULL) in the area for strings and says where. */
int load_put_string(struct load_context *context, const char *first, const char *second,
		    gpa_t *where);
/*
 * Puts the initrd as high as it fits below ceiling and 4 GiB, or else, above_4g, as high as it fits
 * at all.  Where there is none *where and *size are 0.
 */
int load_put_initrd(struct load_context *context, gpa_t ceiling, bool above_4g, gpa_t *where,
		    uint64_t *size);
/* Copies a boot structure to its place; it always fits. */
void load_put(const struct load_context *context, gpa_t where, const void *what, uint64_t size);
/* Writes the GDT, and says in entry where it is. */
void load_put_gdt(const struct load_context *context, struct load_entry *entry);

/* --- ELF (elf.c) ------------------------------------------------------------------------------ */

#define ELF_SEGMENTS_MAX 64

struct elf_segment {
	uint64_t offset; /* in the blob */
	uint64_t file_size;
	gpa_t start;
	uint64_t memory_size; /* at least file_size, at least 1 */
	uint64_t virtual_start;
};

struct elf_image {
	bool is_64bit;
	bool has_pvh_entry;
	uint32_t pvh_entry;
	uint64_t entry; /* e_entry */
	unsigned count;
	struct elf_segment segments[ELF_SEGMENTS_MAX]; /* in ascending order of start, disjoint */
};

/* Reads headers and notes and checks them against the blob's size; nothing is loaded. */
int elf_parse(struct load_context *context, const struct load_blob *blob, struct elf_image *image);
/* Checks every segment's place and claims it for the kernel. */
int elf_place(struct load_context *context, const struct elf_image *image);
/* Loads what elf_place() found to fit. */
int elf_load(struct load_context *context, const struct load_blob *blob,
	     const struct elf_image *image);
/*
 * As elf_load(), of a blob of size bytes that stands in guest RAM itself, at base, where segments
 * may overlap it.  All RAM under the blob that belongs to no segment reads as zero afterwards.
 */
int elf_load_in_place(struct load_context *context, gpa_t base, uint64_t size,
		      const struct elf_image *image);
/* The physical address of an entry point, which must lie in a segment; it may be given as virtual.
 */
int elf_find_entry(struct load_context *context, const struct elf_image *image, uint64_t entry,
		   gpa_t *found);

/* --- Protocols -------------------------------------------------------------------------------- */

struct linux_boot_params;

/* head holds the kernel's first head_size bytes. */
bool bzimage_probe(const uint8_t *head, uint64_t head_size);
int bzimage_load(struct load_context *context, struct load_entry *entry);

/*
 * Ends the loading of Linux: params has a header; adds command line, initrd, memory map, and enters
 * the kernel at rip.  The kernel's memory has been claimed.
 */
int linux_enter(struct load_context *context, struct linux_boot_params *params, uint64_t rip,
		struct load_entry *entry);
/* An ELF64 that is Linux's own vmlinux, at its linked address. */
int linux_load_elf(struct load_context *context, const struct load_blob *blob,
		   const struct elf_image *image, struct load_entry *entry);

int pvh_load(struct load_context *context, const struct load_blob *blob,
	     const struct elf_image *image, struct load_entry *entry);

struct multiboot_header;
/* Finds the header; 0, -ENOENT when there is none, -EINVAL when its checksum is wrong. */
int multiboot_probe(const uint8_t *head, uint64_t head_size, struct multiboot_header *header,
		    uint64_t *offset);
/* image is the file as an ELF; NULL where its header stands for that. */
int multiboot_load(struct load_context *context, const struct load_blob *blob,
		   const struct multiboot_header *header, uint64_t offset,
		   const struct elf_image *image, struct load_entry *entry);

#endif
