/* SPDX-License-Identifier: MIT */
/*
 * elf.c - reads ELF32 and ELF64 files into one form and loads their segments.  Every number of the
 * file is checked here before it is used; what is not a segment or a note is not looked at.
 */
#include "hw/elf.h"

#include <linux/errno.h>

#include "hw/pvh.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/load/parts.h"

/* A kernel has a handful of program headers, and a few dozen notes. */
#define PROGRAM_HEADERS_MAX 256
#define NOTES_MAX 1024

static int damaged(struct load_context *context, const char *what)
{
	return error_set(context->why, -EINVAL,
			 "%s is cut short or damaged: its ELF %s; copy or build it again",
			 context->kernel, what);
}

static int read_part(struct load_context *context, const struct load_blob *blob, uint64_t offset,
		     void *buffer, uint64_t size, const char *what)
{
	int err = load_blob_read(blob, offset, buffer, size);

	if (err == -EINVAL)
		return damaged(context, what);
	if (err < 0)
		return error_set(context->why, err, "cannot read %s (error %d)", context->kernel,
				 -err);
	return 0;
}

/* --- Headers ---------------------------------------------------------------------------------- */

static int read_file_header(struct load_context *context, const struct load_blob *blob,
			    struct elf64_ehdr *header)
{
	struct elf32_ehdr narrow;
	int err = read_part(context, blob, 0, &narrow, sizeof(narrow), "file header is incomplete");

	if (err < 0)
		return err;
	if (narrow.e_ident[EI_CLASS] == ELFCLASS64)
		return read_part(context, blob, 0, header, sizeof(*header),
				 "file header is incomplete");
	*header = (struct elf64_ehdr){
		.e_type = narrow.e_type,
		.e_machine = narrow.e_machine,
		.e_entry = narrow.e_entry,
		.e_phoff = narrow.e_phoff,
		.e_phentsize = narrow.e_phentsize,
		.e_phnum = narrow.e_phnum,
	};
	memcpy(header->e_ident, narrow.e_ident, sizeof(header->e_ident));
	return 0;
}

static int check_file_header(struct load_context *context, const struct elf64_ehdr *header)
{
	uint8_t class = header->e_ident[EI_CLASS];

	if (memcmp(header->e_ident, ELF_MAGIC, ELF_MAGIC_SIZE) != 0)
		return damaged(context, "magic number is missing");
	if ((class != ELFCLASS32 && class != ELFCLASS64) ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    (header->e_machine != EM_386 && header->e_machine != EM_X86_64))
		return error_set(
			context->why, -EINVAL,
			"%s is an ELF file for another kind of processor: name a kernel for "
			"x86-64 or i386",
			context->kernel);
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return error_set(
			context->why, -EINVAL,
			"%s is an object file or a core dump, no kernel: name a linked one",
			context->kernel);
	if (!header->e_phnum || header->e_phnum > PROGRAM_HEADERS_MAX)
		return damaged(context, "file header has no sensible count of program headers");
	if (header->e_phentsize !=
	    (class == ELFCLASS64 ? sizeof(struct elf64_phdr) : sizeof(struct elf32_phdr)))
		return damaged(context, "program headers have another size than the standard's");
	return 0;
}

static int read_program_header(struct load_context *context, const struct load_blob *blob,
			       const struct elf64_ehdr *file, unsigned index,
			       struct elf64_phdr *header)
{
	const char *what = "program headers are incomplete";
	uint64_t offset = file->e_phoff + (uint64_t)index * file->e_phentsize;
	struct elf32_phdr narrow;
	int err;

	if (offset < file->e_phoff)
		return damaged(context, what);
	if (file->e_ident[EI_CLASS] == ELFCLASS64)
		return read_part(context, blob, offset, header, sizeof(*header), what);
	err = read_part(context, blob, offset, &narrow, sizeof(narrow), what);
	if (err < 0)
		return err;
	*header = (struct elf64_phdr){
		.p_type = narrow.p_type,
		.p_offset = narrow.p_offset,
		.p_vaddr = narrow.p_vaddr,
		.p_paddr = narrow.p_paddr,
		.p_filesz = narrow.p_filesz,
		.p_memsz = narrow.p_memsz,
		.p_align = narrow.p_align,
	};
	return 0;
}

/* --- Segments --------------------------------------------------------------------------------- */

static int add_segment(struct load_context *context, const struct load_blob *blob,
		       const struct elf64_phdr *header, struct elf_image *image)
{
	struct elf_segment segment = {
		.offset = header->p_offset,
		.file_size = header->p_filesz,
		.start = header->p_paddr,
		.memory_size = header->p_memsz,
		.virtual_start = header->p_vaddr,
	};
	unsigned at = image->count;

	if (!segment.memory_size && !segment.file_size)
		return 0;
	if (segment.file_size > segment.memory_size)
		return damaged(context, "segments have more bytes than memory");
	if (segment.offset > blob->size || segment.file_size > blob->size - segment.offset)
		return damaged(context, "segments lie beyond the end of the file");
	if (segment.start + segment.memory_size < segment.start)
		return damaged(context, "segments wrap around the end of memory");
	if (image->count == ELF_SEGMENTS_MAX)
		return damaged(context, "segments are too many");
	for (; at && image->segments[at - 1].start > segment.start; at--)
		image->segments[at] = image->segments[at - 1];
	image->segments[at] = segment;
	image->count++;
	return 0;
}

static int check_overlaps(struct load_context *context, const struct elf_image *image)
{
	if (!image->count)
		return damaged(context, "program headers name nothing to load");
	for (unsigned i = 1; i < image->count; i++) {
		const struct elf_segment *before = &image->segments[i - 1];

		if (image->segments[i].start < before->start + before->memory_size)
			return damaged(context, "segments overlap in memory");
	}
	return 0;
}

/* --- Notes ------------------------------------------------------------------------------------ */

/* Takes the entry point out of one note if it is the one that tells it. */
static int read_note(struct load_context *context, const struct load_blob *blob, uint64_t offset,
		     const struct elf_nhdr *note, uint64_t description, struct elf_image *image)
{
	const char *what = "notes are incomplete";
	char name[sizeof(XEN_ELFNOTE_NAME)];
	uint64_t entry = 0;
	int err;

	if (note->n_type != XEN_ELFNOTE_PHYS32_ENTRY || note->n_namesz != sizeof(name))
		return 0;
	err = read_part(context, blob, offset + sizeof(*note), name, sizeof(name), what);
	if (err < 0 || memcmp(name, XEN_ELFNOTE_NAME, sizeof(name)) != 0)
		return err;
	if (note->n_descsz != sizeof(uint32_t) && note->n_descsz != sizeof(uint64_t))
		return damaged(context, "PVH note is not 4 or 8 bytes long");
	err = read_part(context, blob, description, &entry, note->n_descsz, what);
	if (err < 0)
		return err;
	if (entry > UINT32_MAX)
		return damaged(context, "PVH note names an entry point above 4 GiB");
	image->has_pvh_entry = true;
	image->pvh_entry = (uint32_t)entry;
	return 0;
}

static int read_notes(struct load_context *context, const struct load_blob *blob,
		      const struct elf64_phdr *header, struct elf_image *image)
{
	uint64_t alignment = header->p_align == 8 ? 8 : 4;
	uint64_t offset = header->p_offset;
	uint64_t end;

	if (offset > blob->size || header->p_filesz > blob->size - offset)
		return damaged(context, "notes lie beyond the end of the file");
	end = offset + header->p_filesz;
	for (unsigned i = 0; i < NOTES_MAX && end - offset >= sizeof(struct elf_nhdr); i++) {
		struct elf_nhdr note;
		uint64_t description, next;
		int err = read_part(context, blob, offset, &note, sizeof(note),
				    "notes are incomplete");

		if (err < 0)
			return err;
		/* Sums of 32-bit numbers to one that lies within a file do not wrap. */
		description = offset + align_up(sizeof(note) + note.n_namesz, alignment);
		next = description + align_up(note.n_descsz, alignment);
		if (description + note.n_descsz > end)
			return damaged(context, "notes run past their segment");
		err = read_note(context, blob, offset, &note, description, image);
		if (err < 0)
			return err;
		offset = MIN(next, end);
	}
	return 0;
}

int elf_parse(struct load_context *context, const struct load_blob *blob, struct elf_image *image)
{
	struct elf64_ehdr file;
	int err = read_file_header(context, blob, &file);

	if (!err)
		err = check_file_header(context, &file);
	if (err < 0)
		return err;
	*image = (struct elf_image){.is_64bit = file.e_ident[EI_CLASS] == ELFCLASS64,
				    .entry = file.e_entry};
	for (unsigned i = 0; i < file.e_phnum; i++) {
		struct elf64_phdr header = {0};

		err = read_program_header(context, blob, &file, i, &header);
		if (!err && header.p_type == PT_LOAD)
			err = add_segment(context, blob, &header, image);
		if (!err && header.p_type == PT_NOTE && !image->has_pvh_entry)
			err = read_notes(context, blob, &header, image);
		if (err < 0)
			return err;
	}
	return check_overlaps(context, image);
}

/* --- Loading ---------------------------------------------------------------------------------- */

int elf_place(struct load_context *context, const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		int err = load_check_kernel_range(context, segment->start, segment->memory_size);

		if (err < 0)
			return err;
		load_claim(context, segment->start, segment->memory_size);
	}
	return 0;
}

static void zero_bss(const struct load_context *context, const struct elf_segment *segment)
{
	if (segment->memory_size > segment->file_size)
		load_zero(context, segment->start + segment->file_size,
			  segment->memory_size - segment->file_size);
}

int elf_load(struct load_context *context, const struct load_blob *blob,
	     const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		void *host =
			guest_memory_range(context->memory, segment->start, segment->memory_size);
		int err = read_part(context, blob, segment->offset, host, segment->file_size,
				    "segments lie beyond the end of the file");

		if (err < 0)
			return err;
		zero_bss(context, segment);
	}
	return 0;
}

/* Whether segments can be moved one after the other without writing over one that is still to move.
 */
static bool can_move(gpa_t base, const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *to = &image->segments[i];

		for (unsigned j = i + 1; j < image->count; j++) {
			const struct elf_segment *from = &image->segments[j];

			if (to->start < base + from->offset + from->file_size &&
			    base + from->offset < to->start + to->file_size)
				return false;
		}
	}
	return true;
}

/* For files whose segments stand in no order that allows moving: by way of a copy. */
static int load_by_copy(struct load_context *context, gpa_t base, uint64_t size,
			const struct elf_image *image)
{
	struct load_blob blob = {.size = size};
	uint8_t *copy = os_alloc(size);
	int err;

	if (!copy)
		return error_set(context->why, -ENOMEM,
				 "the host has no %llu bytes of memory to unpack %s",
				 (unsigned long long)size, context->kernel);
	guest_memory_read(context->memory, base, copy, size);
	load_zero(context, base, size);
	blob.bytes = copy;
	err = elf_load(context, &blob, image);
	os_free(copy);
	return err;
}

int elf_load_in_place(struct load_context *context, gpa_t base, uint64_t size,
		      const struct elf_image *image)
{
	gpa_t done = base, end = base + size;

	if (!can_move(base, image))
		return load_by_copy(context, base, size, image);
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (segment->file_size && segment->start != base + segment->offset)
			memmove(guest_memory_range(context->memory, segment->start,
						   segment->file_size),
				guest_memory_range(context->memory, base + segment->offset,
						   segment->file_size),
				segment->file_size);
	}
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		gpa_t gap_end = MIN(segment->start, end);

		if (gap_end > done)
			load_zero(context, done, gap_end - done);
		zero_bss(context, segment);
		done = MAX(done, segment->start + segment->memory_size);
	}
	if (end > done)
		load_zero(context, done, end - done);
	return 0;
}

int elf_find_entry(struct load_context *context, const struct elf_image *image, uint64_t entry,
		   gpa_t *found)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		*found = entry;
		if (entry - segment->start < segment->memory_size)
			return 0;
	}
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		*found = entry - segment->virtual_start + segment->start;
		if (entry - segment->virtual_start < segment->memory_size)
			return 0;
	}
	return error_set(context->why, -EINVAL,
			 "%s begins at 0x%llx, which is in none of its segments: build it again",
			 context->kernel, (unsigned long long)entry);
}
