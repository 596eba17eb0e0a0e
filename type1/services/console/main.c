/* SPDX-License-Identifier: MIT */
/*
 * main.c - the console service from its beginning (console.h).
 */
#include <stdarg.h>

#include "lib/bytes.h"
#include "lib/format.h"
#include "type1/process/process.h"
#include "type1/services/console/console.h"

#define CONTROL_C 0x03

void console_prompt(struct console *console)
{
	console->mode = CONSOLE_SHELL;
	line_begin(&console->line);
	if (console->ahead_count)
		os_event_signal(console->typed);
}

void console_notice(struct console *console, const char *format, ...)
{
	char text[OUTPUT_PIECE];
	va_list args;

	va_start(args, format);
	format_text_args(text, sizeof(text), format, args);
	va_end(args);
	if (console->mode == CONSOLE_SHELL)
		line_hide(&console->line);
	output_print(&console->out, "%s\n", text);
	if (console->mode == CONSOLE_SHELL)
		line_show(&console->line);
}

static void shell_type(struct console *console, uint8_t byte)
{
	struct line *line = &console->line;

	switch (line_type(line, byte)) {
	case LINE_GOES_ON:
	case LINE_END: /* there is nothing to go back to */
		return;
	case LINE_COMPLETE:
		shell_complete(&console->shell, line);
		return;
	case LINE_DONE:
		console->mode = CONSOLE_BUSY;
		shell_run(&console->shell, line->text);
		/* The command is done, unless it has said what goes on. */
		if (console->mode != CONSOLE_BUSY ||
		    (console->measure_report || console->shutting_down))
			return;
		break;
	case LINE_INTERRUPTED:
		break;
	}
	console_prompt(console);
}

static void busy_type(struct console *console, uint8_t byte)
{
	if (byte != CONTROL_C) {
		if (console->ahead_count < CONSOLE_AHEAD)
			console->ahead[console->ahead_count++] = byte;
		return;
	}
	console->ahead_count = 0;
	measure_cancel(console);
	control_cancel(console);
	output_text(&console->out, "^C\n");
	console_prompt(console);
}

static void type(struct console *console, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		switch (console->mode) {
		case CONSOLE_SHELL:
			shell_type(console, bytes[i]);
			break;
		case CONSOLE_BUSY:
			busy_type(console, bytes[i]);
			break;
		case CONSOLE_ATTACHED:
			attach_type(console, bytes[i]);
			break;
		}
	}
}

static void typed(void *arg)
{
	struct console *console = arg;
	uint8_t bytes[CONSOLE_AHEAD];
	size_t count;

	/* What comes behind a command that was typed ahead, and takes its time, is ahead again. */
	if (console->mode != CONSOLE_BUSY && console->ahead_count) {
		count = console->ahead_count;
		memcpy(bytes, console->ahead, count);
		console->ahead_count = 0;
		type(console, bytes, count);
	}
	while ((count = screen_read(&console->screen, bytes, sizeof(bytes))))
		type(console, bytes, count);
}

/* The only VM of an image has the machine's terminal, unless the person is at something else. */
static void came(void *arg, struct client *client)
{
	struct console *console = arg;
	unsigned vms = 0;

	for (unsigned i = 0; i < console->seen.count; i++)
		vms += console->seen.process[i].is_vm;
	if (vms != 1 || console->mode != CONSOLE_SHELL || console->line.length)
		return;
	line_hide(&console->line);
	attach_begin(console, client);
}

static int begin_screen(struct console *console)
{
	int error = os_event_create(&console->typed);

	if (!error)
		error = os_loop_watch(console->loop, console->typed, typed, console);
	return error ? error : screen_begin(&console->screen, console->loop, console->typed);
}

static int begin(struct console *console)
{
	int error = os_loop_create(&console->loop);

	console->out = (struct output){.write = screen_write, .context = &console->screen};
	line_init(&console->line, &console->out, "dyad> ");
	commands_begin(console);
	console->clients.came = came;
	console->clients.ready = attach_ready;
	console->clients.gone = attach_gone;
	console->clients.context = console;
	if (!error)
		error = measure_create(console);
	if (!error)
		error = control_create(console);
	if (!error)
		error = begin_screen(console);
	if (!error)
		error = watch_begin(console);
	if (error)
		return error;
	output_text(&console->out, "'help' lists the commands\n");
	console_prompt(console);
	return clients_begin(&console->clients, console->loop);
}

int main(const struct type1_info *info)
{
	static struct console console;

	if (info->version != TYPE1_VERSION)
		process_abort("the runtime has another version of its interface than the console: "
			      "make the image again");
	if (!info->has_console || !info->handles.processes)
		process_abort(
			"the console's line of the image lacks the words screen and processes");
	if (begin(&console))
		process_abort("the console can't begin");
	os_loop_run(console.loop);
	return 0;
}
