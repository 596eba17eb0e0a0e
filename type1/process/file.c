/* SPDX-License-Identifier: MIT */
/*
 * file.c - files are modules of the image, by name, mapped as they are.
 */
#include <linux/errno.h>

#include "lib/bytes.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

struct os_file {
	uint64_t handle;
	const void *bytes;
	uint64_t size;
};

int os_file_open(const char *name, struct os_file **out, struct error *why)
{
	int64_t handle = call2(TYPE1_MODULE_OPEN, call_address(name), text_length(name));
	struct os_file *file;
	int error;

	if (handle == -ENOENT)
		return error_set(why, -ENOENT, "there is no file %s in the image", name);
	if (handle < 0)
		return error_set(why, (int)handle, "cannot open %s (error %d)", name, (int)-handle);
	file = os_alloc(sizeof(*file));
	error = file ? process_map((uint64_t)handle, &file->bytes, &file->size) : -ENOMEM;
	if (error) {
		os_free(file);
		call1(TYPE1_CLOSE, (uint64_t)handle);
		return error_set(why, error, "cannot map %s (error %d)", name, -error);
	}
	file->handle = (uint64_t)handle;
	*out = file;
	return 0;
}

void os_file_close(struct os_file *file)
{
	if (!file)
		return;
	process_unmap(file->bytes, file->size);
	call1(TYPE1_CLOSE, file->handle);
	os_free(file);
}

uint64_t os_file_size(const struct os_file *file)
{
	return file->size;
}

int os_file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size)
{
	if (offset > file->size || size > file->size - offset)
		return -EIO;
	memcpy(buffer, (const uint8_t *)file->bytes + offset, size);
	return 0;
}
