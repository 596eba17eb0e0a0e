/* SPDX-License-Identifier: MIT */
/* Where the switch sends frames: its table, its rules, and what a port may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "type1/services/switch/forward.c"

#define FRAME 100
#define NOW (1000 * SECOND)

static struct forward forward;
static unsigned a, b, c, card, other_card;

static const uint8_t mac_a[] = {0x52, 0x54, 0, 0, 0, 0xa}, mac_b[] = {0x52, 0x54, 0, 0, 0, 0xb},
		     mac_c[] = {0x52, 0x54, 0, 0, 0, 0xc}, outside[] = {0x52, 0x55, 1, 2, 3, 4},
		     broadcast[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int setup(void **state)
{
	(void)state;
	forward_init(&forward, UINT64_C(0x123456789abcdef1));
	assert_int_equal(forward_add_uplink(&forward, &card), 0);
	assert_int_equal(forward_add_client(&forward, mac_a, 0, &a), 0);
	assert_int_equal(forward_add_client(&forward, mac_b, 0, &b), 0);
	assert_int_equal(forward_add_client(&forward, mac_c, 0, &c), 0);
	return 0;
}

static uint64_t send_at(unsigned port, const uint8_t *to, const uint8_t *from, uint32_t size,
			uint64_t now)
{
	uint8_t header[ETHERNET_HEADER] = {0};

	memcpy(header, to, ETHERNET_ADDRESS);
	memcpy(header + ETHERNET_ADDRESS, from, ETHERNET_ADDRESS);
	return forward_frame(&forward, port, header, &(struct forward_size){size, 1, size}, now);
}

static uint64_t send(unsigned port, const uint8_t *to, const uint8_t *from)
{
	return send_at(port, to, from, FRAME, NOW);
}

static void clients_reach_each_other(void **state)
{
	(void)state;
	assert_int_equal(send(a, mac_b, mac_a), BIT(b));
	assert_int_equal(send(b, mac_a, mac_b), BIT(a));
	/* Not back to the sender. */
	assert_int_equal(send(a, mac_a, mac_a), 0);
	assert_int_equal(forward.ports[a].counts.frames, 1);
	assert_int_equal(forward.ports[a].counts.bytes, FRAME);
	assert_int_equal(forward.ports[a].counts.nobody, 1);
}

static void groups_go_to_all_others(void **state)
{
	static const uint8_t multicast[] = {0x33, 0x33, 0, 0, 0, 1};

	(void)state;
	assert_int_equal(send(a, broadcast, mac_a), BIT(b) | BIT(c) | BIT(card));
	assert_int_equal(send(a, multicast, mac_a), BIT(b) | BIT(c) | BIT(card));
	assert_int_equal(send(card, broadcast, outside), BIT(a) | BIT(b) | BIT(c));
}

static void unknown_addresses_are_outside(void **state)
{
	static const uint8_t elsewhere[] = {0x52, 0x55, 9, 9, 9, 9};

	(void)state;
	assert_int_equal(send(a, outside, mac_a), BIT(card));
	/* From outside to outside is none of the switch's business, known or not. */
	assert_int_equal(send(card, elsewhere, outside), 0);
	assert_int_equal(send(card, outside, elsewhere), 0);
}

static void addresses_are_learned_and_forgotten(void **state)
{
	(void)state;
	assert_int_equal(forward_add_uplink(&forward, &other_card), 0);
	assert_int_equal(send(a, outside, mac_a), BIT(card) | BIT(other_card));
	assert_int_equal(send(other_card, mac_a, outside), BIT(a));
	assert_int_equal(send(a, outside, mac_a), BIT(other_card));
	/* It moves. */
	assert_int_equal(send(card, mac_a, outside), BIT(a));
	assert_int_equal(send(a, outside, mac_a), BIT(card));
	assert_int_equal(forward.ports[other_card].learned, 0);
	/* It is silent. */
	forward_age(&forward, NOW + FORWARD_AGE);
	assert_int_equal(send(a, outside, mac_a), BIT(card));
	forward_age(&forward, NOW + FORWARD_AGE + 1);
	assert_int_equal(send(a, outside, mac_a), BIT(card) | BIT(other_card));
	/* Clients' never age. */
	assert_int_equal(send(b, mac_a, mac_b), BIT(a));
	/* Nothing goes from card to card. */
	assert_int_equal(send(card, broadcast, outside), BIT(a) | BIT(b) | BIT(c));
	forward_remove(&forward, card);
	assert_int_equal(send(a, outside, mac_a), BIT(other_card));
}

static void a_client_has_one_source(void **state)
{
	static const uint8_t zero[6];

	(void)state;
	assert_int_equal(send(a, mac_b, mac_c), 0);
	assert_int_equal(send(a, mac_b, outside), 0);
	assert_int_equal(send(a, mac_b, broadcast), 0);
	assert_int_equal(send(a, mac_b, zero), 0);
	assert_int_equal(forward.ports[a].counts.bad_source, 4);
	/* Nor has the world outside a client's, or a group's. */
	assert_int_equal(send(card, mac_b, mac_a), 0);
	assert_int_equal(send(card, mac_b, broadcast), 0);
	assert_int_equal(send(card, mac_b, zero), 0);
	assert_int_equal(forward.ports[card].counts.bad_source, 3);
	assert_int_equal(send(b, mac_a, mac_b), BIT(a));
}

static void addresses_of_clients_are_their_own(void **state)
{
	static const uint8_t group[] = {1, 0, 0, 0, 0, 1}, zero[6];
	unsigned port;

	(void)state;
	assert_int_equal(forward_add_client(&forward, mac_a, 0, &port), -EADDRINUSE);
	assert_int_equal(forward_add_client(&forward, group, 0, &port), -EINVAL);
	assert_int_equal(forward_add_client(&forward, zero, 0, &port), -EINVAL);
	/* One that was outside comes in. */
	assert_int_equal(send(card, mac_a, outside), BIT(a));
	assert_int_equal(forward_add_client(&forward, outside, 0, &port), 0);
	assert_int_equal(send(a, outside, mac_a), BIT(port));
	assert_int_equal(forward.ports[card].learned, 0);
	/* And leaves. */
	forward_remove(&forward, port);
	assert_int_equal(send(a, outside, mac_a), BIT(card));
	assert_int_equal(forward_add_client(&forward, outside, 0, &port), 0);
}

static void frames_of_the_link_stay_there(void **state)
{
	static const uint8_t bridges[] = {1, 0x80, 0xc2, 0, 0, 0},
			     lldp[] = {1, 0x80, 0xc2, 0, 0, 14},
			     other[] = {1, 0x80, 0xc2, 0, 0, 0x10};

	(void)state;
	assert_int_equal(send(a, bridges, mac_a), 0);
	assert_int_equal(send(card, lldp, outside), 0);
	assert_int_equal(forward.ports[a].counts.reserved, 1);
	assert_int_not_equal(send(a, other, mac_a), 0);
}

static void sizes_are_ethernets(void **state)
{
	(void)state;
	assert_int_equal(send_at(a, mac_b, mac_a, ETHERNET_HEADER, NOW), BIT(b));
	assert_int_equal(send_at(a, mac_b, mac_a, ETHERNET_FRAME_MAX, NOW), BIT(b));
	assert_int_equal(send_at(a, mac_b, mac_a, ETHERNET_HEADER - 1, NOW), 0);
	assert_int_equal(send_at(a, mac_b, mac_a, ETHERNET_FRAME_MAX + 1, NOW), 0);
	assert_int_equal(send_at(a, mac_b, mac_a, UINT32_MAX, NOW), 0);
	assert_int_equal(forward.ports[a].counts.bad_size, 3);
}

static void learning_is_bounded(void **state)
{
	uint8_t source[6] = {0x02};
	unsigned port;

	(void)state;
	assert_int_equal(forward_add_uplink(&forward, &other_card), 0);
	for (unsigned i = 0; i < 4 * FORWARD_ENTRIES; i++) {
		store_le32(source + 2, i);
		assert_int_equal(send(card, mac_a, source), BIT(a));
		assert_int_equal(send(i % 2 ? card : other_card, mac_a, source), BIT(a));
	}
	assert_true(forward.ports[card].learned <= FORWARD_LEARNED_MAX);
	assert_true(forward.ports[other_card].learned <= FORWARD_LEARNED_MAX);
	/* There is room for each client all the same. */
	for (unsigned i = 5; i < FORWARD_PORTS; i++) {
		source[1] = (uint8_t)i;
		assert_int_equal(forward_add_client(&forward, source, 0, &port), 0);
	}
	assert_int_equal(forward_add_client(&forward, outside, 0, &port), -ENOSPC);
	assert_int_equal(forward_add_uplink(&forward, &port), -ENOSPC);
	/* And all are forgotten: the table is whole. */
	forward_age(&forward, NOW + 2 * FORWARD_AGE);
	assert_int_equal(forward.ports[card].learned, 0);
	for (unsigned i = 0; i < FORWARD_PORTS; i++)
		forward_remove(&forward, i);
	assert_int_equal(forward.used, 0);
	for (unsigned i = 0; i < ARRAY_COUNT(forward.heads); i++)
		assert_int_equal(forward.heads[i], NO_ENTRY);
}

static void flooding_is_bounded(void **state)
{
	unsigned sent = 0;

	(void)state;
	/* Ten seconds at a frame a microsecond. */
	for (uint64_t now = NOW; now < NOW + 10 * SECOND; now += 1000)
		sent += send_at(a, broadcast, mac_a, FRAME, now) != 0;
	/* Three copies each. */
	assert_in_range(sent, 330000, 336000);
	assert_int_equal(forward.ports[a].counts.flood, 10000000 - sent);
	/* What goes to one, and other ports, are free. */
	assert_int_equal(send_at(a, mac_b, mac_a, FRAME, NOW + 10 * SECOND), BIT(b));
	assert_int_not_equal(send_at(b, broadcast, mac_b, FRAME, NOW + 10 * SECOND), 0);
}

/* One that makes many on the wire costs as many, of what may be copied to several. */
static void flooding_by_long_segments_is_bounded(void **state)
{
	const struct forward_size size = {.longest = 1514, .frames = 43, .bytes = 43 * 1514};
	uint8_t header[ETHERNET_HEADER] = {0};
	uint64_t copies = 0;

	(void)state;
	memcpy(header, broadcast, ETHERNET_ADDRESS);
	memcpy(header + ETHERNET_ADDRESS, mac_a, ETHERNET_ADDRESS);
	for (unsigned i = 0; i < 100000; i++)
		copies += 43 * set_size(forward_frame(&forward, a, header, &size,
						      NOW + i * (SECOND / 100000)));
	assert_in_range(copies, 100000, 100000 + 1000 + 43 * 3);
}

static void a_rate_is_kept(void **state)
{
	static const uint8_t mac[] = {2, 0, 0, 0, 0, 1};
	const uint64_t rate = 10000000;
	uint64_t bytes = 0;
	unsigned port;

	(void)state;
	assert_int_equal(forward_add_client(&forward, mac, rate, &port), 0);
	for (uint64_t now = NOW; now < NOW + 10 * SECOND; now += 10000) {
		uint64_t wait = forward_wait(&forward, port, now);

		assert_true(wait < 2 * MILLISECOND);
		if (wait)
			continue;
		bytes += send_at(port, mac_a, mac, 1500, now) ? 1500 : 0;
	}
	/* 1.25 MB a second, and 10 ms of them at once. */
	assert_in_range(bytes, 12500000, 12500000 + 12500 + 1500);
	/* A pause earns no more than a burst. */
	bytes = 0;
	while (!forward_wait(&forward, port, NOW + 1000 * SECOND))
		bytes += send_at(port, mac_a, mac, 1500, NOW + 1000 * SECOND) ? 1500 : 0;
	assert_in_range(bytes, 12500, 12500 + 1500);
}

static void the_slowest_and_the_fastest_rate(void **state)
{
	static const uint8_t slow[] = {2, 0, 0, 0, 0, 1}, fast[] = {2, 0, 0, 0, 0, 2};
	unsigned port;

	(void)state;
	assert_int_equal(forward_add_client(&forward, slow, 1, &port), 0);
	assert_int_equal(send_at(port, mac_a, slow, 1500, NOW), BIT(a));
	assert_int_equal(forward_wait(&forward, port, NOW), 12000 * SECOND - RATE_BURST);
	assert_int_equal(forward_add_client(&forward, fast, UINT64_MAX, &port), 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(send_at(port, mac_a, fast, 1500, NOW), BIT(a));
	assert_int_equal(forward_wait(&forward, port, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(clients_reach_each_other, setup),
		cmocka_unit_test_setup(groups_go_to_all_others, setup),
		cmocka_unit_test_setup(unknown_addresses_are_outside, setup),
		cmocka_unit_test_setup(addresses_are_learned_and_forgotten, setup),
		cmocka_unit_test_setup(a_client_has_one_source, setup),
		cmocka_unit_test_setup(addresses_of_clients_are_their_own, setup),
		cmocka_unit_test_setup(frames_of_the_link_stay_there, setup),
		cmocka_unit_test_setup(sizes_are_ethernets, setup),
		cmocka_unit_test_setup(learning_is_bounded, setup),
		cmocka_unit_test_setup(flooding_is_bounded, setup),
		cmocka_unit_test_setup(flooding_by_long_segments_is_bounded, setup),
		cmocka_unit_test_setup(a_rate_is_kept, setup),
		cmocka_unit_test_setup(the_slowest_and_the_fastest_rate, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
