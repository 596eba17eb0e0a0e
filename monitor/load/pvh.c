/* SPDX-License-Identifier: MIT */
/*
 * pvh.c - starts a kernel by its PVH entry point (include/hw/pvh.h): 32-bit protected mode without
 * paging, ebx at a start info that leads to everything else.
 */
#include "hw/pvh.h"

#include <linux/errno.h>

#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/error.h"
#include "monitor/load/parts.h"

static int put_map(struct load_context *context, struct hvm_start_info *info)
{
	const struct load_request *request = context->request;

	if (request->map_count > X86_PAGE_SIZE / sizeof(struct hvm_memmap_table_entry))
		return error_set(context->why, -E2BIG,
				 "the memory map has %u entries, too many for %s",
				 request->map_count, context->kernel);
	for (unsigned i = 0; i < request->map_count; i++) {
		struct hvm_memmap_table_entry entry = {.addr = request->map[i].start,
						       .size = request->map[i].size,
						       .type = request->map[i].type};

		load_put(context, BOOT_MAP + i * sizeof(entry), &entry, sizeof(entry));
	}
	info->memmap_paddr = BOOT_MAP;
	info->memmap_entries = request->map_count;
	return 0;
}

static int put_initrd(struct load_context *context, struct hvm_start_info *info)
{
	struct hvm_modlist_entry module = {0};
	int err = load_put_initrd(context, 4 * GIB, false, &module.paddr, &module.size);

	if (err < 0 || !module.size)
		return err;
	load_put(context, BOOT_MODULES, &module, sizeof(module));
	info->modlist_paddr = BOOT_MODULES;
	info->nr_modules = 1;
	return 0;
}

int pvh_load(struct load_context *context, const struct load_blob *blob,
	     const struct elf_image *image, struct load_entry *entry)
{
	struct hvm_start_info info = {.magic = HVM_START_INFO_MAGIC,
				      .version = HVM_START_INFO_VERSION,
				      .rsdp_paddr = context->request->rsdp};
	gpa_t rip = 0;
	int err = elf_place(context, image);

	if (!err)
		err = elf_find_entry(context, image, image->pvh_entry, &rip);
	if (!err)
		err = elf_load(context, blob, image);
	if (!err)
		err = load_put_string(context, context->request->command_line, NULL,
				      &info.cmdline_paddr);
	if (!err)
		err = put_initrd(context, &info);
	if (!err)
		err = put_map(context, &info);
	if (err < 0)
		return err;
	load_put(context, BOOT_INFO, &info, sizeof(info));
	*entry = (struct load_entry){
		.mode = LOAD_MODE_PROTECTED32,
		.rip = rip,
		.rsp = BOOT_STACK_TOP,
		.rbx = BOOT_INFO,
		.protocol = "PVH",
	};
	load_put_gdt(context, entry);
	return 0;
}
