/* SPDX-License-Identifier: MIT */
/*
 * command.c - the table of commands, and what is common to them: help and version.
 */
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/suggest.h"

static const struct command *const commands[] = {&run_command, &image_command, &doctor_command};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void command_print_usage(FILE *out)
{
	fputs("usage: dyad COMMAND [OPTION]...\n"
	      "       dyad help [COMMAND]\n"
	      "       dyad --version\n"
	      "\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "  %-10s %s\n", "help", "tells how a command is used");
}

static void command_print_help(FILE *out)
{
	command_print_usage(out);
	fputs("\n"
	      "Dyad runs virtual machines.  To boot a Linux kernel with a disk:\n"
	      "  dyad run --kernel vmlinuz --initrd initrd.img --disk root.img\n"
	      "'dyad help run' tells all that a VM can be given; dyad(1) is the manual.\n",
	      out);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int command_unknown(const char *name)
{
	const char *kind = name[0] == '-' ? "option" : "command";
	struct suggestion suggestion;
	const char *nearest;
	struct error why;

	suggest_begin(&suggestion, name);
	for (size_t i = 0; i < COMMANDS; i++)
		suggest_consider(&suggestion, commands[i]->name);
	suggest_consider(&suggestion, "help");
	suggest_consider(&suggestion, "--help");
	suggest_consider(&suggestion, "--version");
	nearest = suggest_result(&suggestion);
	if (nearest != NULL)
		error_set(&why, -EINVAL, "unknown %s %.80s; did you mean %s?", kind, name, nearest);
	else
		error_set(&why, -EINVAL, "unknown %s %.80s; 'dyad --help' lists what there is",
			  kind, name);
	return message_fail(EXIT_BAD_INPUT, &why);
}

static int command_help(int argc, char **argv)
{
	const struct command *command;
	struct error why;

	if (argc > 2) {
		error_set(&why, -EINVAL,
			  "help is given for one command at a time; write 'dyad "
			  "help COMMAND'");
		return message_fail(EXIT_BAD_INPUT, &why);
	}
	if (argc < 2 || strcmp(argv[1], "help") == 0) {
		command_print_help(stdout);
		return message_finish_output();
	}
	command = command_find(argv[1]);
	if (command == NULL)
		return command_unknown(argv[1]);
	command->help(stdout);
	return message_finish_output();
}

/* What is opened later must not become standard input, output or error by accident. */
static void command_keep_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(EXIT_INTERNAL);
}

int command_main(int argc, char **argv)
{
	const struct command *command;
	const char *word;

	command_keep_standard_files();
	if (argc < 2) {
		command_print_usage(stderr);
		return EXIT_BAD_INPUT;
	}
	word = argv[1];
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		puts("dyad " DYAD_VERSION);
		return message_finish_output();
	}
	if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return command_help(argc - 1, argv + 1);
	command = command_find(word);
	if (command == NULL)
		return command_unknown(word);
	return command->run(argc - 1, argv + 1);
}
