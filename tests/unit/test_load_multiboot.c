/* SPDX-License-Identifier: MIT */
/* Loading Multiboot 1 kernels: what the kernel finds, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/errno.h>

#include "hw/multiboot.h"
#include "lib/bits.h"
#include "tests/support/load_guest.h"

#define GUEST_SIZE (32 * MIB)
#define HEADER_AT 0x800
#define LOAD_ADDRESS 0x400000u

static const struct kernel_segment segments[] = {
	{0x1000, LOAD_ADDRESS, LOAD_ADDRESS, 0x2000, 0x2000},
	{0x3000, LOAD_ADDRESS + 0x2000, 0xc0002000, 0x100, 0x3010},
};

struct fixture {
	struct guest guest;
	struct image kernel;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	guest_create(&fixture->guest, GUEST_SIZE);
	fixture->kernel = kernel_elf32(LOAD_ADDRESS + 0x10, segments, ARRAY_COUNT(segments));
	kernel_put_multiboot(&fixture->kernel, HEADER_AT,
			     MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	os_file_close(fixture->guest.request.initrd.file);
	for (unsigned i = 0; i < LOAD_MODULES_MAX; i++)
		os_file_close(fixture->guest.request.modules[i].file);
	guest_destroy(&fixture->guest);
	image_free(&fixture->kernel);
	free(fixture);
	return 0;
}

static void assert_loads(struct fixture *fixture)
{
	if (guest_load(&fixture->guest, &fixture->kernel) < 0)
		fail_msg("%s", fixture->guest.why.text);
	assert_int_equal(fixture->guest.entry.mode, LOAD_MODE_PROTECTED32);
	assert_int_equal(fixture->guest.entry.rax, 0x2badb002);
	assert_string_equal(fixture->guest.entry.protocol, "Multiboot");
}

static void assert_refused(struct fixture *fixture, int error, const char *words)
{
	int err = guest_load(&fixture->guest, &fixture->kernel);
	const char *text = fixture->guest.why.text;

	assert_int_equal(err, error);
	if (!strstr(text, words) || !strstr(text, "kernel"))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static struct multiboot_info info(const struct fixture *fixture)
{
	struct multiboot_info copy;

	guest_read(&fixture->guest, fixture->guest.entry.rbx, &copy, sizeof(copy));
	return copy;
}

static void assert_string(const struct fixture *fixture, uint32_t at, const char *text)
{
	const char *there = guest_memory_range(&fixture->guest.memory, at, strlen(text) + 1);

	assert_non_null(there);
	assert_string_equal(there, text);
}

static struct load_file module_file(const char *name, const char *arguments, char fill, size_t size)
{
	char *content = malloc(size + 1);
	struct load_file file = {.name = name, .arguments = arguments};

	memset(content, fill, size);
	file.file = fake_file_create(content, size);
	free(content);
	return file;
}

/* --- What the kernel finds -------------------------------------------------------------------- */

static void test_segments_stand_where_they_are_linked(void **state)
{
	struct fixture *fixture = *state;

	guest_memory_fill(&fixture->guest.memory, LOAD_ADDRESS, 0x5a, 0x10000);
	assert_loads(fixture);
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS, 0x10, 0x2000));
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0x2000, 0x11, 0x100));
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0x2100, 0, 0x2f10));
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0x5010, 0x5a, 0x10));
	assert_int_equal(fixture->guest.entry.rip, LOAD_ADDRESS + 0x10);
}

static void test_gdt_has_flat_32_bit_segments(void **state)
{
	struct fixture *fixture = *state;
	uint64_t gdt[4];

	assert_loads(fixture);
	guest_read(&fixture->guest, fixture->guest.entry.gdt, gdt, sizeof(gdt));
	assert_int_equal(gdt[LOAD_CODE_SELECTOR / 8], 0x00cf9b000000ffff);
	assert_int_equal(gdt[LOAD_DATA_SELECTOR / 8], 0x00cf93000000ffff);
}

static void test_command_line_begins_with_the_kernels_name(void **state)
{
	struct fixture *fixture = *state;

	fixture->guest.request.command_line = "smp 4";
	assert_loads(fixture);
	assert_true(info(fixture).flags & MULTIBOOT_INFO_CMDLINE);
	assert_string(fixture, info(fixture).cmdline, "kernel smp 4");
	fixture->guest.request.command_line = "";
	assert_loads(fixture);
	assert_string(fixture, info(fixture).cmdline, "kernel");
	assert_string(fixture, info(fixture).boot_loader_name, "Dyad");
}

static void test_memory_is_told_in_both_ways(void **state)
{
	struct fixture *fixture = *state;
	struct multiboot_mmap_entry entries[3];

	assert_loads(fixture);
	assert_int_equal(info(fixture).mem_lower, 639);
	assert_int_equal(info(fixture).mem_upper, (GUEST_SIZE - MIB) / KIB);
	assert_int_equal(info(fixture).mmap_length, sizeof(entries));
	guest_read(&fixture->guest, info(fixture).mmap_addr, entries, sizeof(entries));
	assert_int_equal(entries[0].size, 20);
	assert_int_equal(entries[0].len, 0x9fc00);
	assert_int_equal(entries[1].type, 2);
	assert_int_equal(entries[2].addr, MIB);
	assert_int_equal(entries[2].type, 1);
}

static void test_initrd_is_the_first_module_and_each_has_its_arguments(void **state)
{
	struct fixture *fixture = *state;
	struct load_request *request = &fixture->guest.request;
	struct multiboot_module modules[3];

	request->initrd = module_file("env", NULL, 'e', 100);
	request->modules[0] = module_file("first", "a b", 'f', 0x1001);
	request->modules[1] = module_file("second", NULL, 's', 7);
	request->module_count = 2;
	assert_loads(fixture);
	assert_int_equal(info(fixture).mods_count, 3);
	guest_read(&fixture->guest, info(fixture).mods_addr, modules, sizeof(modules));
	assert_string(fixture, modules[0].string, "env");
	assert_string(fixture, modules[1].string, "first a b");
	assert_string(fixture, modules[2].string, "second");
	/* Page aligned, in order, behind the kernel. */
	assert_int_equal(modules[0].mod_start, LOAD_ADDRESS + 0x6000);
	assert_int_equal(modules[0].mod_end, LOAD_ADDRESS + 0x6000 + 100);
	assert_int_equal(modules[1].mod_start, LOAD_ADDRESS + 0x7000);
	assert_int_equal(modules[1].mod_end, LOAD_ADDRESS + 0x8001);
	assert_int_equal(modules[2].mod_start, LOAD_ADDRESS + 0x9000);
	assert_true(guest_holds(&fixture->guest, modules[0].mod_start, 'e', 100));
	assert_true(guest_holds(&fixture->guest, modules[1].mod_start, 'f', 0x1001));
	assert_true(guest_holds(&fixture->guest, modules[2].mod_start, 's', 7));
}

static void test_without_modules_their_count_is_told_as_none(void **state)
{
	struct fixture *fixture = *state;

	assert_loads(fixture);
	assert_true(info(fixture).flags & MULTIBOOT_INFO_MODS);
	assert_int_equal(info(fixture).mods_count, 0);
}

static void test_modules_go_below_the_kernel_when_there_is_no_room_behind(void **state)
{
	struct fixture *fixture = *state;
	struct multiboot_module module;

	fixture->guest.map[2].size = LOAD_ADDRESS + 0x6000 - MIB;
	fixture->guest.request.initrd = module_file("env", NULL, 'e', MIB);
	assert_loads(fixture);
	guest_read(&fixture->guest, info(fixture).mods_addr, &module, sizeof(module));
	assert_int_equal(module.mod_start, MIB);
}

static void test_kernel_in_low_memory_is_loaded(void **state)
{
	static const struct kernel_segment low = {0x1000, 0x4000, 0x4000, 0x8000, 0x10000};
	struct fixture *fixture = *state;

	image_free(&fixture->kernel);
	fixture->kernel = kernel_elf32(0x4000, &low, 1);
	kernel_put_multiboot(&fixture->kernel, HEADER_AT, 0);
	assert_loads(fixture);
	assert_true(guest_holds(&fixture->guest, 0x4000, 0x10, 0x8000));
}

static void test_virtual_entry_point_is_translated(void **state)
{
	struct fixture *fixture = *state;

	((struct elf32_ehdr *)fixture->kernel.bytes)->e_entry = 0xc0002040;
	assert_loads(fixture);
	assert_int_equal(fixture->guest.entry.rip, LOAD_ADDRESS + 0x2040);
}

static void test_64_bit_elf_is_loaded_too(void **state)
{
	struct fixture *fixture = *state;

	image_free(&fixture->kernel);
	fixture->kernel = kernel_elf64(LOAD_ADDRESS, 0, segments, ARRAY_COUNT(segments));
	kernel_put_multiboot(&fixture->kernel, HEADER_AT, 0);
	assert_loads(fixture);
}

/* --- Addresses in the header ------------------------------------------------------------------ */

static struct multiboot_header *put_addresses(struct fixture *fixture, size_t file_size)
{
	struct multiboot_header *header;

	image_resize(&fixture->kernel, 0);
	image_resize(&fixture->kernel, file_size);
	memset(fixture->kernel.bytes, 0x33, file_size);
	kernel_put_multiboot(&fixture->kernel, 0x100, MULTIBOOT_AOUT_KLUDGE);
	header = (struct multiboot_header *)(fixture->kernel.bytes + 0x100);
	header->header_addr = LOAD_ADDRESS + 0x80; /* so the text begins at 0x80 in the file */
	header->load_addr = LOAD_ADDRESS;
	header->load_end_addr = LOAD_ADDRESS + 0x1000;
	header->bss_end_addr = LOAD_ADDRESS + 0x3000;
	header->entry_addr = LOAD_ADDRESS + 0xc0;
	return header;
}

static void test_addresses_in_the_header_load_a_file_of_any_format(void **state)
{
	struct fixture *fixture = *state;

	put_addresses(fixture, 0x2000);
	guest_memory_fill(&fixture->guest.memory, LOAD_ADDRESS, 0x5a, 0x10000);
	assert_loads(fixture);
	assert_int_equal(fixture->guest.entry.rip, LOAD_ADDRESS + 0xc0);
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS, 0x33, 0x80));
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0xfff, 0x33, 1));
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0x1000, 0, 0x2000));
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0x3000, 0x5a, 1));
}

static void test_load_end_of_zero_means_the_whole_file(void **state)
{
	struct fixture *fixture = *state;
	struct multiboot_header *header = put_addresses(fixture, 0x2000);

	header->load_end_addr = 0;
	header->bss_end_addr = 0;
	assert_loads(fixture);
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0x1f7f, 0x33, 1));
}

static void test_addresses_in_the_header_win_over_elf(void **state)
{
	struct fixture *fixture = *state;

	put_addresses(fixture, 0x2000);
	memcpy(fixture->kernel.bytes, ELF_MAGIC, ELF_MAGIC_SIZE);
	assert_loads(fixture);
	assert_true(guest_holds(&fixture->guest, LOAD_ADDRESS + 0xfff, 0x33, 1));
}

static void test_addresses_that_contradict_each_other_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct multiboot_header good, *header = put_addresses(fixture, 0x2000);

	good = *header;
	header->load_addr = header->header_addr + 4;
	assert_refused(fixture, -EINVAL, "contradict");
	*header = good;
	header->header_addr = LOAD_ADDRESS + 0x104;
	assert_refused(fixture, -EINVAL, "contradict");
	*header = good;
	header->load_end_addr = LOAD_ADDRESS - 1;
	assert_refused(fixture, -EINVAL, "contradict");
	*header = good;
	header->bss_end_addr = LOAD_ADDRESS + 0xfff;
	assert_refused(fixture, -EINVAL, "contradict");
	*header = good;
	header->load_end_addr = LOAD_ADDRESS + 0x1f81;
	assert_refused(fixture, -EINVAL, "is cut short");
	*header = good;
	header->entry_addr = LOAD_ADDRESS + 0x3000;
	assert_refused(fixture, -EINVAL, "in none of its segments");
}

/* --- What is refused -------------------------------------------------------------------------- */

static void test_wrong_checksum_is_refused(void **state)
{
	struct fixture *fixture = *state;

	fixture->kernel.bytes[HEADER_AT + 8] ^= 1;
	assert_refused(fixture, -EINVAL, "checksum");
}

static void test_header_behind_the_first_8192_bytes_does_not_count(void **state)
{
	struct fixture *fixture = *state;

	memset(fixture->kernel.bytes + HEADER_AT, 0, 12);
	kernel_put_multiboot(&fixture->kernel, 8192 - 8, 0);
	assert_refused(fixture, -EINVAL, "Multiboot header");
	kernel_put_multiboot(&fixture->kernel, 8192 - 12, 0);
	assert_loads(fixture);
}

static void test_unknown_requirements_are_refused(void **state)
{
	struct fixture *fixture = *state;

	kernel_put_multiboot(&fixture->kernel, HEADER_AT, 0x10);
	assert_refused(fixture, -EOPNOTSUPP, "flags 0x10");
	kernel_put_multiboot(&fixture->kernel, HEADER_AT, MULTIBOOT_VIDEO_MODE);
	assert_refused(fixture, -EOPNOTSUPP, "video mode");
	kernel_put_multiboot(&fixture->kernel, HEADER_AT, 0x80000000);
	assert_loads(fixture);
}

static void test_module_that_does_not_fit_is_refused_with_its_size(void **state)
{
	struct fixture *fixture = *state;

	fixture->guest.request.modules[0] = module_file("big", NULL, 'b', 30 * MIB);
	fixture->guest.request.module_count = 1;
	assert_refused(fixture, -ENOMEM, "the module big, 30 MiB, does not fit");
}

static void test_strings_longer_than_their_area_are_refused(void **state)
{
	struct fixture *fixture = *state;
	char *line = calloc(1, 65536);

	memset(line, 'x', 65535);
	fixture->guest.request.command_line = line;
	assert_refused(fixture, -E2BIG, "longer than 65535 characters");
	line[65536 - 20] = '\0';
	assert_loads(fixture);
	fixture->guest.request.modules[0] = module_file("module", "much too long", 'm', 1);
	fixture->guest.request.module_count = 1;
	assert_refused(fixture, -E2BIG, "longer than 65535 characters");
	free(line);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_segments_stand_where_they_are_linked),
		TEST(test_gdt_has_flat_32_bit_segments),
		TEST(test_command_line_begins_with_the_kernels_name),
		TEST(test_memory_is_told_in_both_ways),
		TEST(test_initrd_is_the_first_module_and_each_has_its_arguments),
		TEST(test_without_modules_their_count_is_told_as_none),
		TEST(test_modules_go_below_the_kernel_when_there_is_no_room_behind),
		TEST(test_kernel_in_low_memory_is_loaded),
		TEST(test_virtual_entry_point_is_translated),
		TEST(test_64_bit_elf_is_loaded_too),
		TEST(test_addresses_in_the_header_load_a_file_of_any_format),
		TEST(test_load_end_of_zero_means_the_whole_file),
		TEST(test_addresses_in_the_header_win_over_elf),
		TEST(test_addresses_that_contradict_each_other_are_refused),
		TEST(test_wrong_checksum_is_refused),
		TEST(test_header_behind_the_first_8192_bytes_does_not_count),
		TEST(test_unknown_requirements_are_refused),
		TEST(test_module_that_does_not_fit_is_refused_with_its_size),
		TEST(test_strings_longer_than_their_area_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
