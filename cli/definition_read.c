/* SPDX-License-Identifier: MIT */
/*
 * definition_read.c - a definition from a file of JSON.
 */
#include "cli/definition_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/value.h"

static int definition_parse(const char *text, size_t size, const char *path, json_t **root,
			    struct error *why)
{
	json_error_t json_error;

	*root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &json_error);
	if (*root != NULL)
		return 0;
	if (json_error_code(&json_error) == json_error_out_of_memory)
		return error_set(why, -ENOMEM, "%s: there is no memory left to read it", path);
	return error_set(why, -EINVAL,
			 "%.200s:%d:%d: not valid JSON: %.120s; correct it, dyad-vm(5) shows how",
			 path, json_error.line, json_error.column, json_error.text);
}

/* The VM's name, if the definition has none: the file's, without its folder and ending. */
static char *definition_name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash != NULL ? slash + 1 : path);
	struct error ignored;
	char *dot;

	if (name == NULL)
		return NULL;
	dot = strrchr(name, '.');
	if (dot != NULL)
		*dot = '\0';
	if (value_check_name(name, &ignored) == 0)
		return name;
	free(name);
	return NULL;
}

int definition_read_text(struct definition *definition, const char *text, size_t size,
			 const char *path, struct error *why)
{
	struct definition_reading reading = {.definition = definition};
	struct json_reader reader = {.path = path, .why = why, .context = &reading};
	const char *slash = strrchr(path, '/');
	json_t *root;
	int error;

	error = definition_parse(text, size, path, &root, why);
	if (error < 0)
		return error;
	reading.folder = strndup(path, slash != NULL ? (size_t)(slash - path) + 1 : 0);
	if (reading.folder == NULL) {
		json_decref(root);
		return error_set(why, -ENOMEM, "%s: there is no memory left to read it", path);
	}
	free(definition->fallback_name);
	definition->fallback_name = definition_name_of(path);
	error = definition_read_root(&reader, root);
	free(reading.folder);
	json_decref(root);
	return error;
}

/* Up to capacity bytes; a full buffer means that there may be more. */
static ssize_t read_all(int fd, char *buffer, size_t capacity)
{
	size_t used = 0;

	while (used < capacity) {
		ssize_t count = read(fd, buffer + used, capacity - used);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		used += (size_t)count;
	}
	return (ssize_t)used;
}

int definition_read_file(struct definition *definition, const char *path, struct error *why)
{
	char *text = NULL;
	ssize_t size;
	int error, fd;

	if (path[0] == '\0')
		return error_set(why, -EINVAL,
				 "the VM definition's file name is empty; give the name of a file");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(why, -errno,
				 "can't open the VM definition %.200s: %s; give the name of a JSON "
				 "file that you can read",
				 path, strerror(errno));
	text = malloc(DEFINITION_SIZE_MAX + 1);
	if (text == NULL) {
		error = error_set(why, -ENOMEM, "%s: there is no memory left to read it", path);
		goto out;
	}
	size = read_all(fd, text, DEFINITION_SIZE_MAX + 1);
	if (size < 0)
		error = error_set(
			why, (int)size,
			"can't read the VM definition %.200s: %s; give the name of a JSON "
			"file that you can read",
			path, strerror((int)-size));
	else if (size > DEFINITION_SIZE_MAX)
		error = error_set(
			why, -EFBIG,
			"%.200s is longer than 1 MiB, so it is no VM definition; give a JSON "
			"file as dyad-vm(5) describes",
			path);
	else
		error = definition_read_text(definition, text, (size_t)size, path, why);
out:
	free(text);
	close(fd);
	return error;
}
