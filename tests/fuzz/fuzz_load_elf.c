/* SPDX-License-Identifier: MIT */
/* Loads damaged ELF kernels, by PVH and as a vmlinux. */
#include "lib/bits.h"
#include "tests/support/load_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct image seed(unsigned variant)
{
	static const struct kernel_segment segments[] = {
		{0x1000, KERNEL_ADDRESS, 0xffffffff81000000, 0x2000, 0x2000},
		{0x3000, KERNEL_ADDRESS + 0x10000, 0xffffffff81010000, 0x123, 0x12345},
	};

	return kernel_elf64(KERNEL_ADDRESS, variant % 2 ? KERNEL_ADDRESS + 0x10 : 0, segments,
			    ARRAY_COUNT(segments));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_fuzz(data, size, seed);
	return 0;
}
