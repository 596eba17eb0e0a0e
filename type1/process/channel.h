/* SPDX-License-Identifier: MIT */
/*
 * channel.h - channels between a service and its clients: connecting, accepting, signals, and
 * finding out that the other end is gone.  What is said in the shared memory is the protocol's.
 *
 * A client's end is there at once, whether the service is or not: what is put into its rings is
 * read when the service accepts it.  So a client whose service died closes the channel, connects
 * anew and submits anew, and waits for nothing.
 */
#ifndef DYAD_TYPE1_PROCESS_CHANNEL_H
#define DYAD_TYPE1_PROCESS_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/type1.h"
#include "os.h"
#include "type1/process/loop.h"

struct channel {
	uint64_t handle; /* for TYPE1_DMA_BEGIN and its kin; 0: closed */
	void *memory;    /* shared, zeroed at first */
	struct os_event *event;
};

/* A client's end.  service: one of the handles in struct type1_start_handles.  -EPIPE: the service
 * has ended for good; -ENOMEM: the memory is charged to the client. */
int channel_connect(struct channel *channel, uint32_t service, uint64_t size);
/* Both ends: what the event tells is the other's signal, or its end.  The loop watches it until the
 * channel is closed. */
int channel_watch(struct channel *channel, struct os_loop *loop, void (*fired)(void *), void *arg);
/* Without a loop, for one that isn't watched: waits for the event.  -ETIMEDOUT at deadline, unless
 * that is 0. */
int channel_wait(struct channel *channel, uint64_t deadline);
/* -EPIPE: the other end is gone. */
int channel_signal(struct channel *channel);
/* Whether the other end is gone: to be asked whenever the event was told, after the rings were
 * looked at.  What a dead end had produced can still be read. */
bool channel_gone(const struct channel *channel);
/* Also of one that is closed already, or all zeros. */
void channel_close(struct channel *channel);

/* --- The service */

struct channel_listener {
	uint64_t handle;
	struct os_event event; /* its key at the loop's port */
};

/* This process is the service of its name from now on; connected() when there may be something to
 * accept.  The listener stays where it is for as long as the process lives. */
int channel_listen(struct channel_listener *listener, struct os_loop *loop,
		   void (*connected)(void *), void *arg);
/* The service's end of the next channel.  -EAGAIN: there is none; -EPROTO, -EPIPE and others: one
 * was refused, because it has less than size bytes, or is gone already, and there may be more. */
int channel_accept(struct channel *channel, const struct channel_listener *listener, uint64_t size,
		   struct type1_client *client);

#endif
