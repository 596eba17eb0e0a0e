/* SPDX-License-Identifier: MIT */
/*
 * bzimage.c - loads a Linux bzImage (Linux documentation, arch/x86/boot.rst).
 *
 * Its payload is a packed vmlinux.  The monitor unpacks that into the guest's RAM, near where the
 * kernel is linked to run, moves its segments to their places and enters the kernel itself; so the
 * guest need not unpack, and no second copy of the kernel is made.  With kaslr the bzImage's own
 * protected-mode part is loaded and entered instead, which unpacks the kernel to a random place.
 */
#include <linux/errno.h>

#include "hw/elf.h"
#include "hw/linux_boot.h"
#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/load/parts.h"
#include "monitor/payload.h"

/*
 * Where in a vmlinux the first segment stands by its linker's page size: unpacked that much below
 * its place it need not be moved.
 */
#define VMLINUX_FIRST_OFFSET X86_LARGE_PAGE_SIZE

struct bzimage {
	struct load_blob protected_mode; /* what follows the setup sectors */
	struct linux_boot_params params; /* with the file's setup header */
};

bool bzimage_probe(const uint8_t *head, uint64_t head_size)
{
	const uint64_t at = LINUX_SETUP_HEADER + offsetof(struct linux_setup_header, header);

	return head_size >= at + sizeof(uint32_t) && load_le32(head + at) == LINUX_HEADER_MAGIC;
}

static int cut_short(struct load_context *context)
{
	return error_set(
		context->why, -EINVAL,
		"%s is cut short: its header promises more than the file's %llu bytes; copy it "
		"again",
		context->kernel, (unsigned long long)os_file_size(context->request->kernel.file));
}

static int damaged(struct load_context *context, const char *what)
{
	return error_set(context->why, -EINVAL, "%s is damaged: its %s; copy or build it again",
			 context->kernel, what);
}

static int read_blob(struct load_context *context, const struct load_blob *blob, uint64_t offset,
		     void *buffer, uint64_t size)
{
	int err = load_blob_read(blob, offset, buffer, size);

	if (err == -EINVAL)
		return cut_short(context);
	if (err < 0)
		return error_set(context->why, err, "cannot read %s (error %d)", context->kernel,
				 -err);
	return 0;
}

/* --- Header ----------------------------------------------------------------------------------- */

/* Whether a header that ends at end (in the file) has the field. */
#define HAS_FIELD(end, field)                                                                      \
	((end) >= LINUX_SETUP_HEADER + offsetof(struct linux_setup_header, field) +                \
			  sizeof(((struct linux_setup_header *)NULL)->field))

static int check_header(struct load_context *context, const struct linux_setup_header *header,
			uint64_t end)
{
	const char *too_short = "setup header is shorter than any of its protocol";

	if (!HAS_FIELD(end, version))
		return damaged(context, too_short);
	if (header->boot_flag != LINUX_BOOT_FLAG)
		return damaged(context, "setup header has no boot flag");
	if (header->version < LINUX_PROTOCOL_2_12)
		return error_set(
			context->why, -EOPNOTSUPP,
			"%s speaks Linux boot protocol %u.%02u, and 2.12 is the oldest that has "
			"a 64-bit entry point: name a kernel of Linux 3.8 or later",
			context->kernel, header->version >> 8, header->version & 0xffu);
	if (!HAS_FIELD(end, init_size))
		return damaged(context, too_short);
	if (!(header->xloadflags & LINUX_XLF_KERNEL_64))
		return error_set(context->why, -EOPNOTSUPP,
				 "%s is a 32-bit Linux kernel without a 64-bit entry point: name a "
				 "kernel for x86-64",
				 context->kernel);
	if (!(header->loadflags & LINUX_LOADED_HIGH))
		return damaged(context, "setup header asks to be loaded below 1 MiB");
	if (!header->init_size)
		return damaged(context, "setup header says that it needs no memory");
	return 0;
}

static int read_header(struct load_context *context, struct bzimage *image)
{
	struct load_blob file = {.file = context->request->kernel.file,
				 .size = os_file_size(context->request->kernel.file)};
	struct linux_setup_header *header = &image->params.hdr;
	uint64_t setup_size, protected_size;
	uint8_t displacement;
	uint64_t header_end;
	int err = read_blob(context, &file, LINUX_JUMP_DISPLACEMENT, &displacement, 1);

	if (err < 0)
		return err;
	/* Of a longer header than we know, all that boot_params has room for is passed on. */
	header_end = MIN(LINUX_JUMP_END + displacement, LINUX_SETUP_HEADER_MAX);
	err = read_blob(context, &file, LINUX_SETUP_HEADER, image->params.hdr_bytes,
			header_end - LINUX_SETUP_HEADER);
	if (!err)
		err = check_header(context, header, header_end);
	if (err < 0)
		return err;

	setup_size = (1 + (uint64_t)(header->setup_sects ? header->setup_sects
							 : LINUX_SETUP_SECTS_DEFAULT)) *
		     LINUX_SECTOR;
	protected_size = (uint64_t)header->syssize * 16;
	if (file.size < setup_size || protected_size > file.size - setup_size)
		return cut_short(context);
	image->protected_mode =
		(struct load_blob){.file = file.file, .offset = setup_size, .size = protected_size};
	return 0;
}

/* --- The payload, unpacked here --------------------------------------------------------------- */

/* Unpacks into the guest's RAM at base; the size that was promised is there. */
static int unpack(struct load_context *context, const struct load_blob *payload, gpa_t base,
		  uint64_t promised, uint64_t *size)
{
	uint8_t *packed = os_alloc(payload->size);
	const struct payload_codec *codec;
	int64_t got;
	int err;

	if (!packed)
		return error_set(context->why, -ENOMEM,
				 "the host has no %llu bytes of memory to unpack %s",
				 (unsigned long long)payload->size, context->kernel);
	err = read_blob(context, payload, 0, packed, payload->size);
	if (err < 0)
		goto out;
	codec = payload_codec_find(packed, payload->size);
	if (!codec) {
		err = error_set(
			context->why, -EOPNOTSUPP,
			"%s is packed in a way that is not known here (gzip, xz, zstd, lz4 and "
			"lzma are), or damaged: --kaslr lets it unpack itself",
			context->kernel);
		goto out;
	}
	got = os_decompress(codec->codec, packed, payload->size - codec->trailer,
			    guest_memory_range(context->memory, base, promised), promised);
	if (got == -ENOSPC)
		err = damaged(context, "payload is longer than the size that it promises");
	else if (got == -EOPNOTSUPP || got == -ENOMEM)
		err = error_set(context->why, (int)got,
				"%s cannot be unpacked here (%s, error %d): --kaslr lets it unpack "
				"itself",
				context->kernel, codec->name, (int)-got);
	else if (got < 0)
		err = error_set(context->why, (int)got,
				"%s is damaged: its %s payload cannot be unpacked; copy it again",
				context->kernel, codec->name);
	else
		*size = (uint64_t)got;
out:
	os_free(packed);
	return err;
}

static int parse_payload(struct load_context *context, const struct load_blob *vmlinux,
			 struct elf_image *image, gpa_t *rip)
{
	int err = elf_parse(context, vmlinux, image);

	if (!err && !image->is_64bit)
		err = damaged(context, "payload is not a 64-bit kernel");
	if (!err)
		err = elf_place(context, image);
	if (!err)
		err = elf_find_entry(context, image, image->entry, rip);
	return err;
}

static int load_payload(struct load_context *context, const struct bzimage *image, gpa_t *rip)
{
	const struct linux_setup_header *header = &image->params.hdr;
	struct load_blob payload = {
		.file = image->protected_mode.file,
		.offset = image->protected_mode.offset + header->payload_offset,
		.size = header->payload_length,
	};
	uint8_t magic[ELF_MAGIC_SIZE], trailer[PAYLOAD_TRAILER];
	struct elf_image elf;
	uint64_t size = 0, promised;
	gpa_t base;
	int err;

	if (payload.size < sizeof(magic) + sizeof(trailer) ||
	    header->payload_offset > image->protected_mode.size ||
	    payload.size > image->protected_mode.size - header->payload_offset)
		return damaged(context, "payload does not lie within the file");
	err = read_blob(context, &payload, 0, magic, sizeof(magic));
	if (!err)
		err = read_blob(context, &payload, payload.size - PAYLOAD_TRAILER, trailer,
				sizeof(trailer));
	if (err < 0)
		return err;
	if (!memcmp(magic, ELF_MAGIC, ELF_MAGIC_SIZE)) {
		err = parse_payload(context, &payload, &elf, rip);
		return err < 0 ? err : elf_load(context, &payload, &elf);
	}

	/* The kernel's own decompressor also has the whole vmlinux in memory, within init_size. */
	promised = load_le32(trailer);
	if (promised < sizeof(struct elf64_ehdr) || promised > header->init_size)
		return damaged(context, "payload promises a size that cannot be its own");
	base = header->pref_address;
	if (base >= LOAD_HIGH_START + VMLINUX_FIRST_OFFSET)
		base -= VMLINUX_FIRST_OFFSET;
	err = load_check_kernel_range(context, base, promised);
	if (!err)
		err = unpack(context, &payload, base, promised, &size);
	if (!err) {
		struct load_blob vmlinux = {
			.bytes = guest_memory_range(context->memory, base, size), .size = size};

		err = parse_payload(context, &vmlinux, &elf, rip);
	}
	return err < 0 ? err : elf_load_in_place(context, base, size, &elf);
}

static int enter_payload(struct load_context *context, struct bzimage *image,
			 struct load_entry *entry)
{
	const struct linux_setup_header *header = &image->params.hdr;
	gpa_t rip = 0;
	int err = load_check_kernel_range(context, header->pref_address, header->init_size);

	if (err < 0)
		return err;
	load_claim(context, header->pref_address, header->init_size);
	err = load_payload(context, image, &rip);
	return err < 0 ? err : linux_enter(context, &image->params, rip, entry);
}

/* --- The guest's own decompressor ------------------------------------------------------------- */

static int enter_decompressor(struct load_context *context, struct bzimage *image,
			      struct load_entry *entry)
{
	const struct linux_setup_header *header = &image->params.hdr;
	uint64_t size = image->protected_mode.size;
	gpa_t start = header->pref_address;
	int err;

	if (size <= LINUX_ENTRY_64 || size > header->init_size)
		return damaged(context, "setup header needs less memory than the file has bytes");
	if (!load_is_ram(context, start, header->init_size) && header->relocatable_kernel &&
	    is_power_of_two(header->kernel_alignment) &&
	    !load_find_room(context, header->init_size, header->kernel_alignment, 0, 4 * GIB,
			    LOAD_LOWEST, &start))
		start = header->pref_address;
	err = load_check_kernel_range(context, start, header->init_size);
	if (err < 0)
		return err;
	load_claim(context, start, header->init_size);
	err = read_blob(context, &image->protected_mode, 0,
			guest_memory_range(context->memory, start, size), size);
	if (err < 0)
		return err;
	return linux_enter(context, &image->params, start + LINUX_ENTRY_64, entry);
}

int bzimage_load(struct load_context *context, struct load_entry *entry)
{
	struct bzimage image = {0};
	int err = read_header(context, &image);

	if (err < 0)
		return err;
	if (context->request->kaslr)
		return enter_decompressor(context, &image, entry);
	return enter_payload(context, &image, entry);
}
