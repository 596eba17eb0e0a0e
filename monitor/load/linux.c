/* SPDX-License-Identifier: MIT */
/*
 * linux.c - enters Linux in 64-bit mode with its boot_params (Linux documentation,
 * arch/x86/boot.rst, "64-bit Boot Protocol"), be it from a bzImage or as a vmlinux.
 */
#include <linux/errno.h>

#include "hw/linux_boot.h"
#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/load/parts.h"

/* What a vmlinux is taken to accept: it has no header to say so.  Linux's COMMAND_LINE_SIZE less
 * NUL. */
#define VMLINUX_COMMAND_LINE_MAX 2047

/* The first 4 GiB, identity mapped by large pages: one PML4, one PDPT, four page directories. */
#define MAPPED (4 * GIB)

static void put_page_tables(const struct load_context *context)
{
	const uint64_t table = PTE_P | PTE_RW | PTE_A;
	const gpa_t pdpt = BOOT_PAGE_TABLES + X86_PAGE_SIZE;
	const gpa_t directories = pdpt + X86_PAGE_SIZE;
	uint64_t entry = pdpt | table;

	guest_memory_fill(context->memory, BOOT_PAGE_TABLES, 0, 2 * X86_PAGE_SIZE);
	load_put(context, BOOT_PAGE_TABLES, &entry, sizeof(entry));
	for (uint64_t i = 0; i < MAPPED / GIB; i++) {
		entry = (directories + i * X86_PAGE_SIZE) | table;
		load_put(context, pdpt + i * sizeof(entry), &entry, sizeof(entry));
	}
	for (uint64_t i = 0; i < MAPPED / X86_LARGE_PAGE_SIZE; i++) {
		entry = i * X86_LARGE_PAGE_SIZE | table | PTE_PS | PTE_D;
		load_put(context, directories + i * sizeof(entry), &entry, sizeof(entry));
	}
}

static int put_command_line(struct load_context *context, struct linux_boot_params *params)
{
	uint64_t length = text_length(context->request->command_line);
	gpa_t where;
	int err;

	if (length > params->hdr.cmdline_size)
		return error_set(context->why, -E2BIG,
				 "the command line has %llu characters and %s takes %u: shorten it",
				 (unsigned long long)length, context->kernel,
				 params->hdr.cmdline_size);
	err = load_put_string(context, context->request->command_line, NULL, &where);
	if (err < 0)
		return err;
	params->hdr.cmd_line_ptr = (uint32_t)where;
	params->ext_cmd_line_ptr = 0;
	return 0;
}

static int put_initrd(struct load_context *context, struct linux_boot_params *params)
{
	bool above_4g = params->hdr.xloadflags & LINUX_XLF_CAN_BE_LOADED_ABOVE_4G;
	gpa_t ceiling = above_4g ? UINT64_MAX : (gpa_t)params->hdr.initrd_addr_max + 1;
	gpa_t where;
	uint64_t size;
	int err = load_put_initrd(context, ceiling, above_4g, &where, &size);

	if (err < 0)
		return err;
	params->hdr.ramdisk_image = (uint32_t)where;
	params->hdr.ramdisk_size = (uint32_t)size;
	params->ext_ramdisk_image = (uint32_t)(where >> 32);
	params->ext_ramdisk_size = (uint32_t)(size >> 32);
	return 0;
}

static int put_map(struct load_context *context, struct linux_boot_params *params)
{
	const struct load_request *request = context->request;

	if (request->map_count > LINUX_E820_MAX)
		return error_set(context->why, -E2BIG,
				 "the memory map has %u entries and %s takes %u",
				 request->map_count, context->kernel, LINUX_E820_MAX);
	for (unsigned i = 0; i < request->map_count; i++)
		params->e820_table[i] = (struct linux_e820_entry){.addr = request->map[i].start,
								  .size = request->map[i].size,
								  .type = request->map[i].type};
	params->e820_entries = (uint8_t)request->map_count;
	return 0;
}

int linux_enter(struct load_context *context, struct linux_boot_params *params, uint64_t rip,
		struct load_entry *entry)
{
	int err;

	if (context->kernel_end > MAPPED)
		return error_set(context->why, -EINVAL,
				 "%s is linked to run above 4 GiB, where Linux cannot be entered",
				 context->kernel);
	err = put_command_line(context, params);
	if (!err)
		err = put_initrd(context, params);
	if (!err)
		err = put_map(context, params);
	if (err < 0)
		return err;
	params->hdr.type_of_loader = LINUX_LOADER_UNDEFINED;
	params->acpi_rsdp_addr = context->request->rsdp;
	load_put(context, BOOT_INFO, params, sizeof(*params));
	put_page_tables(context);
	*entry = (struct load_entry){
		.mode = LOAD_MODE_LONG64,
		.rip = rip,
		.rsp = BOOT_STACK_TOP,
		.rsi = BOOT_INFO,
		.cr3 = BOOT_PAGE_TABLES,
		.protocol = "Linux 64-bit",
	};
	load_put_gdt(context, entry);
	return 0;
}

int linux_load_elf(struct load_context *context, const struct load_blob *blob,
		   const struct elf_image *image, struct load_entry *entry)
{
	struct linux_boot_params params = {
		.hdr =
			{
				.boot_flag = LINUX_BOOT_FLAG,
				.header = LINUX_HEADER_MAGIC,
				.version = LINUX_PROTOCOL_2_12,
				.loadflags = LINUX_LOADED_HIGH,
				.xloadflags =
					LINUX_XLF_KERNEL_64 | LINUX_XLF_CAN_BE_LOADED_ABOVE_4G,
				.initrd_addr_max = UINT32_MAX,
				.cmdline_size = VMLINUX_COMMAND_LINE_MAX,
			},
	};
	gpa_t rip = 0;
	int err = elf_place(context, image);

	if (!err)
		err = elf_find_entry(context, image, image->entry, &rip);
	if (!err)
		err = elf_load(context, blob, image);
	if (err < 0)
		return err;
	return linux_enter(context, &params, rip, entry);
}
