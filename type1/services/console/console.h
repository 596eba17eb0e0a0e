/* SPDX-License-Identifier: MIT */
/*
 * console.h - the console service: a shell on the machine's serial line and screen, or the terminal
 * of a guest that the person is attached to.  How its parts stand together.
 *
 * One thread.  What was typed goes to the line that is edited, to the guest, or, while something is
 * waited for, stays for what comes then, but for Ctrl-C.  What happens meanwhile (the log, the ends
 * of processes) is written above the line.
 */
#ifndef DYAD_TYPE1_CONSOLE_CONSOLE_H
#define DYAD_TYPE1_CONSOLE_CONSOLE_H

#include "abi/store.h"
#include "type1/services/console/clients.h"
#include "type1/services/console/line.h"
#include "type1/services/console/machine.h"
#include "type1/services/console/output.h"
#include "type1/services/console/report.h"
#include "type1/services/console/screen.h"
#include "type1/services/console/shell.h"

#define CONSOLE_AHEAD 256 /* bytes that can be typed ahead; more are lost */

enum console_mode {
	CONSOLE_SHELL,
	CONSOLE_BUSY, /* a command is not done yet */
	CONSOLE_ATTACHED,
};

/* A VM whose power button was pressed, and that is to be off by some time. */
struct stop_request {
	uint64_t deadline; /* 0: none */
	uint32_t starts;   /* which of its lives is meant */
};

struct console {
	struct os_loop *loop;
	enum console_mode mode;
	struct screen screen;
	struct output out; /* on the screen */
	struct line line;
	struct shell shell;
	struct clients clients;

	/* main.c */
	struct os_event *typed; /* something was typed, or what was typed ahead is wanted */
	uint8_t ahead[CONSOLE_AHEAD];
	size_t ahead_count;

	/* attach.c */
	struct client *attached; /* in CONSOLE_ATTACHED */
	bool escape_pressed;

	/* measure.c: what is told when a second has passed */
	struct os_timer *measure_timer;
	void (*measure_report)(const struct output *, const struct sample *, const struct sample *);
	struct sample measure_before;

	/* control.c */
	struct os_timer *stop_timer;
	struct stop_request stops[MACHINE_PROCESSES];
	bool shutting_down;
	enum type1_power shutdown_operation;

	/* watch.c */
	struct os_event *changed;
	uint64_t log_next;  /* the number of the line that was not seen yet */
	uint64_t log_shown; /* and of the one that was not shown */
	struct sample seen; /* the processes, as they were told of */
};

/* --- main.c */

/* The shell is there again. */
void console_prompt(struct console *console);
/* Says something of its own accord: a line. */
__attribute__((format(printf, 2, 3))) void console_notice(struct console *console,
							  const char *format, ...);

/* --- commands.c */

void commands_begin(struct console *console);

/* --- attach.c */

void attach_begin(struct console *console, struct client *client);
void attach_type(struct console *console, uint8_t byte);
/* The last that the VM of that name wrote, whether it runs or not.  False: nothing that is known.
 */
bool attach_show_tail(struct console *console, const char *name);
/* The call backs of clients.h. */
void attach_ready(void *console);
void attach_gone(void *console);

/* --- measure.c */

int measure_create(struct console *console);
/* Busy for a second, and then report. */
void measure_begin(struct console *console,
		   void (*report)(const struct output *, const struct sample *,
				  const struct sample *));
void measure_cancel(struct console *console);

/* --- control.c */

int control_create(struct console *console);
/* Presses the power button; ends the VM if it isn't off in time. */
void control_stop(struct console *console, unsigned index, uint64_t seconds);
/* Stops all VMs, busy until the last is off, then the machine. */
void control_shut_down(struct console *console, enum type1_power operation, uint64_t seconds);
void control_cancel(struct console *console);
/* The processes are as in seen now. */
void control_look(struct console *console);

/* --- watch.c */

int watch_begin(struct console *console);
/* The latest lines of the log. */
void watch_show_log(struct console *console, uint64_t count);
/* What was logged while somebody was attached. */
void watch_catch_up(struct console *console);

/* --- volumes.c */

void volumes_list(struct console *console);
void volumes_create(struct console *console, const char *name, uint64_t size);
void volumes_delete(struct console *console, const char *name);
void volumes_grow(struct console *console, const char *name, uint64_t size);
/* The name of the volume of that index; false: there is none, or no store. */
bool volumes_name(unsigned index, char name[STORE_NAME]);

#endif
