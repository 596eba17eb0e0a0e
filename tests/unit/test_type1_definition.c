/* SPDX-License-Identifier: MIT */
/* Reading compiled definitions: what is in a sound one, and that no damaged one is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/errno.h>

#include "abi/definition.h"
#include "lib/bits.h"
#include "monitor/vm_definition.h"

#define TEXTS "web\0kernel\0quiet\0initrd\0module\0disk\0serial-20-characters\0tap0"

struct sound {
	struct definition_header header;
	struct definition_vm vm;
	struct definition_module modules[1];
	struct definition_disk disks[1];
	struct definition_net nets[2];
	char texts[sizeof(TEXTS)];
};

static struct sound sound;
static struct vm_config config;
static struct error why;

static struct definition_text text_of(const char *text)
{
	struct definition_text place = {.length = (uint32_t)strlen(text)};

	while (strcmp(sound.texts + place.offset, text) != 0)
		place.offset += (uint32_t)strlen(sound.texts + place.offset) + 1;
	return place;
}

static int set_up(void **state)
{
	static const struct definition_text none = {.offset = DEFINITION_NO_TEXT};

	(void)state;
	memset(&sound, 0, sizeof(sound));
	memcpy(sound.texts, TEXTS, sizeof(TEXTS));
	sound.vm = (struct definition_vm){
		.name = text_of("web"),
		.kernel = text_of("kernel"),
		.append = text_of("quiet"),
		.initrd = text_of("initrd"),
		.memory = 256 * MIB,
		.cpus = 3,
		.flags = DEFINITION_RNG | DEFINITION_TEST_DEVICE,
		.console = DEFINITION_CONSOLE_VIRTIO,
		.modules = 1,
		.disks = 1,
		.nets = 2,
	};
	sound.modules[0] = (struct definition_module){.path = text_of("module"), .arguments = none};
	sound.disks[0] = (struct definition_disk){
		.path = text_of("disk"),
		.serial = text_of("serial-20-characters"),
		.flags = DEFINITION_DISK_READ_ONLY | DEFINITION_DISK_UNCACHED,
	};
	sound.nets[0] = (struct definition_net){
		.tap = none,
		.kind = DEFINITION_NET_USER,
		.forwards = 1,
		.mac = {2, 1, 2, 3, 4, 5},
		.rate = 5000000,
		.forward = {{.host_address = 0x7f000001,
			     .host_port = 2222,
			     .guest_port = 22,
			     .protocol = DEFINITION_UDP}},
	};
	sound.nets[1] = (struct definition_net){.tap = text_of("tap0"), .kind = DEFINITION_NET_TAP};
	return 0;
}

static int read_bytes(const void *bytes, size_t size)
{
	why.text[0] = '\0';
	return vm_definition_read(bytes, size, &config, &why);
}

static void seal(void)
{
	sound.header = (struct definition_header){
		.magic = DEFINITION_MAGIC,
		.version = DEFINITION_VERSION,
		.size = sizeof(sound),
		.checksum = definition_checksum(&sound.vm, sizeof(sound) - sizeof(sound.header)),
	};
}

/* Whatever is wrong is told: one sentence that has words. */
static void assert_refused(const char *words)
{
	seal();
	assert_int_equal(read_bytes(&sound, sizeof(sound)), -EINVAL);
	if (strstr(why.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, words);
}

static void everything_is_taken_over(void **state)
{
	(void)state;
	seal();
	assert_int_equal(read_bytes(&sound, sizeof(sound)), 0);
	assert_string_equal(config.name, "web");
	assert_string_equal(config.kernel, "kernel");
	assert_string_equal(config.append, "quiet");
	assert_string_equal(config.initrd, "initrd");
	assert_int_equal(config.memory, 256 * MIB);
	assert_int_equal(config.cpus, 3);
	assert_int_equal(config.console, VM_CONSOLE_VIRTIO);
	assert_true(config.rng && config.test_device && !config.kaslr && !config.balloon);
	assert_int_equal(config.module_count, 1);
	assert_string_equal(config.modules[0].path, "module");
	assert_null(config.modules[0].arguments);
	assert_int_equal(config.disk_count, 1);
	assert_string_equal(config.disks[0].path, "disk");
	assert_string_equal(config.disks[0].serial, "serial-20-characters");
	assert_true(config.disks[0].read_only && !config.disks[0].discard);
	assert_int_equal(config.disks[0].cache, OS_BLOCK_NONE);
	assert_int_equal(config.net_count, 2);
	assert_int_equal(config.nets[0].kind, OS_NET_USER);
	assert_null(config.nets[0].tap);
	assert_memory_equal(config.nets[0].mac, "\2\1\2\3\4\5", 6);
	assert_int_equal(config.nets[0].rate, 5000000);
	assert_int_equal(config.nets[0].forward_count, 1);
	assert_int_equal(config.nets[0].forwards[0].protocol, OS_NET_UDP);
	assert_int_equal(config.nets[0].forwards[0].host_address, 0x7f000001);
	assert_int_equal(config.nets[0].forwards[0].host_port, 2222);
	assert_int_equal(config.nets[0].forwards[0].guest_port, 22);
	assert_int_equal(config.nets[1].kind, OS_NET_TAP);
	assert_string_equal(config.nets[1].tap, "tap0");
}

static void it_is_read_at_any_alignment(void **state)
{
	static uint8_t shifted[sizeof(struct sound) + 1];

	(void)state;
	seal();
	memcpy(shifted + 1, &sound, sizeof(sound));
	assert_int_equal(read_bytes(shifted + 1, sizeof(sound)), 0);
	assert_string_equal(config.name, "web");
}

static void any_that_is_cut_or_changed_is_refused(void **state)
{
	(void)state;
	seal();
	for (size_t size = 0; size < sizeof(sound); size++)
		assert_int_equal(read_bytes(&sound, size), -EINVAL);
	for (size_t i = 0; i < sizeof(sound); i++) {
		((uint8_t *)&sound)[i] ^= 0x40;
		assert_int_equal(read_bytes(&sound, sizeof(sound)), -EINVAL);
		assert_true(strlen(why.text) > 20);
		((uint8_t *)&sound)[i] ^= 0x40;
	}
	assert_int_equal(read_bytes(&sound, sizeof(sound)), 0);
}

static void another_version_is_told_as_such(void **state)
{
	(void)state;
	seal();
	sound.header.version++;
	assert_int_equal(read_bytes(&sound, sizeof(sound)), -EINVAL);
	assert_non_null(strstr(why.text, "version 3, and 2 is read here"));
}

static void strings_that_leave_their_table_are_refused(void **state)
{
	static const uint32_t offsets[] = {sizeof(TEXTS), UINT32_MAX - 1, UINT32_MAX, 1u << 31};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(offsets); i++) {
		sound.vm.name.offset = offsets[i];
		assert_refused("do not lie within");
	}
	sound.vm.name.offset = 0;
	sound.vm.append.length = sizeof(TEXTS);
	assert_refused("do not lie within");
	sound.vm.append.length = UINT32_MAX;
	assert_refused("do not lie within");
}

static void strings_that_do_not_end_where_they_say_are_refused(void **state)
{
	(void)state;
	sound.vm.append.length--;
	assert_refused("do not end where");
	sound.vm.append.length += 2;
	assert_refused("do not end where");
	sound.vm.append.length--;
	sound.texts[sizeof(TEXTS) - 1] = 'x';
	assert_refused("do not end where");
}

static void what_is_necessary_is_demanded(void **state)
{
	static const struct definition_text none = {.offset = DEFINITION_NO_TEXT};
	struct definition_text *const needed[] = {&sound.vm.name, &sound.vm.kernel,
						  &sound.vm.append, &sound.modules[0].path,
						  &sound.disks[0].path};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(needed); i++) {
		struct definition_text was = *needed[i];

		*needed[i] = none;
		assert_refused("is damaged");
		*needed[i] = was;
	}
	sound.vm.initrd = (struct definition_text){.offset = DEFINITION_NO_TEXT, .length = 1};
	assert_refused("length where there is none");
}

#define REFUSES(field, value, words)                                                               \
	do {                                                                                       \
		__typeof__(field) was = (field);                                                   \
		(field) = (value);                                                                 \
		assert_refused(words);                                                             \
		(field) = was;                                                                     \
	} while (0)

static void limits_of_a_vm_are_kept(void **state)
{
	(void)state;
	REFUSES(sound.vm.memory, 0, "memory");
	REFUSES(sound.vm.memory, VM_MEMORY_MIN - 4096, "memory");
	REFUSES(sound.vm.memory, 256 * MIB + 1, "memory");
	REFUSES(sound.vm.cpus, 0, "number of CPUs");
	REFUSES(sound.vm.cpus, VM_CPUS_MAX + 1, "number of CPUs");
	REFUSES(sound.vm.flags, 1u << 4, "flags");
	REFUSES(sound.vm.console, DEFINITION_CONSOLES, "console");
	REFUSES(sound.vm.modules, VM_MODULES_MAX + 1, "more than a VM can have");
	REFUSES(sound.vm.disks, VM_DISKS_MAX + 1, "more than a VM can have");
	REFUSES(sound.vm.nets, VM_NETS_MAX + 1, "more than a VM can have");
	REFUSES(sound.vm.nets, VM_NETS_MAX, "do not fit");
	REFUSES(sound.disks[0].flags, 1u << 3, "flags");
	REFUSES(sound.disks[0].reserved, 1, "flags");
}

static void networks_are_looked_at(void **state)
{
	(void)state;
	REFUSES(sound.nets[0].kind, 2, "kind");
	REFUSES(sound.nets[0].kind, DEFINITION_NET_TAP, "interface");
	REFUSES(sound.nets[1].kind, DEFINITION_NET_USER, "interface");
	REFUSES(sound.nets[0].reserved[1], 1, "kind");
	REFUSES(sound.nets[0].forwards, DEFINITION_FORWARDS + 1, "forwards");
	REFUSES(sound.nets[0].forwards, 2, "no port");
	REFUSES(sound.nets[0].forward[0].protocol, 2, "protocol");
	REFUSES(sound.nets[0].forward[0].host_port, 0, "no port");
}

static void a_serial_number_that_is_too_long_is_refused(void **state)
{
	(void)state;
	/* "disk\0serial..." as one string, which only a table without the zero between has. */
	sound.texts[sound.disks[0].path.offset + sound.disks[0].path.length] = '-';
	sound.disks[0].serial.offset = sound.disks[0].path.offset;
	sound.disks[0].serial.length += sound.disks[0].path.length + 1;
	sound.disks[0].path = sound.disks[0].serial;
	assert_refused("longer than they may be");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, set_up)
	const struct CMUnitTest tests[] = {
		T(everything_is_taken_over),
		T(it_is_read_at_any_alignment),
		T(any_that_is_cut_or_changed_is_refused),
		T(another_version_is_told_as_such),
		T(strings_that_leave_their_table_are_refused),
		T(strings_that_do_not_end_where_they_say_are_refused),
		T(what_is_necessary_is_demanded),
		T(limits_of_a_vm_are_kept),
		T(networks_are_looked_at),
		T(a_serial_number_that_is_too_long_is_refused),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
