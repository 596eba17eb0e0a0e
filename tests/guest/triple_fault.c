/* SPDX-License-Identifier: MIT */
/* Ends in a triple fault: an exception with an empty interrupt descriptor table. */
#include "tests/guest/guest.h"

void guest_main(uint32_t magic, const void *multiboot_info)
{
	static const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) empty = {0, 0};

	(void)magic;
	(void)multiboot_info;
	guest_print("about to fault\n");
	__asm__ volatile("lidt %0; ud2" : : "m"(empty));
}
