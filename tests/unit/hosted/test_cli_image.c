/* SPDX-License-Identifier: MIT */
/*
 * What 'dyad image' puts into an image: definitions that the monitor reads back as they were, and
 * kernels unpacked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "cli/definition.h"
#include "cli/definition_compile.h"
#include "cli/image.h"
#include "hw/linux_boot.h"
#include "lib/bits.h"
#include "monitor/vm_definition.h"

static struct definition definition;
static struct image_folder folder;
static char work[] = "/tmp/dyad-test-XXXXXX";
static struct error why;

static int begin(void **state)
{
	char output[64];

	(void)state;
	strcpy(work, "/tmp/dyad-test-XXXXXX");
	assert_non_null(mkdtemp(work));
	snprintf(output, sizeof(output), "%s/host.iso", work);
	definition_begin(&definition);
	return image_folder_begin(&folder, output, &why);
}

/* Nothing of the image's may be left in the folder. */
static int end(void **state)
{
	char command[64];
	struct stat status;

	(void)state;
	strcpy(command, folder.path);
	image_folder_end(&folder);
	assert_true(stat(command, &status) < 0);
	definition_end(&definition);
	snprintf(command, sizeof(command), "rm -r %s", work);
	return system(command);
}

static const char *work_path(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", work, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	FILE *file = fopen(work_path(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

#define CONTENT_MAX 65536

/* Of the image's content, as GRUB gives it to the runtime; to be freed. */
static uint8_t *read_content(const char *path, size_t *size)
{
	char whole[IMAGE_PATH_MAX + 128];
	uint8_t *bytes;
	gzFile file;
	int got;

	snprintf(whole, sizeof(whole), "%s/" IMAGE_CONTENT "/%s", folder.path, path);
	bytes = malloc(CONTENT_MAX);
	/* Also reads what is not gzipped. */
	file = gzopen(whole, "r");
	assert_non_null(file);
	got = gzread(file, bytes, CONTENT_MAX);
	assert_true(got >= 0 && got < CONTENT_MAX);
	gzclose(file);
	*size = (size_t)got;
	return bytes;
}

/* --- Definitions ----------------------------------------------------------------------------- */

static void assert_same_text(const char *a, const char *b)
{
	assert_true((a == NULL) == (b == NULL));
	if (a != NULL)
		assert_string_equal(a, b);
}

static void assert_same(const struct vm_config *a, const struct vm_config *b)
{
	assert_same_text(a->name, b->name);
	assert_same_text(a->kernel, b->kernel);
	assert_same_text(a->initrd, b->initrd);
	assert_same_text(a->append, b->append);
	assert_true(a->memory == b->memory && a->cpus == b->cpus && a->console == b->console);
	assert_true(a->kaslr == b->kaslr && a->rng == b->rng && a->balloon == b->balloon &&
		    a->test_device == b->test_device);
	assert_int_equal(a->module_count, b->module_count);
	for (unsigned i = 0; i < a->module_count; i++) {
		assert_same_text(a->modules[i].path, b->modules[i].path);
		assert_same_text(a->modules[i].arguments, b->modules[i].arguments);
	}
	assert_int_equal(a->disk_count, b->disk_count);
	for (unsigned i = 0; i < a->disk_count; i++) {
		const struct vm_disk_config *x = &a->disks[i], *y = &b->disks[i];

		assert_same_text(x->path, y->path);
		assert_same_text(x->serial, y->serial);
		assert_true(x->read_only == y->read_only && x->discard == y->discard &&
			    x->cache == y->cache);
	}
	assert_int_equal(a->net_count, b->net_count);
	for (unsigned i = 0; i < a->net_count; i++) {
		assert_int_equal(a->nets[i].kind, b->nets[i].kind);
		assert_same_text(a->nets[i].tap, b->nets[i].tap);
		assert_memory_equal(a->nets[i].mac, b->nets[i].mac, 6);
		assert_int_equal(a->nets[i].forward_count, b->nets[i].forward_count);
		assert_memory_equal(a->nets[i].forwards, b->nets[i].forwards,
				    a->nets[i].forward_count * sizeof(a->nets[i].forwards[0]));
	}
}

static void assert_compiles(const char *text)
{
	struct vm_config back;
	void *bytes = NULL;
	size_t size;

	if (definition_read_text(&definition, text, strlen(text), "/vm.json", &why) < 0 ||
	    definition_finish(&definition, &why) < 0 ||
	    definition_compile(&definition.config, &bytes, &size, &why) < 0 ||
	    vm_definition_read(bytes, size, &back, &why) < 0)
		fail_msg("%s", why.text);
	assert_same(&definition.config, &back);
	free(bytes);
}

static void a_small_definition_reads_back_as_the_same(void **state)
{
	(void)state;
	assert_compiles("{\"kernel\": \"k\"}");
}

static void every_key_reads_back_as_the_same(void **state)
{
	(void)state;
	assert_compiles(
		"{\"name\": \"web\", \"kernel\": \"k\", \"initrd\": \"i\", \"append\": \"\","
		" \"kaslr\": true, \"cpus\": 64, \"memory\": \"6G\", \"console\": \"none\","
		" \"modules\": [{\"file\": \"m\", \"arguments\": \"a b\"}, {\"file\": \"n\"}],"
		" \"disks\": [{\"file\": \"d\", \"ro\": true, \"cache\": \"none\"},"
		"  {\"file\": \"e\", \"discard\": true, \"serial\": \"01234567890123456789\"}],"
		" \"nets\": [{\"type\": \"tap\", \"interface\": \"tap0\"}, {\"type\": \"user\","
		"  \"hostfwd\": [\"tcp:127.0.0.1:2222-:22\", \"udp::53-10.0.2.15:53\"]}],"
		" \"rng\": false, \"balloon\": false, \"test-device\": true}");
}

static void one_that_is_too_long_is_refused(void **state)
{
	char *append = malloc(2 * MIB);
	void *bytes;
	size_t size;

	(void)state;
	memset(append, 'a', 2 * MIB);
	append[2 * MIB - 1] = '\0';
	definition.config = (struct vm_config){.name = "a", .kernel = "k", .append = append};
	assert_true(definition_compile(&definition.config, &bytes, &size, &why) < 0);
	assert_non_null(strstr(why.text, "longer than 1 MiB"));
	free(append);
}

/* --- Kernels --------------------------------------------------------------------------------- */

#define SETUP_SIZE (2 * LINUX_SECTOR)
#define PAYLOAD_OFFSET 64

static const char content[] = "a vmlinux that says this again: a vmlinux that says this again";

/* A bzImage whose payload is content, packed by gzip. */
static size_t make_kernel(uint8_t *file, size_t room)
{
	struct linux_setup_header *header = (void *)(file + LINUX_SETUP_HEADER);
	uint8_t *packed = file + SETUP_SIZE + PAYLOAD_OFFSET;
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)content,
			   .avail_in = sizeof(content),
			   .next_out = packed,
			   .avail_out = (uInt)(room - SETUP_SIZE - PAYLOAD_OFFSET)};

	memset(file, 0, room);
	memset(file, 0x11, LINUX_SETUP_HEADER);
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, 0), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	*header = (struct linux_setup_header){
		.setup_sects = 1,
		.boot_flag = LINUX_BOOT_FLAG,
		.header = LINUX_HEADER_MAGIC,
		.version = LINUX_PROTOCOL_2_12,
		.payload_offset = PAYLOAD_OFFSET,
		.payload_length = (uint32_t)stream.total_out,
		.init_size = 0x12345678,
	};
	deflateEnd(&stream);
	return SETUP_SIZE + PAYLOAD_OFFSET + stream.total_out;
}

static void a_packed_kernel_is_unpacked(void **state)
{
	struct linux_setup_header *header;
	uint8_t file[4096], *got;
	size_t size, length = make_kernel(file, sizeof(file));
	bool gzipped;

	(void)state;
	write_file("vmlinuz", file, length);
	if (image_add_kernel(&folder, work_path("vmlinuz"), "dyad/0", &gzipped, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(gzipped);
	got = read_content("dyad/0", &size);
	assert_true(size > SETUP_SIZE);
	header = (void *)(got + LINUX_SETUP_HEADER);
	assert_memory_equal(got, file, LINUX_SETUP_HEADER);
	assert_int_equal(header->init_size, 0x12345678);
	assert_int_equal(header->payload_offset, 0);
	assert_int_equal(header->payload_length, sizeof(content) + 4);
	assert_int_equal(SETUP_SIZE + header->syssize * 16u, size);
	assert_memory_equal(got + SETUP_SIZE, content, sizeof(content));
	assert_int_equal(load_le32(got + SETUP_SIZE + sizeof(content)), sizeof(content));
	free(got);
}

static void another_file_stays_as_it_is(void **state)
{
	uint8_t *got;
	size_t size;
	bool gzipped;

	(void)state;
	write_file("guest.elf", content, sizeof(content));
	assert_int_equal(
		image_add_kernel(&folder, work_path("guest.elf"), "dyad/0", &gzipped, &why), 0);
	assert_false(gzipped);
	got = read_content("dyad/0", &size);
	assert_int_equal(size, sizeof(content));
	assert_memory_equal(got, content, sizeof(content));
	free(got);
}

static void a_damaged_kernel_is_refused(void **state)
{
	uint8_t file[4096];
	size_t length = make_kernel(file, sizeof(file));
	bool gzipped;

	(void)state;
	write_file("cut", file, length - 1);
	assert_true(image_add_kernel(&folder, work_path("cut"), "dyad/0", &gzipped, &why) < 0);
	assert_non_null(strstr(why.text, "does not lie within"));
	file[length - 1] ^= 0xff;
	write_file("size", file, length);
	assert_true(image_add_kernel(&folder, work_path("size"), "dyad/1", &gzipped, &why) < 0);
	assert_non_null(strstr(why.text, "promises a size"));
	file[length - 1] ^= 0xff;
	file[length - 10] ^= 0xff;
	write_file("payload", file, length);
	assert_true(image_add_kernel(&folder, work_path("payload"), "dyad/2", &gzipped, &why) < 0);
	assert_non_null(strstr(why.text, "can't be unpacked"));
}

/* --- VMs ------------------------------------------------------------------------------------- */

static void a_vm_names_its_files_as_the_image_does(void **state)
{
	struct definition web = {
		.config = {.name = "web", .append = "", .cpus = 2, .memory = 64 * MIB},
		.shares = {.weight = 200, .cap = 150, .host_cpus = BIT(0) | BIT(2) | BIT(3)},
	};
	struct vm_config *config = &web.config, back;
	char kernel[64], initrd[64];
	uint8_t *bytes;
	size_t size;

	(void)state;
	write_file("ker nel", content, sizeof(content));
	strcpy(kernel, work_path("ker nel"));
	write_file("initrd.img", content, sizeof(content));
	strcpy(initrd, work_path("initrd.img"));
	config->kernel = kernel;
	config->initrd = initrd;
	config->modules[0].path = initrd;
	config->module_count = 1;
	if (image_add_vm(&folder, &web, 0, true, &why) < 0)
		fail_msg("%s", why.text);
	/* The initrd is there but once. */
	assert_int_equal(folder.module_count, 4);
	assert_string_equal(folder.modules[0].name, "0/ker_nel");
	assert_string_equal(folder.modules[1].name, "1/initrd.img");
	assert_string_equal(folder.modules[2].name, "2/vm");
	assert_string_equal(folder.modules[3].name, "web");
	assert_string_equal(folder.modules[3].path, IMAGE_MONITOR);
	assert_string_equal(
		folder.modules[3].arguments,
		"process memory=83M weight=200 cap=1500 cpus=0,2-3 kvm screen module=2/vm");
	bytes = read_content(folder.modules[2].path, &size);
	assert_int_equal(vm_definition_read(bytes, size, &back, &why), 0);
	assert_string_equal(back.kernel, "0/ker_nel");
	assert_string_equal(back.initrd, "1/initrd.img");
	assert_string_equal(back.modules[0].path, "1/initrd.img");
	free(bytes);
}

static void an_image_has_no_more_files_than_the_runtime_takes(void **state)
{
	struct definition web = {
		.config = {.name = "web", .append = "", .cpus = 1, .memory = 64 * MIB},
	};
	char kernel[64];
	int error = 0;

	(void)state;
	write_file("kernel", content, sizeof(content));
	strcpy(kernel, work_path("kernel"));
	web.config.kernel = kernel;
	for (unsigned i = 0; error == 0 && i < IMAGE_MODULES_MAX; i++)
		error = image_add_vm(&folder, &web, 0, false, &why);
	assert_true(error < 0);
	assert_int_equal(folder.module_count, IMAGE_MODULES_MAX);
	assert_non_null(strstr(why.text, "more files than the 64"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_small_definition_reads_back_as_the_same),
		T(every_key_reads_back_as_the_same),
		T(one_that_is_too_long_is_refused),
		T(a_packed_kernel_is_unpacked),
		T(another_file_stays_as_it_is),
		T(a_damaged_kernel_is_refused),
		T(a_vm_names_its_files_as_the_image_does),
		T(an_image_has_no_more_files_than_the_runtime_takes),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
