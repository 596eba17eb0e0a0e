/* SPDX-License-Identifier: MIT */
/*
 * definition_read.h - between the two halves of reading a definition: the file (definition_read.c)
 * and its keys (definition_keys.c).
 */
#ifndef DYAD_CLI_DEFINITION_READ_H
#define DYAD_CLI_DEFINITION_READ_H

#include "cli/definition.h"
#include "cli/json_reader.h"

struct definition_reading { /* the reader's context */
	struct definition *definition;
	char *folder; /* the file's, with its closing '/', or empty */
};

/* Reads the whole tree into the context's definition. */
int definition_read_root(struct json_reader *reader, json_t *root);

#endif
