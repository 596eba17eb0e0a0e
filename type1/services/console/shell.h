/* SPDX-License-Identifier: MIT */
/*
 * shell.h - command lines: taken apart, checked against a table of commands, completed.
 *
 * A line is words between spaces.  What an argument is, the table says by its name in usage: NAME
 * is a process, VM a process that is a VM, COMMAND a command; those are completed.
 */
#ifndef DYAD_TYPE1_CONSOLE_SHELL_H
#define DYAD_TYPE1_CONSOLE_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type1/services/console/line.h"
#include "type1/services/console/output.h"

#define SHELL_WORDS 8

struct shell_command {
	const char *name;
	const char *usage; /* its arguments, each one word; those that may be left out in [] */
	const char *summary;
	void (*run)(void *context, unsigned count, char **arguments);
};

struct shell {
	const struct output *out;
	const struct shell_command *commands;
	unsigned command_count;
	/* The next of the names that can stand for what usage calls so, from *index on; NULL */
	const char *(*next_name)(void *context, const char *what, unsigned *index);
	void *context;
};

/* Runs a line, or says what is wrong with it.  The line is changed. */
void shell_run(const struct shell *shell, char *text);
/* TAB: adds to the line what all that it can become have in common, or lists those. */
void shell_complete(const struct shell *shell, struct line *line);
/* All commands, or the one of that name. */
void shell_help(const struct shell *shell, const char *name);

/* Whole decimal numbers up to limit; of bytes, with K, M, G or T behind them. */
bool shell_number(const char *text, uint64_t limit, uint64_t *number);
bool shell_size(const char *text, uint64_t *bytes);

#endif
