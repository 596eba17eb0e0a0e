/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - small kernels of every kind, made in memory, and a guest to load them into.  For the
 * loaders' tests, which then change single fields, and as seeds for their fuzzers.
 */
#ifndef DYAD_TESTS_KERNELS_H
#define DYAD_TESTS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/elf.h"
#include "hw/linux_boot.h"
#include "lib/error.h"
#include "monitor/load/load.h"
#include "tests/support/fake_os.h"

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

/* A guest, and the last thing that was loaded into it. */
struct guest {
	struct guest_memory memory;
	struct memory_map_entry map[8];
	struct load_request request;
	struct load_entry entry;
	struct error why;
};

/* RAM with the usual hole from 640 KiB to 1 MiB, and from 3 to 4 GiB. */
void guest_create(struct guest *guest, uint64_t size);
void guest_destroy(struct guest *guest);
/* Loads the kernel as a file that is called "kernel". */
int guest_load(struct guest *guest, const struct image *kernel);
/* Copies out of guest memory, which must be there. */
void guest_read(const struct guest *guest, gpa_t from, void *to, size_t size);
bool guest_holds(const struct guest *guest, gpa_t from, uint8_t byte, uint64_t size);

#endif
