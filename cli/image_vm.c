/* SPDX-License-Identifier: MIT */
/*
 * image_vm.c - what an image has of a VM: its kernel, initrd and modules as files of the image, its
 * definition compiled with their names there, and a process that runs it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/definition_compile.h"
#include "cli/image.h"
#include "lib/bits.h"
#include "monitor/log.h"

/* What a monitor's process may use besides the guest's RAM: itself, what the core needs for a VM
 * and for each vCPU, and tables over RAM, of 1/512 of it each if it is mapped in small pages alone.
 */
#define PROCESS_MEMORY (16 * MIB)
#define PROCESS_MEMORY_CPU MIB
#define PROCESS_TABLES_SHARE 128

static unsigned long long mebibytes(uint64_t size)
{
	return (size + MIB - 1) / MIB;
}

/* Puts a file into the image unless it is there; name is what it is called there. */
static int image_pack(struct image_folder *folder, const struct vm_config *vm, const char *what,
		      const char *source, bool unpack, const char **name, struct error *why)
{
	uint64_t before = folder->size;
	struct image_module *module;
	bool is_new;
	int error = image_add_module(folder, source, unpack, &module, &is_new, why);

	if (error < 0)
		return error;
	*name = module->name;
	if (!is_new)
		return 0;
	if (unpack)
		error = image_add_kernel(folder, source, module->path, &module->gzipped, why);
	else
		error = image_add_file(folder, source, module->path, why);
	if (error == 0)
		log_print(OS_LOG_INFO, "%s: %s %s: %llu MiB%s", vm->name, what, source,
			  mebibytes(folder->size - before),
			  module->gzipped ? ", for the boot loader to unpack" : "");
	return error;
}

static int image_pack_files(struct image_folder *folder, const struct vm_config *config,
			    struct vm_config *packed, struct error *why)
{
	int error = image_pack(folder, config, "kernel", config->kernel, !config->kaslr,
			       &packed->kernel, why);

	if (error == 0 && config->initrd != NULL)
		error = image_pack(folder, config, "initrd", config->initrd, false, &packed->initrd,
				   why);
	for (unsigned i = 0; error == 0 && i < config->module_count; i++)
		error = image_pack(folder, config, "module", config->modules[i].path, false,
				   &packed->modules[i].path, why);
	return error;
}

static int image_pack_definition(struct image_folder *folder, const struct vm_config *packed,
				 const char **name, struct error *why)
{
	struct image_module *module;
	void *bytes;
	size_t size;
	bool is_new;
	int error = image_add_module(folder, NULL, false, &module, &is_new, why);

	if (error < 0)
		return error;
	snprintf(module->name, sizeof(module->name), "%u/vm", folder->module_count - 1);
	snprintf(module->arguments, sizeof(module->arguments), "file");
	*name = module->name;
	error = definition_compile(packed, &bytes, &size, why);
	if (error < 0)
		return error;
	error = image_add_bytes(folder, module->path, bytes, size, why);
	free(bytes);
	return error;
}

/* Those of the services that the VM has a use for. */
static unsigned image_services_of(const struct vm_config *config, unsigned services)
{
	if (config->disk_count == 0)
		services &= ~(1u << IMAGE_STORE);
	if (config->net_count == 0)
		services &= ~(1u << IMAGE_NETWORK);
	return services;
}

/* The words of a process for its shares, with a space behind each; text is returned.  The longest
 * list of CPUs, each second one of 64, fits. */
static const char *image_shares(const struct definition_shares *shares, char text[256])
{
	size_t used = 0;
	const char *between = "cpus=";

	text[0] = '\0';
	if (shares->weight)
		used += (size_t)snprintf(text + used, 256 - used, "weight=%u ", shares->weight);
	/* In thousandths of a CPU there. */
	if (shares->cap)
		used += (size_t)snprintf(text + used, 256 - used, "cap=%u ", shares->cap * 10);
	for (unsigned i = 0, last; i < DEFINITION_HOST_CPUS; i = last + 1) {
		last = i;
		if (!(shares->host_cpus & BIT(i)))
			continue;
		while (last + 1 < DEFINITION_HOST_CPUS && shares->host_cpus & BIT(last + 1))
			last++;
		used += (size_t)snprintf(text + used, 256 - used, last > i ? "%s%u-%u" : "%s%u",
					 between, i, last);
		between = ",";
	}
	if (shares->host_cpus)
		snprintf(text + used, 256 - used, " ");
	return text;
}

int image_add_vm(struct image_folder *folder, const struct definition *definition,
		 unsigned services, bool screen, struct error *why)
{
	const struct vm_config *config = &definition->config;
	char use[64], shares[256];
	uint64_t memory = config->memory + config->memory / PROCESS_TABLES_SHARE + PROCESS_MEMORY +
			  config->cpus * PROCESS_MEMORY_CPU;
	struct vm_config packed = *config;
	struct image_module *process = NULL;
	const char *compiled = NULL;
	bool is_new;
	int error = image_pack_files(folder, config, &packed, why);

	for (unsigned i = 0; i < config->disk_count; i++)
		packed.disks[i].path = image_volume_of(config->disks[i].path);
	if (error == 0)
		error = image_pack_definition(folder, &packed, &compiled, why);
	if (error == 0)
		error = image_add_module(folder, NULL, false, &process, &is_new, why);
	if (process == NULL)
		return error;
	snprintf(process->name, sizeof(process->name), "%s", config->name);
	snprintf(process->path, sizeof(process->path), IMAGE_MONITOR);
	snprintf(process->arguments, sizeof(process->arguments),
		 "process memory=%lluM %skvm %s%smodule=%s", mebibytes(memory),
		 image_shares(&definition->shares, shares), screen ? "screen " : "",
		 image_use(image_services_of(config, services), use), compiled);
	return 0;
}
