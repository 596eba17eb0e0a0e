/* SPDX-License-Identifier: MIT */
/*
 * vm_definition.c - reads a compiled definition: the records one after the other, each looked at
 * before it is taken over.
 */
#include "monitor/vm_definition.h"

#include <linux/errno.h>

#include "abi/definition.h"
#include "lib/bits.h"
#include "lib/bytes.h"

_Static_assert(DEFINITION_FORWARDS == VM_FORWARDS_MAX, "all forwards fit");

#define MEMORY_UNIT (4 * KIB)

struct reader {
	const uint8_t *at; /* the next record */
	size_t left;
	const char *texts;
	size_t texts_size;
	struct error *why;
};

static int wrong(struct reader *reader, const char *what)
{
	error_set(reader->why, -EINVAL,
		  "the VM's compiled definition is damaged: its %s; make the image again", what);
	return -EINVAL;
}

static int take(struct reader *reader, void *record, size_t size)
{
	if (reader->left < size)
		return wrong(reader, "records do not fit its size");
	memcpy(record, reader->at, size);
	reader->at += size;
	reader->left -= size;
	return 0;
}

/* max: the longest that the string may be. */
static int take_text(struct reader *reader, struct definition_text text, size_t max,
		     const char **out)
{
	const char *start;

	if (text.offset >= reader->texts_size || text.length >= reader->texts_size - text.offset)
		return wrong(reader, "strings do not lie within their table");
	if (text.length > max)
		return wrong(reader, "strings are longer than they may be");
	start = reader->texts + text.offset;
	if (text_length_max(start, text.length + 1) != text.length)
		return wrong(reader, "strings do not end where they say");
	*out = start;
	return 0;
}

static int take_optional_text(struct reader *reader, struct definition_text text, size_t max,
			      const char **out)
{
	*out = NULL;
	if (text.offset == DEFINITION_NO_TEXT)
		return text.length ? wrong(reader, "strings have a length where there is none") : 0;
	return take_text(reader, text, max, out);
}

/* The name of a file: not empty. */
static int take_path(struct reader *reader, struct definition_text text, const char **out)
{
	if (!text.length)
		return wrong(reader, "names of files are empty");
	return take_text(reader, text, DEFINITION_SIZE_LIMIT, out);
}

/* --- Records ---------------------------------------------------------------------------------- */

static int check_vm(struct reader *reader, const struct definition_vm *vm)
{
	if (vm->memory < VM_MEMORY_MIN || !is_aligned(vm->memory, MEMORY_UNIT))
		return wrong(reader, "memory is no size that a VM can have");
	if (vm->cpus < 1 || vm->cpus > VM_CPUS_MAX)
		return wrong(reader, "number of CPUs is none that a VM can have");
	if (vm->flags & ~(uint32_t)DEFINITION_FLAGS)
		return wrong(reader, "flags are not known");
	if (vm->console >= DEFINITION_CONSOLES)
		return wrong(reader, "console is not known");
	if (vm->modules > VM_MODULES_MAX || vm->disks > VM_DISKS_MAX || vm->nets > VM_NETS_MAX)
		return wrong(reader, "devices or modules are more than a VM can have");
	if (!vm->name.length)
		return wrong(reader, "name is empty");
	return 0;
}

static int take_vm(struct reader *reader, const struct definition_vm *vm, struct vm_config *config)
{
	static const enum vm_console consoles[] = {
		[DEFINITION_CONSOLE_SERIAL] = VM_CONSOLE_SERIAL,
		[DEFINITION_CONSOLE_VIRTIO] = VM_CONSOLE_VIRTIO,
		[DEFINITION_CONSOLE_NONE] = VM_CONSOLE_NONE,
	};
	int err = take_text(reader, vm->name, VM_NAME_MAX, &config->name);

	if (!err)
		err = take_path(reader, vm->kernel, &config->kernel);
	if (!err)
		err = take_text(reader, vm->append, DEFINITION_SIZE_LIMIT, &config->append);
	if (!err)
		err = take_optional_text(reader, vm->initrd, DEFINITION_SIZE_LIMIT,
					 &config->initrd);
	if (err < 0)
		return err;
	config->memory = vm->memory;
	config->cpus = vm->cpus;
	config->console = consoles[vm->console];
	config->kaslr = vm->flags & DEFINITION_KASLR;
	config->rng = vm->flags & DEFINITION_RNG;
	config->balloon = vm->flags & DEFINITION_BALLOON;
	config->test_device = vm->flags & DEFINITION_TEST_DEVICE;
	config->module_count = vm->modules;
	config->disk_count = vm->disks;
	config->net_count = vm->nets;
	return 0;
}

static int take_module(struct reader *reader, struct vm_module_config *module)
{
	struct definition_module record;
	int err = take(reader, &record, sizeof(record));

	if (!err)
		err = take_path(reader, record.path, &module->path);
	if (!err)
		err = take_optional_text(reader, record.arguments, DEFINITION_SIZE_LIMIT,
					 &module->arguments);
	return err;
}

static int take_disk(struct reader *reader, struct vm_disk_config *disk)
{
	struct definition_disk record;
	int err = take(reader, &record, sizeof(record));

	if (!err && ((record.flags & ~(uint32_t)DEFINITION_DISK_FLAGS) || record.reserved))
		err = wrong(reader, "disks have flags that are not known");
	if (!err)
		err = take_path(reader, record.path, &disk->path);
	if (!err)
		err = take_optional_text(reader, record.serial, VM_SERIAL_MAX, &disk->serial);
	if (err < 0)
		return err;
	disk->read_only = record.flags & DEFINITION_DISK_READ_ONLY;
	disk->discard = record.flags & DEFINITION_DISK_DISCARD;
	disk->cache = record.flags & DEFINITION_DISK_UNCACHED ? OS_BLOCK_NONE : OS_BLOCK_WRITEBACK;
	return 0;
}

static int take_forward(struct reader *reader, const struct definition_forward *record,
			struct os_net_forward *forward)
{
	if (record->protocol > DEFINITION_UDP)
		return wrong(reader, "forwards have a protocol that is not known");
	if (!record->host_port || !record->guest_port)
		return wrong(reader, "forwards have no port");
	*forward = (struct os_net_forward){
		.protocol = record->protocol == DEFINITION_UDP ? OS_NET_UDP : OS_NET_TCP,
		.host_address = record->host_address,
		.host_port = record->host_port,
		.guest_address = record->guest_address,
		.guest_port = record->guest_port,
	};
	return 0;
}

static int take_net(struct reader *reader, struct vm_net_config *net)
{
	struct definition_net record;
	int err = take(reader, &record, sizeof(record));

	if (err < 0)
		return err;
	if (record.kind > DEFINITION_NET_TAP || record.reserved[0] || record.reserved[1])
		return wrong(reader, "networks are of a kind that is not known");
	if (record.forwards > DEFINITION_FORWARDS)
		return wrong(reader, "forwards are more than a network can have");
	err = take_optional_text(reader, record.tap, DEFINITION_SIZE_LIMIT, &net->tap);
	if (!err && (net->tap != NULL) != (record.kind == DEFINITION_NET_TAP))
		err = wrong(reader, "networks name an interface where they have none");
	for (uint32_t i = 0; !err && i < record.forwards; i++)
		err = take_forward(reader, &record.forward[i], &net->forwards[i]);
	net->kind = record.kind == DEFINITION_NET_TAP ? OS_NET_TAP : OS_NET_USER;
	net->forward_count = record.forwards;
	net->rate = record.rate;
	memcpy(net->mac, record.mac, sizeof(net->mac));
	return err;
}

/* --- The whole -------------------------------------------------------------------------------- */

static int take_header(struct reader *reader, size_t size)
{
	struct definition_header header;

	if (size > DEFINITION_SIZE_LIMIT || take(reader, &header, sizeof(header)) < 0)
		return wrong(reader, "size is none that it can have");
	if (header.magic != DEFINITION_MAGIC)
		return wrong(reader, "beginning is not that of a definition");
	if (header.version != DEFINITION_VERSION) {
		error_set(reader->why, -EINVAL,
			  "the VM's compiled definition has the version %u, and %u is read here: "
			  "make the image with this version of dyad",
			  header.version, DEFINITION_VERSION);
		return -EINVAL;
	}
	if (header.size != size)
		return wrong(reader, "size is another than it says");
	if (header.checksum != definition_checksum(reader->at, reader->left))
		return wrong(reader, "checksum does not fit");
	return 0;
}

int vm_definition_read(const void *bytes, size_t size, struct vm_config *config, struct error *why)
{
	struct reader reader = {.at = bytes, .left = size, .why = why};
	struct definition_vm vm;
	size_t records;
	int err = take_header(&reader, size);

	*config = (struct vm_config){0};
	if (!err)
		err = take(&reader, &vm, sizeof(vm));
	if (!err)
		err = check_vm(&reader, &vm);
	if (err < 0)
		return err;
	records = vm.modules * sizeof(struct definition_module) +
		  vm.disks * sizeof(struct definition_disk) +
		  vm.nets * sizeof(struct definition_net);
	if (records > reader.left)
		return wrong(&reader, "records do not fit its size");
	reader.texts = (const char *)reader.at + records;
	reader.texts_size = reader.left - records;

	err = take_vm(&reader, &vm, config);
	for (unsigned i = 0; !err && i < config->module_count; i++)
		err = take_module(&reader, &config->modules[i]);
	for (unsigned i = 0; !err && i < config->disk_count; i++)
		err = take_disk(&reader, &config->disks[i]);
	for (unsigned i = 0; !err && i < config->net_count; i++)
		err = take_net(&reader, &config->nets[i]);
	return err;
}
