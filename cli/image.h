/* SPDX-License-Identifier: MIT */
/*
 * image.h - the parts of 'dyad image': a folder in which the image's content is put together
 * (image_folder.c), kernels on their way into it (image_kernel.c), services and what the store is
 * told of volumes (image_services.c), what VMs must not share (image_check.c), VMs (image_vm.c),
 * and the image that is made of it (image_grub.c).
 *
 * Functions that can fail return 0 or a negative errno with the sentence in why.  Nothing is left
 * behind once image_folder_end() was called; -EINTR: the person has ended it by a signal.
 */
#ifndef DYAD_CLI_IMAGE_H
#define DYAD_CLI_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/definition.h"
#include "lib/error.h"
#include "monitor/vm_config.h"

#define IMAGE_PATH_MAX 4096
#define IMAGE_CONTENT "content" /* in the folder: what becomes the image */
#define IMAGE_RUNTIME "boot/runtime.elf"
#define IMAGE_MONITOR "boot/monitor.elf"
#define IMAGE_MODULES_MAX 64 /* what the runtime takes */
#define IMAGE_NAME_MAX 64    /* of a module, with its NUL */

/* A line of GRUB's configuration: one module of the image. */
struct image_module {
	char name[IMAGE_NAME_MAX]; /* its first word, by which it is opened */
	char arguments[256];       /* the others */
	char path[64];             /* in the image */
	char *source;              /* the file that it comes from; NULL: it was made */
	bool unpack;               /* it is a kernel that is to be unpacked */
	bool gzipped;              /* for GRUB to unpack */
};

struct image_folder {
	char path[IMAGE_PATH_MAX]; /* on the file system that the image goes to */
	struct image_module modules[IMAGE_MODULES_MAX];
	unsigned module_count;
	uint64_t size; /* of all that was put into it */
};

/* --- image_folder.c */

/* Makes the folder beside output, and from now on signals end what is under way, not the process.
 */
int image_folder_begin(struct image_folder *folder, const char *output, struct error *why);
/* Removes it with all that is in it. */
void image_folder_end(struct image_folder *folder);
/* -EINTR once the person wants an end; by which signal, or 0. */
int image_check_signal(struct error *why);
int image_caught_signal(void);

/* A copy of a file, at path in the image. */
int image_add_file(struct image_folder *folder, const char *source, const char *path,
		   struct error *why);
int image_add_bytes(struct image_folder *folder, const char *path, const void *bytes, size_t size,
		    struct error *why);
/* Opens a new file of the image for writing. */
int image_create(struct image_folder *folder, const char *path, FILE **file, struct error *why);
/* Closes it; -errno if what was written has not all arrived. */
int image_finish(struct image_folder *folder, FILE *file, struct error *why);

/*
 * One more module.  Of a source, its name is made of its number and the source's last part; of none
 * it is the caller's to fill in.  A source that is there already is found again (*is_new false).
 */
int image_add_module(struct image_folder *folder, const char *source, bool unpack,
		     struct image_module **module, bool *is_new, struct error *why);

/* --- image_kernel.c */

/* Puts a kernel at path: a bzImage with its payload unpacked, all of it gzipped; any other file as
 * it is. */
int image_add_kernel(struct image_folder *folder, const char *source, const char *path,
		     bool *gzipped, struct error *why);

/* --- image_services.c */

enum image_service { IMAGE_STORE, IMAGE_NETWORK, IMAGE_CONSOLE, IMAGE_SERVICES };

/* Whether it is the name of one's process. */
bool image_is_service(const char *name);
/* Which there are in the folder with the runtime, a bit each. */
unsigned image_find_services(const char *runtime);
/* Puts those of a set into the image; store_told: what the store is told, its module, or empty. */
int image_add_services(struct image_folder *folder, const char *runtime, unsigned services,
		       const char *store_told, struct error *why);
/* A set as the word of a process that may connect to them, with a space behind; or nothing. */
const char *image_use(unsigned services, char text[64]);

/* What the store is told: lines of abi/store.h. */
struct image_volumes {
	char *lines;
	size_t size;
	bool failed; /* there was no memory for a line */
};
/* A disk's volume has the name of its file. */
const char *image_volume_of(const char *path);
int image_check_volume(const char *name, const char *path, struct error *why);
/* The store takes a disk that has no partition table. */
void image_tell_format(struct image_volumes *volumes);
/* A volume is made of a file, which goes into the image, or empty, unless there is one. */
int image_import(struct image_folder *folder, struct image_volumes *volumes, const char *name,
		 const char *path, struct error *why);
void image_tell_create(struct image_volumes *volumes, const char *name, uint64_t size);

/* --- image_check.c */

/* A definition, and where it was read. */
struct image_vm {
	const struct vm_config *config;
	const char *path;
};
/* Whether VMs can share an image; -EINVAL. */
int image_check(const struct image_vm *vms, unsigned count, struct error *why);

/* --- image_vm.c */

/* All of a VM: its files, its compiled definition and its monitor's process, which has its shares
 * and may connect to those of the services that it needs; screen: its terminal is the machine's
 * own. */
int image_add_vm(struct image_folder *folder, const struct definition *definition,
		 unsigned services, bool screen, struct error *why);

/* --- image_grub.c */

/* What there must be on this machine to make an image. */
int image_check_tools(struct error *why);
/* Makes the image of the folder at output, which is replaced only once the new one is whole. */
int image_make(struct image_folder *folder, const char *output, struct error *why);

#endif
