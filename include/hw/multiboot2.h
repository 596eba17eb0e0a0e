/* SPDX-License-Identifier: MIT */
/*
 * multiboot2.h - the Multiboot2 Specification 2.0: the header in a kernel's file (section 3.1), and
 * what a boot loader hands over (section 3.6).  The first part is for assembly too.
 */
#ifndef DYAD_HW_MULTIBOOT2_H
#define DYAD_HW_MULTIBOOT2_H

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_ARCHITECTURE_I386 0
#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289 /* EAX at the entry */

#define MULTIBOOT2_HEADER_TAG_END 0
#define MULTIBOOT2_HEADER_TAG_FRAMEBUFFER 5
#define MULTIBOOT2_HEADER_TAG_MODULE_ALIGN 6 /* modules begin on pages */
#define MULTIBOOT2_HEADER_OPTIONAL 1         /* a flag: a boot loader may pass over the tag */

#ifndef __ASSEMBLY__
#include <stdint.h>

/* Information: this, then tags, each on a multiple of 8. */
struct multiboot2_info {
	uint32_t total_size;
	uint32_t reserved_4;
};
_Static_assert(sizeof(struct multiboot2_info) == 8, "multiboot2_info");
#define MULTIBOOT2_TAG_ALIGN 8

enum multiboot2_tag_type {
	MULTIBOOT2_TAG_END = 0,
	MULTIBOOT2_TAG_COMMAND_LINE = 1, /* a string ended by a zero follows */
	MULTIBOOT2_TAG_MODULE = 3,
	MULTIBOOT2_TAG_MEMORY_MAP = 6,
	MULTIBOOT2_TAG_FRAMEBUFFER = 8,
	MULTIBOOT2_TAG_ACPI_OLD = 14, /* a copy of the RSDP of ACPI 1.0 follows */
	MULTIBOOT2_TAG_ACPI_NEW = 15, /* of ACPI 2.0 or later */
};

struct multiboot2_tag {
	uint32_t type;
	uint32_t size; /* with this, without padding */
};
_Static_assert(sizeof(struct multiboot2_tag) == 8, "multiboot2_tag");

/* Its command line, ended by a zero, follows. */
struct multiboot2_module {
	struct multiboot2_tag tag;
	uint32_t start, end; /* end: the first byte behind it */
};
_Static_assert(sizeof(struct multiboot2_module) == 16, "multiboot2_module");

struct multiboot2_memory_map {
	struct multiboot2_tag tag;
	uint32_t entry_size;
	uint32_t entry_version;
};
_Static_assert(sizeof(struct multiboot2_memory_map) == 16, "multiboot2_memory_map");

struct multiboot2_memory_entry {
	uint64_t address, length;
	uint32_t type;
	uint32_t reserved_14;
};
_Static_assert(sizeof(struct multiboot2_memory_entry) == 24, "multiboot2_memory_entry");
#define MULTIBOOT2_MEMORY_AVAILABLE 1

struct multiboot2_framebuffer {
	struct multiboot2_tag tag;
	uint64_t address;
	uint32_t pitch; /* bytes of a row */
	uint32_t width, height;
	uint8_t bits; /* of a pixel */
	uint8_t type;
	uint16_t reserved_1e;
};
_Static_assert(sizeof(struct multiboot2_framebuffer) == 32, "multiboot2_framebuffer");
#define MULTIBOOT2_FRAMEBUFFER_RGB 1
#define MULTIBOOT2_FRAMEBUFFER_TEXT 2 /* EGA text: width and height count characters */

/* Bytes that follow it with RGB: of red, green and blue the first bit, and how many bits it has. */
#define MULTIBOOT2_FRAMEBUFFER_COLOURS 6

#endif
#endif
