/* SPDX-License-Identifier: MIT */
/*
 * image_services.c - the services of an image, each a process with the words that it needs
 * (docs/type1.md), and the module that tells the store what volumes there are to be (abi/store.h).
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/store.h"
#include "cli/image.h"
#include "lib/bits.h"
#include "monitor/log.h"

static const struct {
	const char *use;  /* as the lines of processes that use it call it */
	const char *name; /* of the process, and of its file in the runtime's folder without .elf */
	const char *words;
} services_known[IMAGE_SERVICES] = {
	[IMAGE_STORE] = {"store", "store", "memory=32M devices"},
	[IMAGE_NETWORK] = {"network", "switch", "memory=32M devices"},
	[IMAGE_CONSOLE] = {"console", "console", "memory=16M screen power processes"},
};

bool image_is_service(const char *name)
{
	for (unsigned i = 0; i < IMAGE_SERVICES; i++)
		if (strcmp(services_known[i].name, name) == 0)
			return true;
	return false;
}

unsigned image_find_services(const char *runtime)
{
	char path[IMAGE_PATH_MAX + 64];
	unsigned found = 0;

	for (unsigned i = 0; i < IMAGE_SERVICES; i++) {
		snprintf(path, sizeof(path), "%s/%s.elf", runtime, services_known[i].name);
		if (access(path, R_OK) == 0)
			found |= 1u << i;
	}
	return found;
}

const char *image_use(unsigned services, char text[64])
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < IMAGE_SERVICES; i++)
		if (services & (1u << i))
			used += (size_t)snprintf(text + used, 64 - used, "%s%s",
						 used ? "," : "use=", services_known[i].use);
	if (used)
		snprintf(text + used, 64 - used, " ");
	return text;
}

/* --- Volumes --------------------------------------------------------------------------------- */

const char *image_volume_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

int image_check_volume(const char *name, const char *path, struct error *why)
{
	const char *at = name;

	while (isalnum((unsigned char)*at) || (*at != '\0' && strchr("._-", *at) != NULL))
		at++;
	if (*at == '\0' && at != name && at - name < STORE_NAME)
		return 0;
	return error_set(
		why, -EINVAL,
		"%.150s: on bare metal a disk is a volume, and \"%.80s\" is no name of one: "
		"that has 1 to %d letters, digits, dots, underlines and hyphens",
		path, name, STORE_NAME - 1);
}

static void image_tell(struct image_volumes *volumes, const char *line)
{
	size_t length = strlen(line);
	char *lines = realloc(volumes->lines, volumes->size + length + 1);

	if (lines == NULL) {
		volumes->failed = true;
		return;
	}
	memcpy(lines + volumes->size, line, length + 1);
	volumes->lines = lines;
	volumes->size += length;
}

void image_tell_format(struct image_volumes *volumes)
{
	image_tell(volumes, "format\n");
}

void image_tell_create(struct image_volumes *volumes, const char *name, uint64_t size)
{
	char line[STORE_NAME + 64];

	snprintf(line, sizeof(line), "create %s %llu\n", name, (unsigned long long)size);
	image_tell(volumes, line);
}

int image_import(struct image_folder *folder, struct image_volumes *volumes, const char *name,
		 const char *path, struct error *why)
{
	char line[STORE_NAME + IMAGE_NAME_MAX + 64];
	uint64_t before = folder->size;
	struct image_module *module;
	bool is_new;
	int error = image_add_module(folder, path, false, &module, &is_new, why);

	if (error == 0 && is_new)
		error = image_add_file(folder, path, module->path, why);
	if (error < 0)
		return error;
	snprintf(line, sizeof(line), "import %s %s\n", name, module->name);
	image_tell(volumes, line);
	if (is_new)
		log_print(OS_LOG_INFO, "volume %s: %s: %llu MiB", name, path,
			  (unsigned long long)((folder->size - before + MIB - 1) / MIB));
	return 0;
}

/* --- Processes ------------------------------------------------------------------------------- */

/* The module that has what the store is told; its name. */
static int image_add_told(struct image_folder *folder, const char *told, const char **name,
			  struct error *why)
{
	struct image_module *module;
	bool is_new;
	int error = image_add_module(folder, NULL, false, &module, &is_new, why);

	if (error < 0)
		return error;
	snprintf(module->name, sizeof(module->name), "%u/volumes", folder->module_count - 1);
	snprintf(module->arguments, sizeof(module->arguments), "file");
	*name = module->name;
	return image_add_bytes(folder, module->path, told, strlen(told), why);
}

static int image_add_service(struct image_folder *folder, const char *runtime,
			     enum image_service service, unsigned uses, const char *module_name,
			     struct error *why)
{
	char use[64];
	char source[IMAGE_PATH_MAX + 64];
	struct image_module *module;
	bool is_new;
	int error = image_add_module(folder, NULL, false, &module, &is_new, why);

	if (error < 0)
		return error;
	snprintf(source, sizeof(source), "%s/%s.elf", runtime, services_known[service].name);
	snprintf(module->name, sizeof(module->name), "%s", services_known[service].name);
	snprintf(module->path, sizeof(module->path), "boot/%s.elf", services_known[service].name);
	snprintf(module->arguments, sizeof(module->arguments), "process service %s%s%s%s",
		 image_use(uses, use), services_known[service].words,
		 module_name != NULL ? " module=" : "", module_name != NULL ? module_name : "");
	return image_add_file(folder, source, module->path, why);
}

int image_add_services(struct image_folder *folder, const char *runtime, unsigned services,
		       const char *store_told, struct error *why)
{
	const char *told_name = NULL;
	int error = 0;

	if ((services & (1u << IMAGE_STORE)) && store_told[0] != '\0')
		error = image_add_told(folder, store_told, &told_name, why);
	for (unsigned i = 0; error == 0 && i < IMAGE_SERVICES; i++) {
		/* The console has commands for volumes. */
		unsigned uses = i == IMAGE_CONSOLE ? services & (1u << IMAGE_STORE) : 0;

		if (services & (1u << i))
			error = image_add_service(folder, runtime, (enum image_service)i, uses,
						  i == IMAGE_STORE ? told_name : NULL, why);
	}
	return error;
}
