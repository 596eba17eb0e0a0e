/* SPDX-License-Identifier: MIT */
/*
 * channel.c - services and channels, and their system calls.
 *
 * A client has its end from the call on, and pays for the memory until that is closed; the channel
 * waits in the service's list until it is accepted, by whichever process is the service then.
 */
#include "type1/runtime/channel.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/event_port.h"
#include "type1/runtime/memory_object.h"
#include "type1/runtime/syscall.h"

#define CHANNEL_COST PAGE_SIZE /* what is charged besides the memory */

struct listener {
	struct object object;    /* first */
	struct service *service; /* [const] */
	struct event *event;     /* [const] a reference */
};

static struct service *service_of(struct object *object)
{
	return CONTAINER_OF(object, struct service, object);
}

static struct listener *listener_of(struct object *object)
{
	return CONTAINER_OF(object, struct listener, object);
}

static struct channel_end *end_of(struct object *object)
{
	return CONTAINER_OF(object, struct channel_end, object);
}

/* --- Services --------------------------------------------------------------------------------- */

void service_init(struct service *service)
{
	object_init(&service->object, OBJECT_SERVICE, NULL);
}

/* The first channel that waits, and its reference; or NULL. */
static struct channel *take_channel(struct service *service)
{
	struct channel *channel;

	spin_lock(&service->lock);
	channel = service->first;
	if (channel) {
		service->first = channel->next;
		channel->queued = false;
	}
	spin_unlock(&service->lock);
	return channel;
}

/* -EPIPE: nobody will accept it. */
static int queue_channel(struct service *service, struct channel *channel)
{
	struct channel **last = &service->first;
	int err = -EPIPE;

	spin_lock(&service->lock);
	if (!service->ended) {
		while (*last)
			last = &(*last)->next;
		*last = channel;
		channel->queued = true;
		object_get(&channel->object);
		if (service->listener)
			event_signal(service->listener->event);
		err = 0;
	}
	spin_unlock(&service->lock);
	return err;
}

static void unqueue_channel(struct service *service, struct channel *channel)
{
	struct channel **each = &service->first;
	bool queued;

	spin_lock(&service->lock);
	queued = channel->queued;
	if (queued) {
		while (*each != channel)
			each = &(*each)->next;
		*each = channel->next;
		channel->queued = false;
	}
	spin_unlock(&service->lock);
	if (queued)
		object_put(&channel->object);
}

/* --- Channels --------------------------------------------------------------------------------- */

static void channel_end_object(struct object *object)
{
	struct channel *channel = CONTAINER_OF(object, struct channel, object);

	object_put(channel->memory);
	heap_free(channel);
}

/* The side isn't there any more, or never will be: the other one is told. */
static void leave(struct channel *channel, enum channel_side side)
{
	struct channel_end *other;

	mutex_lock(&channel->mutex);
	spin_lock(&channel->lock);
	channel->ends[side] = NULL;
	channel->gone[side] = true;
	other = channel->ends[!side];
	if (other)
		event_signal(other->event);
	spin_unlock(&channel->lock);
	mutex_unlock(&channel->mutex);
}

static bool is_gone(struct channel *channel, enum channel_side side)
{
	return __atomic_load_n(&channel->gone[side], __ATOMIC_ACQUIRE);
}

void service_set_ended(struct service *service, bool ended)
{
	struct channel *channel;

	spin_lock(&service->lock);
	service->ended = ended;
	spin_unlock(&service->lock);
	while (ended && (channel = take_channel(service))) {
		leave(channel, CHANNEL_SERVICE);
		object_put(&channel->object);
	}
}

/* In its own process, as long as that has its space. */
static void end_end(struct object *object)
{
	struct channel_end *end = end_of(object);
	struct channel *channel = end->channel;

	if (channel) {
		leave(channel, end->side);
		if (end->side == CHANNEL_SERVICE) {
			dma_end_all(channel);
		} else {
			unqueue_channel(channel->service, channel);
			account_credit(&end->process->account, channel->size + CHANNEL_COST);
		}
		space_detach(&end->process->space, channel->memory);
		object_put(&channel->object);
	}
	object_put(&end->event->object);
	heap_free(end);
}

static struct channel_end *create_end(struct process *process, enum channel_side side)
{
	struct channel_end *end = heap_alloc(sizeof(*end), &process->account);
	struct object *event;

	if (!end)
		return NULL;
	if (event_create(&process->account, &event)) {
		heap_free(end);
		return NULL;
	}
	object_init(&end->object, OBJECT_CHANNEL, end_end);
	end->side = side;
	end->process = process;
	end->event = event_of_object(event);
	return end;
}

/* Takes over the caller's reference to the channel. */
static void join(struct channel_end *end, struct channel *channel)
{
	end->channel = channel;
	mutex_lock(&channel->mutex);
	spin_lock(&channel->lock);
	channel->ends[end->side] = end;
	spin_unlock(&channel->lock);
	mutex_unlock(&channel->mutex);
}

/* Its memory may be used longer than the client lives: so it is the runtime's, and the client is
 * charged for as long as it has its end. */
static struct channel *create_channel(struct process *process, struct service *service,
				      uint64_t size)
{
	struct channel *channel;

	if (!account_charge(&process->account, size + CHANNEL_COST))
		return NULL;
	channel = heap_alloc(sizeof(*channel), &runtime_account);
	if (!channel || memory_object_create(size, &runtime_account, &channel->memory)) {
		account_credit(&process->account, size + CHANNEL_COST);
		heap_free(channel);
		return NULL;
	}
	object_init(&channel->object, OBJECT_NONE, channel_end_object);
	mutex_init(&channel->mutex);
	channel->service = service;
	channel->size = size;
	channel->client.size = size;
	memcpy(channel->client.name, process->name, sizeof(channel->client.name));
	return channel;
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void listener_end(struct object *object)
{
	struct listener *listener = listener_of(object);

	spin_lock(&listener->service->lock);
	if (listener->service->listener == listener)
		listener->service->listener = NULL;
	spin_unlock(&listener->service->lock);
	object_put(&listener->event->object);
	heap_free(listener);
}

static int create_listener(struct process *process, struct listener **out)
{
	struct listener *listener = heap_alloc(sizeof(*listener), &process->account);
	struct object *event;
	int err = -EBUSY;

	if (!listener)
		return -ENOMEM;
	if (event_create(&process->account, &event)) {
		heap_free(listener);
		return -ENOMEM;
	}
	object_init(&listener->object, OBJECT_LISTENER, listener_end);
	listener->service = process->service;
	listener->event = event_of_object(event);
	spin_lock(&process->service->lock);
	if (!process->service->listener) {
		process->service->listener = listener;
		err = 0;
	}
	spin_unlock(&process->service->lock);
	if (err)
		object_put(&listener->object);
	*out = listener;
	return err;
}

int64_t syscall_listen(const struct call *call)
{
	struct listener *listener;
	int err;

	if (!call->process->service)
		return -EPERM;
	err = create_listener(call->process, &listener);
	if (err)
		return err;
	err = port_watch(call->object, listener->event, call->args[1], &call->process->account);
	if (err) {
		object_put(&listener->object);
		return err;
	}
	event_signal(listener->event); /* of those who came before */
	return handle_add(call->process, &listener->object);
}

int64_t syscall_accept(const struct call *call)
{
	struct channel_end *end = create_end(call->process, CHANNEL_SERVICE);
	struct channel *channel;
	int err = -EAGAIN;

	if (!end)
		return -ENOMEM;
	channel = take_channel(listener_of(call->object)->service);
	if (channel) {
		join(end, channel);
		event_signal(end->event); /* of what the client has signalled before */
		err = user_copy_out(call->args[1], &channel->client, sizeof(channel->client));
	}
	if (err) {
		object_put(&end->object);
		return err;
	}
	return handle_add(call->process, &end->object);
}

int64_t syscall_connect(const struct call *call)
{
	uint64_t size = align_up(call->args[1], PAGE_SIZE);
	struct service *service = service_of(call->object);
	struct channel_end *end;
	struct channel *channel;
	int err = -ENOMEM;

	if (!call->args[1] || call->args[1] > TYPE1_CHANNEL_MAX)
		return -EINVAL;
	end = create_end(call->process, CHANNEL_CLIENT);
	if (!end)
		return -ENOMEM;
	channel = create_channel(call->process, service, size);
	if (channel) {
		join(end, channel);
		err = queue_channel(service, channel);
	}
	if (err) {
		object_put(&end->object);
		return err;
	}
	return handle_add(call->process, &end->object);
}

int64_t syscall_channel_map(const struct call *call)
{
	struct channel_end *end = end_of(call->object);
	int64_t result;

	mutex_lock(&end->channel->mutex);
	if (is_gone(end->channel, !end->side))
		result = -EPIPE;
	else if (end->address)
		result = (int64_t)end->address;
	else
		result = space_attach(&call->process->space, end->channel->memory, 0,
				      end->channel->size, TYPE1_MEMORY_WRITE);
	if (result > 0)
		end->address = (uint64_t)result;
	mutex_unlock(&end->channel->mutex);
	return result;
}

int64_t syscall_channel_signal(const struct call *call)
{
	struct channel_end *end = end_of(call->object), *other;
	int err = 0;

	spin_lock(&end->channel->lock);
	other = end->channel->ends[!end->side];
	if (other)
		event_signal(other->event);
	else if (end->channel->gone[!end->side])
		err = -EPIPE;
	spin_unlock(&end->channel->lock);
	return err;
}

int64_t syscall_channel_event(const struct call *call)
{
	struct object *event = &end_of(call->object)->event->object;

	object_get(event);
	return handle_add(call->process, event);
}
