/* SPDX-License-Identifier: MIT */
/*
 * switch_network.h - the switch's data path (type1/services/switch) on channels in memory of this
 * process, and a network card of buffers.  To be included once, by the test.
 */
#ifndef DYAD_TESTS_SWITCH_NETWORK_H
#define DYAD_TESTS_SWITCH_NETWORK_H

#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_os.h"
/* clang-format off: the order of what builds on each other */
#include "type1/process/frame_queue.c"
#include "type1/services/switch/checksum.c"
#include "type1/services/switch/forward.c"
#include "type1/services/switch/frame.c"
#include "type1/services/switch/port.c"
#include "type1/services/switch/relay.c"
#include "type1/services/switch/segment.c"
/* clang-format on */

#define NETWORK_CLIENTS 3
#define CARD_FRAMES 512

struct card {
	struct nic nic;
	uint8_t buffer[NIC_FRAME_MAX];
	uint8_t sent[CARD_FRAMES][NIC_FRAME_MAX];
	uint32_t sent_size[CARD_FRAMES];
	unsigned sent_count, room, starts;
	/* To be received. */
	uint8_t *arrived[CARD_FRAMES];
	uint32_t arrived_size[CARD_FRAMES];
	unsigned arrived_count, read;
};

struct switch_network {
	struct network network;
	struct card card;
	unsigned signals; /* of channels */
};

static struct switch_network *switch_network; /* the one that there is */

int channel_signal(struct channel *channel)
{
	(void)channel;
	switch_network->signals++;
	return 0;
}

static uint8_t *card_transmit_buffer(struct nic *nic)
{
	struct card *card = CONTAINER_OF(nic, struct card, nic);

	return card->sent_count < card->room ? card->sent[card->sent_count] : NULL;
}

static void card_transmit(struct nic *nic, uint32_t size)
{
	struct card *card = CONTAINER_OF(nic, struct card, nic);

	card->sent_size[card->sent_count++] = size;
}

static void card_transmit_start(struct nic *nic)
{
	CONTAINER_OF(nic, struct card, nic)->starts++;
}

static uint32_t card_receive(struct nic *nic, const uint8_t **frame)
{
	struct card *card = CONTAINER_OF(nic, struct card, nic);

	if (card->read == card->arrived_count)
		return 0;
	*frame = card->arrived[card->read];
	return card->arrived_size[card->read];
}

static void card_receive_done(struct nic *nic)
{
	CONTAINER_OF(nic, struct card, nic)->read++;
}

static bool card_wait(struct nic *nic)
{
	struct card *card = CONTAINER_OF(nic, struct card, nic);

	return card->read == card->arrived_count;
}

static const struct nic_ops card_ops = {
	.name = "card",
	.transmit_buffer = card_transmit_buffer,
	.transmit = card_transmit,
	.transmit_start = card_transmit_start,
	.receive = card_receive,
	.receive_done = card_receive_done,
	.wait = card_wait,
};

/* A frame for the card to receive, in a buffer as large as a driver's would be at the least. */
static inline void card_arrive(struct card *card, const void *bytes, uint32_t size)
{
	uint8_t *copy = calloc(1, MAX(size, (uint32_t)ETHERNET_HEADER));

	memcpy(copy, bytes, size);
	card->arrived[card->arrived_count] = copy;
	card->arrived_size[card->arrived_count++] = size;
}

/* Client n, port n, has the MAC 2:0:0:0:0:n+1; the card is behind them. */
static inline struct switch_network *switch_network_create(uint64_t rate)
{
	struct switch_network *net = calloc(1, sizeof(*net));
	struct network *network = &net->network;
	uint8_t mac[ETHERNET_ADDRESS] = {2};
	struct uplink *uplink = &network->uplinks[0];

	switch_network = net;
	forward_init(&network->forward, 1);
	os_loop_create(&network->loop);
	os_event_create(&network->again);
	os_timer_create(network->loop, (void (*)(void *))relay_resume, network, &network->delayed);
	for (unsigned i = 0; i < NETWORK_CLIENTS; i++) {
		struct client *client = &network->clients[i];

		mac[ETHERNET_ADDRESS - 1] = (uint8_t)(i + 1);
		client->network = network;
		port_init(&client->port, calloc(1, sizeof(struct switch_channel)));
		forward_add_client(&network->forward, mac, rate, &client->number);
		network->members[client->number].client = client;
	}
	net->card.nic.ops = &card_ops;
	net->card.room = CARD_FRAMES;
	uplink->nic = &net->card.nic;
	forward_add_uplink(&network->forward, &uplink->number);
	network->members[uplink->number].uplink = uplink;
	return net;
}

static inline void switch_network_destroy(struct switch_network *net)
{
	for (unsigned i = 0; i < NETWORK_CLIENTS; i++)
		free(net->network.clients[i].port.shared);
	for (unsigned i = 0; i < net->card.arrived_count; i++)
		free(net->card.arrived[i]);
	os_timer_destroy(net->network.delayed);
	os_event_destroy(net->network.again);
	os_loop_destroy(net->network.loop);
	free(net);
}

static inline struct switch_channel *switch_network_channel(struct switch_network *net,
							    unsigned client)
{
	return net->network.clients[client].port.shared;
}

/* A frame of size bytes with its header, as the client's monitor writes one; they are published. */
static inline void switch_network_send(struct switch_network *net, unsigned client,
				       const void *bytes, uint32_t size)
{
	struct switch_channel *channel = switch_network_channel(net, client);
	struct frame_queue queue;
	uint8_t *to;

	frame_queue_init(&queue, &channel->transmit, channel->sent);
	queue.ring.count = channel->transmit.head;
	to = frame_queue_add(&queue, size);
	if (!to)
		return;
	memcpy(to, bytes, size);
	frame_queue_publish(&queue);
	net->network.ready |= BIT(client);
}

/* The next frame that the client has received, and has not seen yet: NULL: there is none. */
static inline const uint8_t *switch_network_receive(struct switch_network *net, unsigned client,
						    uint32_t *size)
{
	struct switch_channel *channel = switch_network_channel(net, client);
	struct frame_queue queue;
	const uint8_t *bytes;

	frame_queue_init(&queue, &channel->receive, channel->received);
	queue.ring.count = channel->receive.tail;
	bytes = frame_queue_next(&queue, size);
	frame_queue_release(&queue);
	return bytes;
}

#endif
