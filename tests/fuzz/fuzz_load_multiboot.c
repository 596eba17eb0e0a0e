/* SPDX-License-Identifier: MIT */
/* Loads damaged Multiboot kernels: 32-bit and 64-bit ELF, and by the addresses in the header. */
#include <string.h>

#include "hw/multiboot.h"
#include "lib/bits.h"
#include "tests/support/load_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_AT 0x200
#define LOAD_ADDRESS 0x400000u

static struct image seed_addresses(void)
{
	static const uint32_t addresses[] = {LOAD_ADDRESS + HEADER_AT, LOAD_ADDRESS,
					     LOAD_ADDRESS + 0x1000, LOAD_ADDRESS + 0x3000,
					     LOAD_ADDRESS + 0x300};
	struct image image = {0};

	image_resize(&image, 0x1000);
	kernel_put_multiboot(&image, HEADER_AT, MULTIBOOT_AOUT_KLUDGE | MULTIBOOT_MEMORY_INFO);
	memcpy(image.bytes + HEADER_AT + MULTIBOOT_HEADER_SHORT, addresses, sizeof(addresses));
	return image;
}

static struct image seed(unsigned variant)
{
	static const struct kernel_segment segments[] = {
		{0x1000, LOAD_ADDRESS, 0xc0000000, 0x1000, 0x1000},
		{0x2000, LOAD_ADDRESS + 0x2000, 0xc0002000, 0x100, 0x3010},
	};
	struct image image;

	switch (variant % 3) {
	case 0:
		return seed_addresses();
	case 1:
		image = kernel_elf32(LOAD_ADDRESS, segments, ARRAY_COUNT(segments));
		break;
	default:
		image = kernel_elf64(LOAD_ADDRESS, 0, segments, ARRAY_COUNT(segments));
		break;
	}
	kernel_put_multiboot(&image, HEADER_AT, MULTIBOOT_PAGE_ALIGN);
	return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_fuzz(data, size, seed);
	return 0;
}
