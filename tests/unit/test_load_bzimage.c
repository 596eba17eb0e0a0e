/* SPDX-License-Identifier: MIT */
/* Loading Linux bzImages: what the guest finds in memory, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/errno.h>

#include "hw/x86.h"
#include "lib/bits.h"
#include "tests/support/fake_decompress.h"
#include "tests/support/load_guest.h"

#define GUEST_SIZE (64 * MIB)
#define INIT_END (KERNEL_ADDRESS + 8 * MIB)

/* Laid out as a vmlinux is: the file's distance from memory shrinks from segment to segment. */
static const struct kernel_segment vmlinux_segments[] = {
	{0x200000, KERNEL_ADDRESS, 0xffffffff81000000, 0x3000, 0x3000},
	{0x204000, KERNEL_ADDRESS + 0x4000, 0xffffffff81004000, 0x1000, 0x1000},
	{0x206000, KERNEL_ADDRESS + 0x5000, 0, 0x800, 0x800},
	{0x207000, KERNEL_ADDRESS + 0x5800, 0xffffffff81005800, 0x1234, 0x20000},
};

/* As linked without alignment, with segments out of order: cannot be moved one after the other. */
static const struct kernel_segment shuffled_segments[] = {
	{0x5000, KERNEL_ADDRESS, 0xffffffff81000000, 0x3000, 0x3000},
	{0x1000, KERNEL_ADDRESS - 0x1fc000, 0xffffffff81004000, 0x4000, 0x5000},
};

struct fixture {
	struct guest guest;
	struct image vmlinux;
	struct image kernel;
};

static struct image make_vmlinux(void)
{
	struct image vmlinux =
		kernel_elf64(KERNEL_ADDRESS, 0, vmlinux_segments, ARRAY_COUNT(vmlinux_segments));
	size_t size = vmlinux.size;

	/* Sections and relocation tables follow. */
	image_resize(&vmlinux, size + 0x30000);
	memset(vmlinux.bytes + size, 0xee, 0x30000);
	return vmlinux;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	guest_create(&fixture->guest, GUEST_SIZE);
	fixture->vmlinux = make_vmlinux();
	fixture->kernel = kernel_bzimage(&fixture->vmlinux, OS_CODEC_XZ);
	fake_decompress_result = 0;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	os_file_close(fixture->guest.request.initrd.file);
	guest_destroy(&fixture->guest);
	image_free(&fixture->vmlinux);
	image_free(&fixture->kernel);
	free(fixture);
	return 0;
}

static void replace_kernel(struct fixture *fixture, const struct image *payload, int codec)
{
	image_free(&fixture->kernel);
	fixture->kernel = kernel_bzimage(payload, codec);
}

static void add_initrd(struct fixture *fixture, size_t size)
{
	uint8_t *content = calloc(1, size + 1);

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
	assert_true(text[strlen(text) - 1] != '.' && text[strlen(text) - 1] != '\n');
}

static struct linux_boot_params boot_params(const struct fixture *fixture)
{
	struct linux_boot_params params;

	assert_true(fixture->guest.entry.rsi != 0);
	guest_read(&fixture->guest, fixture->guest.entry.rsi, &params, sizeof(params));
	return params;
}

static void assert_segments(const struct fixture *fixture, const struct kernel_segment *segments,
			    unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct kernel_segment *s = &segments[i];

		assert_true(guest_holds(&fixture->guest, s->address, (uint8_t)(0x10 + i),
					s->file_size));
		if (s->memory_size > s->file_size)
			assert_true(guest_holds(&fixture->guest, s->address + s->file_size, 0,
						s->memory_size - s->file_size));
	}
}

/* --- What the guest finds --------------------------------------------------------------------- */

static void test_every_codec_is_unpacked_and_entered(void **state)
{
	static const int codecs[] = {OS_CODEC_GZIP, OS_CODEC_XZ,  OS_CODEC_LZMA,
				     OS_CODEC_ZSTD, OS_CODEC_LZ4, -1};
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(codecs); i++) {
		replace_kernel(fixture, &fixture->vmlinux, codecs[i]);
		guest_memory_fill(&fixture->guest.memory, 14 * MIB, 0x5a, 20 * MIB);
		assert_loads(fixture);
		assert_segments(fixture, vmlinux_segments, ARRAY_COUNT(vmlinux_segments));
		assert_int_equal(fixture->guest.entry.mode, LOAD_MODE_LONG64);
		assert_int_equal(fixture->guest.entry.rip, KERNEL_ADDRESS);
		assert_string_equal(fixture->guest.entry.protocol, "Linux 64-bit");
	}
}

static void test_nothing_of_the_unpacked_file_stays_behind(void **state)
{
	struct fixture *fixture = *state;
	gpa_t base = KERNEL_ADDRESS - 2 * MIB, end = base + fixture->vmlinux.size;

	assert_loads(fixture);
	assert_true(guest_holds(&fixture->guest, base, 0, KERNEL_ADDRESS - base));
	assert_true(guest_holds(&fixture->guest, KERNEL_ADDRESS + 0x3000, 0, 0x1000));
	assert_true(guest_holds(&fixture->guest, KERNEL_ADDRESS + 0x5800 + 0x1234, 0,
				end - (KERNEL_ADDRESS + 0x5800 + 0x1234)));
}

static void test_segments_in_any_order_are_loaded(void **state)
{
	struct fixture *fixture = *state;
	struct image vmlinux =
		kernel_elf64(KERNEL_ADDRESS, 0, shuffled_segments, ARRAY_COUNT(shuffled_segments));

	replace_kernel(fixture, &vmlinux, OS_CODEC_GZIP);
	image_free(&vmlinux);
	assert_loads(fixture);
	assert_segments(fixture, shuffled_segments, ARRAY_COUNT(shuffled_segments));
}

static void test_boot_params_hold_the_files_header_and_ours(void **state)
{
	struct fixture *fixture = *state;
	struct linux_boot_params params;
	char command_line[32];

	kernel_setup_header(&fixture->kernel)->root_flags = 0x1234;
	kernel_setup_header(&fixture->kernel)->kernel_info_offset = 0x55aa55aa;
	assert_loads(fixture);
	params = boot_params(fixture);
	assert_int_equal(params.hdr.header, LINUX_HEADER_MAGIC);
	assert_int_equal(params.hdr.root_flags, 0x1234);
	assert_int_equal(params.hdr.kernel_info_offset, 0x55aa55aa);
	assert_int_equal(params.hdr.type_of_loader, 0xff);
	assert_int_equal(params.sentinel, 0);
	assert_int_equal(params.acpi_rsdp_addr, 0xe0000);
	assert_int_equal(params.hdr.ramdisk_size, 0);
	assert_int_equal(params.e820_entries, 3);
	assert_int_equal(params.e820_table[1].addr, 0x9fc00);
	assert_int_equal(params.e820_table[1].type, 2);
	assert_int_equal(params.e820_table[2].size, GUEST_SIZE - MIB);
	guest_read(&fixture->guest, params.hdr.cmd_line_ptr, command_line, sizeof(command_line));
	assert_string_equal(command_line, "console=ttyS0");
}

static void test_a_header_longer_than_known_stays_in_its_place(void **state)
{
	struct fixture *fixture = *state;
	struct linux_boot_params params;

	fixture->kernel.bytes[LINUX_JUMP_DISPLACEMENT] = 0xff;
	memset(fixture->kernel.bytes + 0x26c, 0x99, 0x100);
	assert_loads(fixture);
	params = boot_params(fixture);
	assert_int_equal(params.hdr_bytes[sizeof(params.hdr_bytes) - 1], 0x99);
	assert_int_equal(params.edd_mbr_sig_buffer[0], 0);
}

static void test_paging_maps_the_first_4_gib_onto_themselves(void **state)
{
	struct fixture *fixture = *state;
	static const gpa_t probes[] = {0, 0x91000, KERNEL_ADDRESS, 3 * GIB + 0x12345, 4 * GIB - 1};

	assert_loads(fixture);
	for (unsigned i = 0; i < ARRAY_COUNT(probes); i++) {
		uint64_t entry, table = fixture->guest.entry.cr3;

		for (int shift = 39; shift >= 21; shift -= 9) {
			guest_read(&fixture->guest, table + 8 * (probes[i] >> shift & 511), &entry,
				   sizeof(entry));
			assert_int_equal(entry & (PTE_P | PTE_RW | PTE_NX), PTE_P | PTE_RW);
			assert_int_equal(!!(entry & PTE_PS), shift == 21);
			table = entry & UINT64_C(0xffffffffff000);
		}
		assert_int_equal(table, align_down(probes[i], X86_LARGE_PAGE_SIZE));
	}
}

static void test_gdt_has_64_bit_code_and_data(void **state)
{
	struct fixture *fixture = *state;
	uint64_t gdt[4];

	assert_loads(fixture);
	assert_true(fixture->guest.entry.gdt_limit >= sizeof(gdt) - 1);
	guest_read(&fixture->guest, fixture->guest.entry.gdt, gdt, sizeof(gdt));
	assert_int_equal(gdt[0], 0);
	assert_int_equal(gdt[LOAD_CODE_SELECTOR / 8], 0x00af9b000000ffff);
	assert_int_equal(gdt[LOAD_DATA_SELECTOR / 8], 0x00cf93000000ffff);
}

static void test_kaslr_enters_the_guests_own_decompressor(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *loaded;

	fixture->guest.request.kaslr = true;
	assert_loads(fixture);
	assert_int_equal(fixture->guest.entry.rip, KERNEL_ADDRESS + 0x200);
	loaded = guest_memory_range(&fixture->guest.memory, KERNEL_ADDRESS,
				    fixture->kernel.size - KERNEL_PROTECTED_MODE);
	assert_memory_equal(loaded, fixture->kernel.bytes + KERNEL_PROTECTED_MODE,
			    fixture->kernel.size - KERNEL_PROTECTED_MODE);
}

static void test_kaslr_takes_another_place_when_the_preferred_one_is_no_ram(void **state)
{
	struct fixture *fixture = *state;

	fixture->guest.request.kaslr = true;
	kernel_setup_header(&fixture->kernel)->pref_address = 60 * MIB;
	assert_loads(fixture);
	assert_int_equal(fixture->guest.entry.rip, 2 * MIB + 0x200);
}

/* --- initrd ----------------------------------------------------------------------------------- */

static void test_initrd_stands_as_high_as_ram_goes(void **state)
{
	struct fixture *fixture = *state;
	struct linux_boot_params params;

	add_initrd(fixture, 3 * MIB + 5);
	assert_loads(fixture);
	params = boot_params(fixture);
	assert_int_equal(params.hdr.ramdisk_size, 3 * MIB + 5);
	assert_int_equal(params.hdr.ramdisk_image, GUEST_SIZE - 3 * MIB - X86_PAGE_SIZE);
	assert_int_equal(params.ext_ramdisk_image, 0);
	assert_true(guest_holds(&fixture->guest, params.hdr.ramdisk_image, 0x77, 3 * MIB + 5));
}

static void test_initrd_obeys_the_kernels_limit(void **state)
{
	struct fixture *fixture = *state;
	struct linux_setup_header *header = kernel_setup_header(&fixture->kernel);

	header->xloadflags = LINUX_XLF_KERNEL_64;
	header->initrd_addr_max = 40 * MIB - 1;
	add_initrd(fixture, MIB);
	assert_loads(fixture);
	assert_int_equal(boot_params(fixture).hdr.ramdisk_image, 39 * MIB);
}

static void test_initrd_goes_above_4_gib_when_it_must_and_may(void **state)
{
	struct fixture *fixture = *state;
	struct linux_boot_params params;

	guest_destroy(&fixture->guest);
	guest_create(&fixture->guest, 4 * GIB);
	fixture->guest.map[2].size = 31 * MIB;
	add_initrd(fixture, 20 * MIB);
	assert_loads(fixture);
	params = boot_params(fixture);
	assert_int_equal(params.hdr.ramdisk_image, GIB - 20 * MIB);
	assert_int_equal(params.ext_ramdisk_image, 1);

	kernel_setup_header(&fixture->kernel)->xloadflags = LINUX_XLF_KERNEL_64;
	assert_refused(fixture, -ENOMEM, "does not fit");
}

static void test_initrd_goes_below_the_kernel_when_there_is_no_room_above(void **state)
{
	struct fixture *fixture = *state;

	fixture->guest.map[2].size = INIT_END - MIB;
	add_initrd(fixture, 15 * MIB);
	assert_loads(fixture);
	assert_int_equal(boot_params(fixture).hdr.ramdisk_image, MIB);
	assert_true(guest_holds(&fixture->guest, KERNEL_ADDRESS, 0x10, 0x3000));
}

static void test_initrd_that_does_not_fit_is_refused_with_sizes(void **state)
{
	struct fixture *fixture = *state;

	add_initrd(fixture, 41 * MIB);
	assert_refused(
		fixture, -ENOMEM,
		"the initrd initrd.img, 41 MiB, does not fit beside kernel, which takes 8 MiB, "
		"in the guest's 64 MiB: give it more with --memory");
}

static void test_empty_initrd_is_refused(void **state)
{
	struct fixture *fixture = *state;

	add_initrd(fixture, 0);
	assert_int_equal(guest_load(&fixture->guest, &fixture->kernel), -EINVAL);
	assert_non_null(strstr(fixture->guest.why.text, "initrd.img is empty"));
}

/* --- What is refused -------------------------------------------------------------------------- */

static void test_command_line_may_be_as_long_as_the_kernel_says(void **state)
{
	struct fixture *fixture = *state;
	char line[300];

	memset(line, 'a', sizeof(line));
	fixture->guest.request.command_line = line;
	line[255] = '\0';
	assert_loads(fixture);
	line[255] = 'a';
	line[256] = '\0';
	assert_refused(fixture, -E2BIG, "256 characters and kernel takes 255");
}

static void test_any_cut_short_kernel_is_refused(void **state)
{
	struct fixture *fixture = *state;
	static const size_t sizes[] = {0,     1,     0x201, 0x205, 0x206,
				       0x210, 0x268, 0x400, 0xa00, 0x100000};

	for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct image cut = {.size = sizes[i], .bytes = fixture->kernel.bytes};

		assert_int_equal(guest_load(&fixture->guest, &cut), -EINVAL);
		assert_true(strlen(fixture->guest.why.text) > 20);
	}
	image_resize(&fixture->kernel, fixture->kernel.size - 1);
	assert_refused(fixture, -EINVAL, "is cut short");
	fixture->guest.request.kaslr = true;
	assert_refused(fixture, -EINVAL, "is cut short");
}

static void test_header_without_boot_flag_is_refused(void **state)
{
	struct fixture *fixture = *state;

	kernel_setup_header(&fixture->kernel)->boot_flag = 0;
	assert_refused(fixture, -EINVAL, "boot flag");
}

static void test_header_too_short_for_its_protocol_is_refused(void **state)
{
	struct fixture *fixture = *state;

	fixture->kernel.bytes[LINUX_JUMP_DISPLACEMENT] = 0x10;
	assert_refused(fixture, -EINVAL, "setup header");
	fixture->kernel.bytes[LINUX_JUMP_DISPLACEMENT] = 0;
	assert_refused(fixture, -EINVAL, "setup header");
}

static void test_old_protocol_is_refused(void **state)
{
	struct fixture *fixture = *state;

	kernel_setup_header(&fixture->kernel)->version = 0x20b;
	assert_refused(fixture, -EOPNOTSUPP, "boot protocol 2.11");
}

static void test_32_bit_kernel_is_refused(void **state)
{
	struct fixture *fixture = *state;

	kernel_setup_header(&fixture->kernel)->xloadflags = 0;
	assert_refused(fixture, -EOPNOTSUPP, "32-bit");
}

static void test_payload_outside_the_file_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct linux_setup_header *header = kernel_setup_header(&fixture->kernel);
	uint32_t offset = header->payload_offset;

	header->payload_offset = 0xfffffff0;
	assert_refused(fixture, -EINVAL, "payload does not lie within");
	header->payload_offset = offset;
	header->payload_length += 0x100;
	assert_refused(fixture, -EINVAL, "payload does not lie within");
	header->payload_length = 3;
	assert_refused(fixture, -EINVAL, "payload does not lie within");
}

static void promise(struct fixture *fixture, uint32_t size)
{
	struct linux_setup_header *header = kernel_setup_header(&fixture->kernel);

	memcpy(fixture->kernel.bytes + KERNEL_PROTECTED_MODE + header->payload_offset +
		       header->payload_length - 4,
	       &size, sizeof(size));
}

static void test_payload_that_lies_about_its_size_is_refused(void **state)
{
	struct fixture *fixture = *state;

	promise(fixture, (uint32_t)fixture->vmlinux.size - 1);
	assert_refused(fixture, -EINVAL, "longer than the size that it promises");
	promise(fixture, 0xffffffff);
	assert_refused(fixture, -EINVAL, "promises a size that cannot be");
	promise(fixture, 0);
	assert_refused(fixture, -EINVAL, "promises a size that cannot be");
	promise(fixture, (uint32_t)fixture->vmlinux.size + 1000);
	assert_loads(fixture);
}

static void test_payload_that_cannot_be_unpacked_is_refused(void **state)
{
	struct fixture *fixture = *state;

	fake_decompress_result = -EINVAL;
	assert_refused(fixture, -EINVAL, "xz payload cannot be unpacked");
	fake_decompress_result = -EOPNOTSUPP;
	assert_refused(fixture, -EOPNOTSUPP, "--kaslr");
	fake_decompress_result = -ENOMEM;
	assert_refused(fixture, -ENOMEM, "cannot be unpacked here");
}

static void test_unknown_packing_is_refused(void **state)
{
	struct fixture *fixture = *state;

	fixture->kernel.bytes[KERNEL_PROTECTED_MODE +
			      kernel_setup_header(&fixture->kernel)->payload_offset] ^= 1;
	assert_refused(fixture, -EOPNOTSUPP, "packed in a way that is not known");
}

static void test_payload_that_is_no_kernel_is_refused(void **state)
{
	struct fixture *fixture = *state;

	memset(fixture->vmlinux.bytes, 'x', 64);
	replace_kernel(fixture, &fixture->vmlinux, OS_CODEC_ZSTD);
	assert_refused(fixture, -EINVAL, "ELF magic");
}

static void test_payload_for_another_place_is_refused(void **state)
{
	static const uint64_t places[] = {0x90000, 0xa0000, GUEST_SIZE - 4096, 5 * GIB,
					  UINT64_MAX - 0xfff};
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(places); i++) {
		kernel_phdr64(&fixture->vmlinux, 3)->p_paddr = places[i];
		replace_kernel(fixture, &fixture->vmlinux, OS_CODEC_LZ4);
		assert_true(guest_load(&fixture->guest, &fixture->kernel) < 0);
		assert_true(strlen(fixture->guest.why.text) > 20);
	}
}

static void test_guest_too_small_is_refused_with_sizes(void **state)
{
	struct fixture *fixture = *state;

	guest_destroy(&fixture->guest);
	guest_create(&fixture->guest, 20 * MIB);
	assert_refused(
		fixture, -ENOMEM,
		"kernel needs memory up to 24 MiB and the guest has 20 MiB: give it more with "
		"--memory");
	fixture->guest.request.kaslr = true;
	kernel_setup_header(&fixture->kernel)->init_size = 24 * MIB;
	assert_refused(fixture, -ENOMEM, "--memory");
}

static void test_preferred_address_that_wraps_is_refused(void **state)
{
	struct fixture *fixture = *state;

	kernel_setup_header(&fixture->kernel)->pref_address = UINT64_MAX - 4096;
	assert_refused(fixture, -EINVAL, "damaged");
	kernel_setup_header(&fixture->kernel)->pref_address = 0;
	assert_refused(fixture, -EINVAL, "something else than memory");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_every_codec_is_unpacked_and_entered),
		TEST(test_nothing_of_the_unpacked_file_stays_behind),
		TEST(test_segments_in_any_order_are_loaded),
		TEST(test_boot_params_hold_the_files_header_and_ours),
		TEST(test_a_header_longer_than_known_stays_in_its_place),
		TEST(test_paging_maps_the_first_4_gib_onto_themselves),
		TEST(test_gdt_has_64_bit_code_and_data),
		TEST(test_kaslr_enters_the_guests_own_decompressor),
		TEST(test_kaslr_takes_another_place_when_the_preferred_one_is_no_ram),
		TEST(test_initrd_stands_as_high_as_ram_goes),
		TEST(test_initrd_obeys_the_kernels_limit),
		TEST(test_initrd_goes_above_4_gib_when_it_must_and_may),
		TEST(test_initrd_goes_below_the_kernel_when_there_is_no_room_above),
		TEST(test_initrd_that_does_not_fit_is_refused_with_sizes),
		TEST(test_empty_initrd_is_refused),
		TEST(test_command_line_may_be_as_long_as_the_kernel_says),
		TEST(test_any_cut_short_kernel_is_refused),
		TEST(test_header_without_boot_flag_is_refused),
		TEST(test_header_too_short_for_its_protocol_is_refused),
		TEST(test_old_protocol_is_refused),
		TEST(test_32_bit_kernel_is_refused),
		TEST(test_payload_outside_the_file_is_refused),
		TEST(test_payload_that_lies_about_its_size_is_refused),
		TEST(test_payload_that_cannot_be_unpacked_is_refused),
		TEST(test_unknown_packing_is_refused),
		TEST(test_payload_that_is_no_kernel_is_refused),
		TEST(test_payload_for_another_place_is_refused),
		TEST(test_guest_too_small_is_refused_with_sizes),
		TEST(test_preferred_address_that_wraps_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
