/* SPDX-License-Identifier: MIT */
/*
 * fake_file.c - os.h's files, held in memory.  A file is made by fake_file_create() and ended by
 * os_file_close(); os_file_open() finds the one that was published, and no other.
 */
#include <assert.h>
#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "tests/support/fake_os.h"

struct os_file {
	uint8_t *content;
	uint64_t size;
};

struct os_file *fake_file_create(const void *content, size_t size)
{
	struct os_file *file = calloc(1, sizeof(*file));

	assert(file);
	file->content = malloc(size ? size : 1);
	assert(file->content);
	if (size)
		memcpy(file->content, content, size);
	file->size = size;
	return file;
}

static struct {
	const char *name;
	const void *content;
	size_t size;
} published;

void fake_file_publish(const char *name, const void *content, size_t size)
{
	published.name = name;
	published.content = content;
	published.size = size;
}

int os_file_open(const char *name, struct os_file **file, struct error *why)
{
	if (published.name && !strcmp(name, published.name)) {
		*file = fake_file_create(published.content, published.size);
		return 0;
	}
	*file = NULL;
	return error_set(why, -ENOENT, "cannot open %s: there is no such file", name);
}

void os_file_close(struct os_file *file)
{
	if (!file)
		return;
	free(file->content);
	free(file);
}

uint64_t os_file_size(const struct os_file *file)
{
	return file->size;
}

int os_file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size)
{
	if (offset > file->size || size > file->size - offset)
		return -EIO;
	if (size)
		memcpy(buffer, file->content + offset, size);
	return 0;
}
