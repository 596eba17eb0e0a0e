/* SPDX-License-Identifier: MIT */
/*
 * definition_compile.c - writes a compiled definition: the records into a buffer of the size that
 * the definition can have at most, each string behind those before it.
 */
#include "cli/definition_compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/definition.h"

struct compiler {
	uint8_t *bytes;
	size_t records; /* where the next record goes */
	size_t texts;   /* where the table of strings begins */
	size_t size;    /* where it ends so far */
	struct error *why;
	int error; /* the first that happened */
};

static void put(struct compiler *compiler, const void *record, size_t size)
{
	memcpy(compiler->bytes + compiler->records, record, size);
	compiler->records += size;
}

/* text may be NULL: there is none. */
static struct definition_text put_text(struct compiler *compiler, const char *text)
{
	struct definition_text place = {.offset = DEFINITION_NO_TEXT};
	size_t length;

	if (text == NULL || compiler->error != 0)
		return place;
	length = strlen(text);
	if (length >= DEFINITION_SIZE_LIMIT - compiler->size) {
		compiler->error = error_set(compiler->why, -E2BIG,
					    "the definition's command lines and names are longer "
					    "than 1 MiB, which an image can't carry; shorten them");
		return place;
	}
	place.offset = (uint32_t)(compiler->size - compiler->texts);
	place.length = (uint32_t)length;
	memcpy(compiler->bytes + compiler->size, text, length + 1);
	compiler->size += length + 1;
	return place;
}

static void put_vm(struct compiler *compiler, const struct vm_config *config)
{
	static const uint32_t consoles[] = {
		[VM_CONSOLE_SERIAL] = DEFINITION_CONSOLE_SERIAL,
		[VM_CONSOLE_VIRTIO] = DEFINITION_CONSOLE_VIRTIO,
		[VM_CONSOLE_NONE] = DEFINITION_CONSOLE_NONE,
	};
	const struct definition_vm vm = {
		.name = put_text(compiler, config->name),
		.kernel = put_text(compiler, config->kernel),
		.append = put_text(compiler, config->append),
		.initrd = put_text(compiler, config->initrd),
		.memory = config->memory,
		.cpus = config->cpus,
		.flags = (config->kaslr ? DEFINITION_KASLR : 0u) |
			 (config->rng ? DEFINITION_RNG : 0u) |
			 (config->balloon ? DEFINITION_BALLOON : 0u) |
			 (config->test_device ? DEFINITION_TEST_DEVICE : 0u),
		.console = consoles[config->console],
		.modules = config->module_count,
		.disks = config->disk_count,
		.nets = config->net_count,
	};

	put(compiler, &vm, sizeof(vm));
}

static void put_module(struct compiler *compiler, const struct vm_module_config *module)
{
	const struct definition_module record = {
		.path = put_text(compiler, module->path),
		.arguments = put_text(compiler, module->arguments),
	};

	put(compiler, &record, sizeof(record));
}

static void put_disk(struct compiler *compiler, const struct vm_disk_config *disk)
{
	const struct definition_disk record = {
		.path = put_text(compiler, disk->path),
		.serial = put_text(compiler, disk->serial),
		.flags = (disk->read_only ? DEFINITION_DISK_READ_ONLY : 0u) |
			 (disk->discard ? DEFINITION_DISK_DISCARD : 0u) |
			 (disk->cache == OS_BLOCK_NONE ? DEFINITION_DISK_UNCACHED : 0u),
	};

	put(compiler, &record, sizeof(record));
}

static void put_net(struct compiler *compiler, const struct vm_net_config *net)
{
	struct definition_net record = {
		.tap = put_text(compiler, net->kind == OS_NET_TAP ? net->tap : NULL),
		.kind = net->kind == OS_NET_TAP ? DEFINITION_NET_TAP : DEFINITION_NET_USER,
		.forwards = net->forward_count,
		.rate = net->rate,
	};

	memcpy(record.mac, net->mac, sizeof(record.mac));
	for (uint32_t i = 0; i < net->forward_count; i++) {
		const struct os_net_forward *forward = &net->forwards[i];

		record.forward[i] = (struct definition_forward){
			.host_address = forward->host_address,
			.guest_address = forward->guest_address,
			.host_port = forward->host_port,
			.guest_port = forward->guest_port,
			.protocol =
				forward->protocol == OS_NET_UDP ? DEFINITION_UDP : DEFINITION_TCP,
		};
	}
	put(compiler, &record, sizeof(record));
}

static void put_header(struct compiler *compiler)
{
	const struct definition_header header = {
		.magic = DEFINITION_MAGIC,
		.version = DEFINITION_VERSION,
		.size = (uint32_t)compiler->size,
		.checksum = definition_checksum(compiler->bytes + sizeof(header),
						compiler->size - sizeof(header)),
	};

	memcpy(compiler->bytes, &header, sizeof(header));
}

int definition_compile(const struct vm_config *config, void **bytes, size_t *size,
		       struct error *why)
{
	struct compiler compiler = {.why = why, .records = sizeof(struct definition_header)};

	compiler.bytes = calloc(1, DEFINITION_SIZE_LIMIT);
	if (compiler.bytes == NULL)
		return error_set(why, -ENOMEM, "there is no memory left to compile the definition");
	compiler.texts = compiler.records + sizeof(struct definition_vm) +
			 config->module_count * sizeof(struct definition_module) +
			 config->disk_count * sizeof(struct definition_disk) +
			 config->net_count * sizeof(struct definition_net);
	compiler.size = compiler.texts;
	put_vm(&compiler, config);
	for (unsigned i = 0; i < config->module_count; i++)
		put_module(&compiler, &config->modules[i]);
	for (unsigned i = 0; i < config->disk_count; i++)
		put_disk(&compiler, &config->disks[i]);
	for (unsigned i = 0; i < config->net_count; i++)
		put_net(&compiler, &config->nets[i]);
	if (compiler.error != 0) {
		free(compiler.bytes);
		return compiler.error;
	}
	put_header(&compiler);
	*bytes = compiler.bytes;
	*size = compiler.size;
	return 0;
}
