/* SPDX-License-Identifier: MIT */
/*
 * load.c - finds out what kind of kernel a file is, and reads files.
 */
#include "monitor/load/load.h"

#include <linux/errno.h>

#include "hw/elf.h"
#include "hw/multiboot.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/load/parts.h"

int load_blob_read(const struct load_blob *blob, uint64_t offset, void *buffer, uint64_t size)
{
	if (offset > blob->size || size > blob->size - offset)
		return -EINVAL;
	if (!size)
		return 0;
	if (!blob->bytes)
		return os_file_read(blob->file, blob->offset + offset, buffer, size);
	memcpy(buffer, blob->bytes + offset, size);
	return 0;
}

int load_read_file(struct load_context *context, const struct load_file *from, gpa_t to)
{
	uint64_t size = os_file_size(from->file);
	void *host = guest_memory_range(context->memory, to, size);
	int err = host ? os_file_read(from->file, 0, host, size) : -EFAULT;

	if (err < 0)
		return error_set(context->why, err,
				 "cannot read all of %s: it changed, or its disk failed (error %d)",
				 from->name, -err);
	return 0;
}

/* found is what multiboot_probe() said of a Multiboot header. */
static int load_elf(struct load_context *context, const struct load_blob *blob, int found,
		    const struct multiboot_header *header, uint64_t offset,
		    struct load_entry *entry)
{
	bool has_addresses = !found && header->flags & MULTIBOOT_AOUT_KLUDGE;
	struct elf_image image;
	int err = elf_parse(context, blob, &image);

	/* Where the Multiboot header has addresses, the ELF headers are not needed. */
	if (err < 0 && !has_addresses)
		return err;
	if (!err && image.has_pvh_entry)
		return pvh_load(context, blob, &image, entry);
	if (!found)
		return multiboot_load(context, blob, header, offset, has_addresses ? NULL : &image,
				      entry);
	if (found == -EINVAL)
		return error_set(
			context->why, found,
			"%s has a Multiboot header whose checksum is wrong: build it again",
			context->kernel);
	if (image.is_64bit)
		return linux_load_elf(context, blob, &image, entry);
	return error_set(
		context->why, -EINVAL,
		"%s is a 32-bit ELF file without a PVH note or a Multiboot header, so there "
		"is no way to start it: name a kernel that has one",
		context->kernel);
}

static int load_kernel(struct load_context *context, struct load_entry *entry)
{
	struct os_file *file = context->request->kernel.file;
	struct load_blob blob = {.file = file, .size = os_file_size(file)};
	uint64_t head_size = MIN(blob.size, MULTIBOOT_SEARCH);
	struct multiboot_header header;
	uint8_t head[MULTIBOOT_SEARCH];
	uint64_t offset;
	int err;

	if (!blob.size)
		return error_set(context->why, -EINVAL, "%s is empty: name a kernel",
				 context->kernel);
	err = load_blob_read(&blob, 0, head, head_size);
	if (err < 0)
		return error_set(context->why, err, "cannot read %s (error %d)", context->kernel,
				 -err);
	if (bzimage_probe(head, head_size))
		return bzimage_load(context, entry);
	err = multiboot_probe(head, head_size, &header, &offset);
	if (head_size >= ELF_MAGIC_SIZE && !memcmp(head, ELF_MAGIC, ELF_MAGIC_SIZE))
		return load_elf(context, &blob, err, &header, offset, entry);
	if (!err && header.flags & MULTIBOOT_AOUT_KLUDGE)
		return multiboot_load(context, &blob, &header, offset, NULL, entry);
	return error_set(context->why, -EINVAL,
			 "%s is no kernel: it is neither a Linux bzImage nor an ELF file; name a "
			 "kernel that has not been compressed or cut short",
			 context->kernel);
}

int load_guest(const struct guest_memory *memory, const struct load_request *request,
	       struct load_entry *entry, struct error *why)
{
	struct load_context context = {
		.memory = memory,
		.request = request,
		.why = why,
		.kernel = request->kernel.name,
		.strings_end = BOOT_STRINGS,
	};

	*entry = (struct load_entry){0};
	if (!load_is_ram(&context, BOOT_AREA_START, BOOT_AREA_END - BOOT_AREA_START))
		return error_set(why, -ENOMEM,
				 "the guest has too little memory to start %s: give it more with "
				 "--memory",
				 context.kernel);
	return load_kernel(&context, entry);
}
