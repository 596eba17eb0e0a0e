/* SPDX-License-Identifier: MIT */
/* Loads damaged bzImages, packed by each codec, with the header of a sound one to begin with. */
#include "lib/bits.h"
#include "tests/support/load_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Near the file's beginning, so that changes reach the vmlinux as well as the bzImage's header. */
static struct image seed(unsigned variant)
{
	static const struct kernel_segment segments[] = {
		{0x200, KERNEL_ADDRESS, 0xffffffff81000000, 0x1000, 0x1000},
		{0x1200, KERNEL_ADDRESS + 0x1000, 0xffffffff81001000, 0x800, 0x800},
		{0x1a00, KERNEL_ADDRESS + 0x1800, 0, 0x234, 0x20000},
	};
	struct image vmlinux = kernel_elf64(KERNEL_ADDRESS, 0, segments, ARRAY_COUNT(segments));
	struct image image = kernel_bzimage(&vmlinux, (int)(variant % 6) - 1);

	image_free(&vmlinux);
	return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_fuzz(data, size, seed);
	return 0;
}
