/* SPDX-License-Identifier: MIT */
/*
 * Checks what Multiboot promised (magic, command line) and ends with status 21 if it holds, else 1.
 * Started with the command line "one two", and a module whose content is "module\n".
 */
#include "tests/guest/guest.h"

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

static int ends_with(const char *text, const char *end)
{
	const char *t = text, *e = end;

	while (*t)
		t++;
	while (*e)
		e++;
	while (e > end && t > text)
		if (*--e != *--t)
			return 0;
	return e == end;
}

static int begins_with(const char *text, const char *start)
{
	while (*start)
		if (*text++ != *start++)
			return 0;
	return 1;
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	const struct multiboot_info *info = multiboot_info;
	const struct multiboot_module *module = (const void *)(uintptr_t)info->mods_addr;
	int right = magic == 0x2badb002;

	guest_print((const char *)(uintptr_t)info->cmdline);
	guest_print("\n");
	right = right && ends_with((const char *)(uintptr_t)info->cmdline, " one two");
	right = right && info->mods_count == 1 && module->end - module->start == 7;
	right = right && begins_with((const char *)(uintptr_t)module->start, "module\n");
	guest_print(right ? "as promised\n" : "not as promised\n");
	guest_exit(right ? 21 : 1);
}
