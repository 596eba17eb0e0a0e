/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - small kernels of every kind, made in memory.  For the loaders' tests, which then
 * change single fields, and as seeds for their fuzzers.
 */
#ifndef DYAD_TESTS_KERNELS_H
#define DYAD_TESTS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/elf.h"
#include "hw/linux_boot.h"

#define KERNEL_ADDRESS 0x1000000u

struct image {
	size_t size;
	uint8_t *bytes;
};

void image_free(struct image *image);
/* Cuts or lengthens (with zeroes). */
void image_resize(struct image *image, size_t size);

struct kernel_segment {
	uint64_t offset, address, virtual_address;
	uint64_t file_size, memory_size;
};

/* Segment i is filled with the byte 0x10 + i; the PVH note is made if its entry is not 0. */
struct image kernel_elf64(uint64_t entry, uint32_t pvh_entry, const struct kernel_segment *segments,
			  unsigned count);
struct image kernel_elf32(uint32_t entry, const struct kernel_segment *segments, unsigned count);
struct elf64_phdr *kernel_phdr64(struct image *image, unsigned index);
struct elf32_phdr *kernel_phdr32(struct image *image, unsigned index);

/* Puts a Multiboot header with a right checksum at offset. */
void kernel_put_multiboot(struct image *image, size_t offset, uint32_t flags);

/*
 * A bzImage of protocol 2.15 that carries payload packed by codec, or as it is (codec < 0).  It
 * needs 8 MiB from KERNEL_ADDRESS on, takes 255 characters of command line, and an initrd above 4
 * GiB.
 */
struct image kernel_bzimage(const struct image *payload, int codec);
struct linux_setup_header *kernel_setup_header(struct image *image);
/* Where in the file the protected-mode part begins. */
#define KERNEL_PROTECTED_MODE (5 * 512)

#endif
