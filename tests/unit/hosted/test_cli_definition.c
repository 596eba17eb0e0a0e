/* SPDX-License-Identifier: MIT */
/*
 * VM definitions: what JSON says comes out, what it may not say is refused with its place, defaults
 * are as documented, and what is written reads back as the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/definition.h"
#include "lib/bits.h"

static struct definition definition;
static struct error why;

static int begin(void **state)
{
	(void)state;
	definition_begin(&definition);
	return 0;
}

static int end(void **state)
{
	(void)state;
	definition_end(&definition);
	return 0;
}

static int read_as(const char *path, const char *text)
{
	definition_end(&definition);
	definition_begin(&definition);
	return definition_read_text(&definition, text, strlen(text), path, &why);
}

static int read_json(const char *text)
{
	return read_as("web.json", text);
}

static const char everything[] =
	"{\"name\": \"n1\", \"kernel\": \"k\", \"initrd\": \"/i\", \"append\": \"quiet \\\"x\\\"\","
	" \"kaslr\": true, \"modules\": [{\"file\": \"m\", \"arguments\": \"a b\"}, {\"file\": "
	"\"o\"}],"
	" \"cpus\": 3, \"memory\": \"3G\","
	" \"disks\": [{\"file\": \"d\", \"ro\": true, \"cache\": \"none\", \"discard\": true,"
	" \"serial\": \"S1\"}, {\"file\": \"e\"}],"
	" \"nets\": [{\"type\": \"user\", \"mac\": \"02:00:00:00:00:07\", \"rate\": 100,"
	" \"hostfwd\": [\"tcp::80-:8080\", \"udp:127.0.0.1:53-10.0.2.16:53\"]},"
	" {\"interface\": \"tap3\", \"type\": \"tap\"}],"
	" \"console\": \"virtio\", \"rng\": false, \"balloon\": false, \"test-device\": true,"
	" \"engine\": \"kvm\"}";

static void every_key_is_read(void **state)
{
	const struct vm_config *config = &definition.config;

	(void)state;
	assert_int_equal(read_json(everything), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_string_equal(config->name, "n1");
	assert_string_equal(config->kernel, "k");
	assert_string_equal(config->initrd, "/i");
	assert_string_equal(config->append, "quiet \"x\"");
	assert_true(config->kaslr);
	assert_int_equal(config->module_count, 2);
	assert_string_equal(config->modules[0].path, "m");
	assert_string_equal(config->modules[0].arguments, "a b");
	assert_string_equal(config->modules[1].path, "o");
	assert_null(config->modules[1].arguments);
	assert_int_equal(config->cpus, 3);
	assert_true(config->memory == 3072 * MIB);
	assert_int_equal(config->disk_count, 2);
	assert_string_equal(config->disks[0].path, "d");
	assert_true(config->disks[0].read_only);
	assert_int_equal(config->disks[0].cache, OS_BLOCK_NONE);
	assert_true(config->disks[0].discard);
	assert_string_equal(config->disks[0].serial, "S1");
	assert_false(config->disks[1].read_only);
	assert_int_equal(config->disks[1].cache, OS_BLOCK_WRITEBACK);
	assert_false(config->disks[1].discard);
	assert_null(config->disks[1].serial);
	assert_int_equal(config->net_count, 2);
	assert_int_equal(config->nets[0].kind, OS_NET_USER);
	assert_int_equal(config->nets[0].mac[5], 7);
	assert_int_equal(config->nets[0].rate, 100000000);
	assert_int_equal(config->nets[1].rate, 0);
	assert_int_equal(config->nets[0].forward_count, 2);
	assert_int_equal(config->nets[0].forwards[1].protocol, OS_NET_UDP);
	assert_int_equal(config->nets[1].kind, OS_NET_TAP);
	assert_string_equal(config->nets[1].tap, "tap3");
	assert_int_equal(config->console, VM_CONSOLE_VIRTIO);
	assert_false(config->rng);
	assert_false(config->balloon);
	assert_true(config->test_device);
	assert_int_equal(definition.engine, ENGINE_KVM);
}

static void a_kernel_alone_gets_all_the_defaults(void **state)
{
	const struct vm_config *config = &definition.config;

	(void)state;
	assert_int_equal(read_json("{\"kernel\": \"k\"}"), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_string_equal(config->name, "web");
	assert_null(config->initrd);
	assert_string_equal(config->append, "console=ttyS0");
	assert_false(config->kaslr);
	assert_int_equal(config->module_count, 0);
	assert_int_equal(config->cpus, 1);
	assert_true(config->memory == 512 * MIB);
	assert_int_equal(config->disk_count, 0);
	assert_int_equal(config->net_count, 1);
	assert_int_equal(config->nets[0].kind, OS_NET_USER);
	assert_int_equal(config->nets[0].forward_count, 0);
	assert_int_equal(config->console, VM_CONSOLE_SERIAL);
	assert_true(config->rng);
	assert_true(config->balloon);
	assert_false(config->test_device);
	assert_int_equal(definition.engine, ENGINE_AUTO);
}

static void the_default_command_line_fits_console_and_disks(void **state)
{
	static const struct {
		const char *json, *append;
	} cases[] = {
		{"{\"kernel\": \"k\", \"console\": \"virtio\"}", "console=hvc0"},
		{"{\"kernel\": \"k\", \"console\": \"none\"}", ""},
		{"{\"kernel\": \"k\", \"disks\": [{\"file\": \"d\"}]}",
		 "console=ttyS0 root=/dev/vda rw"},
		{"{\"kernel\": \"k\", \"disks\": [{\"file\": \"d\", \"ro\": true}]}",
		 "console=ttyS0 root=/dev/vda ro"},
		{"{\"kernel\": \"k\", \"console\": \"none\", \"disks\": [{\"file\": \"d\"}]}",
		 "root=/dev/vda rw"},
		{"{\"kernel\": \"k\", \"modules\": [{\"file\": \"m\"}]}", ""},
		{"{\"kernel\": \"k\", \"append\": \"\", \"disks\": [{\"file\": \"d\"}]}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_json(cases[i].json), 0);
		assert_int_equal(definition_finish(&definition, &why), 0);
		assert_string_equal(definition.config.append, cases[i].append);
	}
}

static void files_are_seen_from_the_definitions_folder(void **state)
{
	const struct vm_config *config = &definition.config;

	(void)state;
	assert_int_equal(
		read_as("vms/a.b.json",
			"{\"kernel\": \"k\", \"initrd\": \"/i\","
			"\"modules\": [{\"file\": \"../m\"}], \"disks\": [{\"file\": \"d\"}]}"),
		0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_string_equal(config->kernel, "vms/k");
	assert_string_equal(config->initrd, "/i");
	assert_string_equal(config->modules[0].path, "vms/../m");
	assert_string_equal(config->disks[0].path, "vms/d");
	assert_string_equal(config->name, "a.b");
	assert_int_equal(read_as("/a.json", "{\"kernel\": \"k\"}"), 0);
	assert_string_equal(config->kernel, "/k");
}

static void a_file_name_that_is_no_vm_name_is_not_taken_for_one(void **state)
{
	(void)state;
	assert_int_equal(read_as("my vm.json", "{\"kernel\": \"k\"}"), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_string_equal(definition.config.name, "vm");
	assert_int_equal(read_as(".json", "{\"kernel\": \"k\"}"), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_string_equal(definition.config.name, "vm");
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct {
		const char *json, *place, *expected;
	} cases[] = {
		{"", "web.json:1:", "not valid JSON"},
		{"{\n \"kernel\" \"k\"}", "web.json:2:", "not valid JSON"},
		{"{\"kernel\": \"k\"} x", "web.json:1:", "not valid JSON"},
		{"{\"kernel\": \"k\",\n\"kernel\": \"l\"}", "web.json:2:", "duplicate"},
		{"{\"disks\": [{\"file\": \"a\", \"file\": \"b\"}]}", "web.json:1:", "duplicate"},
		{"{\"kernel\": \"a\\u0000b\"}", "web.json:1:", "not valid JSON"},
		{"{\"kernel\": \"\xff\"}", "web.json:1:", "decode byte"},
		{"[]", "web.json: ", "expected an object that describes a VM, found an array"},
		{"{\"cpu\": 1}", "web.json: ", "did you mean \"cpus\"?"},
		{"{\"zebra\": 1}", "web.json: ", "unknown key \"zebra\"; dyad-vm(5)"},
		{"{\"kernel\": 1}", "web.json: kernel: ", "found a whole number"},
		{"{\"kernel\": \"\"}", "web.json: kernel: ", "empty"},
		{"{\"initrd\": null}", "web.json: initrd: ", "found null"},
		{"{\"append\": []}", "web.json: append: ", "expected a string, found an array"},
		{"{\"name\": \"a b\"}", "web.json: name: ", "letters"},
		{"{\"kaslr\": \"on\"}", "web.json: kaslr: ", "expected true or false"},
		{"{\"rng\": 1}", "web.json: rng: ", "expected true or false"},
		{"{\"balloon\": null}", "web.json: balloon: ", "expected true or false"},
		{"{\"test-device\": {}}", "web.json: test-device: ", "found an object"},
		{"{\"cpus\": 0}", "web.json: cpus: ", "1 to 64"},
		{"{\"cpus\": 65}", "web.json: cpus: ", "1 to 64"},
		{"{\"cpus\": -1}", "web.json: cpus: ", "1 to 64"},
		{"{\"cpus\": 4294967297}", "web.json: cpus: ", "1 to 64"},
		{"{\"cpus\": 1.0}", "web.json: cpus: ", "with a fraction"},
		{"{\"cpus\": \"1\"}", "web.json: cpus: ", "found a string"},
		{"{\"cpus\": 99999999999999999999}", "web.json:1:", "too big"},
		{"{\"memory\": -512}", "web.json: memory: ", "no size"},
		{"{\"memory\": 1}", "web.json: memory: ", "2M to 16T"},
		{"{\"memory\": \"64T\"}", "web.json: memory: ", "2M to 16T"},
		{"{\"memory\": true}", "web.json: memory: ", "found true or false"},
		{"{\"console\": \"vga\"}", "web.json: console: ", "serial, virtio or none"},
		{"{\"shares\": 3}", "web.json: shares: ", "weight, cap or host-cpus"},
		{"{\"shares\": {\"weight\": 0}}", "web.json: shares.weight: ", "1 to 10000"},
		{"{\"shares\": {\"weight\": 10001}}", "web.json: shares.weight: ", "1 to 10000"},
		{"{\"shares\": {\"cap\": \"50%\"}}", "web.json: shares.cap: ", "found a string"},
		{"{\"shares\": {\"cap\": 6401}}", "web.json: shares.cap: ", "1 to 6400"},
		{"{\"shares\": {\"host-cpus\": \"0\"}}",
		 "web.json: shares.host-cpus: ", "expected an array"},
		{"{\"shares\": {\"host-cpus\": [0, 64]}}",
		 "web.json: shares.host-cpus[1]: ", "0 to 63"},
		{"{\"shares\": {\"pin\": []}}", "web.json: shares: ", "unknown key"},
		{"{\"engine\": \"xen\"}", "web.json: engine: ", "auto, dyad, kvm or soft"},
		{"{\"disks\": {}}", "web.json: disks: ", "expected an array"},
		{"{\"disks\": [\"d\"]}", "web.json: disks[0]: ", "describes a disk"},
		{"{\"disks\": [{\"file\": \"a\"}, {\"ro\": true}]}",
		 "web.json: disks[1]: ", "\"file\" is missing"},
		{"{\"disks\": [{\"cache\": \"writethrough\"}]}",
		 "web.json: disks[0].cache: ", "writeback or none"},
		{"{\"disks\": [{\"serial\": \"123456789012345678901\"}]}",
		 "web.json: disks[0].serial: ", "1 to 20"},
		{"{\"disks\": [{\"read-only\": true}]}", "web.json: disks[0]: ", "unknown key"},
		{"{\"modules\": [{\"arguments\": \"a\"}]}",
		 "web.json: modules[0]: ", "\"file\" is missing"},
		{"{\"modules\": [{\"file\": 3}]}", "web.json: modules[0].file: ", "a file's name"},
		{"{\"nets\": [{}]}", "web.json: nets[0]: ", "\"type\" is missing"},
		{"{\"nets\": [{\"type\": \"bridge\"}]}", "web.json: nets[0].type: ", "user or tap"},
		{"{\"nets\": [{\"type\": \"tap\"}]}",
		 "web.json: nets[0]: ", "\"interface\" is missing"},
		{"{\"nets\": [{\"type\": \"user\", \"interface\": \"t\"}]}",
		 "web.json: nets[0]: ", "type \"tap\""},
		{"{\"nets\": [{\"type\": \"tap\", \"interface\": \"t\", \"hostfwd\": "
		 "[\"tcp::1-:1\"]}]}",
		 "web.json: nets[0]: ", "type \"user\""},
		{"{\"nets\": [{\"type\": \"tap\", \"interface\": \"a/b\"}]}",
		 "web.json: nets[0].interface: ", "tap device"},
		{"{\"nets\": [{\"mac\": \"01:00:00:00:00:00\"}]}",
		 "web.json: nets[0].mac: ", "single station"},
		{"{\"nets\": [{\"type\": \"user\", \"rate\": 0}]}",
		 "web.json: nets[0].rate: ", "rate in Mbit/s"},
		{"{\"nets\": [{\"type\": \"user\", \"rate\": \"1G\"}]}",
		 "web.json: nets[0].rate: ", "whole number"},
		{"{\"nets\": [{\"type\": \"user\", \"hostfwd\": [\"tcp::1-:1\", 2]}]}",
		 "web.json: nets[0].hostfwd[1]: ", "port forward"},
		{"{\"nets\": [{\"type\": \"user\", \"hostfwd\": [\"tcp:x\"]}]}",
		 "web.json: nets[0].hostfwd[0]: ", "port forward"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(read_json(cases[i].json) < 0);
		if (strncmp(why.text, cases[i].place, strlen(cases[i].place)) != 0 ||
		    strstr(why.text, cases[i].expected) == NULL)
			fail_msg("%s gave: %s", cases[i].json, why.text);
	}
}

static void a_definition_cut_short_or_damaged_never_harms(void **state)
{
	size_t length = strlen(everything);
	char *text = malloc(length);

	(void)state;
	assert_non_null(text);
	for (size_t cut = 0; cut < length; cut++) {
		definition_end(&definition);
		definition_begin(&definition);
		/* A copy of exact size, so that reading past its end is seen. */
		text = realloc(text, cut > 0 ? cut : 1);
		assert_non_null(text);
		memcpy(text, everything, cut);
		assert_true(definition_read_text(&definition, text, cut, "web.json", &why) < 0);
		assert_memory_equal(why.text, "web.json:", 9);
	}
	text = realloc(text, length);
	assert_non_null(text);
	for (size_t at = 0; at < length; at++) {
		static const char odd[] = {'0', '"', '[', '}', '-', '\\', '\0', '\x80'};

		for (size_t i = 0; i < sizeof(odd); i++) {
			definition_end(&definition);
			definition_begin(&definition);
			memcpy(text, everything, length);
			text[at] = odd[i];
			if (definition_read_text(&definition, text, length, "web.json", &why) < 0)
				assert_memory_equal(why.text, "web.json:", 9);
			else
				definition_finish(&definition, &why);
		}
	}
	free(text);
}

/* {"nets": [ITEM, ITEM, ...]} with count items. */
static int read_many(const char *key, const char *item, unsigned count)
{
	static char text[4096];
	size_t used = (size_t)snprintf(text, sizeof(text), "{\"kernel\": \"k\", \"%s\": [", key);

	for (unsigned i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? "," : "",
					 item);
	snprintf(text + used, sizeof(text) - used, "]}");
	return read_json(text);
}

static void lists_keep_to_what_a_vm_can_have(void **state)
{
	(void)state;
	assert_int_equal(read_many("disks", "{\"file\": \"d\"}", VM_DISKS_MAX), 0);
	assert_true(read_many("disks", "{\"file\": \"d\"}", VM_DISKS_MAX + 1) < 0);
	assert_string_equal(why.text, "web.json: disks[16]: a VM can have at most 16 disks");
	assert_int_equal(read_many("modules", "{\"file\": \"m\"}", VM_MODULES_MAX), 0);
	assert_true(read_many("modules", "{\"file\": \"m\"}", VM_MODULES_MAX + 1) < 0);
	assert_int_equal(read_many("nets", "{\"type\": \"user\"}", VM_NETS_MAX), 0);
	assert_true(read_many("nets", "{\"type\": \"user\"}", VM_NETS_MAX + 1) < 0);
	assert_true(read_many("nets",
			      "{\"type\": \"user\", \"hostfwd\": [\"tcp::1-:1\",\"tcp::2-:1\","
			      "\"tcp::3-:1\",\"tcp::4-:1\",\"tcp::5-:1\",\"tcp::6-:1\","
			      "\"tcp::7-:1\",\"tcp::8-:1\",\"tcp::9-:1\",\"tcp::10-:1\","
			      "\"tcp::11-:1\",\"tcp::12-:1\",\"tcp::13-:1\",\"tcp::14-:1\","
			      "\"tcp::15-:1\",\"tcp::16-:1\",\"tcp::17-:1\"]}",
			      1) < 0);
	assert_non_null(strstr(why.text, "at most 16 port forwards"));
}

static void no_network_is_not_the_default_network(void **state)
{
	(void)state;
	assert_int_equal(read_json("{\"kernel\": \"k\", \"nets\": []}"), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_int_equal(definition.config.net_count, 0);
}

static void macs_follow_from_name_and_place(void **state)
{
	static const char two[] = "{\"kernel\": \"k\", \"name\": \"%s\","
				  "\"nets\": [{\"type\": \"user\"}, {\"type\": \"user\"}]}";
	uint8_t first[6], second[6];
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), two, "a");
	assert_int_equal(read_json(text), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	memcpy(first, definition.config.nets[0].mac, 6);
	memcpy(second, definition.config.nets[1].mac, 6);
	assert_int_equal(first[0], 0x02);
	assert_memory_not_equal(first, second, 6);
	assert_int_equal(read_json(text), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_memory_equal(definition.config.nets[0].mac, first, 6);
	assert_memory_equal(definition.config.nets[1].mac, second, 6);
	snprintf(text, sizeof(text), two, "b");
	assert_int_equal(read_json(text), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_memory_not_equal(definition.config.nets[0].mac, first, 6);
}

static void what_contradicts_itself_is_refused(void **state)
{
	static const struct {
		const char *json, *expected;
	} cases[] = {
		{"{}", "no kernel is given"},
		{"{\"kernel\": \"k\", \"disks\": [{\"file\": \"d\"}, {\"file\": \"d\", \"ro\": "
		 "true}]}",
		 "d is given as two disks"},
		{"{\"kernel\": \"k\", \"nets\": [{\"type\": \"user\", \"mac\": "
		 "\"02:00:00:00:00:01\"},"
		 "{\"type\": \"user\", \"mac\": \"02:00:00:00:00:01\"}]}",
		 "two networks have the MAC 02:00:00:00:00:01"},
		{"{\"kernel\": \"k\", \"nets\": [{\"type\": \"tap\", \"interface\": \"t\"},"
		 "{\"type\": \"tap\", \"interface\": \"t\"}]}",
		 "two networks use the tap device t"},
		{"{\"kernel\": \"k\", \"nets\": [{\"type\": \"user\", \"hostfwd\":"
		 "[\"tcp::80-:1\", \"tcp:127.0.0.1:80-:2\"]}]}",
		 "tcp:127.0.0.1:80-:2 is already taken"},
		{"{\"kernel\": \"k\", \"nets\": [{\"type\": \"user\", \"hostfwd\": "
		 "[\"tcp::80-:1\"]},"
		 "{\"type\": \"user\", \"hostfwd\": [\"tcp::80-:1\"]}]}",
		 "is already taken"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_json(cases[i].json), 0);
		assert_true(definition_finish(&definition, &why) < 0);
		assert_non_null(strstr(why.text, cases[i].expected));
	}
}

static void what_only_looks_like_a_contradiction_is_taken(void **state)
{
	(void)state;
	assert_int_equal(
		read_json("{\"kernel\": \"k\", \"disks\": [{\"file\": \"d\", \"ro\": true},"
			  "{\"file\": \"d\", \"ro\": true}], \"nets\": [{\"type\": \"user\","
			  "\"hostfwd\": [\"tcp::80-:1\", \"udp::80-:1\", \"tcp::81-:1\","
			  "\"tcp:127.0.0.1:82-:1\", \"tcp:127.0.0.2:82-:1\"]}]}"),
		0);
	assert_int_equal(definition_finish(&definition, &why), 0);
}

/* The definition as JSON; to be freed. */
static char *written(void)
{
	char *text = NULL;

	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_int_equal(definition_write(&definition, "/home/me", &text, &why), 0);
	return text;
}

static void what_is_written_reads_back_as_the_same(void **state)
{
	static const char *const texts[] = {everything, "{\"kernel\": \"k\"}",
					    "{\"kernel\": \"k\", \"nets\": []}",
					    "{\"kernel\": \"\xc3\xa4 \\\" \\\\ \\n\", \"append\": "
					    "\"\\u0001\", \"memory\": \"2052K\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *one, *two;

		assert_int_equal(read_json(texts[i]), 0);
		one = written();
		assert_int_equal(read_as("/elsewhere/other.json", one), 0);
		two = written();
		assert_string_equal(one, two);
		free(one);
		free(two);
	}
}

static void written_keys_stand_in_their_order_with_absolute_names(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(
		read_json("{\"cpus\": 2, \"disks\": [{\"serial\": \"s\", \"file\": \"./d\"}],"
			  "\"kernel\": \"/boot/k\", \"name\": \"x\", \"nets\":"
			  "[{\"mac\": \"02:00:00:00:00:01\", \"type\": \"user\", \"rate\": 7}]}"),
		0);
	text = written();
	assert_string_equal(text, "{\n"
				  "  \"name\": \"x\",\n"
				  "  \"kernel\": \"/boot/k\",\n"
				  "  \"append\": \"console=ttyS0 root=/dev/vda rw\",\n"
				  "  \"kaslr\": false,\n"
				  "  \"modules\": [],\n"
				  "  \"cpus\": 2,\n"
				  "  \"memory\": \"512M\",\n"
				  "  \"disks\": [\n"
				  "    {\n"
				  "      \"file\": \"/home/me/d\",\n"
				  "      \"ro\": false,\n"
				  "      \"cache\": \"writeback\",\n"
				  "      \"discard\": false,\n"
				  "      \"serial\": \"s\"\n"
				  "    }\n"
				  "  ],\n"
				  "  \"nets\": [\n"
				  "    {\n"
				  "      \"type\": \"user\",\n"
				  "      \"mac\": \"02:00:00:00:00:01\",\n"
				  "      \"rate\": 7,\n"
				  "      \"hostfwd\": []\n"
				  "    }\n"
				  "  ],\n"
				  "  \"console\": \"serial\",\n"
				  "  \"rng\": true,\n"
				  "  \"balloon\": true,\n"
				  "  \"test-device\": false,\n"
				  "  \"engine\": \"auto\"\n"
				  "}");
	free(text);
}

static void shares_are_kept_and_written(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(read_json("{\"kernel\": \"k\", \"shares\": {\"weight\": 300, \"cap\": 150,"
				   "\"host-cpus\": [0, 2, 63]}}"),
			 0);
	assert_int_equal(definition.shares.weight, 300);
	assert_int_equal(definition.shares.cap, 150);
	assert_int_equal(definition.shares.host_cpus, BIT(0) | BIT(2) | BIT(63));
	text = written();
	assert_non_null(strstr(text, "\"shares\": {\n"
				     "    \"weight\": 300,\n"
				     "    \"cap\": 150,\n"
				     "    \"host-cpus\": [\n"
				     "      0,\n"
				     "      2,\n"
				     "      63\n"
				     "    ]\n"
				     "  }"));
	free(text);
}

static void a_name_that_json_can_t_hold_is_an_error(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(definition_set_kernel(&definition, "k\xff", &why), 0);
	assert_int_equal(definition_finish(&definition, &why), 0);
	assert_true(definition_write(&definition, "/", &text, &why) < 0);
	assert_null(text);
	assert_non_null(strstr(why.text, "UTF-8"));
}

static void files_that_are_no_definition_are_named(void **state)
{
	char name[] = "/tmp/dyad-test-XXXXXX";
	int fd;

	(void)state;
	assert_true(definition_read_file(&definition, "", &why) < 0);
	assert_true(definition_read_file(&definition, "/nonexistent/x.json", &why) < 0);
	assert_non_null(strstr(why.text, "/nonexistent/x.json: No such file"));
	assert_true(definition_read_file(&definition, "/", &why) < 0);
	assert_non_null(strstr(why.text, "definition /: "));
	assert_true(definition_read_file(&definition, "/dev/zero", &why) < 0);
	assert_non_null(strstr(why.text, "/dev/zero is longer than 1 MiB"));
	assert_true(definition_read_file(&definition, "/dev/null", &why) < 0);
	assert_non_null(strstr(why.text, "/dev/null:1:"));
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_true(write(fd, "{\"kernel\": \"k\"}", 15) == 15);
	close(fd);
	assert_int_equal(definition_read_file(&definition, name, &why), 0);
	unlink(name);
	assert_string_equal(definition.config.kernel, "/tmp/k");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(every_key_is_read),
		T(a_kernel_alone_gets_all_the_defaults),
		T(the_default_command_line_fits_console_and_disks),
		T(files_are_seen_from_the_definitions_folder),
		T(a_file_name_that_is_no_vm_name_is_not_taken_for_one),
		T(what_is_wrong_is_told_with_its_place),
		T(a_definition_cut_short_or_damaged_never_harms),
		T(lists_keep_to_what_a_vm_can_have),
		T(no_network_is_not_the_default_network),
		T(macs_follow_from_name_and_place),
		T(what_contradicts_itself_is_refused),
		T(what_only_looks_like_a_contradiction_is_taken),
		T(what_is_written_reads_back_as_the_same),
		T(written_keys_stand_in_their_order_with_absolute_names),
		T(shares_are_kept_and_written),
		T(a_name_that_json_can_t_hold_is_an_error),
		T(files_that_are_no_definition_are_named),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
