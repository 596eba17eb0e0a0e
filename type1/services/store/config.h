/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the store's module says (abi/store.h).
 */
#ifndef DYAD_STORE_CONFIG_H
#define DYAD_STORE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/store.h"
#include "lib/error.h"

#define CONFIG_FILE 128 /* of a file's name, ended by a zero */
#define CONFIG_VOLUMES 64

struct config_volume {
	char name[STORE_NAME];
	char file[CONFIG_FILE]; /* "": none, it is empty */
	uint64_t size;          /* 0: the file's */
};

struct config {
	bool format;
	unsigned volume_count;
	struct config_volume volumes[CONFIG_VOLUMES];
};

/* -EINVAL, with a sentence. */
int config_read(const char *text, uint64_t size, struct config *config, struct error *why);

#endif
