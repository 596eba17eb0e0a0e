/* SPDX-License-Identifier: MIT */
/*
 * control.c - signals and keys, turned into the power button or the end.
 */
#include "cli/control.h"

#include <signal.h>
#include <string.h>

#include "lib/format.h"

#define NANOSECONDS UINT64_C(1000000000)

static const struct {
	int number;
	const char *name;
} signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static void control_stop(struct control *control, const char *reason)
{
	char line[128];

	if (!control->stopped) {
		control->stopped = true;
		format_text(line, sizeof(line), "%s: stopping the guest at once", reason);
		os_log(OS_LOG_INFO, line);
	}
	control->target.stop(control->target.context);
}

static void control_grace_over(void *arg)
{
	control_stop(arg, "the guest did not power off in time");
}

static const char *control_signal_name(int number)
{
	for (unsigned i = 0; i < SIGNALS; i++)
		if (signals[i].number == number)
			return signals[i].name;
	return "signal";
}

static void control_signal(void *arg, int number)
{
	struct control *control = arg;
	char line[160];

	if (control->signal != 0) {
		control_stop(control, control_signal_name(number));
		return;
	}
	control->signal = number;
	format_text(line, sizeof(line),
		    "%s: pressed the guest's power button; it has %u seconds, and a second signal "
		    "stops it at once",
		    control_signal_name(number), control->grace_seconds);
	os_log(OS_LOG_INFO, line);
	os_timer_set(control->grace, os_clock_monotonic() + control->grace_seconds * NANOSECONDS);
	control->target.power_button(control->target.context);
}

static bool control_is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
	       action.sa_handler == SIG_IGN;
}

int control_begin(struct control *control, struct os_loop *loop,
		  const struct control_target *target, unsigned grace_seconds, struct error *why)
{
	int error;

	*control =
		(struct control){.loop = loop, .target = *target, .grace_seconds = grace_seconds};
	error = os_timer_create(loop, control_grace_over, control, &control->grace);
	if (error < 0)
		return error_set(why, error, "can't make a timer: %s", strerror(-error));
	for (unsigned i = 0; i < SIGNALS; i++) {
		if (control_is_ignored(signals[i].number))
			continue;
		error = process_loop_watch_signal(loop, signals[i].number, control_signal, control);
		if (error < 0) {
			error_set(why, error, "can't watch for %s: %s", signals[i].name,
				  strerror(-error));
			control_end(control);
			return error;
		}
		control->watched |= 1u << i;
	}
	return 0;
}

void control_end(struct control *control)
{
	for (unsigned i = 0; i < SIGNALS; i++)
		if (control->watched & (1u << i))
			process_loop_unwatch_signal(control->loop, signals[i].number);
	control->watched = 0;
	os_timer_destroy(control->grace);
	control->grace = NULL;
}

void control_key(struct control *control, enum process_console_command command)
{
	switch (command) {
	case PROCESS_CONSOLE_STOP:
		control_stop(control, "Ctrl-A x");
		break;
	case PROCESS_CONSOLE_POWER_BUTTON:
		os_log(OS_LOG_INFO, "Ctrl-A p: pressed the guest's power button");
		control->target.power_button(control->target.context);
		break;
	}
}
