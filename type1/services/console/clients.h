/* SPDX-License-Identifier: MIT */
/*
 * clients.h - the terminals of VMs: a channel with each monitor (abi/console.h), by its name.
 *
 * What a guest writes while nobody is attached to its terminal stays in its ring, the latest of it;
 * and what was taken from there in a tail, the latest of that, which outlives the client.
 * A monitor whose counts can't be is cut off.  All on the loop thread.
 */
#ifndef DYAD_TYPE1_CONSOLE_CLIENTS_H
#define DYAD_TYPE1_CONSOLE_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/console.h"
#include "type1/process/channel.h"
#include "type1/process/ring.h"
#include "type1/services/console/machine.h"
#include "type1/services/console/tails.h"

struct client {
	struct clients *clients;
	char name[TYPE1_NAME]; /* empty: there is none */
	struct channel channel;
	struct ring output, input;
	struct tail *tail; /* what it wrote that isn't in its ring any more; NULL: no memory */
	bool attached;
};

struct clients {
	struct os_loop *loop;
	struct channel_listener listener;
	struct os_event *again; /* somebody else may have connected */
	/* A VM's terminal has come.  Of the client that is attached: there may be output; the
	 * channel is gone, and the client will be when this returns. */
	void (*came)(void *context, struct client *client);
	void (*ready)(void *context);
	void (*gone)(void *context);
	void *context;
	struct client client[MACHINE_PROCESSES];
	struct tails tails;
};

int clients_begin(struct clients *clients, struct os_loop *loop);
/* NULL: no VM of that name has a terminal now. */
struct client *clients_find(struct clients *clients, const char *name);

void client_attach(struct client *client);
void client_detach(struct client *client);
/* Takes what the guest wrote, of an attached one.  0: there is none, and ready() will tell. */
size_t client_read(struct client *client, char *bytes, size_t size);
/* Moves all that the guest wrote to its tail, whether somebody is attached to it or not. */
void client_keep(struct client *client);
/* How many of the bytes the guest's terminal had room for. */
size_t client_write(struct client *client, const uint8_t *bytes, size_t count);
void client_press_power_button(struct client *client);
/* The monitor ends the VM at once, and itself. */
void client_stop(struct client *client);

#endif
