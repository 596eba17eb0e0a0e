/* SPDX-License-Identifier: MIT */
/*
 * run_options.c - the options of 'dyad run'.
 */
#include "cli/run_options.h"

#include <errno.h>
#include <string.h>

#include "cli/option.h"
#include "cli/value.h"

enum {
	OPT_CONFIG,
	OPT_PRINT_CONFIG,
	OPT_KERNEL,
	OPT_INITRD,
	OPT_APPEND,
	OPT_MODULE,
	OPT_KASLR,
	OPT_NAME,
	OPT_CPUS,
	OPT_MEMORY,
	OPT_DISK,
	OPT_NET,
	OPT_CONSOLE,
	OPT_RNG,
	OPT_BALLOON,
	OPT_TEST_DEVICE,
	OPT_ENGINE,
	OPT_LOG_LEVEL,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_HELP,
};

static const struct option_spec specs[] = {
	{"Definition", OPT_CONFIG, 0, "config", OPTION_VALUE, "FILE.json",
	 "take the VM from this definition (see dyad-vm(5)); it can be\n"
	 "given without --config too; other options change or add to it"},
	{NULL, OPT_PRINT_CONFIG, 0, "print-config", OPTION_NONE, NULL,
	 "write the VM's definition, with all defaults, and run nothing"},
	{NULL, OPT_NAME, 0, "name", OPTION_VALUE, "NAME",
	 "the VM's name (default: the definition's file name, or vm);\n"
	 "its MAC addresses follow from it"},

	{"What it boots", OPT_KERNEL, 0, "kernel", OPTION_VALUE, "FILE",
	 "Linux bzImage or vmlinux, PVH or Multiboot 1 ELF; necessary"},
	{NULL, OPT_INITRD, 0, "initrd", OPTION_VALUE, "FILE", "initial RAM disk (default: none)"},
	{NULL, OPT_APPEND, 0, "append", OPTION_VALUE, "TEXT",
	 "the kernel's command line (default: console=ttyS0, or hvc0\n"
	 "with --console virtio, and with a disk root=/dev/vda rw;\n"
	 "empty with modules)"},
	{NULL, OPT_MODULE, 0, "module", OPTION_VALUE, "FILE[,ARGS]",
	 "Multiboot module with its command line; repeatable"},
	{NULL, OPT_KASLR, 0, "kaslr", OPTION_FLAG, NULL,
	 "let Linux unpack and place itself at random, which is slower\n"
	 "(default: off)"},

	{"Machine", OPT_CPUS, 0, "cpus", OPTION_VALUE, "N", "1 to 64 CPUs (default: 1)"},
	{NULL, OPT_MEMORY, 0, "memory", OPTION_VALUE, "SIZE",
	 "memory: 512M, 2G, 1T; a number alone is MiB (default: 512M)"},
	{NULL, OPT_DISK, 0, "disk", OPTION_VALUE, "FILE[,OPT]...",
	 "a raw disk image or block device; repeatable\n"
	 "  ro                   the guest can't write\n"
	 "  cache=writeback|none through the host's page cache, or past\n"
	 "                       it (default: writeback)\n"
	 "  discard=on|off       give freed space back (default: off)\n"
	 "  serial=TEXT          serial number, up to 20 characters\n"
	 "a comma in a file's name is written twice"},
	{NULL, OPT_NET, 0, "net", OPTION_VALUE, "KIND[,OPT]...",
	 "a network card; repeatable (default: user)\n"
	 "  user                 behind the host, without any rights\n"
	 "    ,hostfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT\n"
	 "                       the host's port leads to the guest's\n"
	 "  tap=INTERFACE        a tap device of the host\n"
	 "    ,mac=MAC           with either (default: from the name)\n"
	 "    ,rate=MBIT         with either: Mbit/s that the guest may send\n"
	 "  none                 no network card"},
	{NULL, OPT_CONSOLE, 0, "console", OPTION_VALUE, "KIND",
	 "where the guest's terminal is: serial, virtio or none\n"
	 "(default: serial)"},
	{NULL, OPT_RNG, 0, "rng", OPTION_SWITCH, NULL,
	 "a device that gives random numbers (default: on)"},
	{NULL, OPT_BALLOON, 0, "balloon", OPTION_SWITCH, NULL,
	 "a device that gives unused memory back (default: on)"},
	{NULL, OPT_TEST_DEVICE, 0, "test-device", OPTION_FLAG, NULL,
	 "debug exit (port 0xf4) and kvm-unit-tests' test device\n"
	 "(default: off)"},

	{"Running", OPT_ENGINE, 0, "engine", OPTION_VALUE, "ENGINE",
	 "what guests run on: dyad (Dyad's driver, /dev/dyad), kvm\n"
	 "(/dev/kvm), soft (a CPU in software, on any machine) or auto\n"
	 "(the first of these that can run unmodified guests; the default)"},
	{NULL, OPT_LOG_LEVEL, 0, "log-level", OPTION_VALUE, "LEVEL",
	 "error, warning, info or debug (default: info)"},
	{NULL, OPT_QUIET, 'q', "quiet", OPTION_NONE, NULL, "only errors: --log-level error"},
	{NULL, OPT_VERBOSE, 'v', "verbose", OPTION_NONE, NULL, "everything: --log-level debug"},
	{NULL, OPT_HELP, 'h', "help", OPTION_NONE, NULL, "this help"},
	{0},
};

/* Applies what changes the VM. */
static int run_apply(struct definition *definition, int id, const char *value, bool first_net,
		     struct error *why)
{
	struct vm_config *config = &definition->config;
	uint64_t number;
	int error;

	switch (id) {
	case OPT_NAME:
		return definition_set_name(definition, value, why);
	case OPT_KERNEL:
		return definition_set_kernel(definition, value, why);
	case OPT_INITRD:
		return definition_set_initrd(definition, value, why);
	case OPT_APPEND:
		return definition_set_append(definition, value, why);
	case OPT_MODULE:
		return definition_add_module(definition, value, why);
	case OPT_KASLR:
		return value_switch(value, &config->kaslr, why);
	case OPT_CPUS:
		error = value_number(value, 1, VM_CPUS_MAX, "a number of CPUs", &number, why);
		if (error == 0)
			config->cpus = (uint32_t)number;
		return error;
	case OPT_MEMORY:
		return value_memory(value, &config->memory, why);
	case OPT_DISK:
		return definition_add_disk(definition, value, why);
	case OPT_NET:
		if (first_net || strcmp(value, "none") == 0)
			definition_clear_nets(definition);
		return strcmp(value, "none") == 0 ? 0 : definition_add_net(definition, value, why);
	case OPT_CONSOLE:
		return definition_set_console(definition, value, why);
	case OPT_RNG:
		return value_switch(value, &config->rng, why);
	case OPT_BALLOON:
		return value_switch(value, &config->balloon, why);
	case OPT_TEST_DEVICE:
		return value_switch(value, &config->test_device, why);
	case OPT_ENGINE:
		return definition_set_engine(definition, value, why);
	default:
		return 0;
	}
}

/* Applies what changes how the command itself behaves. */
static int run_apply_own(struct run_options *options, int id, const char *value, struct error *why)
{
	static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
	unsigned place = 0;

	switch (id) {
	case OPT_PRINT_CONFIG:
		options->print_config = true;
		break;
	case OPT_HELP:
		options->help = true;
		break;
	case OPT_QUIET:
		options->log_level = OS_LOG_ERROR;
		break;
	case OPT_VERBOSE:
		options->log_level = OS_LOG_DEBUG;
		break;
	case OPT_LOG_LEVEL:
		if (value_choice(value, levels, &place, why) < 0)
			return -EINVAL;
		options->log_level = (enum os_log_level)place;
		break;
	}
	return 0;
}

static int run_error_at(const struct option *option, struct error *why, int code)
{
	char where[64] = "--";

	strncat(where, option->spec->name, sizeof(where) - sizeof("--"));
	return value_error_at(why, code, where);
}

/* The first time over the command line: all but the VM. */
static int run_parse_own(struct run_options *options, struct option_parser parser,
			 const char **config, struct error *why)
{
	struct option option;
	int got;

	while ((got = option_next(&parser, &option, why)) > 0) {
		if (option.spec != NULL && option.spec->id != OPT_CONFIG) {
			if (run_apply_own(options, option.spec->id, option.value, why) < 0)
				return run_error_at(&option, why, -EINVAL);
			continue;
		}
		if (*config != NULL)
			return error_set(
				why, -EINVAL,
				"two VM definitions are given, %.100s and %.100s; a VM has "
				"one",
				*config, option.value);
		*config = option.value;
	}
	return got;
}

/* The second time: the VM. */
static int run_parse_vm(struct definition *definition, struct option_parser parser,
			struct error *why)
{
	bool first_net = true;
	struct option option;
	int got;

	while ((got = option_next(&parser, &option, why)) > 0) {
		int error;

		if (option.spec == NULL)
			continue;
		error = run_apply(definition, option.spec->id, option.value, first_net, why);
		if (error < 0)
			return run_error_at(&option, why, error);
		if (option.spec->id == OPT_NET)
			first_net = false;
	}
	return got;
}

int run_options_parse(struct run_options *options, int argc, char **argv, struct error *why)
{
	struct option_parser parser;
	const char *config = NULL;
	int error;

	*options = (struct run_options){.log_level = OS_LOG_INFO};
	definition_begin(&options->definition);
	option_begin(&parser, specs, "dyad help run", argc, argv);
	error = run_parse_own(options, parser, &config, why);
	if (error < 0 || options->help)
		return error;
	if (config != NULL)
		error = definition_read_file(&options->definition, config, why);
	if (error == 0)
		error = run_parse_vm(&options->definition, parser, why);
	if (error == 0)
		error = definition_finish(&options->definition, why);
	return error;
}

void run_options_free(struct run_options *options)
{
	definition_end(&options->definition);
}

void run_options_print_help(FILE *out)
{
	fputs("usage: dyad run [OPTION]... [FILE.json]\n"
	      "\n"
	      "Runs a virtual machine until it powers off.\n",
	      out);
	option_print_help(out, specs);
	fputs("\n"
	      "Keys, when run on a terminal:\n"
	      "  Ctrl-A x  stop the guest at once       Ctrl-A p  press its power button\n"
	      "  Ctrl-A h  help                         Ctrl-A Ctrl-A  send Ctrl-A\n"
	      "\n"
	      "Exit status: 0 the guest powered off, 1 the host or dyad failed, 2 bad input,\n"
	      "3 the guest crashed, 128+N stopped after signal N, odd: the debug exit's.\n"
	      "\n"
	      "Examples:\n"
	      "  dyad run --kernel vmlinuz --initrd initrd.img --disk root.img --memory 1G\n"
	      "  dyad run --kernel vmlinuz --disk root.img,cache=none --cpus 4 \\\n"
	      "      --net user,hostfwd=tcp:127.0.0.1:2222-:22\n"
	      "  dyad run --kernel vmlinuz --disk root.img --print-config > web.json\n"
	      "  dyad run web.json --memory 2G\n",
	      out);
}
