/* SPDX-License-Identifier: MIT */
/*
 * console.c - the person's side of a guest's terminal: the machine's own console for a process that
 * was given it; for others a terminal at the console service (console_client.c); without that the
 * log, to which whole lines go.
 */
#include <linux/errno.h>
#include <stdbool.h>

#include "lib/bits.h"
#include "type1/process/call.h"
#include "type1/process/console_client.h"
#include "type1/process/process.h"
#include "type1/process/serial.h"

#define CONSOLE_LINE 200 /* what is longer is cut into several lines of the log */

struct os_console {
	struct os_loop *loop;
	struct console_client *client; /* NULL: the serial line, or the log */
	struct os_timer *look;         /* at the serial line; NULL: the client, or the log */
	struct serial serial;
	void (*changed)(void *);
	void *arg;

	struct os_mutex lock;
	char line[CONSOLE_LINE + 1]; /* lock; what of a line has come */
	size_t length;
};

static void console_changed(void *arg)
{
	struct os_console *console = arg;

	if (console->changed)
		console->changed(console->arg);
}

static int console_connect(struct os_console *console, uint32_t service)
{
	struct console_client *client = os_alloc(sizeof(*client));
	int error;

	if (!client)
		return -ENOMEM;
	error = console_client_begin(client, console->loop, service, console_changed, console);
	if (error)
		os_free(client);
	else
		console->client = client;
	return error;
}

static void console_look(void *arg)
{
	struct os_console *console = arg;

	if (serial_ready(&console->serial))
		console_changed(console);
	os_timer_set(console->look, os_clock_monotonic() + SERIAL_PERIOD);
}

static int console_listen(struct os_console *console)
{
	int error = os_timer_create(console->loop, console_look, console, &console->look);

	if (error)
		return error;
	serial_begin(&console->serial);
	os_timer_set(console->look, os_clock_monotonic() + SERIAL_PERIOD);
	return 0;
}

int process_console_open(struct os_loop *loop, struct os_console **out, struct error *why)
{
	struct os_console *console = os_alloc(sizeof(*console));
	int error = 0;

	if (!console)
		return error_set(why, -ENOMEM, "there is no memory for the console");
	console->loop = loop;
	os_mutex_init(&console->lock);
	if (process_info->has_console)
		error = console_listen(console);
	else if (process_info->handles.console)
		error = console_connect(console, process_info->handles.console);
	if (error) {
		process_console_close(console);
		return error_set(why, error, "cannot have a terminal at the %s (error %d)",
				 process_info->has_console ? "machine's console"
							   : "console service",
				 -error);
	}
	*out = console;
	return 0;
}

/* With the lock held. */
static void console_end_line(struct os_console *console)
{
	console->line[console->length] = '\0';
	console->length = 0;
	os_log(OS_LOG_INFO, console->line);
}

void process_console_close(struct os_console *console)
{
	if (!console)
		return;
	if (console->length)
		console_end_line(console);
	os_timer_destroy(console->look);
	if (console->client)
		console_client_end(console->client);
	os_free(console->client);
	os_free(console);
}

void process_console_set_control(struct os_console *console,
				 const struct process_console_control *control)
{
	if (console->client)
		console_client_set_control(console->client, control);
}

void os_console_set_listener(struct os_console *console, void (*changed)(void *), void *arg)
{
	console->changed = changed;
	console->arg = arg;
}

static void console_log(struct os_console *console, const char *bytes, size_t count)
{
	os_mutex_lock(&console->lock);
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n' || console->length == CONSOLE_LINE)
			console_end_line(console);
		if (bytes[i] == '\t')
			console->line[console->length++] = ' ';
		else if (bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\0')
			console->line[console->length++] = bytes[i];
	}
	os_mutex_unlock(&console->lock);
}

size_t os_console_write(struct os_console *console, const void *bytes, size_t count)
{
	if (console->client)
		return console_client_write(console->client, bytes, count);
	if (console->look)
		serial_write(&console->serial, bytes, count);
	else
		console_log(console, bytes, count);
	return count;
}

size_t os_console_read(struct os_console *console, void *bytes, size_t count)
{
	if (console->client)
		return console_client_read(console->client, bytes, count);
	return console->look ? serial_read(&console->serial, bytes, count) : 0;
}
