/* SPDX-License-Identifier: MIT */
/*
 * attach.c - the person at a guest's terminal: what is typed goes there, what the guest writes
 * comes here, until the escape key says otherwise or the VM is gone.
 */
#include "lib/bytes.h"
#include "type1/services/console/console.h"
#include "type1/services/console/escape.h"

#define READ_PIECE 512

#define HELP                                                                                       \
	"\nCtrl-A d       back to the shell; the guest goes on\n"                                  \
	"Ctrl-A p       presses the guest's power button\n"                                        \
	"Ctrl-A x       stops the guest at once\n"                                                 \
	"Ctrl-A Ctrl-A  sends Ctrl-A to the guest\n"                                               \
	"Ctrl-A h       this\n"

static void show_tail(struct console *console, struct tail *tail, uint64_t from)
{
	char bytes[READ_PIECE];
	size_t count;

	while ((count = tail_read(tail, &from, bytes, sizeof(bytes))))
		screen_write_raw(&console->screen, bytes, count);
}

bool attach_show_tail(struct console *console, const char *name)
{
	struct client *client = clients_find(&console->clients, name);
	struct tail *tail;

	if (client)
		client_keep(client);
	tail = tails_find(&console->clients.tails, name);
	if (!tail || !tail->written)
		return false;
	output_print(&console->out, "[the last that %s wrote]\n", name);
	show_tail(console, tail, tail_start(tail));
	screen_reset_modes(&console->screen);
	output_text(&console->out, "\n[that was all]\n");
	return true;
}

void attach_begin(struct console *console, struct client *client)
{
	output_print(&console->out, "[%s; Ctrl-A d leaves it, Ctrl-A h helps]\n", client->name);
	console->mode = CONSOLE_ATTACHED;
	console->attached = client;
	console->escape_pressed = false;
	client_attach(client);
	/* What was there before, and was taken from its ring since. */
	if (client->tail)
		show_tail(console, client->tail, client->tail->seen);
	attach_ready(console);
}

static void attach_end(struct console *console, const char *what)
{
	screen_reset_modes(&console->screen);
	output_print(&console->out, "\n[%s %s]\n", console->attached->name, what);
	console->attached = NULL;
	/* Without the line, which comes below what is caught up. */
	console->mode = CONSOLE_BUSY;
	watch_catch_up(console);
	console_prompt(console);
}

void attach_ready(void *arg)
{
	struct console *console = arg;
	char bytes[READ_PIECE];
	size_t count = client_read(console->attached, bytes, sizeof(bytes));

	screen_write_raw(&console->screen, bytes, count);
	/* The rest when the loop has looked at what was typed. */
	if (count)
		os_event_signal(console->attached->channel.event);
}

void attach_gone(void *arg)
{
	struct console *console = arg;
	char bytes[READ_PIECE];
	size_t left = CONSOLE_OUTPUT, count;

	/* Not more than the ring has room for, whatever it says. */
	while (left >= sizeof(bytes) &&
	       (count = client_read(console->attached, bytes, sizeof(bytes)))) {
		screen_write_raw(&console->screen, bytes, count);
		left -= count;
	}
	attach_end(console, "has ended");
}

void attach_type(struct console *console, uint8_t byte)
{
	struct client *client = console->attached;

	switch (escape_type(&console->escape_pressed, byte)) {
	case ESCAPE_SEND:
		/* A bell instead: there is no room while the guest reads nothing. */
		if (!client_write(client, &byte, 1))
			output_text(&console->out, "\a");
		break;
	case ESCAPE_NOTHING:
		break;
	case ESCAPE_DETACH:
		client_detach(client);
		attach_end(console, "goes on");
		break;
	case ESCAPE_POWER_BUTTON:
		output_text(&console->out, "\n[pressed the guest's power button]\n");
		client_press_power_button(client);
		break;
	case ESCAPE_STOP:
		output_text(&console->out, "\n[stopping the guest at once]\n");
		client_stop(client);
		break;
	case ESCAPE_HELP:
		output_text(&console->out, HELP);
		break;
	}
}
