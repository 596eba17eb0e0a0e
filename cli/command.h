/* SPDX-License-Identifier: MIT */
/*
 * command.h - the dyad command: finds what the first word names, and runs that.
 *
 * A command is one entry of the table in command.c and a file of its own.
 */
#ifndef DYAD_CLI_COMMAND_H
#define DYAD_CLI_COMMAND_H

#include <stdio.h>

struct command {
	const char *name;
	const char *summary; /* one line of the list of commands */
	/* argv[0] is the command's name; the result is the process's exit status. */
	int (*run)(int argc, char **argv);
	void (*help)(FILE *out);
};

extern const struct command run_command;
extern const struct command image_command;
extern const struct command doctor_command;

/* What main() does. */
int command_main(int argc, char **argv);

#endif
