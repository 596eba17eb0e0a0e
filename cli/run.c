/* SPDX-License-Identifier: MIT */
/*
 * run.c - 'dyad run': from the command line to a running VM, to its end and the exit status.
 */
#include "cli/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/run_options.h"
#include "monitor/log.h"

#define GRACE_SECONDS 60 /* for a guest to power off when it is asked to; a slow one needs that */

/* What the loop's callbacks act on. */
struct run {
	struct vm *vm;
	struct control control;
	bool running; /* vm and control are there */
};

static void run_power_button(void *context)
{
	vm_power_button(((struct run *)context)->vm);
}

static void run_stop(void *context)
{
	vm_stop(((struct run *)context)->vm);
}

static void run_key(void *arg, enum process_console_command command)
{
	struct run *run = arg;

	if (run->running)
		control_key(&run->control, command);
}

int run_exit_status(const struct vm_outcome *outcome, const struct control *control)
{
	switch (outcome->end) {
	case VM_END_POWER_OFF:
		return EXIT_OK;
	case VM_END_STOPPED:
		if (control->signal != 0)
			return EXIT_SIGNAL + control->signal;
		return control->stopped ? EXIT_SIGNAL + SIGINT : EXIT_INTERNAL;
	case VM_END_DEBUG_EXIT:
		return (int)(((outcome->debug_status << 1) | 1) & 0xff);
	case VM_END_CRASHED:
		return EXIT_CRASHED;
	case VM_END_ERROR:
		break;
	}
	return EXIT_INTERNAL;
}

/* Says how it ended.  The terminal is its old self again. */
static int run_report(const struct vm_config *config, const struct vm_outcome *outcome,
		      const struct control *control)
{
	int status = run_exit_status(outcome, control);

	switch (outcome->end) {
	case VM_END_POWER_OFF:
		log_print(OS_LOG_INFO, "%s powered off", config->name);
		break;
	case VM_END_STOPPED:
		log_print(OS_LOG_INFO, "%s was stopped", config->name);
		break;
	case VM_END_DEBUG_EXIT:
		log_print(OS_LOG_INFO, "%s ended by its debug exit with 0x%x: exit status %d",
			  config->name, outcome->debug_status, status);
		break;
	case VM_END_CRASHED:
	case VM_END_ERROR:
		return message_fail((enum exit_status)status, &outcome->text);
	}
	return status;
}

static int run_open_console(struct run *run, const struct vm_config *config, struct os_loop *loop,
			    struct os_console **console, struct error *why)
{
	const struct process_console_options options = {
		.input = STDIN_FILENO,
		.output = STDOUT_FILENO,
		.escape = PROCESS_CONSOLE_ESCAPE,
		.command = run_key,
		.arg = run,
	};

	*console = NULL;
	if (config->console == VM_CONSOLE_NONE)
		return 0;
	return process_console_open(loop, &options, console, why);
}

static int run_check_file(const char *path, struct error *why)
{
	struct os_file *file;
	int error;

	if (path == NULL)
		return 0;
	error = os_file_open(path, &file, why);
	if (error == 0)
		os_file_close(file);
	return error;
}

/*
 * Where there is no engine: what the person gave is looked at all the same, because they can mend
 * that first.  Where there is one, vm_create() finds the same faults.
 */
static int run_check_files(const struct vm_config *config, struct os_loop *loop, struct error *why)
{
	int error = run_check_file(config->kernel, why);

	if (error == 0)
		error = run_check_file(config->initrd, why);
	for (unsigned i = 0; error == 0 && i < config->module_count; i++)
		error = run_check_file(config->modules[i].path, why);
	for (unsigned i = 0; error == 0 && i < config->disk_count; i++) {
		const struct os_block_options options = {
			.name = config->disks[i].path,
			.read_only = config->disks[i].read_only,
			.cache = config->disks[i].cache,
		};
		struct os_block *block;

		error = os_block_open(loop, &options, &block, why);
		if (error == 0)
			os_block_close(block);
	}
	return error;
}

int run_vm(const struct definition *definition)
{
	const struct vm_config *config = &definition->config;
	struct os_console *console = NULL;
	struct os_kvm *hypervisor = NULL;
	struct os_loop *loop = NULL;
	struct vm_outcome outcome;
	struct run run = {0};
	const struct control_target target = {run_power_button, run_stop, &run};
	int status = EXIT_INTERNAL;
	struct error why;
	int error;

	error = os_loop_create(&loop);
	if (error < 0) {
		error_set(&why, error, "can't make the event loop: %s", strerror(-error));
		goto out;
	}
	status = EXIT_BAD_INPUT;
	error = engine_open(definition->engine, &hypervisor, &why);
	if (error < 0) {
		struct error file_why;

		if (run_check_files(config, loop, &file_why) < 0)
			why = file_why;
		goto out;
	}
	error = run_open_console(&run, config, loop, &console, &why);
	if (error < 0)
		goto out;
	error = vm_create(config, hypervisor, loop, console, &run.vm, &why);
	if (error < 0)
		goto out;
	status = EXIT_INTERNAL;
	error = control_begin(&run.control, loop, &target, GRACE_SECONDS, &why);
	if (error < 0)
		goto out;
	run.running = true;
	vm_run(run.vm, &outcome);
	run.running = false;
	control_end(&run.control);
out:
	vm_destroy(run.vm);
	process_console_close(console);
	os_kvm_close(hypervisor);
	os_loop_destroy(loop);
	if (error < 0)
		return message_fail((enum exit_status)status, &why);
	return run_report(config, &outcome, &run.control);
}

static int run_print_config(const struct definition *definition)
{
	char *folder = getcwd(NULL, 0), *text;
	struct error why;

	if (folder == NULL) {
		error_set(&why, -errno, "can't tell the current folder: %s", strerror(errno));
		return message_fail(EXIT_INTERNAL, &why);
	}
	if (definition_write(definition, folder, &text, &why) < 0) {
		free(folder);
		return message_fail(EXIT_BAD_INPUT, &why);
	}
	puts(text);
	free(text);
	free(folder);
	return message_finish_output();
}

static int run_main(int argc, char **argv)
{
	struct run_options options;
	struct error why;
	int status;

	if (run_options_parse(&options, argc, argv, &why) < 0) {
		status = message_fail(EXIT_BAD_INPUT, &why);
	} else if (options.help) {
		run_options_print_help(stdout);
		status = message_finish_output();
	} else if (options.print_config) {
		status = run_print_config(&options.definition);
	} else {
		process_init();
		process_log_configure(STDERR_FILENO, options.log_level);
		status = run_vm(&options.definition);
	}
	run_options_free(&options);
	return status;
}

const struct command run_command = {
	.name = "run",
	.summary = "runs a virtual machine until it powers off",
	.run = run_main,
	.help = run_options_print_help,
};
