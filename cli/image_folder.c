/* SPDX-License-Identifier: MIT */
/*
 * image_folder.c - the folder in which an image's content is put together, and the list of modules.
 */
#include "cli/image.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bits.h"
#include "os.h"

#define COPY_PIECE (4 * MIB) /* between two looks whether a signal came */
#define OPEN_FOLDERS 16      /* that nftw() may hold open */

static volatile sig_atomic_t image_signal;

static void image_signalled(int signal)
{
	image_signal = signal;
}

int image_check_signal(struct error *why)
{
	if (!image_signal)
		return 0;
	return error_set(why, -EINTR, "no image was made: %s", strsignal(image_signal));
}

int image_caught_signal(void)
{
	return image_signal;
}

int image_folder_begin(struct image_folder *folder, const char *output, struct error *why)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = image_signalled};
	const char *slash = strrchr(output, '/');
	int length = slash == NULL ? 0 : (int)(slash - output) + 1;

	*folder = (struct image_folder){0};
	if (snprintf(folder->path, sizeof(folder->path), "%.*s.dyad-image-XXXXXX", length,
		     output) >= (int)sizeof(folder->path))
		return error_set(why, -ENAMETOOLONG, "the image's name is too long");
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++)
		sigaction(ends[i], &action, NULL);
	if (mkdtemp(folder->path) == NULL) {
		int error = errno;

		folder->path[0] = '\0';
		return error_set(why, -error,
				 "can't make a folder beside the image %.200s: %s; give it a place "
				 "that you can write to",
				 output, strerror(error));
	}
	return 0;
}

static int image_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void image_folder_end(struct image_folder *folder)
{
	if (folder->path[0] != '\0')
		nftw(folder->path, image_remove, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
	for (unsigned i = 0; i < folder->module_count; i++)
		free(folder->modules[i].source);
	*folder = (struct image_folder){0};
}

/* --- Content --------------------------------------------------------------------------------- */

static int image_write_error(const struct image_folder *folder, int error, struct error *why)
{
	return error_set(why, -error, "can't write to %.200s: %s%s", folder->path, strerror(error),
			 error == ENOSPC ? "; the image needs twice its size there" : "");
}

int image_create(struct image_folder *folder, const char *path, FILE **file, struct error *why)
{
	char whole[IMAGE_PATH_MAX + 128], *slash;

	snprintf(whole, sizeof(whole), "%s/" IMAGE_CONTENT "/%s", folder->path, path);
	for (slash = whole + strlen(folder->path) + 1; (slash = strchr(slash, '/')) != NULL;
	     slash++) {
		*slash = '\0';
		if (mkdir(whole, S_IRWXU) < 0 && errno != EEXIST)
			return image_write_error(folder, errno, why);
		*slash = '/';
	}
	*file = fopen(whole, "wxe");
	return *file == NULL ? image_write_error(folder, errno, why) : 0;
}

int image_finish(struct image_folder *folder, FILE *file, struct error *why)
{
	/* Not ftell(): somebody may have written by the descriptor. */
	bool failed = fflush(file) != 0 || ferror(file);
	off_t size = lseek(fileno(file), 0, SEEK_END);

	if (fclose(file) != 0 || failed || size < 0)
		return image_write_error(folder, errno != 0 ? errno : EIO, why);
	folder->size += (uint64_t)size;
	return 0;
}

int image_add_bytes(struct image_folder *folder, const char *path, const void *bytes, size_t size,
		    struct error *why)
{
	FILE *file;
	int error = image_create(folder, path, &file, why);

	if (error < 0)
		return error;
	errno = 0;
	fwrite(bytes, 1, size, file);
	return image_finish(folder, file, why);
}

static int image_copy(struct os_file *from, const char *source, FILE *to, struct error *why)
{
	uint64_t size = os_file_size(from);
	uint8_t *piece = malloc(COPY_PIECE);
	int error = 0;

	if (piece == NULL)
		return error_set(why, -ENOMEM, "there is no memory left to copy %.200s", source);
	for (uint64_t at = 0; error == 0 && at < size; at += COPY_PIECE) {
		size_t count = MIN(size - at, COPY_PIECE);

		error = os_file_read(from, at, piece, count);
		if (error < 0)
			error_set(why, error, "can't read %.200s: %s", source, strerror(-error));
		else
			error = image_check_signal(why);
		/* What could not be written image_finish() tells. */
		if (error == 0)
			fwrite(piece, 1, count, to);
	}
	free(piece);
	return error;
}

int image_add_file(struct image_folder *folder, const char *source, const char *path,
		   struct error *why)
{
	struct error ignored;
	struct os_file *from;
	FILE *to = NULL;
	int error = os_file_open(source, &from, why);

	if (error < 0)
		return error;
	error = image_create(folder, path, &to, why);
	if (to != NULL) {
		errno = 0;
		error = image_copy(from, source, to, why);
		if (error == 0)
			error = image_finish(folder, to, why);
		else
			image_finish(folder, to, &ignored);
	}
	os_file_close(from);
	return error;
}

/* --- Modules --------------------------------------------------------------------------------- */

/* A name is a word of a command line, and is shown to persons. */
static void image_name_module(struct image_module *module, unsigned number, const char *source)
{
	const char *slash = strrchr(source, '/');
	int length = snprintf(module->name, sizeof(module->name), "%u/%s", number,
			      slash != NULL ? slash + 1 : source);

	if (length >= (int)sizeof(module->name))
		length = sizeof(module->name) - 1;
	for (char *at = module->name; at < module->name + length; at++)
		if (!isalnum((unsigned char)*at) && strchr("/._+-", *at) == NULL)
			*at = '_';
}

int image_add_module(struct image_folder *folder, const char *source, bool unpack,
		     struct image_module **out, bool *is_new, struct error *why)
{
	unsigned number = folder->module_count;
	struct image_module *module;

	*is_new = true;
	for (unsigned i = 0; source != NULL && i < number; i++) {
		module = &folder->modules[i];
		if (module->source != NULL && strcmp(module->source, source) == 0 &&
		    module->unpack == unpack) {
			*out = module;
			*is_new = false;
			return 0;
		}
	}
	if (number == IMAGE_MODULES_MAX)
		return error_set(why, -E2BIG,
				 "the VMs have more files than the %d that an image can carry; "
				 "make two images, or let VMs share kernels and initrds",
				 IMAGE_MODULES_MAX);
	module = &folder->modules[number];
	*module = (struct image_module){.unpack = unpack};
	snprintf(module->path, sizeof(module->path), "dyad/%u", number);
	if (source != NULL) {
		module->source = strdup(source);
		if (module->source == NULL)
			return error_set(why, -ENOMEM, "there is no memory left for an image");
		image_name_module(module, number, source);
		snprintf(module->arguments, sizeof(module->arguments), "file");
	}
	folder->module_count++;
	*out = module;
	return 0;
}
