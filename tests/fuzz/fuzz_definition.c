/* SPDX-License-Identifier: MIT */
/*
 * Reads damaged compiled definitions with a header that fits them, so that the records are reached;
 * what is accepted keeps all that a vm_config promises.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/definition.h"
#include "lib/bits.h"
#include "monitor/vm_definition.h"
#include "tests/support/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t max)
{
	fuzz_check(text != NULL && strlen(text) <= max);
}

static void check_optional(const char *text, size_t max)
{
	if (text)
		check_text(text, max);
}

static void check(const struct vm_config *config, size_t size)
{
	check_text(config->name, VM_NAME_MAX);
	check_text(config->kernel, size);
	check_text(config->append, size);
	check_optional(config->initrd, size);
	fuzz_check(config->cpus >= 1 && config->cpus <= VM_CPUS_MAX);
	fuzz_check(config->memory >= VM_MEMORY_MIN && config->memory % 4096 == 0);
	fuzz_check(config->console <= VM_CONSOLE_NONE);
	fuzz_check(config->module_count <= VM_MODULES_MAX && config->disk_count <= VM_DISKS_MAX &&
		   config->net_count <= VM_NETS_MAX);
	for (unsigned i = 0; i < config->module_count; i++) {
		check_text(config->modules[i].path, size);
		check_optional(config->modules[i].arguments, size);
	}
	for (unsigned i = 0; i < config->disk_count; i++) {
		check_text(config->disks[i].path, size);
		check_optional(config->disks[i].serial, VM_SERIAL_MAX);
	}
	for (unsigned i = 0; i < config->net_count; i++) {
		fuzz_check((config->nets[i].tap != NULL) == (config->nets[i].kind == OS_NET_TAP));
		check_optional(config->nets[i].tap, size);
		fuzz_check(config->nets[i].forward_count <= VM_FORWARDS_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct definition_header header = {
		.magic = DEFINITION_MAGIC,
		.version = DEFINITION_VERSION,
		.size = (uint32_t)(sizeof(header) + size),
		.checksum = definition_checksum(data, size),
	};
	size_t whole = sizeof(header) + size;
	struct vm_config config;
	struct error why;
	uint8_t *bytes = malloc(whole); /* of the exact size, for the sanitizer */
	int err;

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), data, size);
	err = vm_definition_read(bytes, whole, &config, &why);
	fuzz_check(err <= 0);
	if (err)
		fuzz_check(why.text[0] != '\0');
	else
		check(&config, whole);
	/* As it is, too. */
	if (vm_definition_read(data, size, &config, &why) == 0)
		check(&config, size);
	free(bytes);
	return 0;
}
