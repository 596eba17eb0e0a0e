/* SPDX-License-Identifier: MIT */
/*
 * A client of the switch that writes what it likes into its channel, beside two that are idle:
 * steps of words anywhere in it, of entries that are nearly sound, and of the switch at work.
 */
#include "tests/support/fuzz_input.h"
#include "tests/support/switch_network.h"

#define HOSTILE 0
#define STEPS_MAX 512
#define CARD_SENT_ROOM 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A word at one of the places that decide, or anywhere. */
static void write_word(struct fuzz_input *input, struct switch_channel *channel)
{
	uint32_t *places[] = {&channel->transmit.head,    &channel->transmit.tail,
			      &channel->transmit.wake_at, &channel->receive.head,
			      &channel->receive.tail,     &channel->receive.wake_at};
	unsigned place = (unsigned)fuzz_take(input, 1);
	uint32_t value = (uint32_t)fuzz_take(input, 4);

	if (place < ARRAY_COUNT(places))
		*places[place] = value;
	else
		store_le32((uint8_t *)channel +
				   (place * 65521ull + value) % (sizeof(*channel) - sizeof(value)),
			   value);
}

static void send_entry(struct fuzz_input *input, struct switch_channel *channel)
{
	struct switch_frame *entry = &channel->sent[channel->transmit.head % SWITCH_RING];
	unsigned to = (unsigned)fuzz_take(input, 1);

	entry->size = (uint16_t)fuzz_take(input, 2);
	for (unsigned i = 0; i < sizeof(struct virtio_net_hdr_v1); i++)
		entry->bytes[i] = (uint8_t)fuzz_take(input, 1);
	/* From its own MAC, to a client or all. */
	memset(entry->bytes + 12, to == 0 ? 0xff : 0, ETHERNET_ADDRESS);
	entry->bytes[12] |= 2;
	entry->bytes[17] |= (uint8_t)to;
	memset(entry->bytes + 18, 0, ETHERNET_ADDRESS);
	entry->bytes[18] = 2;
	entry->bytes[23] = HOSTILE + 1;
	channel->transmit.head++;
}

/* A TCP packet to be cut up, of some parts, some of whose bytes are any. */
static void send_packet(struct fuzz_input *input, struct switch_channel *channel)
{
	static const uint8_t start[] = {
		1, 1, 0, 0, 0,    1, 34, 0, 16, 0, 0,  0, /* virtio: 256 bytes each */
		2, 0, 0, 0, 0,    2, 2,  0, 0,  0, 0,  HOSTILE + 1, 8, 0, 0x45, 0,
		0, 0, 0, 0, 0x40, 0, 64, 6, 0,  0, 10, 0,           0, 1, 10,   0,
		0, 2, 0, 1, 0,    2, 0,  0, 0,  0, 0,  0,           0, 0, 0x50, 0x18};
	unsigned parts = (unsigned)fuzz_take(input, 1) % (SWITCH_PARTS_MAX + 2) + 1;
	uint8_t *first = channel->sent[channel->transmit.head % SWITCH_RING].bytes;

	memset(first, 0, SWITCH_PART);
	memcpy(first, start, sizeof(start));
	for (unsigned i = (unsigned)fuzz_take(input, 1) % 8; i; i--) {
		unsigned at = (unsigned)fuzz_take(input, 1) % 160;

		/* Not the addresses. */
		if (at < 12 || at >= 24)
			first[at] = (uint8_t)fuzz_take(input, 1);
	}
	for (unsigned i = 0; i < parts; i++)
		channel->sent[channel->transmit.head++ % SWITCH_RING].size =
			(uint16_t)(i + 1 < parts ? SWITCH_PART | SWITCH_MORE : fuzz_take(input, 2));
}

/* The next frame that a client has: of one part, or of several where it accepts that. */
static void check_frame(struct switch_channel *channel, bool accepts)
{
	const struct switch_frame *entry = &channel->received[channel->receive.tail % SWITCH_RING];
	uint32_t size = 0, parts = 0, part;

	fuzz_check(entry->bytes[18] == 2 && entry->bytes[23] == HOSTILE + 1);
	do {
		fuzz_check(channel->receive.tail != channel->receive.head);
		part = channel->received[channel->receive.tail++ % SWITCH_RING].size;
		fuzz_check(part <= SWITCH_PART || part == (SWITCH_PART | SWITCH_MORE));
		size += part & ~SWITCH_MORE;
		parts++;
	} while (part & SWITCH_MORE);
	fuzz_check(size >= 12 + ETHERNET_HEADER);
	fuzz_check(size <= 12 + (accepts ? SWITCH_PACKET_MAX : ETHERNET_FRAME_MAX));
	fuzz_check(accepts || parts == 1);
}

/* Whatever the client did, others have sound frames, and no more than there is room for. */
static void check(struct switch_network *net)
{
	for (unsigned i = HOSTILE + 1; i < NETWORK_CLIENTS; i++) {
		struct switch_channel *channel = switch_network_channel(net, i);

		fuzz_check(!port_broken(&net->network.clients[i].port));
		fuzz_check(channel->receive.head - channel->receive.tail <= SWITCH_RING);
		while (channel->receive.tail != channel->receive.head)
			check_frame(channel, i == HOSTILE + 1);
	}
	for (; net->card.sent_count; net->card.sent_count--)
		fuzz_check(net->card.sent_size[net->card.sent_count - 1] <= ETHERNET_FRAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct switch_network *net = switch_network_create(fuzz_take(&input, 4));
	struct switch_channel *channel = switch_network_channel(net, HOSTILE);
	uint64_t broken = 0;

	net->card.room = CARD_SENT_ROOM;
	switch_network_channel(net, HOSTILE + 1)->accepts =
		SWITCH_ACCEPTS_CHECKSUM | SWITCH_ACCEPTS_TCP4 | SWITCH_ACCEPTS_ECN;
	fake_os_monotonic = 1000 * SECOND;
	for (unsigned i = 0; i < STEPS_MAX && input.left && !broken; i++) {
		switch (fuzz_take(&input, 1) % 5) {
		case 0:
			write_word(&input, channel);
			break;
		case 1:
			send_entry(&input, channel);
			break;
		case 2:
			send_packet(&input, channel);
			break;
		case 3:
			fake_os_monotonic += fuzz_take(&input, 4);
			fake_os_run(net->network.loop);
			break;
		default:
			net->network.ready |= BIT(HOSTILE);
			broken = relay_run(&net->network);
			/* Others are never blamed. */
			fuzz_check(!(broken & ~BIT(HOSTILE)));
			check(net);
		}
	}
	switch_network_destroy(net);
	return 0;
}
