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

/* Whatever the client did, others have sound frames, and no more than there is room for. */
static void check(struct switch_network *net)
{
	for (unsigned i = HOSTILE + 1; i < NETWORK_CLIENTS; i++) {
		struct switch_channel *channel = switch_network_channel(net, i);

		fuzz_check(!port_broken(&net->network.clients[i].port));
		fuzz_check(channel->receive.head - channel->receive.tail <= SWITCH_RING);
		for (; channel->receive.tail != channel->receive.head; channel->receive.tail++) {
			const struct switch_frame *entry =
				&channel->received[channel->receive.tail % SWITCH_RING];

			fuzz_check(entry->size >= 12 + ETHERNET_HEADER &&
				   entry->size <= 12 + ETHERNET_FRAME_MAX);
			fuzz_check(entry->bytes[18] == 2 && entry->bytes[23] == HOSTILE + 1);
		}
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
	fake_os_monotonic = 1000 * SECOND;
	for (unsigned i = 0; i < STEPS_MAX && input.left && !broken; i++) {
		switch (fuzz_take(&input, 1) % 4) {
		case 0:
			write_word(&input, channel);
			break;
		case 1:
			send_entry(&input, channel);
			break;
		case 2:
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
