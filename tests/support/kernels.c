/* SPDX-License-Identifier: MIT */
#include "tests/support/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "hw/multiboot.h"
#include "hw/pvh.h"
#include "tests/support/fake_decompress.h"

#define NOTE_OFFSET 0xf00u

void image_free(struct image *image)
{
	free(image->bytes);
	*image = (struct image){0};
}

void image_resize(struct image *image, size_t size)
{
	uint8_t *bytes = realloc(image->bytes, size ? size : 1);

	if (!bytes)
		abort();
	image->bytes = bytes;
	if (size > image->size)
		memset(image->bytes + image->size, 0, size - image->size);
	image->size = size;
}

static void grow(struct image *image, size_t size)
{
	if (image->size < size || !image->bytes)
		image_resize(image, size);
}

static void put(struct image *image, size_t offset, const void *bytes, size_t size)
{
	grow(image, offset + size);
	if (size)
		memcpy(image->bytes + offset, bytes, size);
}

static void put_content(struct image *image, const struct kernel_segment *segments, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		grow(image, segments[i].offset + segments[i].file_size);
		memset(image->bytes + segments[i].offset, 0x10 + (int)i, segments[i].file_size);
	}
}

static size_t put_note(struct image *image, uint32_t pvh_entry)
{
	const struct {
		struct elf_nhdr head;
		char name[4];
		uint32_t entry;
	} note = {.head = {.n_namesz = 4, .n_descsz = 4, .n_type = XEN_ELFNOTE_PHYS32_ENTRY},
		  .name = XEN_ELFNOTE_NAME,
		  .entry = pvh_entry};

	put(image, NOTE_OFFSET, &note, sizeof(note));
	return sizeof(note);
}

struct image kernel_elf64(uint64_t entry, uint32_t pvh_entry, const struct kernel_segment *segments,
			  unsigned count)
{
	struct image image = {0};
	struct elf64_ehdr header = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_entry = entry,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(struct elf64_phdr),
		.e_phnum = (uint16_t)(count + (pvh_entry ? 1 : 0)),
	};

	put_content(&image, segments, count);
	put(&image, 0, &header, sizeof(header));
	for (unsigned i = 0; i < count; i++) {
		struct elf64_phdr program = {
			.p_type = PT_LOAD,
			.p_offset = segments[i].offset,
			.p_vaddr = segments[i].virtual_address,
			.p_paddr = segments[i].address,
			.p_filesz = segments[i].file_size,
			.p_memsz = segments[i].memory_size,
		};

		put(&image, sizeof(header) + i * sizeof(program), &program, sizeof(program));
	}
	if (pvh_entry) {
		struct elf64_phdr program = {
			.p_type = PT_NOTE, .p_offset = NOTE_OFFSET, .p_align = 4};

		program.p_filesz = put_note(&image, pvh_entry);
		put(&image, sizeof(header) + count * sizeof(program), &program, sizeof(program));
	}
	return image;
}

struct image kernel_elf32(uint32_t entry, const struct kernel_segment *segments, unsigned count)
{
	struct image image = {0};
	struct elf32_ehdr header = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1},
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = 1,
		.e_entry = entry,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(struct elf32_phdr),
		.e_phnum = (uint16_t)count,
	};

	put_content(&image, segments, count);
	put(&image, 0, &header, sizeof(header));
	for (unsigned i = 0; i < count; i++) {
		struct elf32_phdr program = {
			.p_type = PT_LOAD,
			.p_offset = (uint32_t)segments[i].offset,
			.p_vaddr = (uint32_t)segments[i].virtual_address,
			.p_paddr = (uint32_t)segments[i].address,
			.p_filesz = (uint32_t)segments[i].file_size,
			.p_memsz = (uint32_t)segments[i].memory_size,
		};

		put(&image, sizeof(header) + i * sizeof(program), &program, sizeof(program));
	}
	return image;
}

struct elf64_phdr *kernel_phdr64(struct image *image, unsigned index)
{
	return (struct elf64_phdr *)(image->bytes + sizeof(struct elf64_ehdr)) + index;
}

struct elf32_phdr *kernel_phdr32(struct image *image, unsigned index)
{
	return (struct elf32_phdr *)(image->bytes + sizeof(struct elf32_ehdr)) + index;
}

void kernel_put_multiboot(struct image *image, size_t offset, uint32_t flags)
{
	const uint32_t header[] = {MULTIBOOT_HEADER_MAGIC, flags,
				   0 - (MULTIBOOT_HEADER_MAGIC + flags)};

	put(image, offset, header, sizeof(header));
}

/* --- bzImage ---------------------------------------------------------------------------------- */

#define PAYLOAD_OFFSET 0x400u /* of the protected-mode part: behind its 64-bit entry point */

struct linux_setup_header *kernel_setup_header(struct image *image)
{
	return (struct linux_setup_header *)(image->bytes + LINUX_SETUP_HEADER);
}

struct image kernel_bzimage(const struct image *payload, int codec)
{
	struct linux_setup_header header = {
		.setup_sects = KERNEL_PROTECTED_MODE / LINUX_SECTOR - 1,
		.boot_flag = LINUX_BOOT_FLAG,
		.jump = 0xeb | 0x6a << 8,
		.header = LINUX_HEADER_MAGIC,
		.version = 0x20f,
		.loadflags = LINUX_LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = LINUX_XLF_KERNEL_64 | LINUX_XLF_CAN_BE_LOADED_ABOVE_4G,
		.cmdline_size = 255,
		.payload_offset = PAYLOAD_OFFSET,
		.pref_address = KERNEL_ADDRESS,
		.init_size = 8 << 20,
	};
	const size_t at = KERNEL_PROTECTED_MODE + PAYLOAD_OFFSET;
	uint32_t size = (uint32_t)payload->size;
	struct image image = {0};
	size_t packed = payload->size;

	image_resize(&image, at + payload->size + 32);
	memset(image.bytes + KERNEL_PROTECTED_MODE, 0xcc, PAYLOAD_OFFSET);
	if (codec < 0)
		memcpy(image.bytes + at, payload->bytes, payload->size);
	else
		packed = fake_compress((enum os_codec)codec, payload->bytes, payload->size,
				       image.bytes + at);
	memcpy(image.bytes + at + packed, &size, sizeof(size));
	header.payload_length = (uint32_t)(packed + sizeof(size));
	header.syssize = (PAYLOAD_OFFSET + header.payload_length + 15) / 16;
	image_resize(&image, KERNEL_PROTECTED_MODE + header.syssize * (size_t)16);
	put(&image, LINUX_SETUP_HEADER, &header, sizeof(header));
	return image;
}
