/* SPDX-License-Identifier: MIT */
/*
 * control.c - VMs that are to power off within a time, and the machine's own end after that.
 */
#include "type1/services/console/console.h"

#include "lib/bits.h"

#define SECOND UINT64_C(1000000000) /* ns */

typedef unsigned long long ull;

static bool is_running(const struct type1_process *process)
{
	return process->state != TYPE1_PROCESS_ENDED;
}

/* Ends those whose time is over, and waits for the next. */
static void stops_look(void *arg)
{
	struct console *console = arg;
	uint64_t now = os_clock_monotonic(), next = 0;

	for (unsigned i = 0; i < MACHINE_PROCESSES; i++) {
		struct stop_request *stop = &console->stops[i];

		if (stop->deadline && stop->deadline <= now) {
			stop->deadline = 0;
			console_notice(console, "%s did not power off in time: it is ended",
				       console->seen.process[i].name);
			machine_kill(i);
		}
		if (stop->deadline && (!next || stop->deadline < next))
			next = stop->deadline;
	}
	os_timer_set(console->stop_timer, next);
}

int control_create(struct console *console)
{
	return os_timer_create(console->loop, stops_look, console, &console->stop_timer);
}

void control_stop(struct console *console, unsigned index, uint64_t seconds)
{
	const struct type1_process *process = &console->seen.process[index];
	struct client *client = clients_find(&console->clients, process->name);

	if (!client) {
		output_print(&console->out,
			     "%s has no power button: its monitor has no channel to the console\n",
			     process->name);
		/* It is not waited for. */
		seconds = 0;
	} else {
		client_press_power_button(client);
		output_print(&console->out, "pressed %s's power button; it has %llu seconds\n",
			     process->name, (ull)seconds);
	}
	console->stops[index] = (struct stop_request){
		.deadline = os_clock_monotonic() + seconds * SECOND,
		.starts = process->starts,
	};
	stops_look(console);
}

void control_shut_down(struct console *console, enum type1_power operation, uint64_t seconds)
{
	console->shutting_down = true;
	console->shutdown_operation = operation;
	for (unsigned i = 0; i < console->seen.count; i++)
		if (console->seen.process[i].is_vm && is_running(&console->seen.process[i]))
			control_stop(console, i, seconds);
	control_look(console);
}

void control_cancel(struct console *console)
{
	console->shutting_down = false;
}

void control_look(struct console *console)
{
	unsigned running = 0;

	for (unsigned i = 0; i < console->seen.count; i++) {
		const struct type1_process *process = &console->seen.process[i];
		struct stop_request *stop = &console->stops[i];

		if (!is_running(process) || process->starts != stop->starts)
			stop->deadline = 0;
		running += process->is_vm && is_running(process);
	}
	if (!console->shutting_down || running)
		return;
	output_text(&console->out, console->shutdown_operation == TYPE1_POWER_OFF
					   ? "the machine powers off\n"
					   : "the machine starts again\n");
	screen_draw(&console->screen);
	machine_power(console->shutdown_operation);
	output_text(&console->out, "it can't\n");
	control_cancel(console);
	console_prompt(console);
}
