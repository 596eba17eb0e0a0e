/* SPDX-License-Identifier: MIT */
/*
 * elf.h - the parts of an ELF file that a loader reads: file header, program headers, notes. System
 * V Application Binary Interface, chapters 4 and 5, in its 32-bit and 64-bit form.
 */
#ifndef DYAD_HW_ELF_H
#define DYAD_HW_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_MAGIC "\177ELF"
#define ELF_MAGIC_SIZE 4

#define EI_CLASS 4
#define EI_DATA 5
#define EI_NIDENT 16

#define ELFCLASS32 1
#define ELFCLASS64 2
#define ELFDATA2LSB 1

#define EM_386 3
#define EM_X86_64 62

#define ET_EXEC 2
#define ET_DYN 3

#define PT_LOAD 1
#define PT_NOTE 4

#define PF_X 1
#define PF_W 2

struct elf32_ehdr {
	uint8_t e_ident[EI_NIDENT];
	uint16_t e_type;
	uint16_t e_machine;
	uint32_t e_version;
	uint32_t e_entry;
	uint32_t e_phoff;
	uint32_t e_shoff;
	uint32_t e_flags;
	uint16_t e_ehsize;
	uint16_t e_phentsize;
	uint16_t e_phnum;
	uint16_t e_shentsize;
	uint16_t e_shnum;
	uint16_t e_shstrndx;
};
_Static_assert(sizeof(struct elf32_ehdr) == 52, "elf32_ehdr");
_Static_assert(offsetof(struct elf32_ehdr, e_phnum) == 44, "elf32_ehdr.e_phnum");

struct elf64_ehdr {
	uint8_t e_ident[EI_NIDENT];
	uint16_t e_type;
	uint16_t e_machine;
	uint32_t e_version;
	uint64_t e_entry;
	uint64_t e_phoff;
	uint64_t e_shoff;
	uint32_t e_flags;
	uint16_t e_ehsize;
	uint16_t e_phentsize;
	uint16_t e_phnum;
	uint16_t e_shentsize;
	uint16_t e_shnum;
	uint16_t e_shstrndx;
};
_Static_assert(sizeof(struct elf64_ehdr) == 64, "elf64_ehdr");
_Static_assert(offsetof(struct elf64_ehdr, e_phnum) == 56, "elf64_ehdr.e_phnum");

struct elf32_phdr {
	uint32_t p_type;
	uint32_t p_offset;
	uint32_t p_vaddr;
	uint32_t p_paddr;
	uint32_t p_filesz;
	uint32_t p_memsz;
	uint32_t p_flags;
	uint32_t p_align;
};
_Static_assert(sizeof(struct elf32_phdr) == 32, "elf32_phdr");

struct elf64_phdr {
	uint32_t p_type;
	uint32_t p_flags;
	uint64_t p_offset;
	uint64_t p_vaddr;
	uint64_t p_paddr;
	uint64_t p_filesz;
	uint64_t p_memsz;
	uint64_t p_align;
};
_Static_assert(sizeof(struct elf64_phdr) == 56, "elf64_phdr");

/* The name and then the descriptor follow, each padded to the alignment of the segment (4, or 8).
 */
struct elf_nhdr {
	uint32_t n_namesz;
	uint32_t n_descsz;
	uint32_t n_type;
};
_Static_assert(sizeof(struct elf_nhdr) == 12, "elf_nhdr");

#endif
