/* SPDX-License-Identifier: MIT */
/*
 * channel.c - channels (channel.h), on the system calls.
 */
#include "type1/process/channel.h"

#include <linux/errno.h>

#include "type1/process/call.h"
#include "type1/process/process.h"

/* Of a handle that a call returned. */
static int channel_open(struct channel *channel, uint64_t handle)
{
	int64_t memory, event;
	int error;

	*channel = (struct channel){.handle = handle};
	memory = call1(TYPE1_CHANNEL_MAP, handle);
	event = call1(TYPE1_CHANNEL_EVENT, handle);
	error = memory < 0 ? (int)memory : event < 0 ? (int)event : 0;
	if (!error) {
		channel->memory = (void *)(uintptr_t)memory;
		error = event_adopt((uint64_t)event, &channel->event);
	}
	if (error) {
		if (event > 0)
			call1(TYPE1_CLOSE, (uint64_t)event);
		channel_close(channel);
	}
	return error;
}

int channel_connect(struct channel *channel, uint32_t service, uint64_t size)
{
	int64_t handle = call2(TYPE1_CONNECT, service, size);

	return handle < 0 ? (int)handle : channel_open(channel, (uint64_t)handle);
}

int channel_watch(struct channel *channel, struct os_loop *loop, void (*fired)(void *), void *arg)
{
	return os_loop_watch(loop, channel->event, fired, arg);
}

int channel_wait(struct channel *channel, uint64_t deadline)
{
	int64_t port = call0(TYPE1_PORT_CREATE), result;
	uint64_t key;

	if (port < 0)
		return (int)port;
	result = call3(TYPE1_PORT_WATCH, (uint64_t)port, channel->event->handle, 0);
	if (!result)
		result = call4(TYPE1_PORT_WAIT, (uint64_t)port, deadline, call_address(&key), 1);
	call1(TYPE1_CLOSE, (uint64_t)port);
	return result < 0 ? (int)result : result ? 0 : -ETIMEDOUT;
}

int channel_signal(struct channel *channel)
{
	return (int)call1(TYPE1_CHANNEL_SIGNAL, channel->handle);
}

bool channel_gone(const struct channel *channel)
{
	return call1(TYPE1_CHANNEL_MAP, channel->handle) < 0;
}

void channel_close(struct channel *channel)
{
	if (!channel->handle)
		return;
	os_event_destroy(channel->event);
	call1(TYPE1_CLOSE, channel->handle);
	*channel = (struct channel){0};
}

int channel_listen(struct channel_listener *listener, struct os_loop *loop,
		   void (*connected)(void *), void *arg)
{
	int64_t handle = call2(TYPE1_LISTEN, loop->port, call_address(&listener->event));

	if (handle < 0)
		return (int)handle;
	*listener = (struct channel_listener){
		.handle = (uint64_t)handle,
		.event = {.loop = loop, .fired = connected, .arg = arg},
	};
	return 0;
}

int channel_accept(struct channel *channel, const struct channel_listener *listener, uint64_t size,
		   struct type1_client *client)
{
	int64_t handle = call2(TYPE1_ACCEPT, listener->handle, call_address(client));

	if (handle < 0)
		return (int)handle;
	if (client->size < size) {
		call1(TYPE1_CLOSE, (uint64_t)handle);
		return -EPROTO;
	}
	return channel_open(channel, (uint64_t)handle);
}
