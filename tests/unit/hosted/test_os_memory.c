/* SPDX-License-Identifier: MIT */
/*
 * test_os_memory.c - guest RAM, the host's limits, files, and unpacking of kernel payloads.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <lz4.h>
#include <lz4hc.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/bits.h"
#include "type2/process/process.h"
#include "type2/process/ram_limit.h"

static char directory[] = "/tmp/dyad-test-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *content)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* --- Memory
 * --------------------------------------------------------------------------------------- */

static void test_allocation_is_zeroed_and_aligned(void **state)
{
	(void)state;
	for (size_t size = 0; size < 300; size += 7) {
		uint8_t *memory = os_alloc(size);

		assert_non_null(memory);
		assert_true(is_aligned((uintptr_t)memory, 16));
		for (size_t i = 0; i < size; i++)
			assert_int_equal(memory[i], 0);
		memset(memory, 0xff, size);
		os_free(memory);
	}
	os_free(NULL);
}

static void test_ram_is_zero_and_reads_zero_after_discard(void **state)
{
	const uint64_t size = 64 * MIB + 4096;
	struct error why;
	uint8_t *ram;
	void *mapped;

	(void)state;
	assert_int_equal(os_ram_map(size, &mapped, &why), 0);
	ram = mapped;
	/* In the largest pages that fit: it begins where one can. */
	assert_true(is_aligned((uintptr_t)ram, 2 * MIB));
	assert_int_equal(ram[0] | ram[size - 1], 0);
	ram[0] = ram[4096] = ram[size - 1] = 1;
	os_ram_discard(ram + 4096, size - 4096);
	assert_int_equal(ram[0], 1);
	assert_int_equal(ram[4096] | ram[size - 1], 0);
	os_ram_unmap(ram, size);
	os_ram_unmap(NULL, size);
}

static void test_more_ram_than_the_host_has_is_refused_with_the_numbers(void **state)
{
	struct error why;
	void *ram;

	(void)state;
	assert_int_equal(os_ram_map(UINT64_C(1) << 45, &ram, &why), -ENOMEM);
	assert_non_null(strstr(why.text, "33554432 MiB"));
	assert_non_null(strstr(why.text, "ask for less"));
	assert_int_equal(os_ram_map(4097, &ram, &why), -EINVAL);
	assert_int_equal(os_ram_map(0, &ram, &why), -EINVAL);
	assert_int_equal(os_ram_map(UINT64_MAX - 4095, &ram, &why), -EINVAL);
}

/* --- The host's limits
 * ------------------------------------------------------------------------------ */

static void make_host(const char *cgroup)
{
	static const char *const directories[] = {"proc",
						  "proc/self",
						  "sys",
						  "sys/fs",
						  "sys/fs/cgroup",
						  "sys/fs/cgroup/a",
						  "sys/fs/cgroup/a/b",
						  "sys/fs/cgroup/memory",
						  "sys/fs/cgroup/memory/a"};

	for (size_t i = 0; i < ARRAY_COUNT(directories); i++)
		mkdir(path_of(directories[i]), 0755);
	write_file("proc/meminfo",
		   "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:   600 kB\n"
		   "SwapTotal:       100 kB\nSwapFree:         50 kB\n");
	write_file("proc/self/cgroup", cgroup);
}

static void test_limits_are_those_of_all_cgroups_above(void **state)
{
	struct ram_limit limit;

	(void)state;
	make_host("0::/a/b\n");
	write_file("sys/fs/cgroup/a/memory.max", "409600\n");
	write_file("sys/fs/cgroup/a/b/memory.max", "max\n");
	ram_limit_read(directory, &limit);
	assert_int_equal(limit.host, 1100 * KIB);
	assert_int_equal(limit.available, 650 * KIB);
	assert_int_equal(limit.cgroup, 409600);
	write_file("sys/fs/cgroup/a/b/memory.max", "4096\n");
	ram_limit_read(directory, &limit);
	assert_int_equal(limit.cgroup, 4096);
}

static void test_limits_of_version_1_cgroups(void **state)
{
	struct ram_limit limit;

	(void)state;
	make_host("5:cpu,cpuacct:/a\n4:hugetlb,memory:/a\n1:name=systemd:/\n0::/\n");
	write_file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	write_file("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
	ram_limit_read(directory, &limit);
	assert_true(limit.cgroup == UINT64_MAX);
	write_file("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "8192\n");
	ram_limit_read(directory, &limit);
	assert_int_equal(limit.cgroup, 8192);
}

static void test_unknown_limits_limit_nothing(void **state)
{
	struct ram_limit limit;

	(void)state;
	ram_limit_read("/nowhere", &limit);
	assert_true(limit.host == UINT64_MAX && limit.available == UINT64_MAX);
	assert_true(limit.cgroup == UINT64_MAX);
}

/* --- Files
 * ------------------------------------------------------------------------------------------ */

static void test_file_is_read_exactly(void **state)
{
	struct os_file *file;
	struct error why;
	char text[8] = "";

	(void)state;
	write_file("file", "0123456789");
	assert_int_equal(os_file_open(path_of("file"), &file, &why), 0);
	assert_int_equal(os_file_size(file), 10);
	assert_int_equal(os_file_read(file, 3, text, 4), 0);
	assert_string_equal(text, "3456");
	assert_int_equal(os_file_read(file, 7, text, 3), 0);
	assert_int_equal(os_file_read(file, 7, text, 4), -EIO);
	assert_int_equal(os_file_read(file, UINT64_MAX, text, 1), -EIO);
	assert_int_equal(truncate(path_of("file"), 2), 0);
	assert_int_equal(os_file_read(file, 0, text, 4), -EIO);
	os_file_close(file);
	os_file_close(NULL);
}

static void expect_open_error(const char *path, int error, const char *words)
{
	struct os_file *file;
	struct error why;

	assert_int_equal(os_file_open(path, &file, &why), error);
	assert_non_null(strstr(why.text, path));
	assert_non_null(strstr(why.text, words));
}

static void test_what_is_no_file_is_refused_with_a_sentence(void **state)
{
	(void)state;
	expect_open_error(path_of("missing"), -ENOENT, "there is no file");
	expect_open_error(directory, -EISDIR, "is a directory");
	expect_open_error("/dev/null", -EINVAL, "is a character device");
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	expect_open_error(path_of("fifo"), -EINVAL, "is a pipe");
}

static void test_unreadable_file_is_refused_with_a_sentence(void **state)
{
	(void)state;
	write_file("secret", "x");
	assert_int_equal(chmod(path_of("secret"), 0), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	/* Root may read everything, so not as root. */
	if (getuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	expect_open_error(path_of("secret"), -EACCES, "no right to read");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

/* --- Unpacking
 * --------------------------------------------------------------------------------------- */

#define PLAIN_SIZE (9 * (size_t)MIB + 123) /* more than one chunk of lz4 */

struct packed {
	uint8_t *bytes;
	size_t size;
};

static uint8_t *plain, *unpacked;

/* Text that packs, but not to nothing. */
static int make_plain(void **state)
{
	uint32_t random = 1;

	(void)state;
	plain = malloc(PLAIN_SIZE);
	unpacked = malloc(PLAIN_SIZE + 64);
	for (size_t i = 0; i < PLAIN_SIZE; i++) {
		random = random * 1664525 + 1013904223;
		plain[i] = (uint8_t)("abcdefghijklmnop"[(random >> 28) & ((i >> 12) % 16)]);
	}
	return 0;
}

static int free_plain(void **state)
{
	(void)state;
	free(plain);
	free(unpacked);
	return 0;
}

static struct packed pack_gzip(size_t size)
{
	struct packed packed = {malloc(size + 4096), size + 4096};
	z_stream stream = {.next_in = plain, .avail_in = (uInt)size};

	assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16, 8, 0), Z_OK);
	stream.next_out = packed.bytes;
	stream.avail_out = (uInt)packed.size;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	packed.size = stream.total_out;
	deflateEnd(&stream);
	return packed;
}

static struct packed pack_lzma(size_t size, bool alone)
{
	struct packed packed = {malloc(size + 4096), size + 4096};
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	assert_false(lzma_lzma_preset(&options, 0));
	if (alone)
		assert_int_equal(lzma_alone_encoder(&stream, &options), LZMA_OK);
	else
		assert_int_equal(lzma_easy_encoder(&stream, 0, LZMA_CHECK_CRC32), LZMA_OK);
	stream.next_in = plain;
	stream.avail_in = size;
	stream.next_out = packed.bytes;
	stream.avail_out = packed.size;
	assert_int_equal(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
	packed.size = stream.total_out;
	lzma_end(&stream);
	return packed;
}

static struct packed pack_zstd(size_t size)
{
	struct packed packed = {malloc(size + 4096), size + 4096};
	ZSTD_CCtx *context = ZSTD_createCCtx();

	/* A window as large as Linux packs itself with. */
	ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
	ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 0);
	packed.size = ZSTD_compress2(context, packed.bytes, packed.size, plain, size);
	assert_false(ZSTD_isError(packed.size));
	ZSTD_freeCCtx(context);
	return packed;
}

static struct packed pack_lz4(size_t size)
{
	const size_t chunk = 8 * MIB;
	struct packed packed = {malloc(size + MIB), 4};

	store_le32(packed.bytes, 0x184c2102);
	for (size_t at = 0; at < size; at += chunk) {
		int length = LZ4_compress_default((char *)plain + at,
						  (char *)packed.bytes + packed.size + 4,
						  (int)MIN(chunk, size - at), (int)(9 * MIB));

		assert_true(length > 0);
		store_le32(packed.bytes + packed.size, (uint32_t)length);
		packed.size += 4 + (size_t)length;
	}
	return packed;
}

static struct packed pack(enum os_codec codec, size_t size)
{
	switch (codec) {
	case OS_CODEC_GZIP:
		return pack_gzip(size);
	case OS_CODEC_XZ:
		return pack_lzma(size, false);
	case OS_CODEC_LZMA:
		return pack_lzma(size, true);
	case OS_CODEC_ZSTD:
		return pack_zstd(size);
	default:
		return pack_lz4(size);
	}
}

static const enum os_codec codecs[] = {OS_CODEC_GZIP, OS_CODEC_XZ, OS_CODEC_LZMA, OS_CODEC_ZSTD,
				       OS_CODEC_LZ4};

static void test_each_codec_unpacks_what_was_packed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
		struct packed packed = pack(codecs[i], PLAIN_SIZE);

		memset(unpacked, 0xee, PLAIN_SIZE + 64);
		/* Into exactly as much as it needs, and no byte further. */
		assert_int_equal(
			os_decompress(codecs[i], packed.bytes, packed.size, unpacked, PLAIN_SIZE),
			PLAIN_SIZE);
		assert_memory_equal(unpacked, plain, PLAIN_SIZE);
		assert_int_equal(unpacked[PLAIN_SIZE], 0xee);
		free(packed.bytes);
	}
}

static void test_bytes_behind_the_stream_are_ignored(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
		struct packed packed = pack(codecs[i], PLAIN_SIZE);

		/* Linux puts the unpacked size there. */
		packed.bytes = realloc(packed.bytes, packed.size + 4);
		store_le32(packed.bytes + packed.size, PLAIN_SIZE);
		assert_int_equal(os_decompress(codecs[i], packed.bytes, packed.size + 4, unpacked,
					       PLAIN_SIZE + 64),
				 PLAIN_SIZE);
		assert_memory_equal(unpacked, plain, PLAIN_SIZE);
		free(packed.bytes);
	}
}

static void test_full_last_chunk_of_lz4_with_a_size_behind_it(void **state)
{
	const size_t size = 8 * MIB;
	struct packed packed = pack_lz4(size);

	(void)state;
	assert_int_equal(os_decompress(OS_CODEC_LZ4, packed.bytes, packed.size, unpacked, size),
			 size);
	store_le32(packed.bytes + packed.size, 40 * MIB);
	assert_int_equal(os_decompress(OS_CODEC_LZ4, packed.bytes, packed.size + 4, unpacked, size),
			 size);
	free(packed.bytes);
}

static void test_too_small_a_buffer_is_told_from_damage(void **state)
{
	static const size_t capacities[] = {0, 1, 4096, PLAIN_SIZE - 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
		struct packed packed = pack(codecs[i], PLAIN_SIZE);

		for (size_t j = 0; j < ARRAY_COUNT(capacities); j++)
			assert_int_equal(os_decompress(codecs[i], packed.bytes, packed.size,
						       unpacked, capacities[j]),
					 -ENOSPC);
		free(packed.bytes);
	}
}

static void test_cut_stream_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
		struct packed packed = pack(codecs[i], 100000);
		const size_t cuts[] = {0, 1, 5, 20, packed.size / 2, packed.size - 1};

		for (size_t j = 0; j < ARRAY_COUNT(cuts); j++) {
			/* A copy of just that size, so that reading further is seen. */
			uint8_t *cut = malloc(cuts[j] ? cuts[j] : 1);

			memcpy(cut, packed.bytes, cuts[j]);
			assert_int_equal(
				os_decompress(codecs[i], cut, cuts[j], unpacked, PLAIN_SIZE),
				-EINVAL);
			free(cut);
		}
		free(packed.bytes);
	}
}

static void test_damaged_stream_is_an_error_and_writes_nothing_outside(void **state)
{
	const size_t size = 100000;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
		struct packed packed = pack(codecs[i], size);
		uint32_t random = 7;

		for (int round = 0; round < 200; round++) {
			uint8_t *copy = malloc(packed.size), *buffer = malloc(size);
			int64_t result;

			memcpy(copy, packed.bytes, packed.size);
			for (int flips = 0; flips < 3; flips++) {
				random = random * 1664525 + 1013904223;
				copy[random % packed.size] ^= (uint8_t)(random >> 24) | 1;
			}
			result = os_decompress(codecs[i], copy, packed.size, buffer, size);
			assert_true(result <= (int64_t)size);
			free(copy);
			free(buffer);
		}
		free(packed.bytes);
	}
	assert_int_equal(os_decompress((enum os_codec)99, plain, 10, unpacked, 10), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest files[] = {
		cmocka_unit_test(test_allocation_is_zeroed_and_aligned),
		cmocka_unit_test(test_ram_is_zero_and_reads_zero_after_discard),
		cmocka_unit_test(test_more_ram_than_the_host_has_is_refused_with_the_numbers),
		cmocka_unit_test(test_limits_are_those_of_all_cgroups_above),
		cmocka_unit_test(test_limits_of_version_1_cgroups),
		cmocka_unit_test(test_unknown_limits_limit_nothing),
		cmocka_unit_test(test_file_is_read_exactly),
		cmocka_unit_test(test_what_is_no_file_is_refused_with_a_sentence),
		cmocka_unit_test(test_unreadable_file_is_refused_with_a_sentence),
	};
	const struct CMUnitTest codec_tests[] = {
		cmocka_unit_test(test_each_codec_unpacks_what_was_packed),
		cmocka_unit_test(test_bytes_behind_the_stream_are_ignored),
		cmocka_unit_test(test_full_last_chunk_of_lz4_with_a_size_behind_it),
		cmocka_unit_test(test_too_small_a_buffer_is_told_from_damage),
		cmocka_unit_test(test_cut_stream_is_refused),
		cmocka_unit_test(test_damaged_stream_is_an_error_and_writes_nothing_outside),
	};
	int failed;

	process_init();
	failed = cmocka_run_group_tests(files, make_directory, remove_directory);
	return failed + cmocka_run_group_tests(codec_tests, make_plain, free_plain);
}
