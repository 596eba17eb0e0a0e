/* SPDX-License-Identifier: MIT */
/*
 * image_grub.c - an ISO of the folder's content, which GRUB starts on BIOS and on UEFI, made by
 * grub-mkrescue.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/image.h"
#include "lib/bits.h"

#define PACKAGES "apt install grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools"
#define LOG_LINE 160 /* what is told of a line of the program's messages */

static bool image_find_tool(const char *name)
{
	const char *folders = getenv("PATH");
	char path[IMAGE_PATH_MAX];

	if (folders == NULL)
		return false;
	while (*folders != '\0') {
		size_t length = strcspn(folders, ":");

		if (snprintf(path, sizeof(path), "%.*s/%s", (int)length, folders, name) <
			    (int)sizeof(path) &&
		    access(path, X_OK) == 0)
			return true;
		folders += length + (folders[length] == ':');
	}
	return false;
}

int image_check_tools(struct error *why)
{
	static const char *const tools[] = {"grub-mkrescue", "xorriso", "mformat"};

	for (size_t i = 0; i < ARRAY_COUNT(tools); i++)
		if (!image_find_tool(tools[i]))
			return error_set(why, -ENOENT,
					 "there is no %s, which makes the image; install what is "
					 "needed for that (on Debian: " PACKAGES ")",
					 tools[i]);
	return 0;
}

/* GRUB's messages go to the serial line too, where there is one.  The runtime asks for
 * a screen of pixels: on UEFI, which has no other, by whatever of GRUB's drivers works; on BIOS EGA
 * text stays, which is faster. */
static int image_write_configuration(struct image_folder *folder, struct error *why)
{
	FILE *file = NULL;
	int error = image_create(folder, "boot/grub/grub.cfg", &file, why);

	if (file == NULL)
		return error;
	errno = 0;
	fputs("set timeout=0\n"
	      "if serial --unit=0 --speed=115200; then\n"
	      "  terminal_input console serial\n"
	      "  terminal_output console serial\n"
	      "fi\n"
	      "if [ \"$grub_platform\" = efi ]; then\n"
	      "  insmod all_video\n"
	      "fi\n"
	      "menuentry \"Dyad\" {\n"
	      "  multiboot2 /" IMAGE_RUNTIME "\n"
	      "  if [ \"$grub_platform\" = pc ]; then\n"
	      "    set gfxpayload=text\n"
	      "  fi\n",
	      file);
	/* GRUB would unpack all that is gzipped, initrds too. */
	for (unsigned i = 0; i < folder->module_count; i++) {
		const struct image_module *module = &folder->modules[i];

		fprintf(file, "  module2 %s/%s %s %s\n", module->gzipped ? "" : "--nounzip ",
			module->path, module->name, module->arguments);
	}
	fputs("}\n", file);
	return image_finish(folder, file, why);
}

/* The last line that the program wrote, or nothing. */
static void image_last_line(const char *log, char line[LOG_LINE + 2])
{
	FILE *file = fopen(log, "re");
	char text[LOG_LINE];

	line[0] = '\0';
	while (file != NULL && fgets(text, sizeof(text), file) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		if (text[0] != '\0')
			snprintf(line, LOG_LINE + 2, ": %s", text);
	}
	if (file != NULL)
		fclose(file);
}

/* Until the program has ended; it is told of the signal that ends us. */
static int image_wait(pid_t child, int *status, struct error *why)
{
	bool told = false;

	while (waitpid(child, status, 0) < 0) {
		if (errno != EINTR)
			return error_set(why, -errno, "can't wait for grub-mkrescue: %s",
					 strerror(errno));
		if (!told && image_check_signal(why) < 0) {
			kill(child, SIGTERM);
			told = true;
		}
	}
	return image_check_signal(why);
}

static int image_run(const char *log, char *const *arguments, struct error *why)
{
	posix_spawn_file_actions_t actions;
	char line[LOG_LINE + 2];
	pid_t child;
	int status, error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC,
					 S_IRUSR | S_IWUSR);
	posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
	error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		return error_set(why, -error, "can't run %s: %s", arguments[0], strerror(error));
	error = image_wait(child, &status, why);
	if (error < 0)
		return error;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	image_last_line(log, line);
	return error_set(why, -EIO,
			 "%s could not make the image%s; look whether there is room for it, and "
			 "whether all of GRUB is installed (on Debian: " PACKAGES ")",
			 arguments[0], line);
}

int image_make(struct image_folder *folder, const char *output, struct error *why)
{
	char content[IMAGE_PATH_MAX + 16], iso[IMAGE_PATH_MAX + 16], log[IMAGE_PATH_MAX + 16];
	/* GRUB's own fonts, themes and translations only make the image larger. */
	char *const arguments[] = {
		(char[]){"grub-mkrescue"},
		(char[]){"--fonts="},
		(char[]){"--themes="},
		(char[]){"--locales="},
		(char[]){"-o"},
		iso,
		content,
		NULL,
	};
	int error = image_write_configuration(folder, why);

	if (error < 0)
		return error;
	snprintf(content, sizeof(content), "%s/" IMAGE_CONTENT, folder->path);
	snprintf(iso, sizeof(iso), "%s/iso", folder->path);
	snprintf(log, sizeof(log), "%s/log", folder->path);
	error = image_run(log, arguments, why);
	if (error < 0)
		return error;
	if (rename(iso, output) < 0)
		return error_set(why, -errno, "can't put the image at %.200s: %s", output,
				 strerror(errno));
	return 0;
}
