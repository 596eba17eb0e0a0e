/* SPDX-License-Identifier: MIT */
/* Frames through the switch, from the rings of clients and a card to others, and clients that write
 * what they like into their channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/switch_network.h"

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

static void client_send_entry(struct switch_network *net, unsigned client, const void *bytes,
			      uint16_t size)
{
	struct switch_channel *channel = switch_network_channel(net, client);
	struct switch_frame *entry = &channel->sent[channel->transmit.head % SWITCH_RING];

	entry->size = size;
	memcpy(entry->bytes, bytes, MIN(size, sizeof(entry->bytes)));
	channel->transmit.head++;
	net->network.ready |= BIT(client);
}

static void client_send(struct switch_network *net, unsigned client,
			const struct virtio_net_hdr_v1 *header, unsigned to, uint32_t size)
{
	uint8_t bytes[SWITCH_FRAME];

	memcpy(bytes, header, sizeof(*header));
	make_frame(bytes + sizeof(*header), client, to, size);
	client_send_entry(net, client, bytes, (uint16_t)(sizeof(*header) + size));
}

static const struct virtio_net_hdr_v1 plain;

/* What the client has received and not seen yet, in order. */
static const struct switch_frame *client_receive(struct switch_network *net, unsigned client)
{
	struct switch_channel *channel = switch_network_channel(net, client);

	if (channel->receive.tail == channel->receive.head)
		return NULL;
	return &channel->received[channel->receive.tail++ % SWITCH_RING];
}

static void expect_frame(const struct switch_frame *entry, unsigned from, unsigned to,
			 uint32_t size)
{
	static const struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	uint8_t bytes[SWITCH_FRAME];

	assert_non_null(entry);
	make_frame(bytes, from, to, size);
	assert_int_equal(entry->size, sizeof(header) + size);
	assert_memory_equal(entry->bytes, &header, sizeof(header));
	assert_memory_equal(entry->bytes + sizeof(header), bytes, size);
}

static void between_clients(void **state)
{
	struct switch_network *net = *state;

	client_send(net, 0, &plain, 1, 60);
	client_send(net, 0, &plain, 1, ETHERNET_FRAME_MAX);
	client_send(net, 0, &plain, 2, ETHERNET_HEADER);
	assert_int_equal(relay_run(&net->network), 0);
	expect_frame(client_receive(net, 1), 0, 1, 60);
	expect_frame(client_receive(net, 1), 0, 1, ETHERNET_FRAME_MAX);
	assert_null(client_receive(net, 1));
	expect_frame(client_receive(net, 2), 0, 2, ETHERNET_HEADER);
	assert_null(client_receive(net, 0));
	assert_int_equal(net->card.sent_count, 0);
	/* Each was told once; the sender's memory is its own again, and its next frame is told. */
	assert_int_equal(net->signals, 2);
	assert_int_equal(switch_network_channel(net, 0)->transmit.tail, 3);
	assert_int_equal(switch_network_channel(net, 0)->transmit.wake_at, 3);
	assert_int_equal(net->network.ready, 0);
}

static void with_the_card(void **state)
{
	struct switch_network *net = *state;
	uint8_t bytes[ETHERNET_FRAME_MAX + 100];

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
	expect_frame(client_receive(net, 1), 0, 0xff, 300);
	expect_frame(client_receive(net, 2), 0, 0xff, 300);
	assert_non_null(client_receive(net, 2));
	expect_frame(client_receive(net, 2), CARD, 2, 200);
	assert_null(client_receive(net, 2));
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

static void a_full_client_drops(void **state)
{
	struct switch_network *net = *state;
	unsigned received = 0;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < SWITCH_RING; i++)
			client_send(net, 0, &plain, 1, 60 + i);
		assert_int_equal(relay_run(&net->network), 0);
	}
	assert_int_equal(net->network.clients[1].port.full, SWITCH_RING);
	for (const struct switch_frame *entry; (entry = client_receive(net, 1)); received++)
		expect_frame(entry, 0, 1, 60 + received);
	assert_int_equal(received, SWITCH_RING);
	client_send(net, 0, &plain, 1, 70);
	assert_int_equal(relay_run(&net->network), 0);
	expect_frame(client_receive(net, 1), 0, 1, 70);
}

static void much_work_is_done_in_parts(void **state)
{
	struct switch_network *net = *state;
	uint8_t bytes[60];

	make_frame(bytes, CARD, 0, sizeof(bytes));
	for (unsigned i = 0; i < CARD_FRAMES; i++)
		card_arrive(&net->card, bytes, sizeof(bytes));
	net->network.ready |= BIT(CARD);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->card.read, CARD_FRAMES);
	assert_int_equal(net->network.clients[0].port.received, SWITCH_RING);
	assert_int_equal(net->network.clients[0].port.full, CARD_FRAMES - SWITCH_RING);
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
	const struct switch_frame *entry;
	uint32_t total = 0x1421;

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), datagram, sizeof(datagram));
	client_send_entry(net, 0, bytes, sizeof(bytes));
	assert_int_equal(relay_run(&net->network), 0);
	entry = client_receive(net, 1);
	assert_non_null(entry);
	assert_int_equal(entry->bytes[0], 0);
	/* The whole, with the pseudo header once more, sums up to ones. */
	for (unsigned i = 34; i < sizeof(datagram); i++)
		total += (uint32_t)entry->bytes[sizeof(header) + i] << (i % 2 ? 0 : 8);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	assert_int_equal(total, 0xffff);
	assert_memory_equal(entry->bytes + sizeof(header), datagram, 40);
	assert_memory_equal(entry->bytes + sizeof(header) + 42, datagram + 42, 5);
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

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
		client_send(net, 0, &bad[i], 1, 60);
	assert_int_equal(relay_run(&net->network), 0);
	assert_null(client_receive(net, 1));
	assert_int_equal(net->network.clients[0].port.bad, ARRAY_COUNT(bad));
	client_send(net, 0, &last, 1, 60);
	assert_int_equal(relay_run(&net->network), 0);
	assert_non_null(client_receive(net, 1));
}

/* --- Rates */

static void a_limited_port_waits(void **state)
{
	struct switch_network *net = *state;
	struct switch_channel *channel = switch_network_channel(net, 0);

	for (unsigned i = 0; i < 20; i++)
		client_send(net, 0, &plain, 1, 1000);
	assert_int_equal(relay_run(&net->network), 0);
	/* 10 ms of them, and what ends the wait; the rest stays in the client's memory. */
	assert_int_equal(channel->transmit.tail, 11);
	assert_int_equal(net->network.waiting, BIT(0));
	fake_os_monotonic += 5 * MILLISECOND;
	fake_os_run(net->network.loop);
	assert_int_equal(net->network.waiting, 0);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(channel->transmit.tail, 16);
	/* Others are not held up. */
	client_send(net, 1, &plain, 2, 1000);
	assert_int_equal(relay_run(&net->network), 0);
	assert_non_null(client_receive(net, 2));
	fake_os_monotonic += SECOND;
	fake_os_run(net->network.loop);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(channel->transmit.tail, 20);
	assert_int_equal(net->network.ready | net->network.waiting, 0);
}

/* --- Hostile clients */

static void sizes_that_cannot_be(void **state)
{
	static const uint16_t sizes[] = {0,    1,    12,        25, 12 + ETHERNET_FRAME_MAX + 1,
					 2046, 2047, UINT16_MAX};
	struct switch_network *net = *state;
	uint8_t bytes[SWITCH_FRAME] = {0};

	make_frame(bytes + sizeof(plain), 0, 1, 60);
	for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++)
		client_send_entry(net, 0, bytes, sizes[i]);
	client_send(net, 0, &plain, 1, 60);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(net->network.clients[0].port.bad, ARRAY_COUNT(sizes));
	expect_frame(client_receive(net, 1), 0, 1, 60);
	assert_null(client_receive(net, 1));
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
	assert_non_null(client_receive(net, 2));
}

static void another_tail_is_not_believed(void **state)
{
	struct switch_network *net = *state;

	/* The switch's own counts are its own. */
	switch_network_channel(net, 0)->transmit.tail = 77;
	switch_network_channel(net, 1)->receive.head = 99;
	client_send(net, 0, &plain, 1, 60);
	assert_int_equal(relay_run(&net->network), 0);
	assert_int_equal(switch_network_channel(net, 0)->transmit.tail, 1);
	assert_int_equal(switch_network_channel(net, 1)->receive.head, 1);
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
		cmocka_unit_test_setup_teardown(much_work_is_done_in_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(open_checksums_are_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(offloads_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(a_limited_port_waits, setup_limited, teardown),
		cmocka_unit_test_setup_teardown(sizes_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(heads_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(tails_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(another_tail_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(settings_are_read_when_they_stand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
