/* SPDX-License-Identifier: MIT */
/* Frames through the switch, from the rings of clients and a card to others, and clients that write
 * what they like into their channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/switch_network.h"
#include "tests/support/tcp_frame.h"

#define CARD NETWORK_CLIENTS
#define NOW (1000 * SECOND)

static int setup(void **state)
{
	fake_os_monotonic = NOW;
	*state = switch_network_create(0);
	return 0;
}

static int setup_limited(void **state)
{
	fake_os_monotonic = NOW;
	*state = switch_network_create(8000000); /* a byte a microsecond */
	return 0;
}

static int teardown(void **state)
{
	switch_network_destroy(*state);
	return 0;
}

/* An Ethernet frame from a client, or CARD, to another, or 0xff for all. */
static void make_frame(uint8_t *bytes, unsigned from, unsigned to, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 7 + size);
	memset(bytes, to == 0xff ? 0xff : 0, ETHERNET_ADDRESS);
	if (to != 0xff) {
		bytes[0] = 2;
		bytes[5] = (uint8_t)(to + 1);
	}
	memset(bytes + ETHERNET_ADDRESS, 0, ETHERNET_ADDRESS);
	bytes[6] = 2;
	bytes[11] = (uint8_t)(from + 1);
}

static void client_send(struct switch_network *net, unsigned client,
			const struct virtio_net_hdr_v1 *header, unsigned to, uint32_t size)
{
	uint8_t bytes[2048];

	memcpy(bytes, header, sizeof(*header));
	make_frame(bytes + sizeof(*header), client, to, size);
	switch_network_send(net, client, bytes, (uint32_t)sizeof(*header) + size);
}

static const struct virtio_net_hdr_v1 plain;

/* What the client has received and not seen yet, in order, is that frame. */
static void expect_frame(struct switch_network *net, unsigned client, unsigned from, unsigned to,
			 uint32_t size)
{
	static const struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	uint8_t frame[2048];
	uint32_t got;
	const uint8_t *bytes = switch_network_receive(net, client, &got);

	assert_non_null(bytes);
	make_frame(frame, from, to, size);
	assert_int_equal(got, sizeof(header) + size);
	assert_memory_equal(bytes, &header, sizeof(header));
	assert_memory_equal(bytes + sizeof(header), frame, size);
}

static void expect_none(struct switch_network *net, unsigned client)
{
	uint32_t size;

	assert_null(switch_network_receive(net, client, &size));
}

static void between_clients(void **state)
{
	struct switch_network *net = *state;

	client_send(net, 0, &plain, 1, 60);
	client_send(net, 0, &plain, 1, ETHERNET_FRAME_MAX);
	client_send(net, 0, &plain, 2, ETHERNET_HEADER);
	assert_int_equal(relay_run(&net->network), 0);
	expect_frame(net, 1, 0, 1, 60);
	expect_frame(net, 1, 0, 1, ETHERNET_FRAME_MAX);
	expect_none(net, 1);
	expect_frame(net, 2, 0, 2, ETHERNET_HEADER);
	expect_none(net, 0);
	assert_int_equal(net->card.sent_count, 0);
	/* Each was told once; the sender's memory is its own again, and its next frame is told. */
	assert_int_equal(net->signals, 2);
	assert_int_equal(switch_network_channel(net, 0)->transmit.tail,
			 switch_network_channel(net, 0)->transmit.head);
	assert_int_equal(switch_network_channel(net, 0)->transmit.wake_at,
			 switch_network_channel(net, 0)->transmit.head);
	assert_int_equal(net->network.ready, 0);
}

static void with_the_card(void **state)
{
	struct switch_network *net = *state;
	uint8_t bytes[ETHERNET_FRAME_MAX + 100];
	uint32_t size;

	client_send(net, 0, &plain, 0xff, 300);
	make_frame(bytes, CARD, 2, sizeof(bytes));
	card_arrive(&net->card, bytes, 200);
	card_arrive(&net->card, bytes, 3);
	card_arrive(&net->card, bytes, sizeof(bytes));
	make_frame(bytes, CARD, 2, 200);
	card_arrive(&net->card, bytes, 200);
	net->network.ready |= BIT(CARD);
	assert_int_equal(relay_run(&net->network), 0);
	make_frame(bytes, 0, 0xff, 300);
	assert_int_equal(net->card.sent_count, 1);
	assert_int_equal(net->card.sent_size[0], 300);
	assert_memory_equal(net->card.sent[0], bytes, 300);
	assert_int_equal(net->card.starts, 1);
	expect_frame(net, 1, 0, 0xff, 300);
	expect_frame(net, 2, 0, 0xff, 300);
	/* The first was made as the beginning of a longer one. */
	assert_non_null(switch_network_receive(net, 2, &size));
	assert_int_equal(size, sizeof(plain) + 200);
	expect_frame(net, 2, CARD, 2, 200);
	expect_none(net, 2);
	assert_int_equal(net->network.forward.ports[CARD].counts.bad_size, 2);
	assert_int_equal(net->card.read, 4);
}

static void a_full_card_drops(void **state)
{
	struct switch_network *net = *state;

	net->card.room = 5;
	for (unsigned i = 0; i < 8; i++)
		client_send(net, 0, &plain, CARD, 60);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->card.sent_count, 5);
	assert_int_equal(net->network.uplinks[0].full, 3);
}

/* Until there is nothing left to do. */
static void run(struct switch_network *net)
{
	while (net->network.ready)
		assert_int_equal(relay_run(&net->network), 0);
}

static void a_full_client_drops(void **state)
{
	/* Of two units each. */
	const unsigned fit = SWITCH_RING / 2, least = 60, sizes = 50;
	struct switch_network *net = *state;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < fit; i++)
			client_send(net, 0, &plain, 1, least + i % sizes);
		run(net);
	}
	assert_int_equal(net->network.clients[1].port.full, fit);
	for (unsigned i = 0; i < fit; i++)
		expect_frame(net, 1, 0, 1, least + i % sizes);
	expect_none(net, 1);
	client_send(net, 0, &plain, 1, 70);
	run(net);
	expect_frame(net, 1, 0, 1, 70);
}

/* Of all sizes, so that frames begin at each unit and each distance from the ring's end. */
static void frames_of_all_sizes(void **state)
{
	struct switch_network *net = *state;

	for (unsigned round = 0; round < 3; round++)
		for (uint32_t size = ETHERNET_HEADER; size <= ETHERNET_FRAME_MAX; size++) {
			client_send(net, 0, &plain, 1, size);
			run(net);
			expect_frame(net, 1, 0, 1, size);
		}
	assert_int_equal(net->network.clients[1].port.full, 0);
}

static void much_work_is_done_in_parts(void **state)
{
	/* Of 24 units each; what is behind the last is too little for one. */
	const unsigned fit = SWITCH_RING / 24;
	struct switch_network *net = *state;
	uint8_t bytes[1514];

	make_frame(bytes, CARD, 0, sizeof(bytes));
	for (unsigned i = 0; i < CARD_FRAMES; i++)
		card_arrive(&net->card, bytes, sizeof(bytes));
	net->network.ready |= BIT(CARD);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->card.read, CARD_FRAMES);
	assert_int_equal(net->network.clients[0].port.received, fit);
	assert_int_equal(net->network.clients[0].port.full, CARD_FRAMES - fit);
}

/* --- Checksums */

static void open_checksums_are_completed(void **state)
{
	struct switch_network *net = *state;
	/* A UDP datagram in IPv4; the field has the sum of the pseudo header. */
	static const uint8_t datagram[] = {
		2,    0,    0,    0,    0, 2,    2,    0,    0,   0,   0,   1,   8,  0,  0x45, 0, 0,
		0x21, 0,    0,    0,    0, 0x40, 0x11, 0,    0,   10,  0,   0,   1,  10, 0,    0, 2,
		0x12, 0x34, 0x56, 0x78, 0, 0x0d, 0x14, 0x21, 'h', 'e', 'l', 'l', 'o'};
	const struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .checksum_start = 34, .checksum_offset = 6};
	uint8_t bytes[sizeof(header) + sizeof(datagram)];
	struct virtio_net_hdr_v1 passed;
	const uint8_t *got;
	uint32_t total = 0x1421, size;

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), datagram, sizeof(datagram));
	switch_network_send(net, 0, bytes, sizeof(bytes));
	assert_int_equal(relay_run(&net->network), 0);
	got = switch_network_receive(net, 1, &size);
	assert_non_null(got);
	assert_int_equal(got[0], 0);
	/* The whole, with the pseudo header once more, sums up to ones. */
	for (unsigned i = 34; i < sizeof(datagram); i++)
		total += (uint32_t)got[sizeof(header) + i] << (i % 2 ? 0 : 8);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	assert_int_equal(total, 0xffff);
	assert_memory_equal(got + sizeof(header), datagram, 40);
	assert_memory_equal(got + sizeof(header) + 42, datagram + 42, 5);
	/* Who takes open ones gets it as it was, and what else is in the header is zero. */
	switch_network_channel(net, 1)->offloads = BIT(VIRTIO_NET_F_GUEST_CSUM);
	bytes[0] |= VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_RSC_INFO;
	bytes[2] = bytes[4] = 77;
	switch_network_send(net, 0, bytes, sizeof(bytes));
	assert_int_equal(relay_run(&net->network), 0);
	got = switch_network_receive(net, 1, &size);
	assert_non_null(got);
	assert_int_equal(size, sizeof(bytes));
	memcpy(&passed, got, sizeof(passed));
	assert_int_equal(passed.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(passed.header_length | passed.gso_size, 0);
	assert_int_equal(passed.checksum_start, 34);
	assert_int_equal(passed.num_buffers, 1);
	assert_memory_equal(got + sizeof(header), datagram, sizeof(datagram));
}

static void offloads_that_cannot_be(void **state)
{
	static const struct virtio_net_hdr_v1 bad[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .checksum_start = 59},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .checksum_start = 20, .checksum_offset = 39},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		 .checksum_start = UINT16_MAX,
		 .checksum_offset = UINT16_MAX},
		/* Over the addresses that were judged. */
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .checksum_start = 9},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .checksum_start = 13},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000},
		{.gso_type = 0xff},
	};
	static const struct virtio_net_hdr_v1 last = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .checksum_start = 20, .checksum_offset = 38};
	struct switch_network *net = *state;
	uint32_t size;

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
		client_send(net, 0, &bad[i], 1, 60);
	assert_int_equal(relay_run(&net->network), 0);
	expect_none(net, 1);
	assert_int_equal(net->network.clients[0].port.bad, ARRAY_COUNT(bad));
	client_send(net, 0, &last, 1, 60);
	assert_int_equal(relay_run(&net->network), 0);
	assert_non_null(switch_network_receive(net, 1, &size));
}

/* --- Segments that are to be cut up */

#define TSO4 (BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4))

static const struct tcp_shape long_segment = {
	.payload = 40 * 1448 + 7, .each = 1448, .tcp_options = 12, .flags = 0x18};

/* Of client 0; its size without the header. */
static uint32_t make_long(uint8_t *bytes, unsigned to)
{
	struct virtio_net_hdr_v1 header;
	uint32_t size;

	make_frame(bytes + sizeof(header), 0, to, ETHERNET_HEADER);
	size = tcp_make(&long_segment, &header, bytes + sizeof(header));
	memcpy(bytes, &header, sizeof(header));
	return size;
}

static uint32_t send_long(struct switch_network *net, unsigned to)
{
	static uint8_t bytes[SWITCH_FRAME_MAX];
	uint32_t size = make_long(bytes, to);

	switch_network_send(net, 0, bytes, (uint32_t)sizeof(struct virtio_net_hdr_v1) + size);
	return size;
}

static void long_segments_go_to_who_takes_them(void **state)
{
	static uint8_t expected[SWITCH_FRAME_MAX];
	struct switch_network *net = *state;
	uint32_t size, got;
	const uint8_t *bytes;

	switch_network_channel(net, 1)->offloads = TSO4;
	/* More than the ring's length, some at a time. */
	for (unsigned i = 0; i < 20; i++) {
		size = send_long(net, 1) + (uint32_t)sizeof(plain);
		run(net);
		bytes = switch_network_receive(net, 1, &got);
		assert_non_null(bytes);
		assert_int_equal(got, size);
		make_long(expected, 1);
		expected[offsetof(struct virtio_net_hdr_v1, num_buffers)] = 1;
		assert_memory_equal(bytes, expected, size);
		expect_none(net, 1);
	}
	assert_int_equal(net->network.forward.ports[0].counts.frames, 20 * 41);
	assert_int_equal(net->network.forward.ports[0].counts.bytes,
			 20 * (size - sizeof(plain) + 40 * (14 + 20 + 32)));
}

/* With nothing that is needed for it, or with something of that missing. */
static void long_segments_are_cut_up(void **state)
{
	static const uint64_t offloads[] = {
		0, BIT(VIRTIO_NET_F_GUEST_CSUM), TSO4 ^ BIT(VIRTIO_NET_F_GUEST_CSUM),
		BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO6)};
	static const struct virtio_net_hdr_v1 finished = {.num_buffers = 1};
	static uint8_t whole[SWITCH_FRAME_MAX];
	struct switch_network *net = *state;

	make_long(whole, 1);
	for (unsigned i = 0; i < ARRAY_COUNT(offloads); i++) {
		switch_network_channel(net, 1)->offloads = offloads[i];
		send_long(net, 1);
		run(net);
		for (uint32_t n = 0; n < 41; n++) {
			uint32_t size;
			const uint8_t *bytes = switch_network_receive(net, 1, &size);

			assert_non_null(bytes);
			assert_memory_equal(bytes, &finished, sizeof(finished));
			assert_true(tcp_is_part(&long_segment, whole + sizeof(finished), n,
						bytes + sizeof(finished),
						size - (uint32_t)sizeof(finished)));
		}
		expect_none(net, 1);
	}
}

static void the_card_gets_what_the_wire_takes(void **state)
{
	static uint8_t whole[SWITCH_FRAME_MAX];
	struct switch_network *net = *state;

	make_long(whole, CARD);
	send_long(net, CARD);
	run(net);
	assert_int_equal(net->card.sent_count, 41);
	for (uint32_t n = 0; n < 41; n++)
		assert_true(tcp_is_part(&long_segment, whole + sizeof(plain), n, net->card.sent[n],
					net->card.sent_size[n]));
	/* What it has no room for is not begun. */
	net->card.room = 50;
	send_long(net, CARD);
	run(net);
	assert_int_equal(net->card.sent_count, 50);
	assert_int_equal(net->network.uplinks[0].full, 1);
}

static void parts_that_are_too_long(void **state)
{
	struct tcp_shape shape = long_segment;
	static uint8_t bytes[SWITCH_FRAME_MAX];
	struct switch_network *net = *state;
	struct virtio_net_hdr_v1 header;
	uint32_t size;

	switch_network_channel(net, 1)->offloads = TSO4;
	for (shape.each = 1452; shape.each < 1454; shape.each++) {
		make_frame(bytes + sizeof(header), 0, 1, ETHERNET_HEADER);
		size = tcp_make(&shape, &header, bytes + sizeof(header));
		memcpy(bytes, &header, sizeof(header));
		switch_network_send(net, 0, bytes, size + (uint32_t)sizeof(header));
	}
	run(net);
	/* 1518 bytes, and 1519. */
	assert_int_equal(net->network.forward.ports[0].counts.bad_size, 1);
	assert_non_null(switch_network_receive(net, 1, &size));
	expect_none(net, 1);
}

/* --- Rates */

/* A second of it is what is on the wire in a second, however long the frames are. */
static void a_rate_is_of_the_wire(void **state)
{
	const uint64_t wire = long_segment.payload + 41 * (14 + 20 + 32); /* microseconds */
	struct switch_network *net = *state;
	unsigned received = 0;
	uint32_t size;

	switch_network_channel(net, 1)->offloads = TSO4;
	for (unsigned millisecond = 0; millisecond < 1000; millisecond++) {
		if (!net->network.waiting)
			send_long(net, 1);
		run(net);
		while (switch_network_receive(net, 1, &size))
			received++;
		fake_os_monotonic += MILLISECOND;
		fake_os_run(net->network.loop);
	}
	/* One more for the burst, and one that was under way at the end. */
	assert_in_range(received, 1000000 / wire, 1000000 / wire + 2);
}

static void a_limited_port_waits(void **state)
{
	const uint32_t units = 16; /* of a frame of 1000 bytes */
	struct switch_network *net = *state;
	struct switch_channel *channel = switch_network_channel(net, 0);

	for (unsigned i = 0; i < 20; i++)
		client_send(net, 0, &plain, 1, 1000);
	assert_int_equal(relay_run(&net->network), 0);
	/* 10 ms of them, and what ends the wait; the rest stays in the client's memory. */
	assert_int_equal(channel->transmit.tail, 11 * units);
	assert_int_equal(net->network.waiting, BIT(0));
	fake_os_monotonic += 5 * MILLISECOND;
	fake_os_run(net->network.loop);
	assert_int_equal(net->network.waiting, 0);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(channel->transmit.tail, 16 * units);
	/* Others are not held up. */
	client_send(net, 1, &plain, 2, 1000);
	assert_int_equal(relay_run(&net->network), 0);
	expect_frame(net, 2, 1, 2, 1000);
	fake_os_monotonic += SECOND;
	fake_os_run(net->network.loop);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(channel->transmit.tail, 20 * units);
	assert_int_equal(net->network.ready | net->network.waiting, 0);
}

/* --- Hostile clients */

static void sizes_that_cannot_be(void **state)
{
	static const uint16_t sizes[] = {1, 12, 25};
	struct switch_network *net = *state;
	uint8_t bytes[2048] = {0};

	for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++)
		switch_network_send(net, 0, bytes, sizes[i]);
	client_send(net, 0, &plain, 1, ETHERNET_FRAME_MAX + 1);
	client_send(net, 0, &plain, 1, 60);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->network.clients[0].port.bad, ARRAY_COUNT(sizes));
	assert_int_equal(net->network.forward.ports[0].counts.bad_size, 1);
	expect_frame(net, 1, 0, 1, 60);
	expect_none(net, 1);
}

static void frames_that_do_not_end(void **state)
{
	/* Behind the head, by as little as can be and by as much; longer than any; a skip to the
	 * start from there; behind the ring's end. */
	static const struct {
		uint32_t tail, head, size;
	} bad[] = {
		{0, 1, SWITCH_UNIT - 3},
		{0, 1, SWITCH_FRAME_MAX},
		{0, SWITCH_RING, SWITCH_FRAME_MAX + 1},
		{0, SWITCH_RING, UINT32_MAX},
		{0, SWITCH_RING, UINT32_MAX - 2},
		{0, SWITCH_RING - 1, 0},
		{SWITCH_RING - 1, SWITCH_RING + 1, SWITCH_UNIT},
	};

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		struct switch_network *net = *state;
		struct switch_channel *channel = switch_network_channel(net, 0);

		net->network.clients[0].port.transmit.ring.count = bad[i].tail;
		store_le32(channel->sent + (size_t)bad[i].tail * SWITCH_UNIT, bad[i].size);
		channel->transmit.head = bad[i].head;
		net->network.ready |= BIT(0);
		assert_int_equal(relay_run(&net->network), BIT(0));
		teardown(state);
		setup(state);
	}
}

static void heads_that_cannot_be(void **state)
{
	static const uint32_t heads[] = {SWITCH_RING + 1, UINT32_MAX, 1u << 31};

	for (unsigned i = 0; i < ARRAY_COUNT(heads); i++) {
		struct switch_network *net = *state;

		switch_network_channel(net, 0)->transmit.head = heads[i];
		net->network.ready |= BIT(0);
		assert_int_equal(relay_run(&net->network), BIT(0));
		teardown(state);
		setup(state);
	}
}

static void tails_that_cannot_be(void **state)
{
	struct switch_network *net = *state;

	switch_network_channel(net, 1)->receive.tail = 1;
	client_send(net, 0, &plain, 1, 60);
	client_send(net, 0, &plain, 2, 60);
	assert_int_equal(relay_run(&net->network), BIT(1));
	expect_frame(net, 2, 0, 2, 60);
}

static void another_tail_is_not_believed(void **state)
{
	struct switch_network *net = *state;

	/* The switch's own counts are its own. */
	client_send(net, 0, &plain, 1, 60);
	switch_network_channel(net, 0)->transmit.tail = 77;
	switch_network_channel(net, 1)->receive.head = 99;
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(switch_network_channel(net, 0)->transmit.tail, 2);
	assert_int_equal(switch_network_channel(net, 1)->receive.head, 2);
}

static void settings_are_read_when_they_stand(void **state)
{
	struct switch_network *net = *state;
	struct switch_channel *channel = switch_network_channel(net, 0);
	struct switch_port settings;

	channel->port = (struct switch_port){.mac = {2, 3, 4, 5, 6, 7}, .rate = 42};
	assert_false(port_read_settings(&net->network.clients[0].port, &settings));
	channel->port.ready = 2;
	assert_false(port_read_settings(&net->network.clients[0].port, &settings));
	channel->port.ready = 1;
	assert_true(port_read_settings(&net->network.clients[0].port, &settings));
	assert_int_equal(settings.rate, 42);
	assert_int_equal(settings.mac[5], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(between_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(with_the_card, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_card_drops, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_client_drops, setup, teardown),
		cmocka_unit_test_setup_teardown(frames_of_all_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(much_work_is_done_in_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(open_checksums_are_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(offloads_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(long_segments_go_to_who_takes_them, setup,
						teardown),
		cmocka_unit_test_setup_teardown(long_segments_are_cut_up, setup, teardown),
		cmocka_unit_test_setup_teardown(the_card_gets_what_the_wire_takes, setup, teardown),
		cmocka_unit_test_setup_teardown(parts_that_are_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rate_is_of_the_wire, setup_limited, teardown),
		cmocka_unit_test_setup_teardown(a_limited_port_waits, setup_limited, teardown),
		cmocka_unit_test_setup_teardown(sizes_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(frames_that_do_not_end, setup, teardown),
		cmocka_unit_test_setup_teardown(heads_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(tails_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(another_tail_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(settings_are_read_when_they_stand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
