/* SPDX-License-Identifier: MIT */
/*
 * process_elf.c - a process's image: an ELF file of 64 bits, linked to fixed addresses (System V
 * ABI, chapters 4 and 5), that begins on a page of memory and stays there.  It is not trusted: each
 * number is checked before it is used.
 */
#include <linux/errno.h>

#include "hw/elf.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/process_private.h"

#define SEGMENTS_MAX 16
#define LOWEST_ADDRESS (64 * KIB) /* so that NULL and what is near it is nothing */

static int refuse(const char **why, const char *reason)
{
	*why = reason;
	return -ENOEXEC;
}

/* Memory of the process's own, with a copy. */
static int64_t copy_segment(struct process *process, const struct elf64_phdr *segment,
			    const uint8_t *file, uint64_t start, uint64_t size)
{
	int64_t mapped = space_map_at(&process->space, start, size, TYPE1_MEMORY_WRITE);

	if (mapped < 0)
		return mapped;
	return space_fill(&process->space, segment->p_vaddr, file + segment->p_offset,
			  segment->p_filesz);
}

/* What can't be written is the file's own pages: all processes that are made of it share them. */
static int64_t share_segment(struct process *process, const struct elf64_phdr *segment,
			     const uint8_t *file, uint64_t start, uint64_t size)
{
	unsigned flags = segment->p_flags & PF_X ? TYPE1_MEMORY_EXECUTE : 0;
	uint64_t offset = align_down(segment->p_offset, PAGE_SIZE);
	struct object *memory;
	int64_t mapped = memory_object_of_frames(physical_of(file) + offset, size, flags, NULL,
						 &process->account, &memory);

	if (mapped < 0)
		return mapped;
	mapped = space_attach_at(&process->space, start, memory, 0, size, flags);
	object_put(memory);
	return mapped;
}

static int load_segment(struct process *process, const struct elf64_phdr *segment,
			const uint8_t *file, const char **why)
{
	uint64_t start = align_down(segment->p_vaddr, PAGE_SIZE);
	uint64_t size = align_up(segment->p_vaddr + segment->p_memsz, PAGE_SIZE) - start;
	int64_t mapped;

	if (segment->p_flags & PF_W)
		mapped = copy_segment(process, segment, file, start, size);
	else if (segment->p_filesz == segment->p_memsz &&
		 is_aligned(segment->p_offset ^ segment->p_vaddr, PAGE_SIZE))
		mapped = share_segment(process, segment, file, start, size);
	else
		return refuse(why, "a part of it isn't in the file as it is in memory");
	if (mapped == -EEXIST)
		return refuse(why, "parts of it share a page");
	return mapped < 0 ? (int)mapped : 0;
}

static bool segment_is_sound(const struct elf64_phdr *segment, size_t size)
{
	return segment->p_offset <= size && segment->p_filesz <= size - segment->p_offset &&
	       segment->p_filesz <= segment->p_memsz && segment->p_vaddr >= LOWEST_ADDRESS &&
	       segment->p_vaddr < USER_END && segment->p_memsz <= USER_END - segment->p_vaddr;
}

int process_load_elf(struct process *process, const void *elf, size_t size, uint64_t *entry,
		     const char **why)
{
	const uint8_t *file = elf;
	struct elf64_ehdr header;
	struct elf64_phdr segment;
	int err;

	if (size < sizeof(header))
		return refuse(why, "it is no ELF file");
	memcpy(&header, file, sizeof(header));
	if (memcmp(header.e_ident, ELF_MAGIC, ELF_MAGIC_SIZE) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64 || header.e_type != ET_EXEC)
		return refuse(why, "it is no static ELF program of 64 bits");
	if (header.e_phentsize != sizeof(segment) || header.e_phnum > SEGMENTS_MAX ||
	    header.e_phoff > size || header.e_phnum * sizeof(segment) > size - header.e_phoff)
		return refuse(why, "its program headers are not within the file");
	for (unsigned i = 0; i < header.e_phnum; i++) {
		memcpy(&segment, file + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_LOAD || !segment.p_memsz)
			continue;
		if (!segment_is_sound(&segment, size))
			return refuse(why, "a part of it is not within the file or memory");
		if ((segment.p_flags & PF_W) && (segment.p_flags & PF_X))
			return refuse(why, "a part of it is writable and executable");
		err = load_segment(process, &segment, file, why);
		if (err)
			return err;
	}
	*entry = header.e_entry;
	return 0;
}
