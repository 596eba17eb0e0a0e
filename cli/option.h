/* SPDX-License-Identifier: MIT */
/*
 * option.h - command line options: one table describes them, and from it they are both read and
 * explained, so that the help can't tell of other options than there are.
 *
 * Relies on lib/error.h and suggest.h.  Reads argv, never prints an error.
 */
#ifndef DYAD_CLI_OPTION_H
#define DYAD_CLI_OPTION_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/error.h"

enum option_argument {
	OPTION_NONE,   /* --name */
	OPTION_VALUE,  /* --name VALUE or --name=VALUE */
	OPTION_SWITCH, /* --name on|off, --name=on|off or --no-name */
	OPTION_FLAG,   /* --name, --name=on|off or --no-name */
};

struct option_spec {
	const char *group; /* not NULL: starts a group of the help with this heading */
	int id;
	char letter; /* also -letter; or 0 */
	const char *name;
	enum option_argument argument;
	const char *value; /* what the value is called in the help, for OPTION_VALUE */
	const char *help;  /* lines of at most 64 characters */
};

/* A table ends with a spec whose name is NULL. */

struct option_parser {
	const struct option_spec *specs;
	const char *help; /* what tells of all options: "dyad help run" */
	int argc, next;
	char **argv;
	bool operands_only; /* behind "--" */
};

struct option {
	const struct option_spec *spec; /* NULL: an operand */
	const char
		*value; /* OPTION_NONE: NULL; OPTION_SWITCH, _FLAG: "on", "off" or what was given */
};

/* Begins with argv[1]. */
void option_begin(struct option_parser *parser, const struct option_spec *specs, const char *help,
		  int argc, char **argv);
/* 1 and the next option or operand, in the order of the command line; 0 at its end; -EINVAL. */
int option_next(struct option_parser *parser, struct option *option, struct error *why);

/* Writes all options with their help, in their groups. */
void option_print_help(FILE *out, const struct option_spec *specs);

#endif
