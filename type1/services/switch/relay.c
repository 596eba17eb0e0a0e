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

static void uplink_put(struct uplink *uplink, const struct frame *frame)
{
	const struct nic_ops *ops = uplink->nic->ops;

	for (uint32_t n = 0; n < frame->segments.count; n++) {
		uint8_t *buffer = ops->transmit_buffer(uplink->nic);

		/* The rest of one that is cut up is of no use, either. */
		if (!buffer) {
			uplink->full++;
			return;
		}
		frame_write_part(frame, n, buffer);
		ops->transmit(uplink->nic, frame_part_size(frame, n));
		uplink->sent++;
	}
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

/* To where it is for. */
static void relay_frame(struct network *network, unsigned from, const struct frame *frame,
			uint64_t now)
{
	const struct forward_size size = {
		.longest = frame_longest(frame),
		.frames = frame->segments.count,
		.bytes = frame_wire_bytes(frame),
	};

	relay_put(network, forward_frame(&network->forward, from, frame->head, &size, now), frame);
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
			relay_frame(network, number, &frame, now);
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
		relay_frame(network, number, &frame, now);
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
