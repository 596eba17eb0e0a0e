/* SPDX-License-Identifier: MIT */
/*
 * main.c - the store: owns the machine's disks that are its own, and serves their volumes to
 * clients.
 *
 * It is the service only when all is done that its module asks for; who connects before waits.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/process/process.h"
#include "type1/services/store/clients.h"
#include "type1/services/store/config.h"
#include "type1/services/store/import.h"

enum status { STATUS_ENDED, STATUS_FAILED };

static int read_config(uint32_t module, struct config *config)
{
	const void *text = NULL;
	uint64_t size = 0;
	struct error why;
	int error = module ? process_map(module, &text, &size) : 0;

	if (error < 0)
		error_set(&why, error, "the store's module can't be mapped (error %d)", -error);
	else
		error = config_read(text, size, config, &why);
	process_unmap(text, size);
	if (error < 0)
		os_log(OS_LOG_ERROR, why.text);
	return error;
}

static struct volumes *open_disks(struct os_loop *loop, uint32_t devices, bool format)
{
	struct volumes *disks = NULL, **last = &disks;
	struct block_device *block = NULL;
	struct error why;

	block_open_all(devices, loop, &block);
	if (!block)
		os_log(OS_LOG_WARNING, "no disk was found");
	for (; block; block = block->next) {
		if (volumes_open(block, loop, format, last, &why) < 0) {
			os_log(OS_LOG_WARNING, why.text);
			continue;
		}
		process_log(OS_LOG_INFO, "%s: %llu MiB for volumes, %llu MiB free",
			    block->info.name,
			    (unsigned long long)(((*last)->units - METADATA_FIRST_UNIT) *
						 METADATA_UNIT / MIB),
			    (unsigned long long)(volumes_free(*last) / MIB));
		last = &(*last)->next;
	}
	return disks;
}

static struct volumes *find(struct volumes *disks, const char name[STORE_NAME])
{
	while (disks && metadata_find(disks->metadata, name) == METADATA_NO_VOLUME)
		disks = disks->next;
	return disks;
}

/* On the first disk that has room. */
static void make_volume(struct volumes *disks, const struct config_volume *config,
			struct os_loop *loop)
{
	struct error why;
	uint64_t size = 0;
	int error = error_set(&why, -ENODEV, "there is no disk");

	for (; disks && error < 0; disks = disks->next)
		error = import_volume(disks, config, loop, &size, &why);
	if (error < 0)
		process_log(OS_LOG_ERROR, "the volume %s can't be made: %s", config->name,
			    why.text);
	else
		process_log(OS_LOG_INFO, "%s is a volume of %llu MiB now", config->name,
			    (unsigned long long)(size / MIB));
}

int main(const struct type1_info *info)
{
	static struct config config;
	struct volumes *disks;
	struct os_loop *loop;
	int error = read_config(info->handles.module, &config);

	if (error < 0 || os_loop_create(&loop) < 0)
		return STATUS_FAILED;
	disks = open_disks(loop, info->handles.devices, config.format);
	for (unsigned i = 0; i < config.volume_count; i++)
		if (!find(disks, config.volumes[i].name))
			make_volume(disks, &config.volumes[i], loop);
	error = clients_listen(loop, disks);
	if (error < 0) {
		process_log(OS_LOG_ERROR, "the store can't be a service (error %d)", -error);
		return STATUS_FAILED;
	}
	os_loop_run(loop);
	return STATUS_ENDED;
}
