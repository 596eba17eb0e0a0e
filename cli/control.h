/* SPDX-License-Identifier: MIT */
/*
 * control.h - how a person ends a running VM: signals, and the keys of the console.
 *
 * The first SIGINT, SIGTERM or SIGHUP presses the power button and gives the guest
 * the time given to control_begin(); the second, or the end of that time, stops it.  A signal that
 * the process was started to ignore stays ignored.  All on the loop thread; relies on
 * type2/process.
 */
#ifndef DYAD_CLI_CONTROL_H
#define DYAD_CLI_CONTROL_H

#include <stdbool.h>

#include "lib/error.h"
#include "os.h"
#include "type2/process/process.h"

struct control_target {
	void (*power_button)(void *context);
	void (*stop)(void *context);
	void *context;
};

struct control {
	struct os_loop *loop;
	struct control_target target;
	unsigned grace_seconds;
	struct os_timer *grace;
	unsigned watched; /* which signals, as bits by their place in the list */
	int signal;       /* the first that came, or 0 */
	bool stopped;     /* the person had the guest stopped */
};

/* From now on signals go to target.  Fails as a whole. */
int control_begin(struct control *control, struct os_loop *loop,
		  const struct control_target *target, unsigned grace_seconds, struct error *why);
/* Signals do again what they did before.  What came stays readable. */
void control_end(struct control *control);
/* A command of the console's escape key. */
void control_key(struct control *control, enum process_console_command command);

#endif
