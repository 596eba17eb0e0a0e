/* SPDX-License-Identifier: MIT */
/*
 * multiboot.c - starts a kernel by the Multiboot Specification 0.6.96 (include/hw/multiboot.h):
 * 32-bit protected mode without paging, ebx at the information.
 *
 * The initrd is the first module, the modules follow, in order, behind the kernel in memory.  As
 * boot loaders do, a command line begins with the name of the file that it is for.
 */
#include "hw/multiboot.h"

#include <linux/errno.h>

#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/load/parts.h"

#define KNOWN_FLAGS (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_VIDEO_MODE)

_Static_assert((LOAD_MODULES_MAX + 1) * sizeof(struct multiboot_module) <= X86_PAGE_SIZE,
	       "the list of modules fits its page");

int multiboot_probe(const uint8_t *head, uint64_t head_size, struct multiboot_header *header,
		    uint64_t *offset)
{
	int err = -ENOENT;

	for (uint64_t at = 0; at + MULTIBOOT_HEADER_SHORT <= head_size;
	     at += MULTIBOOT_HEADER_ALIGN) {
		uint32_t magic = load_le32(head + at), flags = load_le32(head + at + 4);

		if (magic != MULTIBOOT_HEADER_MAGIC)
			continue;
		*header = (struct multiboot_header){0};
		*offset = at;
		if (magic + flags + load_le32(head + at + 8) != 0) {
			err = -EINVAL;
			continue;
		}
		if (flags & MULTIBOOT_AOUT_KLUDGE && at + sizeof(*header) > head_size) {
			err = -EINVAL;
			continue;
		}
		memcpy(header, head + at,
		       flags & MULTIBOOT_AOUT_KLUDGE ? sizeof(*header) : MULTIBOOT_HEADER_SHORT);
		return 0;
	}
	return err;
}

/* --- The kernel ------------------------------------------------------------------------------- */

/* Makes of the header's address fields the one segment that they describe (section 3.1.3). */
static int read_addresses(struct load_context *context, const struct load_blob *blob,
			  const struct multiboot_header *header, uint64_t offset,
			  struct elf_image *image)
{
	struct elf_segment *segment = &image->segments[0];
	uint64_t before = (uint64_t)header->header_addr - header->load_addr;

	if (header->load_addr > header->header_addr || before > offset)
		goto damaged;
	*image = (struct elf_image){.entry = header->entry_addr, .count = 1};
	segment->offset = offset - before;
	segment->start = segment->virtual_start = header->load_addr;
	segment->file_size = blob->size - segment->offset;
	if (header->load_end_addr) {
		if (header->load_end_addr <= header->load_addr)
			goto damaged;
		if (header->load_end_addr - header->load_addr > segment->file_size)
			return error_set(
				context->why, -EINVAL,
				"%s is cut short: its Multiboot header promises more than the "
				"file's %llu bytes; copy it again",
				context->kernel, (unsigned long long)blob->size);
		segment->file_size = header->load_end_addr - header->load_addr;
	}
	segment->memory_size = segment->file_size;
	if (header->bss_end_addr) {
		if (header->bss_end_addr < header->load_addr + segment->file_size)
			goto damaged;
		segment->memory_size = header->bss_end_addr - header->load_addr;
	}
	return 0;
damaged:
	return error_set(
		context->why, -EINVAL,
		"%s is damaged: the addresses in its Multiboot header contradict each other; "
		"build it again",
		context->kernel);
}

static int load_kernel(struct load_context *context, const struct load_blob *blob,
		       const struct elf_image *image, gpa_t *rip)
{
	int err = elf_place(context, image);

	if (!err)
		err = elf_find_entry(context, image, image->entry, rip);
	if (!err && context->kernel_end > 4 * GIB)
		err = error_set(context->why, -EINVAL,
				"%s is linked to run above 4 GiB, where Multiboot cannot enter it",
				context->kernel);
	if (!err)
		err = elf_load(context, blob, image);
	return err;
}

/* --- The information -------------------------------------------------------------------------- */

static int put_module(struct load_context *context, const struct load_file *file,
		      struct multiboot_info *info)
{
	uint64_t size = os_file_size(file->file);
	struct multiboot_module module;
	gpa_t start, string;
	int err;

	if (!load_find_room(context, size, X86_PAGE_SIZE, context->kernel_end, 4 * GIB, LOAD_LOWEST,
			    &start) &&
	    !load_find_room(context, size, X86_PAGE_SIZE, 0, 4 * GIB, LOAD_LOWEST, &start))
		return error_set(
			context->why, -ENOMEM,
			"the module %s, %llu MiB, does not fit beside %s in the guest's %llu "
			"MiB: give it more with --memory",
			file->name, load_mebibytes(size), context->kernel,
			load_mebibytes(context->memory->size));
	load_claim(context, start, size);
	err = load_read_file(context, file, start);
	if (!err)
		err = load_put_string(context, file->name, file->arguments, &string);
	if (err < 0)
		return err;
	module = (struct multiboot_module){.mod_start = (uint32_t)start,
					   .mod_end = (uint32_t)(start + size),
					   .string = (uint32_t)string};
	load_put(context, BOOT_MODULES + info->mods_count * sizeof(module), &module,
		 sizeof(module));
	info->mods_count++;
	return 0;
}

static int put_modules(struct load_context *context, struct multiboot_info *info)
{
	const struct load_request *request = context->request;
	int err = 0;

	if (request->module_count > LOAD_MODULES_MAX)
		return error_set(context->why, -E2BIG, "%s can be given %u modules at most",
				 context->kernel, LOAD_MODULES_MAX);
	if (request->initrd.file)
		err = put_module(context, &request->initrd, info);
	for (unsigned i = 0; !err && i < request->module_count; i++)
		err = put_module(context, &request->modules[i], info);
	info->mods_addr = BOOT_MODULES;
	info->flags |= MULTIBOOT_INFO_MODS;
	return err;
}

/* RAM without a hole from start on, up to limit, in KiB. */
static uint32_t count_memory(const struct load_request *request, gpa_t start, gpa_t limit)
{
	for (unsigned i = 0; i < request->map_count; i++) {
		const struct memory_map_entry *entry = &request->map[i];

		if (entry->type == MEMORY_MAP_RAM && start >= entry->start &&
		    start - entry->start < entry->size)
			return (uint32_t)((MIN(entry->start + entry->size, limit) - start) / KIB);
	}
	return 0;
}

static int put_map(struct load_context *context, struct multiboot_info *info)
{
	const struct load_request *request = context->request;

	if (request->map_count > X86_PAGE_SIZE / sizeof(struct multiboot_mmap_entry))
		return error_set(context->why, -E2BIG,
				 "the memory map has %u entries, too many for %s",
				 request->map_count, context->kernel);
	for (unsigned i = 0; i < request->map_count; i++) {
		struct multiboot_mmap_entry entry = {.size = sizeof(entry) - sizeof(entry.size),
						     .addr = request->map[i].start,
						     .len = request->map[i].size,
						     .type = request->map[i].type};

		load_put(context, BOOT_MAP + i * sizeof(entry), &entry, sizeof(entry));
	}
	info->mmap_addr = BOOT_MAP;
	info->mmap_length = request->map_count * (uint32_t)sizeof(struct multiboot_mmap_entry);
	info->mem_lower = count_memory(request, 0, 640 * KIB);
	info->mem_upper = count_memory(request, LOAD_HIGH_START, 4 * GIB);
	info->flags |= MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_MEM_MAP;
	return 0;
}

static int put_strings(struct load_context *context, struct multiboot_info *info)
{
	const char *command_line = context->request->command_line;
	gpa_t where;
	int err = load_put_string(context, context->kernel, *command_line ? command_line : NULL,
				  &where);

	if (err < 0)
		return err;
	info->cmdline = (uint32_t)where;
	err = load_put_string(context, "Dyad", NULL, &where);
	if (err < 0)
		return err;
	info->boot_loader_name = (uint32_t)where;
	info->flags |= MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_BOOT_LOADER_NAME;
	return 0;
}

int multiboot_load(struct load_context *context, const struct load_blob *blob,
		   const struct multiboot_header *header, uint64_t offset,
		   const struct elf_image *image, struct load_entry *entry)
{
	struct multiboot_info info = {0};
	struct elf_image addresses = {0};
	gpa_t rip = 0;
	int err = 0;

	if (header->flags & MULTIBOOT_REQUIRED & ~KNOWN_FLAGS)
		return error_set(
			context->why, -EOPNOTSUPP,
			"%s asks for more than Multiboot 0.6.96 knows (flags 0x%x): build it "
			"without that",
			context->kernel, header->flags);
	if (header->flags & MULTIBOOT_VIDEO_MODE)
		return error_set(
			context->why, -EOPNOTSUPP,
			"%s asks for a video mode in its Multiboot header, and the machine has "
			"no screen: build it without that",
			context->kernel);
	if (!image) {
		err = read_addresses(context, blob, header, offset, &addresses);
		image = &addresses;
	}
	if (!err)
		err = load_kernel(context, blob, image, &rip);
	if (!err)
		err = put_strings(context, &info);
	if (!err)
		err = put_modules(context, &info);
	if (!err)
		err = put_map(context, &info);
	if (err < 0)
		return err;
	load_put(context, BOOT_INFO, &info, sizeof(info));
	*entry = (struct load_entry){
		.mode = LOAD_MODE_PROTECTED32,
		.rip = rip,
		.rsp = BOOT_STACK_TOP,
		.rax = MULTIBOOT_BOOTLOADER_MAGIC,
		.rbx = BOOT_INFO,
		.protocol = "Multiboot",
	};
	load_put_gdt(context, entry);
	return 0;
}
