/* SPDX-License-Identifier: MIT */
/*
 * definition.c - what a definition owns, its limits, and the defaults that complete it.
 */
#include "cli/definition.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/value.h"

#define DEFAULT_CPUS 1
#define DEFAULT_MEMORY (UINT64_C(512) << 20)
#define DEFAULT_NAME "vm"

#define MAC_LOCAL_BIT 0x02 /* of the first byte: given by a local administration */

const char *const definition_consoles[] = {"serial", "virtio", "none", NULL};
const char *const definition_caches[] = {"writeback", "none", NULL};
const char *const definition_net_kinds[] = {"user", "tap", NULL};

struct definition_string {
	struct definition_string *next;
	char text[];
};

void definition_begin(struct definition *definition)
{
	*definition = (struct definition){.engine = ENGINE_AUTO};
	definition->config.console = VM_CONSOLE_SERIAL;
	definition->config.rng = true;
	definition->config.balloon = true;
}

void definition_end(struct definition *definition)
{
	while (definition->strings != NULL) {
		struct definition_string *next = definition->strings->next;

		free(definition->strings);
		definition->strings = next;
	}
	free(definition->fallback_name);
	*definition = (struct definition){0};
}

static int definition_no_memory(struct error *why)
{
	return error_set(why, -ENOMEM, "there is no memory left to hold the VM's definition");
}

/* Keeps first and second, one behind the other. */
static int definition_keep_joined(struct definition *definition, const char *first,
				  const char *second, const char **copy, struct error *why)
{
	size_t size = strlen(first) + strlen(second) + 1;
	struct definition_string *string = malloc(sizeof(*string) + size);

	if (string == NULL)
		return definition_no_memory(why);
	snprintf(string->text, size, "%s%s", first, second);
	string->next = definition->strings;
	definition->strings = string;
	*copy = string->text;
	return 0;
}

int definition_keep(struct definition *definition, const char *text, const char **copy,
		    struct error *why)
{
	return definition_keep_joined(definition, "", text, copy, why);
}

int definition_keep_path(struct definition *definition, const char *folder, const char *path,
			 const char **copy, struct error *why)
{
	if (path[0] == '\0')
		return error_set(why, -EINVAL, "the file's name is empty; give the name of a file");
	if (folder == NULL || path[0] == '/')
		folder = "";
	return definition_keep_joined(definition, folder, path, copy, why);
}

int definition_new_disk(struct definition *definition, struct vm_disk_config **disk,
			struct error *why)
{
	struct vm_config *config = &definition->config;

	if (config->disk_count == VM_DISKS_MAX)
		return error_set(why, -E2BIG, "a VM can have at most %d disks", VM_DISKS_MAX);
	*disk = &config->disks[config->disk_count++];
	**disk = (struct vm_disk_config){.cache = OS_BLOCK_WRITEBACK};
	return 0;
}

int definition_new_module(struct definition *definition, struct vm_module_config **module,
			  struct error *why)
{
	struct vm_config *config = &definition->config;

	if (config->module_count == VM_MODULES_MAX)
		return error_set(why, -E2BIG, "a VM can have at most %d modules", VM_MODULES_MAX);
	*module = &config->modules[config->module_count++];
	**module = (struct vm_module_config){0};
	return 0;
}

int definition_new_net(struct definition *definition, struct vm_net_config **net, struct error *why)
{
	struct vm_config *config = &definition->config;

	if (config->net_count == VM_NETS_MAX)
		return error_set(why, -E2BIG, "a VM can have at most %d networks", VM_NETS_MAX);
	*net = &config->nets[config->net_count++];
	**net = (struct vm_net_config){.kind = OS_NET_USER};
	definition->nets_given = true;
	return 0;
}

void definition_clear_nets(struct definition *definition)
{
	definition->config.net_count = 0;
	definition->nets_given = true;
}

int definition_add_forward(struct vm_net_config *net, const char *text, struct error *why)
{
	if (net->forward_count == VM_FORWARDS_MAX)
		return error_set(why, -E2BIG, "a network can have at most %d port forwards",
				 VM_FORWARDS_MAX);
	if (value_forward(text, &net->forwards[net->forward_count], why) < 0)
		return -EINVAL;
	net->forward_count++;
	return 0;
}

/* --- Defaults -------------------------------------------------------------------------------- */

static int definition_default_name(struct definition *definition, struct error *why)
{
	const char *name = definition->fallback_name;

	if (definition->config.name != NULL)
		return 0;
	return definition_keep(definition, name != NULL ? name : DEFAULT_NAME,
			       &definition->config.name, why);
}

/*
 * A Linux guest is told its terminal, and its root if there is a disk.  What is loaded with modules
 * is no Linux, and reads its command line its own way.
 */
static int definition_default_append(struct definition *definition, struct error *why)
{
	static const char *const consoles[] = {
		[VM_CONSOLE_SERIAL] = "console=ttyS0",
		[VM_CONSOLE_VIRTIO] = "console=hvc0",
		[VM_CONSOLE_NONE] = "",
	};
	struct vm_config *config = &definition->config;
	const char *root = "";

	if (config->append != NULL)
		return 0;
	if (config->module_count > 0)
		return definition_keep(definition, "", &config->append, why);
	if (config->disk_count > 0)
		root = config->disks[0].read_only ? " root=/dev/vda ro" : " root=/dev/vda rw";
	if (config->console == VM_CONSOLE_NONE && root[0] == ' ')
		root++;
	return definition_keep_joined(definition, consoles[config->console], root, &config->append,
				      why);
}

/* The same name and place give the same MAC in every run (FNV-1a of both). */
static void definition_default_mac(const char *name, unsigned place, uint8_t mac[6])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	hash = (hash ^ (place + 0x100)) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	mac[0] = MAC_LOCAL_BIT;
	for (unsigned i = 1; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i));
}

static int definition_default_nets(struct definition *definition, struct error *why)
{
	static const uint8_t none[6];
	struct vm_config *config = &definition->config;
	struct vm_net_config *net;

	if (!definition->nets_given && definition_new_net(definition, &net, why) < 0)
		return -E2BIG;
	for (unsigned i = 0; i < config->net_count; i++)
		if (memcmp(config->nets[i].mac, none, sizeof(none)) == 0)
			definition_default_mac(config->name, i, config->nets[i].mac);
	return 0;
}

/* --- Checks of the whole --------------------------------------------------------------------- */

static int definition_check_disks(const struct vm_config *config, struct error *why)
{
	for (unsigned i = 0; i < config->disk_count; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(config->disks[i].path, config->disks[j].path) == 0 &&
			    !(config->disks[i].read_only && config->disks[j].read_only))
				return error_set(why, -EINVAL,
						 "%s is given as two disks, whose writes would "
						 "destroy each other; give it once, or both times "
						 "with ro",
						 config->disks[i].path);
	return 0;
}

static bool definition_forwards_collide(const struct os_net_forward *a,
					const struct os_net_forward *b)
{
	return a->protocol == b->protocol && a->host_port == b->host_port &&
	       (a->host_address == b->host_address || a->host_address == 0 || b->host_address == 0);
}

/* Looks for a forward before the one at (net, place) that wants the same port of the host. */
static bool definition_forward_is_taken(const struct vm_config *config, unsigned net,
					unsigned place)
{
	const struct os_net_forward *forward = &config->nets[net].forwards[place];

	for (unsigned i = 0; i <= net; i++)
		for (unsigned j = 0; j < (i == net ? place : config->nets[i].forward_count); j++)
			if (definition_forwards_collide(forward, &config->nets[i].forwards[j]))
				return true;
	return false;
}

static int definition_check_nets(const struct vm_config *config, struct error *why)
{
	char text[VALUE_TEXT_MAX];

	for (unsigned i = 0; i < config->net_count; i++) {
		const struct vm_net_config *net = &config->nets[i];

		for (unsigned j = 0; j < i; j++) {
			const struct vm_net_config *other = &config->nets[j];

			if (memcmp(net->mac, other->mac, sizeof(net->mac)) == 0) {
				value_format_mac(net->mac, text);
				return error_set(why, -EINVAL,
						 "two networks have the MAC %s; give each its own",
						 text);
			}
			if (net->kind == OS_NET_TAP && other->kind == OS_NET_TAP &&
			    strcmp(net->tap, other->tap) == 0)
				return error_set(why, -EINVAL,
						 "two networks use the tap device %s; give each "
						 "its own",
						 net->tap);
		}
		for (unsigned j = 0; j < net->forward_count; j++) {
			if (!definition_forward_is_taken(config, i, j))
				continue;
			value_format_forward(&net->forwards[j], text);
			return error_set(why, -EINVAL,
					 "the host's port of the forward %s is already taken by "
					 "another forward; give it another port",
					 text);
		}
	}
	return 0;
}

int definition_finish(struct definition *definition, struct error *why)
{
	struct vm_config *config = &definition->config;
	int error;

	if (config->kernel == NULL)
		return error_set(why, -EINVAL,
				 "no kernel is given; name one with --kernel FILE, or a definition "
				 "that has one");
	if (config->cpus == 0)
		config->cpus = DEFAULT_CPUS;
	if (config->memory == 0)
		config->memory = DEFAULT_MEMORY;
	error = definition_default_name(definition, why);
	if (error == 0)
		error = definition_default_append(definition, why);
	if (error == 0)
		error = definition_default_nets(definition, why);
	if (error == 0)
		error = definition_check_disks(config, why);
	if (error == 0)
		error = definition_check_nets(config, why);
	return error;
}
