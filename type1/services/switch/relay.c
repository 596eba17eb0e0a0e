/* SPDX-License-Identifier: MIT */
/*
 * relay.c - frames from port to port (switch.h).
 *
 * Ports take turns.  What is put into a port is told to its client or card once a round, so that a
 * busy switch makes few system calls.
 */
#include "lib/bits.h"
#include "type1/services/switch/switch.h"

#define TURN_FRAMES 64
#define RUN_ROUNDS 16

static unsigned first_port(uint64_t set)
{
	return (unsigned)__builtin_ctzll(set);
}

/* --- To a port */

/* Where the card's next frame is to be written, or NULL: it is dropped and counted. */
static uint8_t *uplink_buffer(struct uplink *uplink)
{
	uint8_t *buffer = uplink->nic->ops->transmit_buffer(uplink->nic);

	if (!buffer)
		uplink->full++;
	return buffer;
}

static void uplink_send(struct uplink *uplink, uint32_t size)
{
	uplink->nic->ops->transmit(uplink->nic, size);
	uplink->sent++;
}

static void uplink_put_segments(struct uplink *uplink, const struct frame *frame)
{
	const uint8_t *packet = frame_gathered(frame);
	uint8_t *buffer;

	for (uint32_t i = 0; i < segments_count(&frame->segments); i++) {
		buffer = uplink_buffer(uplink);
		if (!buffer)
			return;
		uplink_send(uplink, segment_write(&frame->segments, packet, i, buffer));
	}
}

static void uplink_put(struct uplink *uplink, const struct frame *frame)
{
	uint8_t *buffer;

	if (frame_is_packet(frame)) {
		uplink_put_segments(uplink, frame);
		return;
	}
	buffer = uplink_buffer(uplink);
	if (!buffer)
		return;
	frame_write(frame, buffer);
	uplink_send(uplink, frame->size);
}

static void relay_put(struct network *network, uint64_t to, const struct frame *frame)
{
	network->touched |= to;
	for (; to; to &= to - 1) {
		const struct member *member = &network->members[first_port(to)];

		if (member->client)
			port_put(&member->client->port, frame);
		else
			uplink_put(member->uplink, frame);
	}
}

/* Tells all of what was put.  The set of ports that are broken. */
static uint64_t relay_flush(struct network *network)
{
	uint64_t broken = 0;

	for (; network->touched; network->touched &= network->touched - 1) {
		unsigned number = first_port(network->touched);
		const struct member *member = &network->members[number];

		if (!member->client) {
			member->uplink->nic->ops->transmit_start(member->uplink->nic);
			continue;
		}
		/* One that is gone is found by its event. */
		if (port_flush(&member->client->port))
			(void)channel_signal(&member->client->channel);
		if (port_broken(&member->client->port))
			broken |= BIT(number);
	}
	return broken;
}

/* --- From a port: a turn of each; true: there is more */

static void relay_wait(struct network *network, unsigned number, uint64_t until)
{
	network->waiting |= BIT(number);
	if (network->waiting_until && network->waiting_until <= until)
		return;
	network->waiting_until = until;
	os_timer_set(network->delayed, until);
}

void relay_resume(struct network *network)
{
	network->ready |= network->waiting;
	network->waiting = 0;
	network->waiting_until = 0;
}

static bool relay_client(struct network *network, unsigned number, uint64_t now)
{
	struct port *port = &network->members[number].client->port;
	struct frame frame;
	uint64_t wait;

	for (unsigned i = 0; i < TURN_FRAMES; i++) {
		wait = forward_wait(&network->forward, number, now);
		if (wait) {
			port_give_back(port);
			relay_wait(network, number, now + wait);
			return false;
		}
		if (!port_take(port, &frame)) {
			port_give_back(port);
			return !port_wait(port);
		}
		if (frame.size)
			relay_put(network,
				  forward_frame(&network->forward, number, frame.ethernet,
						frame.size, SWITCH_PACKET_MAX, now),
				  &frame);
	}
	port_give_back(port);
	return true;
}

static bool relay_uplink(struct network *network, unsigned number, uint64_t now)
{
	struct nic *nic = network->members[number].uplink->nic;
	const uint8_t *bytes;
	struct frame frame;

	for (unsigned i = 0; i < TURN_FRAMES; i++) {
		uint32_t size = nic->ops->receive(nic, &bytes);

		if (!size)
			return !nic->ops->wait(nic);
		/* What is too short or too long is counted, and goes nowhere. */
		frame_of(&frame, bytes, size);
		relay_put(network,
			  forward_frame(&network->forward, number, frame.ethernet, size,
					ETHERNET_FRAME_MAX, now),
			  &frame);
		nic->ops->receive_done(nic);
	}
	return true;
}

uint64_t relay_run(struct network *network)
{
	uint64_t broken = 0;

	for (unsigned round = 0; round < RUN_ROUNDS && network->ready; round++) {
		uint64_t now = os_clock_monotonic();

		for (uint64_t left = network->ready; left; left &= left - 1) {
			unsigned number = first_port(left);
			const struct member *member = &network->members[number];
			bool more = member->client ? relay_client(network, number, now)
						   : relay_uplink(network, number, now);

			if (!more)
				network->ready &= ~BIT(number);
			if (member->client && port_broken(&member->client->port))
				broken |= BIT(number);
		}
		broken |= relay_flush(network);
		network->ready &= ~broken;
	}
	if (network->ready)
		os_event_signal(network->again);
	return broken;
}
