/* SPDX-License-Identifier: MIT */
/*
 * clients.c - the terminals of VMs (clients.h).
 */
#include "type1/services/console/clients.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"

/* Unattached: what the guest wrote is thrown away, down to the latest of KEPT bytes, when it comes
 * to more than LEFT.  So a guest finds room, and the console wakes seldom. */
#define CLIENT_LEFT (CONSOLE_OUTPUT / 4 * 3)
#define CLIENT_KEPT (CONSOLE_OUTPUT / 4)

#define PIECE 256

_Static_assert(sizeof(struct console_channel) <= TYPE1_CHANNEL_MAX, "fits a channel");

static struct console_channel *shared(struct client *client)
{
	return client->channel.memory;
}

/* Of those that are filled. */
static void consume(struct client *client, uint32_t count)
{
	/* A guest that found no room waits to be told. */
	if (ring_consume(&client->output, count))
		channel_signal(&client->channel);
}

/* The next of count bytes, and what of them was taken goes to the tail. */
static uint32_t take(struct client *client, char *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		bytes[i] = (char)shared(client)->written[ring_place(&client->output, i)];
	tail_add(client->tail, bytes, count);
	if (count)
		consume(client, count);
	return count;
}

/* The same of bytes that nobody sees; those that the tail has no room for aren't looked at. */
static void pass(struct client *client, uint32_t count)
{
	char bytes[PIECE];

	if (count > TAIL_BYTES) {
		consume(client, count - TAIL_BYTES);
		count = TAIL_BYTES;
	}
	while (count)
		count -= take(client, bytes, MIN(count, (uint32_t)sizeof(bytes)));
}

void client_keep(struct client *client)
{
	pass(client, ring_filled(&client->output));
}

static void client_end(struct client *client)
{
	if (client->attached)
		client->clients->gone(client->clients->context);
	client_keep(client);
	channel_close(&client->channel);
	*client = (struct client){.clients = client->clients};
}

/* Of one that nobody is attached to. */
static void client_trim(struct client *client)
{
	uint32_t filled = ring_filled(&client->output);

	if (filled > CLIENT_LEFT)
		pass(client, filled - CLIENT_KEPT);
	if (!ring_wait(&client->output, CLIENT_LEFT))
		os_event_signal(client->channel.event);
}

static void client_signalled(void *arg)
{
	struct client *client = arg;

	if (client->attached)
		client->clients->ready(client->clients->context);
	else
		client_trim(client);
	if (channel_gone(&client->channel) || ring_broken(&client->output) ||
	    ring_broken(&client->input))
		client_end(client);
}

/* Where the terminal of that name goes; a monitor that was started again is found under it. */
static struct client *client_place(struct clients *clients, const char *name)
{
	struct client *place = clients_find(clients, name);

	if (place) {
		client_end(place);
		return place;
	}
	for (unsigned i = 0; i < ARRAY_COUNT(clients->client); i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): &client[0] is not NULL */
		if (!*clients->client[i].name)
			return &clients->client[i];
	return NULL;
}

static void client_begin(struct clients *clients, struct channel *channel,
			 const struct type1_client *who)
{
	struct client *client = client_place(clients, who->name);

	if (!client || channel_watch(channel, clients->loop, client_signalled, client)) {
		channel_close(channel);
		return;
	}
	*client = (struct client){.clients = clients, .channel = *channel};
	memcpy(client->name, who->name, TYPE1_NAME - 1);
	client->tail = tails_begin(&clients->tails, client->name);
	ring_init(&client->output, &shared(client)->output, CONSOLE_OUTPUT);
	ring_init(&client->input, &shared(client)->input, CONSOLE_INPUT);
	/* It may have said much, or have come to its end, before it was watched. */
	os_event_signal(client->channel.event);
	clients->came(clients->context, client);
}

static void connected(void *arg)
{
	struct clients *clients = arg;
	struct type1_client who;
	struct channel channel;
	int error =
		channel_accept(&channel, &clients->listener, sizeof(struct console_channel), &who);

	if (!error)
		client_begin(clients, &channel, &who);
	/* One at a time, so that nobody who connects without end keeps us from all else. */
	if (error != -EAGAIN)
		os_event_signal(clients->again);
}

int clients_begin(struct clients *clients, struct os_loop *loop)
{
	int error = os_event_create(&clients->again);

	if (!error)
		error = os_loop_watch(loop, clients->again, connected, clients);
	if (error)
		return error;
	clients->loop = loop;
	for (unsigned i = 0; i < ARRAY_COUNT(clients->client); i++)
		clients->client[i].clients = clients;
	/* Those who connected before are told of, too. */
	return channel_listen(&clients->listener, loop, connected, clients);
}

struct client *clients_find(struct clients *clients, const char *name)
{
	for (unsigned i = 0; i < ARRAY_COUNT(clients->client); i++)
		if (*name && text_equal(clients->client[i].name, name))
			return &clients->client[i];
	return NULL;
}

void client_attach(struct client *client)
{
	uint32_t filled = ring_filled(&client->output);

	if (filled > CLIENT_KEPT)
		pass(client, filled - CLIENT_KEPT);
	client->attached = true;
}

void client_detach(struct client *client)
{
	client->attached = false;
	client_trim(client);
}

size_t client_read(struct client *client, char *bytes, size_t size)
{
	uint32_t count = (uint32_t)MIN(ring_filled(&client->output), size);

	if (!count && !ring_wait(&client->output, 0))
		count = (uint32_t)MIN(ring_filled(&client->output), size);
	count = take(client, bytes, count);
	if (client->tail)
		client->tail->seen = client->tail->written;
	return count;
}

size_t client_write(struct client *client, const uint8_t *bytes, size_t count)
{
	count = MIN(count, ring_room(&client->input));
	for (uint32_t i = 0; i < count; i++)
		shared(client)->typed[ring_place(&client->input, i)] = bytes[i];
	if (count && ring_produce(&client->input, (uint32_t)count))
		channel_signal(&client->channel);
	return count;
}

void client_press_power_button(struct client *client)
{
	__atomic_add_fetch(&shared(client)->power_button, 1, __ATOMIC_RELEASE);
	channel_signal(&client->channel);
}

void client_stop(struct client *client)
{
	__atomic_add_fetch(&shared(client)->stop, 1, __ATOMIC_RELEASE);
	channel_signal(&client->channel);
}
