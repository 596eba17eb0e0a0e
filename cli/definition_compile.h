/* SPDX-License-Identifier: MIT */
/*
 * definition_compile.h - a finished definition as abi/definition.h has it.
 */
#ifndef DYAD_CLI_DEFINITION_COMPILE_H
#define DYAD_CLI_DEFINITION_COMPILE_H

#include <stddef.h>

#include "lib/error.h"
#include "monitor/vm_config.h"

/* The names of files are written as config has them.  The bytes are to be freed. */
int definition_compile(const struct vm_config *config, void **bytes, size_t *size,
		       struct error *why);

#endif
