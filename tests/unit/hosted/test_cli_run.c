/* SPDX-License-Identifier: MIT */
/*
 * The command line of 'dyad run' on top of a definition, and the exit status for each kind of end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/message.h"
#include "cli/run.h"
#include "cli/run_options.h"

#define MIB (UINT64_C(1) << 20)

static char definition_name[] = "/tmp/dyad-test-XXXXXX";
static struct run_options options;
static struct error why;

static const char definition_text[] =
	"{\"name\": \"web\", \"kernel\": \"k\", \"cpus\": 2, \"memory\": \"1G\", \"kaslr\": true,"
	" \"append\": \"a\", \"disks\": [{\"file\": \"d\"}], \"modules\": [{\"file\": \"m\"}],"
	" \"nets\": [{\"type\": \"tap\", \"interface\": \"tap0\"}], \"console\": \"none\","
	" \"rng\": false, \"test-device\": true, \"engine\": \"kvm\"}";

static int make_definition(void **state)
{
	int fd = mkstemp(definition_name);

	(void)state;
	assert_true(fd >= 0);
	assert_true(write(fd, definition_text, strlen(definition_text)) > 0);
	return close(fd);
}

static int remove_definition(void **state)
{
	(void)state;
	return unlink(definition_name);
}

static int none(void **state)
{
	(void)state;
	options = (struct run_options){0};
	return 0;
}

static int free_options(void **state)
{
	(void)state;
	run_options_free(&options);
	return 0;
}

/* words ends with NULL; "DEF" stands for the definition's name. */
static int parse_words(const char *const *words)
{
	char *argv[16];
	int argc = 0;

	run_options_free(&options);
	argv[argc++] = strdup("run");
	for (; *words != NULL; words++)
		argv[argc++] = strdup(strcmp(*words, "DEF") == 0 ? definition_name : *words);
	argv[argc] = NULL;
	int result = run_options_parse(&options, argc, argv, &why);

	/* The definition keeps nothing of argv. */
	while (argc > 0)
		free(argv[--argc]);
	return result;
}

#define parse(...) parse_words((const char *const[]){__VA_ARGS__, NULL})
#define assert_refused(expected, ...)                                                              \
	do {                                                                                       \
		assert_true(parse(__VA_ARGS__) < 0);                                               \
		if (strstr(why.text, (expected)) == NULL)                                          \
			fail_msg("instead of %s: %s", (expected), why.text);                       \
	} while (0)

static void options_alone_make_a_vm(void **state)
{
	const struct vm_config *config = &options.definition.config;

	(void)state;
	assert_int_equal(parse("--kernel", "k", "--initrd=i", "--append", "x y", "--cpus", "64",
			       "--memory", "2G", "--name", "n", "--kaslr", "--console", "virtio"),
			 0);
	assert_string_equal(config->kernel, "k");
	assert_string_equal(config->initrd, "i");
	assert_string_equal(config->append, "x y");
	assert_int_equal(config->cpus, 64);
	assert_true(config->memory == 2048 * MIB);
	assert_string_equal(config->name, "n");
	assert_true(config->kaslr);
	assert_int_equal(config->console, VM_CONSOLE_VIRTIO);
	assert_int_equal(options.log_level, OS_LOG_INFO);
}

static void the_last_of_two_options_counts(void **state)
{
	(void)state;
	assert_int_equal(parse("--kernel", "k", "--cpus", "2", "--cpus=3", "-q", "-v"), 0);
	assert_int_equal(options.definition.config.cpus, 3);
	assert_int_equal(options.log_level, OS_LOG_DEBUG);
}

static void disks_take_their_options_and_doubled_commas(void **state)
{
	const struct vm_disk_config *disks = options.definition.config.disks;

	(void)state;
	assert_int_equal(parse("--kernel", "k", "--disk",
			       "a,,b,ro,cache=none,discard=on,serial=S,,1", "--disk",
			       "c,ro=off,discard", "--disk", "e=f"),
			 0);
	assert_int_equal(options.definition.config.disk_count, 3);
	assert_string_equal(disks[0].path, "a,b");
	assert_true(disks[0].read_only);
	assert_int_equal(disks[0].cache, OS_BLOCK_NONE);
	assert_true(disks[0].discard);
	assert_string_equal(disks[0].serial, "S,1");
	assert_string_equal(disks[1].path, "c");
	assert_false(disks[1].read_only);
	assert_true(disks[1].discard);
	assert_string_equal(disks[2].path, "e=f");
}

static void networks_take_their_options(void **state)
{
	const struct vm_net_config *nets = options.definition.config.nets;

	(void)state;
	assert_int_equal(parse("--kernel", "k", "--net",
			       "user,hostfwd=tcp::2222-:22,mac=02:00:00:00:00:09,hostfwd=udp::1-:2",
			       "--net", "tap=tap7"),
			 0);
	assert_int_equal(options.definition.config.net_count, 2);
	assert_int_equal(nets[0].forward_count, 2);
	assert_int_equal(nets[0].forwards[0].host_port, 2222);
	assert_int_equal(nets[0].mac[5], 9);
	assert_int_equal(nets[1].kind, OS_NET_TAP);
	assert_string_equal(nets[1].tap, "tap7");
	assert_int_equal(parse("--kernel", "k", "--net", "none"), 0);
	assert_int_equal(options.definition.config.net_count, 0);
	assert_int_equal(parse("--kernel", "k", "--net", "user", "--net", "none"), 0);
	assert_int_equal(options.definition.config.net_count, 0);
	assert_int_equal(parse("--kernel", "k", "--net", "none", "--net", "user"), 0);
	assert_int_equal(options.definition.config.net_count, 1);
}

static void modules_keep_the_commas_of_their_arguments(void **state)
{
	const struct vm_module_config *modules = options.definition.config.modules;

	(void)state;
	assert_int_equal(parse("--kernel", "k", "--module", "a,,b,x y,z,,", "--module", "c",
			       "--module", "d,"),
			 0);
	assert_string_equal(modules[0].path, "a,b");
	assert_string_equal(modules[0].arguments, "x y,z,,");
	assert_null(modules[1].arguments);
	assert_string_equal(modules[2].arguments, "");
}

static void a_definition_is_taken_by_both_spellings_and_wherever_it_stands(void **state)
{
	(void)state;
	assert_int_equal(parse("DEF"), 0);
	assert_string_equal(options.definition.config.kernel, "/tmp/k");
	assert_int_equal(parse("--config", "DEF"), 0);
	assert_string_equal(options.definition.config.name, "web");
	assert_int_equal(parse("--cpus", "7", "DEF"), 0);
	assert_int_equal(options.definition.config.cpus, 7);
	assert_int_equal(parse("--", "DEF"), 0);
}

static void options_replace_what_the_definition_says_once(void **state)
{
	const struct vm_config *config = &options.definition.config;

	(void)state;
	assert_int_equal(parse("DEF", "--kernel=other", "--memory=3G", "--no-kaslr", "--rng", "on",
			       "--test-device=off", "--console=serial", "--engine=auto",
			       "--append="),
			 0);
	assert_string_equal(config->kernel, "other");
	assert_int_equal(config->cpus, 2);
	assert_true(config->memory == 3072 * MIB);
	assert_false(config->kaslr);
	assert_true(config->rng);
	assert_false(config->test_device);
	assert_int_equal(config->console, VM_CONSOLE_SERIAL);
	assert_int_equal(options.definition.engine, ENGINE_AUTO);
	assert_string_equal(config->append, "");
}

static void options_add_disks_and_modules_and_replace_networks(void **state)
{
	const struct vm_config *config = &options.definition.config;

	(void)state;
	assert_int_equal(
		parse("DEF", "--disk", "e", "--module", "n", "--net", "user", "--net", "tap=tap1"),
		0);
	assert_int_equal(config->disk_count, 2);
	assert_string_equal(config->disks[0].path, "/tmp/d");
	assert_string_equal(config->disks[1].path, "e");
	assert_int_equal(config->module_count, 2);
	assert_string_equal(config->modules[1].path, "n");
	assert_int_equal(config->net_count, 2);
	assert_int_equal(config->nets[0].kind, OS_NET_USER);
	assert_string_equal(config->nets[1].tap, "tap1");
	assert_int_equal(parse("DEF", "--net", "none"), 0);
	assert_int_equal(config->net_count, 0);
}

static void bad_values_are_told_with_their_option(void **state)
{
	(void)state;
	assert_refused("no kernel is given", "--cpus", "1");
	assert_refused("--cpus: \"0\"", "--kernel", "k", "--cpus", "0");
	assert_refused("--memory: \"lots\"", "--kernel", "k", "--memory", "lots");
	assert_refused("--kernel: the file's name is empty", "--kernel", "");
	assert_refused("--disk: the file's name is empty", "--kernel", "k", "--disk", ",ro");
	assert_refused("--disk: cache: \"maybe\"", "--kernel", "k", "--disk", "d,cache=maybe");
	assert_refused("--disk: cache: a value is missing", "--kernel", "k", "--disk", "d,cache");
	assert_refused("did you mean cache?", "--kernel", "k", "--disk", "d,cahce=none");
	assert_refused("written twice", "--kernel", "k", "--disk", "d,b.img");
	assert_refused("--net: \"bridge\" is no kind of network", "--kernel", "k", "--net",
		       "bridge");
	assert_refused("--net: \"\" is no kind", "--kernel", "k", "--net", "");
	assert_refused("--net: \"\" can't be a network interface", "--kernel", "k", "--net",
		       "tap=");
	assert_refused("\"hostfwd\" is not known here", "--kernel", "k", "--net",
		       "tap=t,hostfwd=tcp::1-:1");
	assert_refused("--net: hostfwd: \"tcp::1\"", "--kernel", "k", "--net",
		       "user,hostfwd=tcp::1");
	assert_refused("--console: \"vga\" is not known; give serial, virtio or none", "--kernel",
		       "k", "--console", "vga");
	assert_refused("--engine: \"xen\" is not known; give auto, dyad, kvm or soft", "--kernel",
		       "k", "--engine", "xen");
	assert_refused("--log-level: \"loud\"", "--kernel", "k", "--log-level", "loud");
	assert_refused("--name: \"a/b\"", "--kernel", "k", "--name", "a/b");
	assert_refused("two VM definitions are given", "DEF", "--config", "DEF");
	assert_refused("two VM definitions are given", "a", "b");
	assert_refused("unknown option --frobnicate", "--frobnicate");
}

static void too_many_of_a_kind_are_refused(void **state)
{
	(void)state;
	assert_refused("at most 8 networks", "--net=user", "--net=user", "--net=user", "--net=user",
		       "--net=user", "--net=user", "--net=user", "--net=user", "--net=user");
}

static void help_is_given_whatever_else_is_wrong_with_the_vm(void **state)
{
	(void)state;
	assert_int_equal(parse("--cpus", "0", "-h", "nowhere.json"), 0);
	assert_true(options.help);
}

static void each_end_has_its_exit_status(void **state)
{
	static const struct {
		enum vm_end end;
		uint32_t debug_status;
		int signal;
		bool stopped;
		int status;
	} cases[] = {
		{VM_END_POWER_OFF, 0, 0, false, 0},
		{VM_END_POWER_OFF, 0, 15, false, 0},
		{VM_END_STOPPED, 0, 2, true, 130},
		{VM_END_STOPPED, 0, 15, true, 143},
		{VM_END_STOPPED, 0, 1, true, 129},
		{VM_END_STOPPED, 0, 0, true, 130},
		{VM_END_STOPPED, 0, 0, false, EXIT_INTERNAL},
		{VM_END_DEBUG_EXIT, 0, 0, false, 1},
		{VM_END_DEBUG_EXIT, 0x10, 0, false, 33},
		{VM_END_DEBUG_EXIT, 0x7f, 0, false, 255},
		{VM_END_DEBUG_EXIT, 0xffffff80, 0, false, 1},
		{VM_END_CRASHED, 0, 15, false, EXIT_CRASHED},
		{VM_END_ERROR, 0, 0, false, EXIT_INTERNAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct vm_outcome outcome = {.end = cases[i].end,
						   .debug_status = cases[i].debug_status};
		const struct control control = {.signal = cases[i].signal,
						.stopped = cases[i].stopped};

		assert_int_equal(run_exit_status(&outcome, &control), cases[i].status);
	}
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, none, free_options)
	const struct CMUnitTest tests[] = {
		T(options_alone_make_a_vm),
		T(the_last_of_two_options_counts),
		T(disks_take_their_options_and_doubled_commas),
		T(networks_take_their_options),
		T(modules_keep_the_commas_of_their_arguments),
		T(a_definition_is_taken_by_both_spellings_and_wherever_it_stands),
		T(options_replace_what_the_definition_says_once),
		T(options_add_disks_and_modules_and_replace_networks),
		T(bad_values_are_told_with_their_option),
		T(too_many_of_a_kind_are_refused),
		T(help_is_given_whatever_else_is_wrong_with_the_vm),
		T(each_end_has_its_exit_status),
	};
#undef T

	return cmocka_run_group_tests(tests, make_definition, remove_definition);
}
