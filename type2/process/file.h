/* SPDX-License-Identifier: MIT */
/*
 * file.h - opening what a person named, with sentences for what can be wrong with it.
 */
#ifndef DYAD_TYPE2_PROCESS_FILE_H
#define DYAD_TYPE2_PROCESS_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

struct error;

/*
 * Opens a regular file, or with block_device also such a device, by open(2)'s flags; never waits
 * (FIFOs and other devices are refused).  Fills status.  The descriptor or -errno.
 */
int file_open_named(const char *name, int flags, bool block_device, struct stat *status,
		    struct error *why);

#endif
