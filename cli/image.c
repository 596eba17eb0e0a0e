/* SPDX-License-Identifier: MIT */
/*
 * image.c - 'dyad image': a bootable host of VM definitions.
 */
#include "cli/image.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/store.h"
#include "cli/command.h"
#include "cli/definition.h"
#include "cli/message.h"
#include "cli/option.h"
#include "cli/value.h"
#include "lib/bits.h"
#include "monitor/log.h"
#include "type2/process/process.h"

#define IMAGE_VMS_MAX 32
#define IMAGE_VOLUMES_MAX 32
#define VOLUME_UNIT (4 * KIB) /* whole blocks, of all disks that there are */

enum {
	OPT_OUTPUT,
	OPT_IMPORT_DISKS,
	OPT_IMPORT,
	OPT_VOLUME,
	OPT_FORMAT,
	OPT_RUNTIME,
	OPT_WITHOUT_DEVICES,
	OPT_QUIET,
	OPT_HELP
};

static const struct option_spec specs[] = {
	{"Image", OPT_OUTPUT, 'o', "output", OPTION_VALUE, "FILE.iso",
	 "where the image goes; an older one is replaced; necessary"},
	{NULL, OPT_WITHOUT_DEVICES, 0, "without-devices", OPTION_NONE, NULL,
	 "leave out the definitions' disks and network cards"},
	{NULL, OPT_RUNTIME, 0, "runtime", OPTION_VALUE, "FOLDER",
	 "take runtime.elf, monitor.elf and the services from here\n"
	 "(default: those that came with dyad)"},
	{"Volumes, which are the VMs' disks, called as their files are", OPT_IMPORT_DISKS, 0,
	 "import-disks", OPTION_NONE, NULL,
	 "take the VMs' disk images along: a volume that the machine\n"
	 "does not have when it starts is made of its file"},
	{NULL, OPT_IMPORT, 0, "import", OPTION_VALUE, "NAME=FILE", "the same with one volume"},
	{NULL, OPT_VOLUME, 0, "volume", OPTION_VALUE, "NAME=SIZE",
	 "an empty volume, unless the machine has it; SIZE as in 10G"},
	{NULL, OPT_FORMAT, 0, "format", OPTION_NONE, NULL,
	 "let the store take a disk that has no partition table"},
	{"Others", OPT_QUIET, 'q', "quiet", OPTION_NONE, NULL, "say nothing unless it fails"},
	{NULL, OPT_HELP, 'h', "help", OPTION_NONE, NULL, "this help"},
	{0},
};

struct image_options {
	const char *output, *runtime;
	bool without_devices, import_disks, format, quiet, help;
	const char *vms[IMAGE_VMS_MAX];
	unsigned vm_count;
	/* Of --import and --volume, as they were given. */
	struct {
		char name[STORE_NAME];
		const char *file; /* NULL: empty, of size */
		uint64_t size;
	} volumes[IMAGE_VOLUMES_MAX];
	unsigned volume_count;
};

/* --- Command line ---------------------------------------------------------------------------- */

static int image_take_vm(struct image_options *options, const char *path, struct error *why)
{
	if (options->vm_count == IMAGE_VMS_MAX)
		return error_set(why, -E2BIG, "an image can have at most %d VMs", IMAGE_VMS_MAX);
	options->vms[options->vm_count++] = path;
	return 0;
}

/* NAME=FILE or NAME=SIZE */
static int image_take_volume(struct image_options *options, const char *text, bool is_file,
			     struct error *why)
{
	const char *equals = strchr(text, '=');
	size_t length = equals == NULL ? 0 : (size_t)(equals - text);
	unsigned place = options->volume_count;
	char *name = options->volumes[place % IMAGE_VOLUMES_MAX].name;

	if (place == IMAGE_VOLUMES_MAX)
		return error_set(why, -E2BIG, "at most %d volumes can be named", IMAGE_VOLUMES_MAX);
	if (length == 0 || length >= STORE_NAME)
		return error_set(why, -EINVAL, "\"%.200s\" is not NAME=%s", text,
				 is_file ? "FILE" : "SIZE");
	memcpy(name, text, length);
	name[length] = '\0';
	options->volume_count++;
	options->volumes[place].file = is_file ? equals + 1 : NULL;
	if (image_check_volume(name, text, why) < 0)
		return -EINVAL;
	if (is_file)
		return 0;
	if (value_size(equals + 1, &options->volumes[place].size, why) < 0)
		return value_error_at(why, -EINVAL, text);
	if (options->volumes[place].size == 0 || options->volumes[place].size % VOLUME_UNIT != 0)
		return error_set(why, -EINVAL, "%.200s: a volume has 4K or a multiple of that",
				 text);
	return 0;
}

static int image_take_option(struct image_options *options, const struct option *option,
			     struct error *why)
{
	if (option->spec == NULL)
		return image_take_vm(options, option->value, why);
	switch (option->spec->id) {
	case OPT_OUTPUT:
		options->output = option->value;
		break;
	case OPT_RUNTIME:
		options->runtime = option->value;
		break;
	case OPT_IMPORT_DISKS:
		options->import_disks = true;
		break;
	case OPT_IMPORT:
		return image_take_volume(options, option->value, true, why);
	case OPT_VOLUME:
		return image_take_volume(options, option->value, false, why);
	case OPT_FORMAT:
		options->format = true;
		break;
	case OPT_WITHOUT_DEVICES:
		options->without_devices = true;
		break;
	case OPT_QUIET:
		options->quiet = true;
		break;
	case OPT_HELP:
		options->help = true;
		break;
	}
	return 0;
}

static int image_parse(struct image_options *options, int argc, char **argv, struct error *why)
{
	struct option_parser parser;
	struct option option;
	int got;

	option_begin(&parser, specs, "dyad help image", argc, argv);
	while ((got = option_next(&parser, &option, why)) > 0)
		if (image_take_option(options, &option, why) < 0)
			return -EINVAL;
	if (got < 0 || options->help)
		return got;
	if (options->vm_count == 0)
		return error_set(why, -EINVAL,
				 "no VM is given; name the definitions of those that the image is "
				 "to run, JSON files as for 'dyad run'");
	if (options->output[0] == '\0')
		return error_set(why, -EINVAL,
				 "no image is named; say where it goes, with "
				 "--output FILE.iso");
	return 0;
}

static int image_check_output(const char *output, struct error *why)
{
	struct stat status;

	if (stat(output, &status) < 0 || S_ISREG(status.st_mode))
		return 0;
	return error_set(why, -EINVAL,
			 "%.200s is no regular file; make the image as one, and copy it from "
			 "there",
			 output);
}

/* --- Runtime --------------------------------------------------------------------------------- */

/* Where the build puts the runtime, and where installation does, both seen from the command. */
static const char *const runtime_places[] = {"type1", "../lib/dyad"};

static bool image_has_runtime(const char *folder)
{
	char path[IMAGE_PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/runtime.elf", folder);
	return access(path, R_OK) == 0;
}

static int image_find_runtime(const char *given, char *folder, size_t size, struct error *why)
{
	char command[IMAGE_PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", command, sizeof(command) - 1);

	if (given != NULL) {
		snprintf(folder, size, "%s", given);
		return 0;
	}
	command[length < 0 ? 0 : length] = '\0';
	dirname(command);
	for (size_t i = 0; i < ARRAY_COUNT(runtime_places); i++) {
		snprintf(folder, size, "%s/%s", command, runtime_places[i]);
		if (image_has_runtime(folder))
			return 0;
	}
	return error_set(why, -ENOENT,
			 "the bare-metal runtime is not where it should be, %.200s; build it with "
			 "'make type1', or name its folder with --runtime",
			 folder);
}

static int image_add_runtime(struct image_folder *image, const char *runtime, struct error *why)
{
	char path[IMAGE_PATH_MAX + 64];
	int error;

	snprintf(path, sizeof(path), "%s/runtime.elf", runtime);
	error = image_add_file(image, path, IMAGE_RUNTIME, why);
	if (error < 0)
		return error;
	snprintf(path, sizeof(path), "%s/monitor.elf", runtime);
	return image_add_file(image, path, IMAGE_MONITOR, why);
}

/* --- Definitions ----------------------------------------------------------------------------- */

/* Why a definition's devices can't be had; or what the person wants to go without. */
static int image_check_devices(struct definition *definition, const struct image_options *options,
			       unsigned services, const char *path, struct error *why)
{
	struct vm_config *config = &definition->config;
	bool nets = config->net_count > 0, disks = config->disk_count > 0;
	bool no_nets = !(services & (1u << IMAGE_NETWORK)), no_disks;

	no_disks = !(services & (1u << IMAGE_STORE));
	if (!options->without_devices && ((nets && no_nets) || (disks && no_disks)))
		return error_set(why, -EOPNOTSUPP,
				 "%.200s: \"%s\": there is no service for %s with the runtime; "
				 "take them out, or leave all disks and networks out of the image "
				 "with --without-devices",
				 path, disks && no_disks ? "disks" : "nets",
				 disks && no_disks ? "disks" : "networks");
	if (options->without_devices && (nets || disks))
		log_print(OS_LOG_WARNING, "%s: without its %s%s%s", path, disks ? "disks" : "",
			  nets && disks ? " and " : "", nets ? "networks" : "");
	if (options->without_devices)
		config->disk_count = 0;
	/* None at all, and so not the usual one either. */
	if (options->without_devices || no_nets)
		definition_clear_nets(definition);
	return 0;
}

static int image_read_definition(struct definition *definition, const struct image_options *options,
				 unsigned services, const char *path, struct error *why)
{
	int error;

	definition_begin(definition);
	error = definition_read_file(definition, path, why);
	if (error == 0)
		error = image_check_devices(definition, options, services, path, why);
	if (error == 0)
		error = definition_finish(definition, why);
	return error;
}

static int image_check_together(const struct definition *definitions,
				const struct image_options *options, struct error *why)
{
	struct image_vm vms[IMAGE_VMS_MAX];

	for (unsigned i = 0; i < options->vm_count; i++)
		vms[i] = (struct image_vm){&definitions[i].config, options->vms[i]};
	return image_check(vms, options->vm_count, why);
}

/* --- Services -------------------------------------------------------------------------------- */

/* Of those that there are the ones that this image has a use for. */
static unsigned image_choose_services(const struct image_options *options,
				      const struct definition *definitions, unsigned services)
{
	bool disks = options->volume_count > 0 || options->format, nets = false;

	for (unsigned i = 0; i < options->vm_count; i++) {
		disks = disks || definitions[i].config.disk_count > 0;
		nets = nets || definitions[i].config.net_count > 0;
	}
	if (!disks)
		services &= ~(1u << IMAGE_STORE);
	if (!nets)
		services &= ~(1u << IMAGE_NETWORK);
	return services;
}

/* What --import, --volume and --import-disks ask for. */
static int image_tell_volumes(struct image_folder *folder, const struct image_options *options,
			      const struct definition *definitions, struct image_volumes *volumes,
			      struct error *why)
{
	int error = 0;

	if (options->format)
		image_tell_format(volumes);
	for (unsigned i = 0; error == 0 && i < options->volume_count; i++) {
		if (options->volumes[i].file != NULL)
			error = image_import(folder, volumes, options->volumes[i].name,
					     options->volumes[i].file, why);
		else
			image_tell_create(volumes, options->volumes[i].name,
					  options->volumes[i].size);
	}
	for (unsigned i = 0; options->import_disks && i < options->vm_count; i++) {
		const struct vm_config *config = &definitions[i].config;

		for (unsigned j = 0; error == 0 && j < config->disk_count; j++)
			error = image_import(folder, volumes,
					     image_volume_of(config->disks[j].path),
					     config->disks[j].path, why);
	}
	if (error == 0 && volumes->failed)
		return error_set(why, -ENOMEM, "there is no memory left for an image");
	return error;
}

static int image_fill_services(struct image_folder *folder, const struct image_options *options,
			       const struct definition *definitions, const char *runtime,
			       unsigned services, struct error *why)
{
	struct image_volumes volumes = {0};
	int error = image_tell_volumes(folder, options, definitions, &volumes, why);

	if (error == 0)
		error = image_add_services(folder, runtime, services,
					   volumes.lines != NULL ? volumes.lines : "", why);
	free(volumes.lines);
	return error;
}

/* --- The whole ------------------------------------------------------------------------------- */

static int image_fill(const struct image_options *options, const struct definition *definitions,
		      const char *runtime, unsigned services, struct error *why)
{
	/* Without the console service a VM that is alone has the machine's own console. */
	bool screen = options->vm_count == 1 && !(services & (1u << IMAGE_CONSOLE));
	struct image_folder folder;
	struct stat status;
	int error = image_folder_begin(&folder, options->output, why);

	if (error == 0)
		error = image_add_runtime(&folder, runtime, why);
	if (error == 0)
		error = image_fill_services(&folder, options, definitions, runtime, services, why);
	for (unsigned i = 0; error == 0 && i < options->vm_count; i++)
		error = image_add_vm(&folder, &definitions[i], services, screen, why);
	if (error == 0) {
		log_print(OS_LOG_INFO, "writing %s", options->output);
		error = image_make(&folder, options->output, why);
	}
	image_folder_end(&folder);
	if (error == 0 && stat(options->output, &status) == 0)
		log_print(OS_LOG_INFO, "%s: %u VM%s, %llu MiB; boots on BIOS and UEFI",
			  options->output, options->vm_count, options->vm_count == 1 ? "" : "s",
			  (unsigned long long)(((uint64_t)status.st_size + MIB - 1) / MIB));
	return error;
}

static int image_run_options(const struct image_options *options, struct error *why)
{
	struct definition *definitions = calloc(IMAGE_VMS_MAX, sizeof(*definitions));
	char runtime[IMAGE_PATH_MAX + 32];
	unsigned read = 0, services = 0;
	int error;

	if (definitions == NULL)
		return error_set(why, -ENOMEM, "there is no memory left for the definitions");
	error = image_check_output(options->output, why);
	if (error == 0)
		error = image_find_runtime(options->runtime, runtime, sizeof(runtime), why);
	if (error == 0)
		services = image_find_services(runtime);
	while (error == 0 && read < options->vm_count) {
		error = image_read_definition(&definitions[read], options, services,
					      options->vms[read], why);
		read++;
	}
	if (error == 0)
		error = image_check_together(definitions, options, why);
	if (error == 0)
		error = image_check_tools(why);
	if (error == 0)
		error = image_fill(options, definitions, runtime,
				   image_choose_services(options, definitions, services), why);
	while (read > 0)
		definition_end(&definitions[--read]);
	free(definitions);
	return error;
}

static void image_help(FILE *out)
{
	fputs("usage: dyad image FILE.json... --output FILE.iso\n"
	      "\n"
	      "Makes a bootable image of VM definitions: type 1, where Dyad runs on the bare\n"
	      "machine.  It starts from a CD, a USB stick or a virtual CD, on BIOS and UEFI.\n",
	      out);
	option_print_help(out, specs);
	fputs("\n"
	      "The definitions are those that 'dyad run' takes.  Kernels are unpacked on the way.\n"
	      "A disk is a volume on the machine's own disks, which has the name of the file\n"
	      "without its folder; networks, of whichever type, join one switch, and with it the\n"
	      "machine's network card.\n"
	      "\n"
	      "Examples:\n"
	      "  dyad image web.json db.json -o host.iso\n"
	      "  dyad image web.json db.json --import-disks --format -o host.iso\n"
	      "  qemu-system-x86_64 -M q35 -cpu max -m 2G -nographic -cdrom host.iso\n",
	      out);
}

static enum exit_status image_exit_status(int error)
{
	switch (error) {
	case 0:
		return EXIT_OK;
	case -EINTR:
		return (enum exit_status)(EXIT_SIGNAL + image_caught_signal());
	case -EIO:
	case -ENOMEM:
	case -ENOSPC:
		return EXIT_INTERNAL;
	default:
		return EXIT_BAD_INPUT;
	}
}

static int image_main(int argc, char **argv)
{
	struct image_options options = {.output = ""};
	struct error why;
	int error;

	if (image_parse(&options, argc, argv, &why) < 0)
		return message_fail(EXIT_BAD_INPUT, &why);
	if (options.help) {
		image_help(stdout);
		return message_finish_output();
	}
	process_init();
	process_log_configure(STDERR_FILENO, options.quiet ? OS_LOG_ERROR : OS_LOG_INFO);
	error = image_run_options(&options, &why);
	return error == 0 ? EXIT_OK : message_fail(image_exit_status(error), &why);
}

const struct command image_command = {
	.name = "image",
	.summary = "makes a bootable host of VM definitions, for bare metal",
	.run = image_main,
	.help = image_help,
};
