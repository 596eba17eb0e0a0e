/* SPDX-License-Identifier: MIT */
/*
 * A client of the switch that writes what it likes into its channel, beside two that are idle, one
 * of which takes long segments: steps of words anywhere in it, of frames that are nearly sound, and
 * of the switch at work.
 */
#include "tests/support/fuzz_input.h"
#include "tests/support/switch_network.h"
#include "tests/support/tcp_frame.h"

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

#define TAKES_ALL                                                                                  \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                             \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN))

/* From its own MAC, to a client or all: TCP to be cut up, or nothing that is known, with some bytes
 * of its headers and its virtio header as the input says. */
static void send_frame(struct fuzz_input *input, struct switch_network *net)
{
	static uint8_t bytes[SWITCH_FRAME_MAX];
	unsigned to = (unsigned)fuzz_take(input, 1), kind = (unsigned)fuzz_take(input, 1);
	const struct tcp_shape shape = {
		.ipv6 = kind & 1,
		.tags = kind >> 1 & 1,
		.tcp_options = kind & 4 ? 12 : 0,
		.ip_options = kind & 8 ? 8 : 0,
		.payload = (uint32_t)fuzz_take(input, 2) % 65000,
		.each = (uint16_t)fuzz_take(input, 2),
		.flags = (uint8_t)fuzz_take(input, 1),
	};
	struct virtio_net_hdr_v1 header;
	uint32_t size = tcp_make(&shape, &header, bytes + FRAME_HEADER) + (uint32_t)FRAME_HEADER;

	memcpy(bytes, &header, FRAME_HEADER);
	memset(bytes + 12, to == 0 ? 0xff : 0, ETHERNET_ADDRESS);
	bytes[12] |= 2;
	bytes[17] |= (uint8_t)to;
	memset(bytes + 18, 0, ETHERNET_ADDRESS);
	bytes[18] = 2;
	bytes[23] = HOSTILE + 1;
	for (unsigned i = kind >> 4; i; i--) {
		unsigned at = (unsigned)fuzz_take(input, 1);

		bytes[at < 12 ? at : at + 12] = (uint8_t)fuzz_take(input, 1);
	}
	if (kind & 0x10)
		size = 1 + (uint32_t)fuzz_take(input, 2);
	switch_network_send(net, HOSTILE, bytes, MIN(size, SWITCH_FRAME_MAX));
}

/* Where a receiver may rely on it: the header is about the frame. */
static void check_header(const struct virtio_net_hdr_v1 *header, uint32_t size, bool takes)
{
	fuzz_check(takes || (!header->flags && !header->gso_type));
	fuzz_check(header->num_buffers == 1);
	if (header->flags)
		fuzz_check(header->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
			   header->checksum_start + header->checksum_offset + 2u <= size);
	if (header->gso_type)
		fuzz_check(header->flags && header->gso_size && header->header_length < size &&
			   header->header_length >= header->checksum_start + 20 &&
			   header->header_length +
					   MIN(header->gso_size, size - header->header_length) <=
				   ETHERNET_FRAME_MAX);
	else
		fuzz_check(size <= ETHERNET_FRAME_MAX);
}

/* Whatever the client did, others have sound frames, and no more than there is room for. */
static void check(struct switch_network *net)
{
	for (unsigned i = HOSTILE + 1; i < NETWORK_CLIENTS; i++) {
		struct switch_channel *channel = switch_network_channel(net, i);
		const uint8_t *bytes;
		uint32_t size;

		fuzz_check(!port_broken(&net->network.clients[i].port));
		fuzz_check(channel->receive.head - channel->receive.tail <= SWITCH_RING);
		while ((bytes = switch_network_receive(net, i, &size))) {
			struct virtio_net_hdr_v1 header;

			fuzz_check(size >= FRAME_HEADER + ETHERNET_HEADER);
			memcpy(&header, bytes, FRAME_HEADER);
			check_header(&header, size - (uint32_t)FRAME_HEADER, channel->offloads);
			fuzz_check(bytes[18] == 2 && bytes[23] == HOSTILE + 1);
		}
		fuzz_check(channel->receive.head == channel->receive.tail);
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
	switch_network_channel(net, HOSTILE + 1)->offloads = TAKES_ALL;
	fake_os_monotonic = 1000 * SECOND;
	for (unsigned i = 0; i < STEPS_MAX && input.left && !broken; i++) {
		switch (fuzz_take(&input, 1) % 4) {
		case 0:
			write_word(&input, channel);
			break;
		case 1:
			send_frame(&input, net);
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
