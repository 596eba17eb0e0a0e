/* SPDX-License-Identifier: MIT */
/*
 * watch.c - what happens in the machine: the lines of the log, and processes that end.
 */
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/console/console.h"

#define LOG_PIECE 32    /* lines at a time, until the loop has looked at all else */
#define LOG_CATCH_UP 20 /* lines that are shown when somebody was attached meanwhile */
#define DELETE 0x7f

/* Lines have what processes put into them: nothing that moves the terminal's cursor. */
static void clean_line(char *line)
{
	for (char *at = line; *at; at++)
		if ((uint8_t)*at < ' ' || *at == DELETE)
			*at = '?';
}

static void show_line(struct console *console, char *line)
{
	clean_line(line);
	console_notice(console, "%s", line);
}

/* Shows the lines from a number on, up to one that is not there or is the end's; the next one. */
static uint64_t show_lines(struct console *console, uint64_t number, uint64_t end)
{
	char line[TYPE1_LOG_LINE + 1];

	while (number < end && machine_log_line(&number, line) && number < end) {
		show_line(console, line);
		number++;
	}
	return number;
}

void watch_show_log(struct console *console, uint64_t count)
{
	uint64_t end = console->log_next;

	show_lines(console, end - MIN(end, count), end);
}

void watch_catch_up(struct console *console)
{
	uint64_t missed = console->log_next - console->log_shown;

	if (missed > LOG_CATCH_UP)
		console_notice(console, "%llu lines were logged meanwhile; 'log' shows the latest",
			       (unsigned long long)missed);
	else
		show_lines(console, console->log_shown, console->log_next);
	console->log_shown = console->log_next;
}

static void look_at_log(struct console *console)
{
	char line[TYPE1_LOG_LINE + 1];
	unsigned count = 0;

	while (count++ < LOG_PIECE && machine_log_line(&console->log_next, line)) {
		console->log_next++;
		if (console->mode == CONSOLE_ATTACHED)
			continue;
		show_line(console, line);
		console->log_shown = console->log_next;
	}
	if (count > LOG_PIECE)
		os_event_signal(console->changed);
}

static void look_at_process(struct console *console, const struct type1_process *before,
			    const struct type1_process *now)
{
	bool ended = now->state == TYPE1_PROCESS_ENDED &&
		     (before->state != TYPE1_PROCESS_ENDED || before->starts != now->starts);

	/* At a guest's terminal the person is not disturbed; the log says it later. */
	if (console->mode == CONSOLE_ATTACHED)
		return;
	/* That it ended well the log says, too. */
	if (ended && now->status)
		console_notice(console, "%s ended with status %d; 'start %s' starts it again",
			       now->name, now->status, now->name);
	else if (!ended && before->starts && before->starts != now->starts && !now->is_vm)
		console_notice(console, "%s ended, and was started again", now->name);
}

static void look_at_processes(struct console *console)
{
	static struct sample now; /* too large for a stack */

	sample_take(&now);
	for (unsigned i = 0; i < MIN(now.count, console->seen.count); i++)
		look_at_process(console, &console->seen.process[i], &now.process[i]);
	console->seen = now;
	control_look(console);
}

static void changed(void *arg)
{
	struct console *console = arg;

	look_at_log(console);
	look_at_processes(console);
}

int watch_begin(struct console *console)
{
	char line[TYPE1_LOG_LINE + 1];
	int error = os_event_create(&console->changed);

	if (!error)
		error = os_loop_watch(console->loop, console->changed, changed, console);
	if (!error)
		error = machine_watch(console->changed);
	/* Lines until now the runtime has shown, on a screen that is another one by now. */
	for (; machine_log_line(&console->log_next, line); console->log_next++) {
		clean_line(line);
		screen_show_line(&console->screen, line);
	}
	console->log_shown = console->log_next;
	sample_take(&console->seen);
	return error;
}
