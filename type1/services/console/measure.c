/* SPDX-License-Identifier: MIT */
/*
 * measure.c - what the machine did in a second.
 */
#include "type1/services/console/console.h"

#define MEASURED UINT64_C(1000000000) /* ns */

static void measure_over(void *arg)
{
	static struct sample after; /* too large for a stack */
	struct console *console = arg;

	sample_take(&after);
	console->measure_report(&console->out, &console->measure_before, &after);
	console->measure_report = NULL;
	console_prompt(console);
}

int measure_create(struct console *console)
{
	return os_timer_create(console->loop, measure_over, console, &console->measure_timer);
}

void measure_begin(struct console *console,
		   void (*report)(const struct output *, const struct sample *,
				  const struct sample *))
{
	console->measure_report = report;
	sample_take(&console->measure_before);
	os_timer_set(console->measure_timer, os_clock_monotonic() + MEASURED);
}

void measure_cancel(struct console *console)
{
	os_timer_set(console->measure_timer, 0);
	console->measure_report = NULL;
}
