/* SPDX-License-Identifier: MIT */
/* TCP packets that a client leaves to be cut up: as they are to who accepts that, in segments to
 * others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/switch_network.h"

#define CARD NETWORK_CLIENTS
#define HEADER sizeof(struct virtio_net_hdr_v1)
#define MSS 1448
#define SEQUENCE 0xfffff000u /* it wraps within the packet */
#define FIN_PSH_ACK 0x19
#define CWR 0x80

struct shape {
	bool ipv6, vlan, ecn;
	uint32_t options, data, mss; /* bytes of IPv4 and of TCP options each */
};

static int setup(void **state)
{
	fake_os_monotonic = 1000 * SECOND;
	*state = switch_network_create(0);
	return 0;
}

static int teardown(void **state)
{
	switch_network_destroy(*state);
	return 0;
}

static void write_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get(const uint8_t *at, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

static uint32_t ip_at(const struct shape *shape)
{
	return shape->vlan ? 18 : 14;
}

static uint32_t tcp_at(const struct shape *shape)
{
	return ip_at(shape) + (shape->ipv6 ? 40 : 20 + shape->options);
}

static uint32_t data_at(const struct shape *shape)
{
	return tcp_at(shape) + 20 + shape->options;
}

static uint8_t data_byte(uint32_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

/* A packet of client 0's to another, or the card, with its virtio header; its size. */
static uint32_t make_packet(const struct shape *shape, unsigned to, uint8_t *bytes)
{
	uint8_t *frame = bytes + HEADER, *ip = frame + ip_at(shape), *tcp = frame + tcp_at(shape);
	uint32_t size = data_at(shape) + shape->data;
	struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = (uint8_t)((shape->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
						   : VIRTIO_NET_HDR_GSO_TCPV4) |
				      (shape->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0)),
		.gso_size = (uint16_t)shape->mss,
		.checksum_start = (uint16_t)tcp_at(shape),
		.checksum_offset = 16,
	};

	memset(bytes, 0, HEADER + data_at(shape));
	memcpy(bytes, &header, HEADER);
	frame[0] = 2;
	frame[5] = (uint8_t)(to + 1);
	frame[6] = 2;
	frame[11] = 1;
	if (shape->vlan)
		write_be16(frame + 12, 0x8100);
	write_be16(ip - 2, shape->ipv6 ? 0x86dd : 0x0800);
	if (shape->ipv6) {
		ip[0] = 0x60;
		ip[6] = 6;
		memset(ip + 8, 0xab, 32);
	} else {
		ip[0] = (uint8_t)(0x40 | (20 + shape->options) / 4);
		write_be16(ip + 2, size - ip_at(shape));
		write_be16(ip + 4, 0xffff);
		write_be16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = 6;
		memset(ip + 12, 0xcd, 8);
	}
	write_be16(tcp + 4, SEQUENCE >> 16);
	write_be16(tcp + 6, SEQUENCE & 0xffff);
	tcp[12] = (uint8_t)((20 + shape->options) / 4 << 4);
	tcp[13] = (uint8_t)(FIN_PSH_ACK | (shape->ecn ? CWR : 0));
	for (uint32_t i = 0; i < shape->data; i++)
		frame[data_at(shape) + i] = data_byte(i);
	return (uint32_t)HEADER + size;
}

/* Into the client's ring, in parts of which all but the last are full. */
static void send_bytes(struct switch_network *net, unsigned client, const uint8_t *bytes,
		       uint32_t size)
{
	struct switch_channel *channel = switch_network_channel(net, client);

	while (size) {
		struct switch_frame *entry = &channel->sent[channel->transmit.head++ % SWITCH_RING];
		uint32_t part = MIN(size, (uint32_t)SWITCH_PART);

		memcpy(entry->bytes, bytes, part);
		bytes += part;
		size -= part;
		entry->size = (uint16_t)(part | (size ? SWITCH_MORE : 0));
	}
	net->network.ready |= BIT(client);
}

/* The next frame that the client has, in one piece; its size with the header, 0: none. */
static uint32_t receive_bytes(struct switch_network *net, unsigned client, uint8_t *bytes)
{
	struct switch_channel *channel = switch_network_channel(net, client);
	uint32_t size = 0, part = SWITCH_MORE;

	while (part & SWITCH_MORE && channel->receive.tail != channel->receive.head) {
		const struct switch_frame *entry =
			&channel->received[channel->receive.tail++ % SWITCH_RING];

		part = entry->size;
		memcpy(bytes + size, entry->bytes, part & ~SWITCH_MORE);
		size += part & ~SWITCH_MORE;
	}
	return size;
}

static uint8_t sent[HEADER + SWITCH_PACKET_MAX],
	received[HEADER + SWITCH_PACKET_MAX + SWITCH_FRAME];

static void expect_checksum(const uint8_t *bytes, uint32_t size, uint32_t sum)
{
	for (uint32_t i = 0; i < size; i++)
		sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

/* Number of the packet's segments, as RFC 9293 and those of IP have it. */
static void expect_segment(const struct shape *shape, uint32_t number, const uint8_t *frame,
			   uint32_t size)
{
	const uint8_t *ip = frame + ip_at(shape), *tcp = frame + tcp_at(shape);
	uint32_t before = number * shape->mss, left = shape->data - before;
	uint32_t data = MIN(left, shape->mss), tcp_size = 20 + shape->options + data,
		 sum = 6 + tcp_size;
	uint8_t flags = FIN_PSH_ACK;

	assert_int_equal(size, data_at(shape) + data);
	assert_memory_equal(frame, sent + HEADER, ip_at(shape));
	if (shape->ipv6) {
		assert_int_equal(get(ip + 4, 2), tcp_size);
		for (unsigned i = 8; i < 40; i += 2)
			sum += get(ip + i, 2);
	} else {
		assert_int_equal(get(ip + 2, 2), size - ip_at(shape));
		assert_int_equal(get(ip + 4, 2), (0xffff + number) & 0xffff);
		expect_checksum(ip, 20 + shape->options, 0);
		for (unsigned i = 12; i < 20; i += 2)
			sum += get(ip + i, 2);
	}
	assert_int_equal(get(tcp + 4, 4), SEQUENCE + before);
	if (data < left)
		flags &= 0xf6;
	if (shape->ecn && !number)
		flags |= CWR;
	assert_int_equal(tcp[13], flags);
	expect_checksum(tcp, tcp_size, sum);
	for (uint32_t i = 0; i < data; i++)
		assert_int_equal(frame[data_at(shape) + i], data_byte(before + i));
}

static const struct shape shapes[] = {
	{.data = 65535 - 40, .mss = MSS},
	{.data = 5000, .mss = MSS - 12, .options = 12},
	{.data = 30001, .mss = 1001, .options = 40, .vlan = true},
	{.data = 20000, .mss = MSS - 20, .ipv6 = true},
	{.data = 3 * MSS - 60,
	 .mss = MSS - 20,
	 .ipv6 = true,
	 .vlan = true,
	 .options = 12,
	 .ecn = true},
	{.data = 4 * 1000, .mss = 1000, .ecn = true},
	{.data = 7, .mss = 1000},
	{.data = 0, .mss = 1000},
	{.data = 65535 - 40, .mss = 64},
};

static void to_a_card_in_segments(void **state)
{
	struct switch_network *net = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(shapes); i++) {
		const struct shape *shape = &shapes[i];
		uint32_t count = shape->data ? (shape->data + shape->mss - 1) / shape->mss : 1;
		unsigned read = 0;

		send_bytes(net, 0, sent, make_packet(shape, CARD + 5, sent));
		net->card.sent_count = 0;
		assert_int_equal(relay_run(&net->network), 0);
		assert_int_equal(net->card.sent_count, MIN(count, (uint32_t)CARD_FRAMES));
		for (; read < net->card.sent_count; read++)
			expect_segment(shape, read, net->card.sent[read],
				       net->card.sent_size[read]);
	}
	assert_int_equal(net->network.clients[0].port.bad, 0);
}

static void to_a_client_in_segments(void **state)
{
	struct switch_network *net = *state;
	uint32_t size, number = 0;

	/* What is not all that the packet needs doesn't count. */
	switch_network_channel(net, 1)->accepts = SWITCH_ACCEPTS_CHECKSUM | SWITCH_ACCEPTS_TCP6;
	send_bytes(net, 0, sent, make_packet(&shapes[0], 1, sent));
	assert_int_equal(relay_run(&net->network), 0);
	while ((size = receive_bytes(net, 1, received))) {
		static const struct virtio_net_hdr_v1 plain = {.num_buffers = 1};

		assert_memory_equal(received, &plain, HEADER);
		expect_segment(&shapes[0], number++, received + HEADER, size - (uint32_t)HEADER);
	}
	assert_int_equal(number, (shapes[0].data + MSS - 1) / MSS);
}

static void to_who_accepts_them_as_they_are(void **state)
{
	static const uint32_t needs[] = {SWITCH_ACCEPTS_TCP4,
					 SWITCH_ACCEPTS_TCP4,
					 SWITCH_ACCEPTS_TCP4,
					 SWITCH_ACCEPTS_TCP6,
					 SWITCH_ACCEPTS_TCP6 | SWITCH_ACCEPTS_ECN,
					 SWITCH_ACCEPTS_TCP4 | SWITCH_ACCEPTS_ECN,
					 SWITCH_ACCEPTS_TCP4,
					 SWITCH_ACCEPTS_TCP4,
					 SWITCH_ACCEPTS_TCP4};
	struct switch_network *net = *state;

	/* More than once around the ring. */
	for (unsigned i = 0; i < 5 * ARRAY_COUNT(shapes); i++) {
		uint32_t size = make_packet(&shapes[i % ARRAY_COUNT(shapes)], 1, sent);
		struct virtio_net_hdr_v1 header;

		switch_network_channel(net, 1)->accepts =
			SWITCH_ACCEPTS_CHECKSUM | needs[i % ARRAY_COUNT(shapes)];
		send_bytes(net, 0, sent, size);
		assert_int_equal(relay_run(&net->network), 0);
		assert_int_equal(receive_bytes(net, 1, received), size);
		memcpy(&header, received, HEADER);
		assert_int_equal(header.num_buffers, 1);
		header.num_buffers = 0;
		assert_memory_equal(&header, sent, HEADER);
		assert_memory_equal(received + HEADER, sent + HEADER, size - HEADER);
		assert_int_equal(receive_bytes(net, 1, received), 0);
	}
}

static void open_checksums_stay_so(void **state)
{
	struct switch_network *net = *state;
	struct virtio_net_hdr_v1 header;
	uint32_t size = make_packet(&shapes[6], 1, sent);

	memcpy(&header, sent, HEADER);
	header.gso_type = 0;
	memcpy(sent, &header, HEADER);
	switch_network_channel(net, 1)->accepts = SWITCH_ACCEPTS_CHECKSUM;
	send_bytes(net, 0, sent, size);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(receive_bytes(net, 1, received), size);
	assert_memory_equal(received + HEADER, sent + HEADER, size - HEADER);
	memcpy(&header, received, HEADER);
	assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(header.checksum_start, tcp_at(&shapes[6]));
	assert_int_equal(header.checksum_offset, 16);
	assert_int_equal(header.gso_type | header.gso_size | header.header_length, 0);
}

/* A receiver without room gets none of it, and its neighbours all. */
static void no_part_without_the_others(void **state)
{
	struct switch_network *net = *state;
	struct switch_channel *channel = switch_network_channel(net, 1);
	uint32_t size = make_packet(&shapes[0], 1, sent);
	unsigned whole = 0;

	channel->accepts = SWITCH_ACCEPTS_CHECKSUM | SWITCH_ACCEPTS_TCP4;
	for (unsigned i = 0; i < 6; i++) {
		send_bytes(net, 0, sent, size);
		assert_int_equal(relay_run(&net->network), 0);
	}
	assert_int_equal(net->network.clients[1].port.full, 3);
	while (receive_bytes(net, 1, received)) {
		assert_memory_equal(received + HEADER, sent + HEADER, size - HEADER);
		whole++;
	}
	assert_int_equal(whole, 3);
}

/* --- Hostile clients */

struct lie {
	uint32_t offset; /* of the byte, behind the virtio header; or in it, if of_header */
	bool of_header;
	uint8_t value;
};

static void packets_that_cannot_be(void **state)
{
	static const struct shape shape = {.data = 5000, .mss = 1000};
	static const struct lie lies[] = {
		{0, true, 0},      /* no open checksum */
		{1, true, 4},      /* IPv6 */
		{1, true, 3},      /* UDP */
		{4, true, 0},      /* with 5: see below */
		{6, true, 33},     /* checksum_start */
		{8, true, 6},      /* checksum_offset */
		{12, false, 0x86}, /* type */
		{14, false, 0x65}, /* version */
		{14, false, 0x44}, /* header of 16 bytes */
		{14, false, 0x4f}, /* of 60: TCP isn't where the checksum says */
		{20, false, 0x20}, /* a fragment */
		{21, false, 1},    /* another one */
		{23, false, 17},   /* UDP */
		{46, false, 0x40}, /* a TCP header of 16 bytes */
	};
	struct switch_network *net = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(lies); i++) {
		uint32_t size = make_packet(&shape, 1, sent);

		sent[lies[i].offset + (lies[i].of_header ? 0 : HEADER)] = lies[i].value;
		if (lies[i].of_header && lies[i].offset == 4)
			sent[5] = 0; /* gso_size is 0 */
		send_bytes(net, 0, sent, size);
		assert_int_equal(relay_run(&net->network), 0);
		assert_int_equal(net->network.clients[0].port.bad, i + 1);
	}
	assert_int_equal(receive_bytes(net, 1, received), 0);
	/* What isn't a lie goes on. */
	send_bytes(net, 0, sent, make_packet(&shape, 1, sent));
	assert_int_equal(relay_run(&net->network), 0);
	assert_true(receive_bytes(net, 1, received));
}

static void segments_that_cannot_be(void **state)
{
	static const struct shape bad[] = {
		{.data = 5000, .mss = ETHERNET_FRAME_MAX - 53}, /* longer than Ethernet's */
		{.data = 65000, .mss = 63},                     /* too many */
	};
	struct switch_network *net = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
		send_bytes(net, 0, sent, make_packet(&bad[i], 1, sent));
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->network.clients[0].port.bad, ARRAY_COUNT(bad));
}

/* Parts that lead nowhere end with the ring's end, and what comes behind is judged by itself. */
static void parts_that_cannot_be(void **state)
{
	struct switch_network *net = *state;
	struct switch_channel *channel = switch_network_channel(net, 0);
	uint32_t bad = 0;

	for (unsigned i = 0; i < SWITCH_RING; i++)
		channel->sent[i].size = SWITCH_PART | SWITCH_MORE;
	channel->transmit.head += SWITCH_RING;
	net->network.ready |= BIT(0);
	bad += (SWITCH_RING + SWITCH_PARTS_MAX - 1) / SWITCH_PARTS_MAX;
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->network.clients[0].port.bad, bad);
	assert_int_equal(channel->transmit.tail, SWITCH_RING);
	/* One that isn't full, but goes on. */
	channel->sent[0].size = 100 | SWITCH_MORE;
	channel->sent[1].size = 0;
	channel->transmit.head += 2;
	net->network.ready |= BIT(0);
	bad += 2;
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->network.clients[0].port.bad, bad);
	/* A long frame that is not to be cut up. */
	make_packet(&shapes[1], 1, sent);
	sent[1] = 0;
	send_bytes(net, 0, sent, (uint32_t)HEADER + 3000);
	bad++;
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->network.clients[0].port.bad, bad);
	assert_int_equal(receive_bytes(net, 1, received), 0);
	assert_false(port_broken(&net->network.clients[0].port));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(to_a_card_in_segments),           TEST(to_a_client_in_segments),
		TEST(to_who_accepts_them_as_they_are), TEST(open_checksums_stay_so),
		TEST(no_part_without_the_others),      TEST(packets_that_cannot_be),
		TEST(segments_that_cannot_be),         TEST(parts_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
