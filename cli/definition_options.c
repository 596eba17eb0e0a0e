/* SPDX-License-Identifier: MIT */
/*
 * definition_options.c - the notation of options: FILE[,opt...] for a disk and its like.
 */
#include "cli/definition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/suggest.h"
#include "cli/value.h"

int definition_set_name(struct definition *definition, const char *name, struct error *why)
{
	if (value_check_name(name, why) < 0)
		return -EINVAL;
	return definition_keep(definition, name, &definition->config.name, why);
}

int definition_set_kernel(struct definition *definition, const char *path, struct error *why)
{
	return definition_keep_path(definition, NULL, path, &definition->config.kernel, why);
}

int definition_set_initrd(struct definition *definition, const char *path, struct error *why)
{
	return definition_keep_path(definition, NULL, path, &definition->config.initrd, why);
}

int definition_set_append(struct definition *definition, const char *text, struct error *why)
{
	return definition_keep(definition, text, &definition->config.append, why);
}

int definition_set_console(struct definition *definition, const char *text, struct error *why)
{
	unsigned place = 0;

	if (value_choice(text, definition_consoles, &place, why) < 0)
		return -EINVAL;
	definition->config.console = (enum vm_console)place;
	return 0;
}

int definition_set_engine(struct definition *definition, const char *text, struct error *why)
{
	unsigned place = 0;

	if (value_choice(text, engine_names, &place, why) < 0)
		return -EINVAL;
	definition->engine = (enum engine_choice)place;
	return 0;
}

/* One kind of device's options; NAME or NAME=VALUE. */
struct device_option {
	const char *name;
	/* value is NULL if there was no '='. */
	int (*set)(struct definition *definition, void *device, const char *value,
		   struct error *why);
};

/* piece is taken apart in place. */
static int device_option_set(struct definition *definition, const struct device_option *options,
			     void *device, char *piece, struct error *why)
{
	char *equals = strchr(piece, '=');
	struct suggestion suggestion;
	const char *nearest;

	if (equals != NULL)
		*equals = '\0';
	suggest_begin(&suggestion, piece);
	for (const struct device_option *option = options; option->name != NULL; option++) {
		if (strcmp(option->name, piece) == 0) {
			int error = option->set(definition, device,
						equals != NULL ? equals + 1 : NULL, why);

			return error < 0 ? value_error_at(why, error, option->name) : 0;
		}
		suggest_consider(&suggestion, option->name);
	}
	nearest = suggest_result(&suggestion);
	return error_set(why, -EINVAL, "\"%.40s\" is not known here%s%s%s", piece,
			 nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
			 nearest != NULL ? "?" : "; a comma in a file's name is written twice");
}

static int device_option_needs_value(struct error *why)
{
	return error_set(why, -EINVAL, "a value is missing; write it behind '='");
}

/* --- Disks ----------------------------------------------------------------------------------- */

static int disk_set_ro(struct definition *definition, void *device, const char *value,
		       struct error *why)
{
	struct vm_disk_config *disk = device;

	(void)definition;
	disk->read_only = true;
	return value != NULL ? value_switch(value, &disk->read_only, why) : 0;
}

static int disk_set_cache(struct definition *definition, void *device, const char *value,
			  struct error *why)
{
	struct vm_disk_config *disk = device;
	unsigned place = 0;

	(void)definition;
	if (value == NULL)
		return device_option_needs_value(why);
	if (value_choice(value, definition_caches, &place, why) < 0)
		return -EINVAL;
	disk->cache = (enum os_block_cache)place;
	return 0;
}

static int disk_set_discard(struct definition *definition, void *device, const char *value,
			    struct error *why)
{
	struct vm_disk_config *disk = device;

	(void)definition;
	disk->discard = true;
	return value != NULL ? value_switch(value, &disk->discard, why) : 0;
}

static int disk_set_serial(struct definition *definition, void *device, const char *value,
			   struct error *why)
{
	struct vm_disk_config *disk = device;

	if (value == NULL)
		return device_option_needs_value(why);
	if (value_check_serial(value, why) < 0)
		return -EINVAL;
	return definition_keep(definition, value, &disk->serial, why);
}

static const struct device_option disk_options[] = {
	{"ro", disk_set_ro},
	{"cache", disk_set_cache},
	{"discard", disk_set_discard},
	{"serial", disk_set_serial},
	{0},
};

int definition_add_disk(struct definition *definition, const char *text, struct error *why)
{
	char *copy = strdup(text), *rest = copy;
	struct vm_disk_config *disk;
	int error = -ENOMEM;

	if (copy == NULL)
		return error_set(why, error, "there is no memory left to read the option");
	error = definition_new_disk(definition, &disk, why);
	if (error == 0)
		error = definition_keep_path(definition, NULL, value_next_piece(&rest), &disk->path,
					     why);
	while (error == 0 && rest != NULL)
		error = device_option_set(definition, disk_options, disk, value_next_piece(&rest),
					  why);
	free(copy);
	return error;
}

/* --- Modules --------------------------------------------------------------------------------- */

int definition_add_module(struct definition *definition, const char *text, struct error *why)
{
	char *copy = strdup(text), *rest = copy;
	struct vm_module_config *module;
	int error = -ENOMEM;

	if (copy == NULL)
		return error_set(why, error, "there is no memory left to read the option");
	error = definition_new_module(definition, &module, why);
	if (error == 0)
		error = definition_keep_path(definition, NULL, value_next_piece(&rest),
					     &module->path, why);
	if (error == 0 && rest != NULL)
		error = definition_keep(definition, rest, &module->arguments, why);
	free(copy);
	return error;
}

/* --- Networks -------------------------------------------------------------------------------- */

static int net_set_mac(struct definition *definition, void *device, const char *value,
		       struct error *why)
{
	struct vm_net_config *net = device;

	(void)definition;
	if (value == NULL)
		return device_option_needs_value(why);
	return value_mac(value, net->mac, why);
}

static int net_set_rate(struct definition *definition, void *device, const char *value,
			struct error *why)
{
	(void)definition;
	if (value == NULL)
		return device_option_needs_value(why);
	return value_rate(value, &((struct vm_net_config *)device)->rate, why);
}

static int net_set_forward(struct definition *definition, void *device, const char *value,
			   struct error *why)
{
	(void)definition;
	if (value == NULL)
		return device_option_needs_value(why);
	return definition_add_forward(device, value, why);
}

static const struct device_option user_options[] = {
	{"hostfwd", net_set_forward},
	{"mac", net_set_mac},
	{"rate", net_set_rate},
	{0},
};

static const struct device_option tap_options[] = {
	{"mac", net_set_mac},
	{"rate", net_set_rate},
	{0},
};

/* first is what stands before the first comma. */
static int net_set_kind(struct definition *definition, struct vm_net_config *net, const char *first,
			struct error *why)
{
	if (strcmp(first, "user") == 0) {
		net->kind = OS_NET_USER;
		return 0;
	}
	if (strncmp(first, "tap=", 4) != 0)
		return error_set(
			why, -EINVAL,
			"\"%.40s\" is no kind of network; give user, tap=INTERFACE or none", first);
	net->kind = OS_NET_TAP;
	if (value_check_interface(first + 4, why) < 0)
		return -EINVAL;
	return definition_keep(definition, first + 4, &net->tap, why);
}

int definition_add_net(struct definition *definition, const char *text, struct error *why)
{
	char *copy = strdup(text), *rest = copy;
	struct vm_net_config *net;
	int error = -ENOMEM;

	if (copy == NULL)
		return error_set(why, error, "there is no memory left to read the option");
	error = definition_new_net(definition, &net, why);
	if (error == 0)
		error = net_set_kind(definition, net, value_next_piece(&rest), why);
	while (error == 0 && rest != NULL)
		error = device_option_set(definition,
					  net->kind == OS_NET_TAP ? tap_options : user_options, net,
					  value_next_piece(&rest), why);
	free(copy);
	return error;
}
