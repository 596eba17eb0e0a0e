/* SPDX-License-Identifier: MIT */
/*
 * commands.c - the shell's commands.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/console/console.h"

#define STOP_SECONDS 30 /* until a guest whose power button was pressed is ended */
#define STOP_SECONDS_MAX 3600
#define LOG_LINES 20
#define LOG_LINES_MAX 10000

/* --- Arguments */

/* The index of the process of that name; or -ENOENT, and the person is told. */
static int find_process(struct console *console, const char *name)
{
	sample_take(&console->seen);
	for (unsigned i = 0; i < console->seen.count; i++)
		if (text_equal(console->seen.process[i].name, name))
			return (int)i;
	output_print(&console->out, "there is no process %s; 'ps' lists all\n", name);
	return -ENOENT;
}

/* The same of one that is a VM and runs. */
static int find_running_vm(struct console *console, const char *name)
{
	int index = find_process(console, name);

	if (index < 0)
		return index;
	if (!console->seen.process[index].is_vm) {
		output_print(&console->out, "%s is a service and no VM\n", name);
		return -EINVAL;
	}
	if (console->seen.process[index].state == TYPE1_PROCESS_ENDED) {
		output_print(&console->out, "%s does not run; 'start %s' starts it\n", name, name);
		return -ESRCH;
	}
	return index;
}

/* An argument that may be left out; false, and the person is told. */
static bool take_number(struct console *console, unsigned count, char **arguments, unsigned which,
			uint64_t limit, uint64_t *number)
{
	if (which >= count || shell_number(arguments[which], limit, number))
		return true;
	output_print(&console->out, "%s is no number up to %llu\n", arguments[which],
		     (unsigned long long)limit);
	return false;
}

/* --- Processes */

static void command_ps(void *context, unsigned count, char **arguments)
{
	struct console *console = context;

	(void)count;
	(void)arguments;
	sample_take(&console->seen);
	report_processes(&console->out, &console->seen);
}

static void command_start(void *context, unsigned count, char **arguments)
{
	struct console *console = context;
	int index = find_process(console, arguments[0]), error;

	(void)count;
	if (index < 0)
		return;
	error = machine_start((unsigned)index);
	if (error == -EBUSY)
		output_print(&console->out, "%s runs already\n", arguments[0]);
	else if (error == -ENOMEM)
		output_print(&console->out,
			     "there is not memory enough for %s; 'memory' says who has it\n",
			     arguments[0]);
	else if (error)
		output_print(&console->out, "%s can't be started (error %d)\n", arguments[0],
			     -error);
}

static void command_stop(void *context, unsigned count, char **arguments)
{
	struct console *console = context;
	uint64_t seconds = STOP_SECONDS;
	int index;

	if (!take_number(console, count, arguments, 1, STOP_SECONDS_MAX, &seconds))
		return;
	index = find_running_vm(console, arguments[0]);
	if (index >= 0)
		control_stop(console, (unsigned)index, seconds);
}

static void command_kill(void *context, unsigned count, char **arguments)
{
	struct console *console = context;
	int index = find_process(console, arguments[0]), error;

	(void)count;
	if (index < 0)
		return;
	error = machine_kill((unsigned)index);
	if (error == -ESRCH)
		output_print(&console->out, "%s does not run\n", arguments[0]);
	else if (error)
		output_print(&console->out, "%s can't be killed (error %d)\n", arguments[0],
			     -error);
}

static void command_attach(void *context, unsigned count, char **arguments)
{
	struct console *console = context;
	struct client *client;
	int index;

	(void)count;
	index = find_process(console, arguments[0]);
	if (index >= 0 && console->seen.process[index].state == TYPE1_PROCESS_ENDED)
		attach_show_tail(console, arguments[0]);
	if (index < 0 || find_running_vm(console, arguments[0]) < 0)
		return;
	client = clients_find(&console->clients, arguments[0]);
	if (client)
		attach_begin(console, client);
	else
		output_print(&console->out,
			     "%s has no terminal here, or has none yet: it may just be starting\n",
			     arguments[0]);
}

/* --- The machine */

static void command_stat(void *context, unsigned count, char **arguments)
{
	(void)count;
	(void)arguments;
	measure_begin(context, report_statistics);
}

static void command_cores(void *context, unsigned count, char **arguments)
{
	(void)count;
	(void)arguments;
	measure_begin(context, report_cores);
}

static void command_memory(void *context, unsigned count, char **arguments)
{
	struct console *console = context;

	(void)count;
	(void)arguments;
	sample_take(&console->seen);
	report_memory(&console->out, &console->seen);
}

static void command_log(void *context, unsigned count, char **arguments)
{
	struct console *console = context;
	uint64_t lines = LOG_LINES;

	/* A name that is a number isn't meant. */
	if (count && !shell_number(arguments[0], UINT64_MAX, &lines) &&
	    attach_show_tail(console, arguments[0]))
		return;
	if (take_number(console, count, arguments, 0, LOG_LINES_MAX, &lines))
		watch_show_log(console, lines);
}

static void shut_down(struct console *console, enum type1_power operation, unsigned count,
		      char **arguments)
{
	uint64_t seconds = STOP_SECONDS;

	if (!take_number(console, count, arguments, 0, STOP_SECONDS_MAX, &seconds))
		return;
	sample_take(&console->seen);
	control_shut_down(console, operation, seconds);
}

static void command_poweroff(void *context, unsigned count, char **arguments)
{
	shut_down(context, TYPE1_POWER_OFF, count, arguments);
}

static void command_reboot(void *context, unsigned count, char **arguments)
{
	shut_down(context, TYPE1_POWER_RESET, count, arguments);
}

/* --- Volumes */

static const char *const volume_actions[] = {"create", "delete", "grow"};

static void command_volumes(void *context, unsigned count, char **arguments)
{
	struct console *console = context;
	uint64_t size;

	if (!count) {
		volumes_list(console);
		return;
	}
	if (count == 2 && text_equal(arguments[0], "delete")) {
		volumes_delete(console, arguments[1]);
		return;
	}
	if (count != 3) {
		output_text(&console->out, "usage: volumes [create NAME SIZE | delete NAME | grow "
					   "NAME SIZE]\n");
		return;
	}
	if (!shell_size(arguments[2], &size) || !size)
		output_print(&console->out,
			     "%s is no size; it is a number, maybe with K, M, G or "
			     "T behind it\n",
			     arguments[2]);
	else if (text_equal(arguments[0], "create"))
		volumes_create(console, arguments[1], size);
	else if (text_equal(arguments[0], "grow"))
		volumes_grow(console, arguments[1], size);
	else
		output_print(&console->out, "a volume can't be %s'd: create, delete or grow it\n",
			     arguments[0]);
}

/* --- All of them */

static void command_help(void *context, unsigned count, char **arguments)
{
	struct console *console = context;

	shell_help(&console->shell, count ? arguments[0] : NULL);
}

static const struct shell_command commands[] = {
	{"ps", "", "the image's processes: VMs and services", command_ps},
	{"start", "NAME", "starts a process that has ended", command_start},
	{"stop", "VM [SECONDS]", "presses the power button; ends the VM 30 seconds later",
	 command_stop},
	{"kill", "NAME", "ends a process at once", command_kill},
	{"attach", "VM", "the guest's terminal; Ctrl-A d comes back", command_attach},
	{"stat", "", "who used the CPUs in a second", command_stat},
	{"volumes", "[ACTION] [VOLUME] [SIZE]", "lists them; create, delete, grow one",
	 command_volumes},
	{"cores", "", "how busy the CPUs are", command_cores},
	{"memory", "", "who has how much", command_memory},
	{"log", "[LINES|VM]", "the latest of what was logged, or of what a VM wrote", command_log},
	{"poweroff", "[SECONDS]", "stops all VMs, then the machine", command_poweroff},
	{"reboot", "[SECONDS]", "stops all VMs, and starts the machine again", command_reboot},
	{"help", "[COMMAND]", "tells the commands", command_help},
};

/* For completion.  Names stay until the next call. */
static const char *next_name(void *context, const char *what, unsigned *index)
{
	static char volume[STORE_NAME];
	struct console *console = context;
	bool vms = text_equal(what, "VM") || text_equal(what, "LINES|VM");

	if (text_equal(what, "ACTION"))
		return *index < ARRAY_COUNT(volume_actions) ? volume_actions[(*index)++] : NULL;
	if (text_equal(what, "VOLUME"))
		return volumes_name((*index)++, volume) ? volume : NULL;
	if (!vms && !text_equal(what, "NAME"))
		return NULL;
	while (*index < console->seen.count) {
		const struct type1_process *process = &console->seen.process[(*index)++];

		if (process->is_vm || !vms)
			return process->name;
	}
	return NULL;
}

void commands_begin(struct console *console)
{
	console->shell = (struct shell){
		.out = &console->out,
		.commands = commands,
		.command_count = ARRAY_COUNT(commands),
		.next_name = next_name,
		.context = console,
	};
}
