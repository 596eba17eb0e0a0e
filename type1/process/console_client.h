/* SPDX-License-Identifier: MIT */
/*
 * console_client.h - a guest's terminal at the console service (abi/console.h), and what the person
 * there asks of the VM.
 *
 * A console service that died is connected anew: what it had not read yet is lost.  One that has
 * ended for good takes all that is written, and gives nothing.
 */
#ifndef DYAD_TYPE1_PROCESS_CONSOLE_CLIENT_H
#define DYAD_TYPE1_PROCESS_CONSOLE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "type1/process/channel.h"
#include "type1/process/process.h"
#include "type1/process/ring.h"

struct console_client {
	struct os_loop *loop;
	uint32_t service;
	/* On the loop thread: there is something to read, or space again after a short write. */
	void (*changed)(void *arg);
	void *arg;
	struct process_console_control control;

	struct os_mutex lock;
	struct channel channel;    /* lock; closed: there is no service */
	struct ring output, input; /* lock */
	uint32_t pressed, stopped; /* loop thread; the channel's words as they were seen last */
};

int console_client_begin(struct console_client *client, struct os_loop *loop, uint32_t service,
			 void (*changed)(void *), void *arg);
void console_client_end(struct console_client *client);
/* Loop thread.  What was asked before is asked now. */
void console_client_set_control(struct console_client *client,
				const struct process_console_control *control);
/* Any thread. */
size_t console_client_write(struct console_client *client, const uint8_t *bytes, size_t count);
size_t console_client_read(struct console_client *client, uint8_t *bytes, size_t count);

#endif
