/* SPDX-License-Identifier: MIT */
/*
 * run_options.h - what 'dyad run' was asked: its command line and the definition that it names, as
 * one.
 */
#ifndef DYAD_CLI_RUN_OPTIONS_H
#define DYAD_CLI_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/definition.h"
#include "os.h"

struct run_options {
	struct definition definition; /* finished, unless help is asked for */
	bool help;
	bool print_config;
	enum os_log_level log_level;
};

/*
 * Reads the command line; argv[0] is the command's name.  The definition counts first, wherever it
 * stands, then the options in their order.  run_options_free() follows in any case.
 */
int run_options_parse(struct run_options *options, int argc, char **argv, struct error *why);
void run_options_free(struct run_options *options);

void run_options_print_help(FILE *out);

#endif
