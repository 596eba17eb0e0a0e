/* SPDX-License-Identifier: MIT */
/*
 * definition_keys.c - the keys of a JSON definition, and what each of them means.
 */
#include "cli/definition_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/value.h"
#include "lib/bits.h"

static struct definition *definition_of(struct json_reader *reader)
{
	return ((struct definition_reading *)reader->context)->definition;
}

static int read_kept(struct json_reader *reader, json_t *value, const char **copy)
{
	const char *text = json_read_text(reader, value, "a string");

	if (text == NULL)
		return -EINVAL;
	return definition_keep(definition_of(reader), text, copy, reader->why);
}

static int read_path(struct json_reader *reader, json_t *value, const char **copy)
{
	const struct definition_reading *reading = reader->context;
	const char *text = json_read_text(reader, value, "a file's name");
	int error;

	if (text == NULL)
		return -EINVAL;
	error = definition_keep_path(reading->definition, reading->folder, text, copy, reader->why);
	return error < 0 ? json_reader_error(reader, error) : 0;
}

/* --- Disks ----------------------------------------------------------------------------------- */

static int disk_read_file(struct json_reader *reader, json_t *value, void *target)
{
	return read_path(reader, value, &((struct vm_disk_config *)target)->path);
}

static int disk_read_ro(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_bool(reader, value, &((struct vm_disk_config *)target)->read_only);
}

static int disk_read_cache(struct json_reader *reader, json_t *value, void *target)
{
	unsigned place = 0;
	int error = json_read_choice(reader, value, definition_caches, &place);

	((struct vm_disk_config *)target)->cache = (enum os_block_cache)place;
	return error;
}

static int disk_read_discard(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_bool(reader, value, &((struct vm_disk_config *)target)->discard);
}

static int disk_read_serial(struct json_reader *reader, json_t *value, void *target)
{
	const char **serial = &((struct vm_disk_config *)target)->serial;
	int error = read_kept(reader, value, serial);

	if (error < 0)
		return error;
	if (value_check_serial(*serial, reader->why) < 0)
		return json_reader_error(reader, -EINVAL);
	return 0;
}

static const struct json_key disk_keys[] = {
	{"file", disk_read_file},       {"ro", disk_read_ro},         {"cache", disk_read_cache},
	{"discard", disk_read_discard}, {"serial", disk_read_serial}, {0},
};

static int read_disk(struct json_reader *reader, json_t *value, void *target)
{
	struct vm_disk_config *disk;
	int error;

	(void)target;
	if (definition_new_disk(definition_of(reader), &disk, reader->why) < 0)
		return json_reader_error(reader, -E2BIG);
	error = json_read_object(reader, value, disk_keys, "an object that describes a disk", disk);
	if (error == 0 && disk->path == NULL)
		error = json_reader_missing(reader, "file");
	return error;
}

/* --- Modules --------------------------------------------------------------------------------- */

static int module_read_file(struct json_reader *reader, json_t *value, void *target)
{
	return read_path(reader, value, &((struct vm_module_config *)target)->path);
}

static int module_read_arguments(struct json_reader *reader, json_t *value, void *target)
{
	return read_kept(reader, value, &((struct vm_module_config *)target)->arguments);
}

static const struct json_key module_keys[] = {
	{"file", module_read_file},
	{"arguments", module_read_arguments},
	{0},
};

static int read_module(struct json_reader *reader, json_t *value, void *target)
{
	struct vm_module_config *module;
	int error;

	(void)target;
	if (definition_new_module(definition_of(reader), &module, reader->why) < 0)
		return json_reader_error(reader, -E2BIG);
	error = json_read_object(reader, value, module_keys, "an object that describes a module",
				 module);
	if (error == 0 && module->path == NULL)
		error = json_reader_missing(reader, "file");
	return error;
}

static int read_number(struct json_reader *reader, json_t *value, json_int_t least, json_int_t most,
		       const char *what, uint32_t *number)
{
	json_int_t read = json_integer_value(value);

	if (!json_is_integer(value))
		return json_reader_expected(reader, value, "a whole number");
	if (read < least || read > most) {
		error_set(reader->why, -EINVAL, "%lld is no %s from %lld to %lld", (long long)read,
			  what, (long long)least, (long long)most);
		return json_reader_error(reader, -EINVAL);
	}
	*number = (uint32_t)read;
	return 0;
}

/* --- Networks -------------------------------------------------------------------------------- */

struct net_reading {
	struct vm_net_config *net;
	bool type_given;
};

static int net_read_type(struct json_reader *reader, json_t *value, void *target)
{
	struct net_reading *reading = target;
	unsigned place = 0;
	int error = json_read_choice(reader, value, definition_net_kinds, &place);

	reading->net->kind = (enum os_net_kind)place;
	reading->type_given = true;
	return error;
}

static int net_read_interface(struct json_reader *reader, json_t *value, void *target)
{
	const char **tap = &((struct net_reading *)target)->net->tap;
	int error = read_kept(reader, value, tap);

	if (error < 0)
		return error;
	if (value_check_interface(*tap, reader->why) < 0)
		return json_reader_error(reader, -EINVAL);
	return 0;
}

static int net_read_mac(struct json_reader *reader, json_t *value, void *target)
{
	const char *text = json_read_text(reader, value, "a MAC address in a string");

	if (text == NULL)
		return -EINVAL;
	if (value_mac(text, ((struct net_reading *)target)->net->mac, reader->why) < 0)
		return json_reader_error(reader, -EINVAL);
	return 0;
}

static int net_read_rate(struct json_reader *reader, json_t *value, void *target)
{
	uint32_t rate = 0;
	int error = read_number(reader, value, 1, VALUE_RATE_MAX, "rate in Mbit/s", &rate);

	((struct net_reading *)target)->net->rate = (uint64_t)rate * VALUE_RATE_UNIT;
	return error;
}

static int read_forward(struct json_reader *reader, json_t *value, void *target)
{
	const char *text = json_read_text(reader, value, "a port forward in a string");
	int error;

	if (text == NULL)
		return -EINVAL;
	error = definition_add_forward(target, text, reader->why);
	return error < 0 ? json_reader_error(reader, error) : 0;
}

static int net_read_hostfwd(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_array(reader, value, read_forward, ((struct net_reading *)target)->net);
}

static const struct json_key net_keys[] = {
	{"type", net_read_type},       {"interface", net_read_interface}, {"mac", net_read_mac},
	{"hostfwd", net_read_hostfwd}, {"rate", net_read_rate},           {0},
};

static int read_net(struct json_reader *reader, json_t *value, void *target)
{
	struct net_reading reading = {0};
	const struct vm_net_config *net;
	int error;

	(void)target;
	if (definition_new_net(definition_of(reader), &reading.net, reader->why) < 0)
		return json_reader_error(reader, -E2BIG);
	error = json_read_object(reader, value, net_keys, "an object that describes a network",
				 &reading);
	if (error < 0)
		return error;
	net = reading.net;
	if (!reading.type_given)
		return json_reader_missing(reader, "type");
	if (net->kind == OS_NET_TAP && net->tap == NULL)
		return json_reader_missing(reader, "interface");
	if (net->kind == OS_NET_TAP && net->forward_count > 0) {
		error_set(reader->why, -EINVAL,
			  "\"hostfwd\" is for networks of the type \"user\"; a tap device is "
			  "reached without");
		return json_reader_error(reader, -EINVAL);
	}
	if (net->kind == OS_NET_USER && net->tap != NULL) {
		error_set(
			reader->why, -EINVAL,
			"\"interface\" is for networks of the type \"tap\", and this is \"user\"");
		return json_reader_error(reader, -EINVAL);
	}
	return 0;
}

/* --- The VM ---------------------------------------------------------------------------------- */

static int vm_read_name(struct json_reader *reader, json_t *value, void *target)
{
	const char *text = json_read_text(reader, value, "a string");
	int error;

	(void)target;
	if (text == NULL)
		return -EINVAL;
	error = definition_set_name(definition_of(reader), text, reader->why);
	return error < 0 ? json_reader_error(reader, error) : 0;
}

static int vm_read_kernel(struct json_reader *reader, json_t *value, void *target)
{
	return read_path(reader, value, &((struct vm_config *)target)->kernel);
}

static int vm_read_initrd(struct json_reader *reader, json_t *value, void *target)
{
	return read_path(reader, value, &((struct vm_config *)target)->initrd);
}

static int vm_read_append(struct json_reader *reader, json_t *value, void *target)
{
	return read_kept(reader, value, &((struct vm_config *)target)->append);
}

static int vm_read_kaslr(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_bool(reader, value, &((struct vm_config *)target)->kaslr);
}

static int vm_read_modules(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_array(reader, value, read_module, target);
}

/* A whole number from least to most; what it is a number of is for the error. */
static int vm_read_cpus(struct json_reader *reader, json_t *value, void *target)
{
	return read_number(reader, value, 1, VM_CPUS_MAX, "number of CPUs",
			   &((struct vm_config *)target)->cpus);
}

/* As with the option: a string with a unit, or a number of MiB. */
static int vm_read_memory(struct json_reader *reader, json_t *value, void *target)
{
	char number[24];
	const char *text = number;

	if (json_is_integer(value))
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_string(value))
		text = json_string_value(value);
	else
		return json_reader_expected(reader, value, "a size such as \"512M\"");
	if (value_memory(text, &((struct vm_config *)target)->memory, reader->why) < 0)
		return json_reader_error(reader, -EINVAL);
	return 0;
}

static int vm_read_disks(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_array(reader, value, read_disk, target);
}

static int vm_read_nets(struct json_reader *reader, json_t *value, void *target)
{
	definition_of(reader)->nets_given = true;
	return json_read_array(reader, value, read_net, target);
}

static int vm_read_console(struct json_reader *reader, json_t *value, void *target)
{
	unsigned place = 0;
	int error = json_read_choice(reader, value, definition_consoles, &place);

	((struct vm_config *)target)->console = (enum vm_console)place;
	return error;
}

static int vm_read_rng(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_bool(reader, value, &((struct vm_config *)target)->rng);
}

static int vm_read_balloon(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_bool(reader, value, &((struct vm_config *)target)->balloon);
}

static int vm_read_test_device(struct json_reader *reader, json_t *value, void *target)
{
	return json_read_bool(reader, value, &((struct vm_config *)target)->test_device);
}

/* --- Shares ---------------------------------------------------------------------------------- */

static int shares_read_weight(struct json_reader *reader, json_t *value, void *target)
{
	return read_number(reader, value, 1, DEFINITION_WEIGHT_MAX, "weight",
			   &((struct definition_shares *)target)->weight);
}

static int shares_read_cap(struct json_reader *reader, json_t *value, void *target)
{
	return read_number(reader, value, 1, DEFINITION_HOST_CPUS * 100, "percentage of one CPU",
			   &((struct definition_shares *)target)->cap);
}

static int read_host_cpu(struct json_reader *reader, json_t *value, void *target)
{
	uint32_t number = 0;
	int error = read_number(reader, value, 0, DEFINITION_HOST_CPUS - 1, "CPU of a machine",
				&number);

	if (error == 0)
		*(uint64_t *)target |= BIT(number);
	return error;
}

static int shares_read_host_cpus(struct json_reader *reader, json_t *value, void *target)
{
	struct definition_shares *shares = target;

	shares->host_cpus = 0;
	return json_read_array(reader, value, read_host_cpu, &shares->host_cpus);
}

static const struct json_key shares_keys[] = {
	{"weight", shares_read_weight},
	{"cap", shares_read_cap},
	{"host-cpus", shares_read_host_cpus},
	{0},
};

static int vm_read_shares(struct json_reader *reader, json_t *value, void *target)
{
	(void)target;
	return json_read_object(reader, value, shares_keys,
				"an object with weight, cap or host-cpus",
				&definition_of(reader)->shares);
}

static int vm_read_engine(struct json_reader *reader, json_t *value, void *target)
{
	unsigned place = 0;
	int error = json_read_choice(reader, value, engine_names, &place);

	(void)target;
	definition_of(reader)->engine = (enum engine_choice)place;
	return error;
}

static const struct json_key vm_keys[] = {
	{"name", vm_read_name},
	{"kernel", vm_read_kernel},
	{"initrd", vm_read_initrd},
	{"append", vm_read_append},
	{"kaslr", vm_read_kaslr},
	{"modules", vm_read_modules},
	{"cpus", vm_read_cpus},
	{"memory", vm_read_memory},
	{"disks", vm_read_disks},
	{"nets", vm_read_nets},
	{"console", vm_read_console},
	{"rng", vm_read_rng},
	{"balloon", vm_read_balloon},
	{"test-device", vm_read_test_device},
	{"shares", vm_read_shares},
	{"engine", vm_read_engine},
	{0},
};

int definition_read_root(struct json_reader *reader, json_t *root)
{
	return json_read_object(reader, root, vm_keys, "an object that describes a VM",
				&definition_of(reader)->config);
}
