/* SPDX-License-Identifier: MIT */
/*
 * ports.c - the switch's clients, monitors for their guests: connecting, what each asks of its
 * port, and its end (switch.h).
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/switch/switch.h"

#define ACCEPT_AT_ONCE 16
#define MAC_FORMAT "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_BYTES(mac) (mac)[0], (mac)[1], (mac)[2], (mac)[3], (mac)[4], (mac)[5]

static bool client_used(const struct client *client)
{
	return client->channel.handle != 0;
}

static void client_log_end(struct client *client)
{
	const struct forward_counts *counts =
		&client->network->forward.ports[client->number].counts;
	uint64_t malformed = client->port.bad + counts->bad_size;

	network_log(client->network, OS_LOG_INFO,
		    "a port of %s ends: %llu frames sent, %llu received", client->name,
		    (unsigned long long)counts->frames, (unsigned long long)client->port.received);
	if (malformed || counts->bad_source || counts->flood || client->port.full)
		network_log(client->network, OS_LOG_INFO,
			    "of %s dropped: %llu malformed, %llu with another's address, %llu "
			    "beyond the bound on copies; to it %llu for want of room",
			    client->name, (unsigned long long)malformed,
			    (unsigned long long)counts->bad_source,
			    (unsigned long long)counts->flood,
			    (unsigned long long)client->port.full);
}

static void client_remove(struct client *client)
{
	struct network *network = client->network;
	uint64_t others;

	if (client->number < FORWARD_PORTS) {
		client_log_end(client);
		others = ~BIT(client->number);
		network->ready &= others;
		network->touched &= others;
		network->waiting &= others;
		network->members[client->number] = (struct member){0};
		forward_remove(&network->forward, client->number);
	}
	channel_close(&client->channel);
}

/* Clients whose end has not been told yet: a VM that starts again has the address of its last
 * monitor. */
static void remove_gone(struct network *network)
{
	for (unsigned i = 0; i < ARRAY_COUNT(network->clients); i++)
		if (network->clients[i].number < FORWARD_PORTS &&
		    client_used(&network->clients[i]) && channel_gone(&network->clients[i].channel))
			client_remove(&network->clients[i]);
}

/* The client's port, once it has said what it is to be. */
static void client_start(struct client *client)
{
	struct network *network = client->network;
	struct switch_port settings;
	int error;

	if (client->refused || client->number < FORWARD_PORTS ||
	    !port_read_settings(&client->port, &settings))
		return;
	error = forward_add_client(&network->forward, settings.mac, settings.rate, &client->number);
	if (error == -EADDRINUSE) {
		remove_gone(network);
		error = forward_add_client(&network->forward, settings.mac, settings.rate,
					   &client->number);
	}
	if (error < 0) {
		client->refused = true;
		network_log(network, OS_LOG_WARNING,
			    "%s can't have a port with the address " MAC_FORMAT ": %s",
			    client->name, MAC_BYTES(settings.mac),
			    error == -EADDRINUSE ? "another port has it"
			    : error == -EINVAL   ? "it is none of a network card"
						 : "there are too many ports");
	} else {
		network->members[client->number].client = client;
		network_log(network, OS_LOG_INFO, "%s has a port with the address " MAC_FORMAT,
			    client->name, MAC_BYTES(settings.mac));
	}
	port_set_state(&client->port, error < 0 ? error : 1);
	(void)channel_signal(&client->channel);
}

/* A signal of the client, or its end: what it sent before that is looked at first. */
static void client_event(void *arg)
{
	struct client *client = arg;
	bool gone = channel_gone(&client->channel);

	client_start(client);
	if (client->number < FORWARD_PORTS) {
		client->network->ready |= BIT(client->number);
		ports_run(client->network);
	}
	if (gone && client_used(client))
		client_remove(client);
}

void ports_run(struct network *network)
{
	uint64_t broken = relay_run(network);

	for (; broken; broken &= broken - 1) {
		struct client *client = network->members[__builtin_ctzll(broken)].client;

		network_log(network, OS_LOG_WARNING,
			    "%s writes nonsense into its port's memory: the port ends",
			    client->name);
		client_remove(client);
	}
}

/* A place for a client of that name; NULL: there are too many, or it has too many. */
static struct client *client_place(struct network *network, const char *name)
{
	struct client *place = NULL;
	unsigned same = 0;

	for (unsigned i = 0; i < ARRAY_COUNT(network->clients); i++) {
		struct client *client = &network->clients[i];

		if (!client_used(client))
			place = place ? place : client;
		else if (text_equal(client->name, name))
			same++;
	}
	return same < SWITCH_PORTS_OF_CLIENT ? place : NULL;
}

static void client_begin(struct network *network, struct channel *channel,
			 const struct type1_client *info)
{
	struct client *client = client_place(network, info->name);

	if (!client) {
		network_log(network, OS_LOG_WARNING, "%s asks for too many ports", info->name);
		channel_close(channel);
		return;
	}
	*client = (struct client){
		.network = network,
		.channel = *channel,
		.number = FORWARD_PORTS,
	};
	memcpy(client->name, info->name, sizeof(client->name));
	port_init(&client->port, channel->memory);
	if (channel_watch(&client->channel, network->loop, client_event, client) < 0) {
		channel_close(&client->channel);
		return;
	}
	/* It may have said all before it was accepted. */
	client_event(client);
}

void ports_accept(struct network *network)
{
	struct type1_client info;
	struct channel channel;
	int error = 0;

	for (unsigned i = 0; i < ACCEPT_AT_ONCE && error != -EAGAIN; i++) {
		error = channel_accept(&channel, &network->listener, sizeof(struct switch_channel),
				       &info);
		if (!error)
			client_begin(network, &channel, &info);
	}
	network->accepting = error != -EAGAIN;
	if (network->accepting)
		os_event_signal(network->again);
}

static void client_connected(void *arg)
{
	ports_accept(arg);
}

int ports_listen(struct network *network)
{
	return channel_listen(&network->listener, network->loop, client_connected, network);
}
