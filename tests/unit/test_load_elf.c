/* SPDX-License-Identifier: MIT */
/* Loading ELF kernels by PVH and as a vmlinux, and the damage that an ELF file can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/errno.h>

#include "hw/pvh.h"
#include "lib/bits.h"
#include "tests/support/load_guest.h"

#define GUEST_SIZE (64 * MIB)
#define PVH_ENTRY (KERNEL_ADDRESS + 0x150)
#define NOTE 2 /* the note's program header */

static const struct kernel_segment segments[] = {
	{0x1000, KERNEL_ADDRESS, 0xffffffff81000000, 0x2000, 0x2000},
	{0x3000, KERNEL_ADDRESS + 0x10000, 0xffffffff81010000, 0x123, 0x12345},
};
#define KERNEL_END (KERNEL_ADDRESS + 0x10000 + 0x12345)

struct fixture {
	struct guest guest;
	struct image kernel;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	guest_create(&fixture->guest, GUEST_SIZE);
	fixture->kernel =
		kernel_elf64(KERNEL_ADDRESS + 0x40, PVH_ENTRY, segments, ARRAY_COUNT(segments));
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	os_file_close(fixture->guest.request.initrd.file);
	guest_destroy(&fixture->guest);
	image_free(&fixture->kernel);
	free(fixture);
	return 0;
}

static void make_vmlinux(struct fixture *fixture)
{
	image_free(&fixture->kernel);
	fixture->kernel = kernel_elf64(KERNEL_ADDRESS + 0x40, 0, segments, ARRAY_COUNT(segments));
}

static void add_initrd(struct fixture *fixture, size_t size)
{
	uint8_t *content = malloc(size);

	memset(content, 0x77, size);
	fixture->guest.request.initrd.name = "initrd.img";
	fixture->guest.request.initrd.file = fake_file_create(content, size);
	free(content);
}

static void assert_loads(struct fixture *fixture)
{
	if (guest_load(&fixture->guest, &fixture->kernel) < 0)
		fail_msg("%s", fixture->guest.why.text);
}

static void assert_refused(struct fixture *fixture, int error, const char *words)
{
	int err = guest_load(&fixture->guest, &fixture->kernel);
	const char *text = fixture->guest.why.text;

	assert_int_equal(err, error);
	if (!strstr(text, words) || !strstr(text, "kernel"))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static struct elf64_ehdr *file_header(struct fixture *fixture)
{
	return (struct elf64_ehdr *)fixture->kernel.bytes;
}

static struct hvm_start_info start_info(const struct fixture *fixture)
{
	struct hvm_start_info info;

	guest_read(&fixture->guest, fixture->guest.entry.rbx, &info, sizeof(info));
	return info;
}

/* --- PVH -------------------------------------------------------------------------------------- */

static void test_pvh_kernel_is_entered_at_its_note(void **state)
{
	struct fixture *fixture = *state;

	guest_memory_fill(&fixture->guest.memory, KERNEL_ADDRESS, 0x5a, 0x100000);
	assert_loads(fixture);
	assert_int_equal(fixture->guest.entry.mode, LOAD_MODE_PROTECTED32);
	assert_int_equal(fixture->guest.entry.rip, PVH_ENTRY);
	assert_string_equal(fixture->guest.entry.protocol, "PVH");
	assert_true(guest_holds(&fixture->guest, KERNEL_ADDRESS, 0x10, 0x2000));
	assert_true(guest_holds(&fixture->guest, KERNEL_ADDRESS + 0x10000, 0x11, 0x123));
	assert_true(guest_holds(&fixture->guest, KERNEL_ADDRESS + 0x10123, 0, 0x12345 - 0x123));
	assert_true(guest_holds(&fixture->guest, KERNEL_END, 0x5a, 1));
}

static void test_pvh_start_info_leads_to_everything(void **state)
{
	struct fixture *fixture = *state;
	struct hvm_memmap_table_entry map[3];
	struct hvm_modlist_entry module;
	struct hvm_start_info info;
	char command_line[32];

	add_initrd(fixture, 5000);
	assert_loads(fixture);
	info = start_info(fixture);
	assert_int_equal(info.magic, 0x336ec578);
	assert_int_equal(info.version, 1);
	assert_int_equal(info.rsdp_paddr, 0xe0000);
	guest_read(&fixture->guest, info.cmdline_paddr, command_line, sizeof(command_line));
	assert_string_equal(command_line, "console=ttyS0");
	assert_int_equal(info.memmap_entries, 3);
	guest_read(&fixture->guest, info.memmap_paddr, map, sizeof(map));
	assert_int_equal(map[1].type, 2);
	assert_int_equal(map[2].addr, MIB);
	assert_int_equal(map[2].size, GUEST_SIZE - MIB);
	assert_int_equal(info.nr_modules, 1);
	guest_read(&fixture->guest, info.modlist_paddr, &module, sizeof(module));
	assert_int_equal(module.size, 5000);
	assert_int_equal(module.paddr, GUEST_SIZE - 0x2000);
	assert_true(guest_holds(&fixture->guest, module.paddr, 0x77, 5000));
}

static void test_pvh_without_initrd_has_no_module(void **state)
{
	struct fixture *fixture = *state;

	assert_loads(fixture);
	assert_int_equal(start_info(fixture).nr_modules, 0);
	assert_int_equal(start_info(fixture).modlist_paddr, 0);
}

static void test_pvh_entry_outside_the_segments_is_refused(void **state)
{
	struct fixture *fixture = *state;

	image_free(&fixture->kernel);
	fixture->kernel = kernel_elf64(KERNEL_ADDRESS, 0x5000, segments, ARRAY_COUNT(segments));
	assert_refused(fixture, -EINVAL, "begins at 0x5000");
}

static void test_damaged_notes_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct elf64_phdr *header = kernel_phdr64(&fixture->kernel, NOTE);
	struct elf_nhdr *note = (struct elf_nhdr *)(fixture->kernel.bytes + header->p_offset);
	struct elf_nhdr good = *note;

	note->n_descsz = 0xffffffff;
	assert_refused(fixture, -EINVAL, "notes run past");
	note->n_descsz = 2;
	assert_refused(fixture, -EINVAL, "4 or 8 bytes");
	*note = good;
	note->n_namesz = 0xfffffffe;
	assert_refused(fixture, -EINVAL, "notes run past");
	*note = good;
	header->p_filesz = UINT64_MAX;
	assert_refused(fixture, -EINVAL, "notes lie beyond");
	header->p_filesz = 20;
	header->p_offset = fixture->kernel.size - 3;
	assert_refused(fixture, -EINVAL, "notes lie beyond");
}

static void test_notes_aligned_to_8_bytes_are_read(void **state)
{
	const struct {
		struct elf_nhdr property;
		char property_name[4];
		uint64_t property_data;
		struct elf_nhdr note;
		char name[4];
		uint64_t entry;
	} notes = {
		.property = {4, 5, 5},
		.property_name = "GNU",
		.note = {4, 8, XEN_ELFNOTE_PHYS32_ENTRY},
		.name = "Xen",
		.entry = PVH_ENTRY + 1,
	};
	struct fixture *fixture = *state;
	struct elf64_phdr *header = kernel_phdr64(&fixture->kernel, NOTE);

	memcpy(fixture->kernel.bytes + header->p_offset, &notes, sizeof(notes));
	header->p_filesz = sizeof(notes);
	header->p_align = 8;
	assert_loads(fixture);
	assert_int_equal(fixture->guest.entry.rip, PVH_ENTRY + 1);
}

/* --- vmlinux ---------------------------------------------------------------------------------- */

static void test_vmlinux_is_entered_in_64_bit_mode(void **state)
{
	struct fixture *fixture = *state;
	struct linux_boot_params params;

	make_vmlinux(fixture);
	add_initrd(fixture, 5000);
	assert_loads(fixture);
	assert_int_equal(fixture->guest.entry.mode, LOAD_MODE_LONG64);
	assert_int_equal(fixture->guest.entry.rip, KERNEL_ADDRESS + 0x40);
	guest_read(&fixture->guest, fixture->guest.entry.rsi, &params, sizeof(params));
	assert_int_equal(params.hdr.header, LINUX_HEADER_MAGIC);
	assert_int_equal(params.hdr.boot_flag, 0xaa55);
	assert_int_equal(params.hdr.ramdisk_size, 5000);
	assert_int_equal(params.e820_entries, 3);
}

static void test_vmlinux_takes_a_command_line_of_2047_characters(void **state)
{
	struct fixture *fixture = *state;
	char line[2049];

	make_vmlinux(fixture);
	memset(line, 'a', sizeof(line));
	line[2047] = '\0';
	fixture->guest.request.command_line = line;
	assert_loads(fixture);
	line[2047] = 'a';
	line[2048] = '\0';
	assert_refused(fixture, -E2BIG, "2048 characters");
}

static void test_kernel_above_4_gib_is_refused(void **state)
{
	struct fixture *fixture = *state;

	make_vmlinux(fixture);
	guest_destroy(&fixture->guest);
	guest_create(&fixture->guest, 5 * GIB);
	kernel_phdr64(&fixture->kernel, 1)->p_paddr = 4 * GIB + 0x10000;
	assert_refused(fixture, -EINVAL, "above 4 GiB");
}

static void test_more_map_entries_than_a_protocol_holds_are_refused(void **state)
{
	struct memory_map_entry *map = calloc(1000, sizeof(*map));
	struct fixture *fixture = *state;

	memcpy(map, fixture->guest.map, sizeof(fixture->guest.map));
	fixture->guest.request.map = map;
	fixture->guest.request.map_count = 171;
	assert_refused(fixture, -E2BIG, "171 entries");
	make_vmlinux(fixture);
	fixture->guest.request.map_count = 129;
	assert_refused(fixture, -E2BIG, "129 entries");
	fixture->guest.request.map_count = 128;
	assert_loads(fixture);
	free(map);
}

/* --- What is no kernel ------------------------------------------------------------------------ */

static void test_what_is_no_kernel_is_refused(void **state)
{
	struct fixture *fixture = *state;

	image_resize(&fixture->kernel, 0);
	assert_refused(fixture, -EINVAL, "kernel is empty");
	image_resize(&fixture->kernel, 100000);
	assert_refused(fixture, -EINVAL, "kernel is no kernel");
	memcpy(fixture->kernel.bytes, "#!/bin/sh", 9);
	assert_refused(fixture, -EINVAL, "kernel is no kernel");
}

static void test_32_bit_elf_without_a_protocol_is_refused(void **state)
{
	struct fixture *fixture = *state;

	image_free(&fixture->kernel);
	fixture->kernel = kernel_elf32(KERNEL_ADDRESS, segments, ARRAY_COUNT(segments));
	assert_refused(fixture, -EINVAL, "no way to start it");
}

static void test_elf_of_another_kind_is_refused(void **state)
{
	struct fixture *fixture = *state;

	file_header(fixture)->e_machine = 183;
	assert_refused(fixture, -EINVAL, "another kind of processor");
	file_header(fixture)->e_machine = EM_X86_64;
	file_header(fixture)->e_ident[EI_DATA] = 2;
	assert_refused(fixture, -EINVAL, "another kind of processor");
	file_header(fixture)->e_ident[EI_DATA] = ELFDATA2LSB;
	file_header(fixture)->e_ident[EI_CLASS] = 3;
	assert_refused(fixture, -EINVAL, "another kind of processor");
	file_header(fixture)->e_ident[EI_CLASS] = ELFCLASS64;
	file_header(fixture)->e_type = 1;
	assert_refused(fixture, -EINVAL, "object file");
}

static void test_damaged_file_header_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct elf64_ehdr good = *file_header(fixture);

	file_header(fixture)->e_phnum = 0;
	assert_refused(fixture, -EINVAL, "count of program headers");
	file_header(fixture)->e_phnum = 0xffff;
	assert_refused(fixture, -EINVAL, "count of program headers");
	*file_header(fixture) = good;
	file_header(fixture)->e_phentsize = 32;
	assert_refused(fixture, -EINVAL, "another size");
	*file_header(fixture) = good;
	file_header(fixture)->e_phoff = UINT64_MAX - 60;
	assert_refused(fixture, -EINVAL, "program headers are incomplete");
	file_header(fixture)->e_phoff = fixture->kernel.size - 1;
	assert_refused(fixture, -EINVAL, "program headers are incomplete");
}

static void test_any_cut_short_elf_is_refused(void **state)
{
	static const size_t sizes[] = {1, 3, 4, 16, 51, 52, 63, 64, 119, 0x1000, 0x2fff, 0x3122};
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct image cut = {.size = sizes[i], .bytes = fixture->kernel.bytes};

		assert_int_equal(guest_load(&fixture->guest, &cut), -EINVAL);
		assert_non_null(strstr(fixture->guest.why.text, "kernel"));
		if (sizes[i] >= 4)
			assert_non_null(strstr(fixture->guest.why.text, "cut short"));
	}
}

static void test_segments_outside_ram_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct elf64_phdr *header = kernel_phdr64(&fixture->kernel, 1);

	header->p_paddr = GUEST_SIZE - 0x1000;
	assert_refused(fixture, -ENOMEM, "and the guest has 64 MiB: give it more with --memory");
	header->p_paddr = 0xe0000; /* ACPI tables */
	assert_refused(fixture, -EINVAL, "something else than memory");
	header->p_paddr = 0x9f000;
	assert_refused(fixture, -EINVAL, "something else than memory");
	header->p_paddr = UINT64_MAX - 0x1000;
	assert_refused(fixture, -EINVAL, "wrap");
}

static void test_segments_over_the_boot_structures_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct elf64_phdr *header = kernel_phdr64(&fixture->kernel, 1);

	header->p_paddr = 0x70000;
	assert_refused(fixture, -EINVAL, "over what it is handed");
	header->p_memsz = 0x1000;
	header->p_paddr = 0x9bfff;
	assert_refused(fixture, -EINVAL, "over what it is handed");
	header->p_paddr = 0x9c000;
	assert_loads(fixture);
	header->p_paddr = 0x7f000;
	assert_loads(fixture);
}

static void test_segments_that_contradict_themselves_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct elf64_phdr *header = kernel_phdr64(&fixture->kernel, 1);
	struct elf64_phdr good = *header;

	header->p_filesz = header->p_memsz + 1;
	assert_refused(fixture, -EINVAL, "more bytes than memory");
	*header = good;
	header->p_offset = UINT64_MAX - 10;
	assert_refused(fixture, -EINVAL, "beyond the end of the file");
	*header = good;
	header->p_paddr = KERNEL_ADDRESS + 0x1fff;
	assert_refused(fixture, -EINVAL, "overlap");
	header->p_paddr = KERNEL_ADDRESS - 1;
	assert_refused(fixture, -EINVAL, "overlap");
	*header = good;
	header->p_type = 0;
	kernel_phdr64(&fixture->kernel, 0)->p_type = 0;
	assert_refused(fixture, -EINVAL, "nothing to load");
}

static void test_guest_without_low_memory_is_refused(void **state)
{
	struct fixture *fixture = *state;

	fixture->guest.map[0].size = 0x90000;
	assert_refused(fixture, -ENOMEM, "too little memory");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_pvh_kernel_is_entered_at_its_note),
		TEST(test_pvh_start_info_leads_to_everything),
		TEST(test_pvh_without_initrd_has_no_module),
		TEST(test_pvh_entry_outside_the_segments_is_refused),
		TEST(test_damaged_notes_are_refused),
		TEST(test_notes_aligned_to_8_bytes_are_read),
		TEST(test_vmlinux_is_entered_in_64_bit_mode),
		TEST(test_vmlinux_takes_a_command_line_of_2047_characters),
		TEST(test_kernel_above_4_gib_is_refused),
		TEST(test_more_map_entries_than_a_protocol_holds_are_refused),
		TEST(test_what_is_no_kernel_is_refused),
		TEST(test_32_bit_elf_without_a_protocol_is_refused),
		TEST(test_elf_of_another_kind_is_refused),
		TEST(test_damaged_file_header_is_refused),
		TEST(test_any_cut_short_elf_is_refused),
		TEST(test_segments_outside_ram_are_refused),
		TEST(test_segments_over_the_boot_structures_are_refused),
		TEST(test_segments_that_contradict_themselves_are_refused),
		TEST(test_guest_without_low_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
