/* SPDX-License-Identifier: MIT */
/*
 * definition_write.c - a finished definition as JSON, its keys always in the same order.
 */
#include "cli/definition.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/value.h"
#include "lib/bits.h"

struct writer {
	const char *folder;
	struct error *why;
	int error; /* the first that happened; nothing more is written then */
};

/* Puts value, which may be NULL, and is given away. */
static void put(struct writer *writer, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0 && writer->error == 0)
		writer->error = error_set(writer->why, -ENOMEM,
					  "there is no memory left to write the VM's definition");
}

/* text may be NULL: the key is left out. */
static void put_text(struct writer *writer, json_t *object, const char *key, const char *text)
{
	json_t *value;

	if (text == NULL || writer->error != 0)
		return;
	value = json_string(text);
	if (value == NULL) {
		writer->error = error_set(writer->why, -EILSEQ,
					  "%s: \"%.200s\" can't be written as JSON, which wants "
					  "UTF-8; rename it",
					  key, text);
		return;
	}
	put(writer, object, key, value);
}

static void put_bool(struct writer *writer, json_t *object, const char *key, bool on)
{
	put(writer, object, key, json_boolean(on));
}

static void put_path(struct writer *writer, json_t *object, const char *key, const char *path)
{
	char *absolute;

	if (path == NULL || path[0] == '/') {
		put_text(writer, object, key, path);
		return;
	}
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	if (asprintf(&absolute, "%s/%s", strcmp(writer->folder, "/") == 0 ? "" : writer->folder,
		     path) < 0) {
		put(writer, object, key, NULL);
		return;
	}
	put_text(writer, object, key, absolute);
	free(absolute);
}

/* Puts a new object at the array's end, which owns it. */
static json_t *append_object(struct writer *writer, json_t *array)
{
	json_t *object = json_object();

	if (json_array_append_new(array, object) < 0 && writer->error == 0) {
		writer->error = error_set(writer->why, -ENOMEM,
					  "there is no memory left to write the VM's definition");
		return NULL;
	}
	return object;
}

static json_t *write_modules(struct writer *writer, const struct vm_config *config)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < config->module_count; i++) {
		json_t *object = append_object(writer, array);

		put_path(writer, object, "file", config->modules[i].path);
		put_text(writer, object, "arguments", config->modules[i].arguments);
	}
	return array;
}

static json_t *write_disks(struct writer *writer, const struct vm_config *config)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < config->disk_count; i++) {
		const struct vm_disk_config *disk = &config->disks[i];
		json_t *object = append_object(writer, array);

		put_path(writer, object, "file", disk->path);
		put_bool(writer, object, "ro", disk->read_only);
		put_text(writer, object, "cache", definition_caches[disk->cache]);
		put_bool(writer, object, "discard", disk->discard);
		put_text(writer, object, "serial", disk->serial);
	}
	return array;
}

static json_t *write_forwards(struct writer *writer, const struct vm_net_config *net)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < net->forward_count; i++) {
		char text[VALUE_TEXT_MAX];

		value_format_forward(&net->forwards[i], text);
		if (json_array_append_new(array, json_string(text)) < 0)
			writer->error = error_set(writer->why, -ENOMEM,
						  "there is no memory left to write the VM's "
						  "definition");
	}
	return array;
}

static json_t *write_nets(struct writer *writer, const struct vm_config *config)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < config->net_count; i++) {
		const struct vm_net_config *net = &config->nets[i];
		json_t *object = append_object(writer, array);
		char text[VALUE_TEXT_MAX];

		put_text(writer, object, "type", definition_net_kinds[net->kind]);
		put_text(writer, object, "interface", net->tap);
		value_format_mac(net->mac, text);
		put_text(writer, object, "mac", text);
		if (net->rate)
			put(writer, object, "rate",
			    json_integer((json_int_t)(net->rate / VALUE_RATE_UNIT)));
		if (net->kind == OS_NET_USER)
			put(writer, object, "hostfwd", write_forwards(writer, net));
	}
	return array;
}

/* Without a key where nothing is said; NULL if nothing is said at all. */
static json_t *write_shares(struct writer *writer, const struct definition_shares *shares)
{
	json_t *object, *cpus;

	if (!shares->weight && !shares->cap && !shares->host_cpus)
		return NULL;
	object = json_object();
	if (shares->weight)
		put(writer, object, "weight", json_integer(shares->weight));
	if (shares->cap)
		put(writer, object, "cap", json_integer(shares->cap));
	if (!shares->host_cpus)
		return object;
	cpus = json_array();
	for (unsigned i = 0; i < DEFINITION_HOST_CPUS; i++)
		if (shares->host_cpus & BIT(i) && json_array_append_new(cpus, json_integer(i)) < 0)
			put(writer, object, "host-cpus", NULL);
	put(writer, object, "host-cpus", cpus);
	return object;
}

int definition_write(const struct definition *definition, const char *folder, char **text,
		     struct error *why)
{
	const struct vm_config *config = &definition->config;
	struct writer writer = {.folder = folder, .why = why};
	json_t *root = json_object(), *shares = write_shares(&writer, &definition->shares);
	char memory[VALUE_TEXT_MAX];

	value_format_memory(config->memory, memory);
	put_text(&writer, root, "name", config->name);
	put_path(&writer, root, "kernel", config->kernel);
	put_path(&writer, root, "initrd", config->initrd);
	put_text(&writer, root, "append", config->append);
	put_bool(&writer, root, "kaslr", config->kaslr);
	put(&writer, root, "modules", write_modules(&writer, config));
	put(&writer, root, "cpus", json_integer(config->cpus));
	put_text(&writer, root, "memory", memory);
	put(&writer, root, "disks", write_disks(&writer, config));
	put(&writer, root, "nets", write_nets(&writer, config));
	put_text(&writer, root, "console", definition_consoles[config->console]);
	put_bool(&writer, root, "rng", config->rng);
	put_bool(&writer, root, "balloon", config->balloon);
	put_bool(&writer, root, "test-device", config->test_device);
	if (shares != NULL)
		put(&writer, root, "shares", shares);
	put_text(&writer, root, "engine", engine_names[definition->engine]);
	*text = NULL;
	if (writer.error == 0) {
		*text = json_dumps(root, JSON_INDENT(2));
		if (*text == NULL)
			writer.error = error_set(why, -ENOMEM,
						 "there is no memory left to write the VM's "
						 "definition");
	}
	json_decref(root);
	return writer.error;
}
