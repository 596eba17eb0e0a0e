/* SPDX-License-Identifier: MIT */
/* The network device on a port in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "monitor/virtio/devices.h"
#include "tests/support/driver.h"
#include "tests/support/fake_os.h"

#define RX VIRTIO_NET_QUEUE_RECEIVE
#define TX VIRTIO_NET_QUEUE_TRANSMIT
#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))
#define MTU 1500
#define OFFLOADS                                                                                   \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |     \
	 BIT(VIRTIO_NET_F_GUEST_TSO4))

static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

struct fixture {
	struct driver_memory ram;
	struct os_net *net;
	struct os_loop *loop;
	struct virtio_device *virtio;
	struct driver_device device;
};

#define RATE 8000000 /* bits a second: 1,000 bytes are a millisecond */

static void create_with(void **state, bool offloads, uint64_t features, uint64_t rate)
{
	static struct fixture fixture;
	struct virtio_net_options options;
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	driver_memory_create(&f->ram, 16 * MIB);
	f->net = fake_net_create(MTU, offloads);
	assert_int_equal(os_loop_create(&f->loop), 0);
	options = (struct virtio_net_options){
		.net = f->net, .loop = f->loop, .mac = mac, .rate = rate};
	assert_int_equal(virtio_net_create(&f->ram.memory, &options, &f->virtio), 0);
	driver_attach(&f->device, f->virtio);
	driver_start(&f->device, &f->ram, features, 256);
	*state = f;
}

static void create(void **state, bool offloads, uint64_t features)
{
	create_with(state, offloads, features, 0);
}

static int setup_rate(void **state)
{
	create_with(state, true, UINT64_MAX, RATE);
	return 0;
}

static int setup(void **state)
{
	create(state, false, UINT64_MAX);
	return 0;
}

static int setup_offloads(void **state)
{
	create(state, true, UINT64_MAX);
	return 0;
}

static int setup_no_merging(void **state)
{
	create(state, false, ~BIT(VIRTIO_NET_F_MRG_RXBUF));
	return 0;
}

static int setup_offloads_not_negotiated(void **state)
{
	create(state, true, ~OFFLOADS);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_reset(&f->device);
	virtio_net_destroy(f->virtio);
	os_net_close(f->net);
	os_loop_destroy(f->loop);
	driver_memory_destroy(&f->ram);
	return 0;
}

static void fill(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 13 + (i >> 8));
}

/* --- Sending --------------------------------------------------------------------------------- */

/* Offers a frame, its header and content in descriptors of piece bytes. */
static void offer_frame(struct fixture *f, const struct virtio_net_hdr_v1 *header, uint32_t size,
			uint32_t piece)
{
	uint8_t bytes[2048];
	struct driver_buffer buffers[256];
	unsigned count = 0;
	gpa_t gpa;

	assert_true(HEADER + size <= sizeof(bytes));
	memcpy(bytes, header, HEADER);
	fill(bytes + HEADER, size);
	gpa = driver_alloc_copy(&f->ram, bytes, HEADER + size);
	for (uint32_t at = 0; at < HEADER + size; at += piece)
		buffers[count++] =
			(struct driver_buffer){gpa + at, MIN(piece, HEADER + size - at), false};
	driver_add(&f->device.queues[TX], buffers, count);
}

static size_t send_frame(struct fixture *f, const struct virtio_net_hdr_v1 *header, uint32_t size,
			 uint32_t piece)
{
	size_t before = fake_net_sent(f->net, NULL);

	offer_frame(f, header, size, piece);
	driver_notify(&f->device, TX);
	return fake_net_sent(f->net, NULL) - before;
}

static void expect_last_sent(struct fixture *f, uint32_t size)
{
	uint8_t bytes[2048];
	const uint8_t *sent;

	fill(bytes, size);
	fake_net_sent(f->net, &sent);
	assert_int_equal(fake_net_last_size(f->net), HEADER + size);
	assert_memory_equal(sent + HEADER, bytes, size);
}

static void test_frames_are_sent_whatever_their_framing(void **state)
{
	struct fixture *f = *state;
	static const uint32_t pieces[] = {12, 5, 2048, 13, 11, 1};
	struct virtio_net_hdr_v1 header = {0};
	uint32_t head, written;

	for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) {
		assert_int_equal(send_frame(f, &header, 100, pieces[i]), 1);
		expect_last_sent(f, 100);
		assert_true(driver_take_used(&f->device.queues[TX], &head, &written));
		assert_int_equal(written, 0);
	}
	assert_int_equal(send_frame(f, &header, 1514, 64), 1);
	expect_last_sent(f, 1514);
}

static void test_a_batch_of_frames_is_one_interrupt(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 header = {0};

	for (unsigned i = 0; i < 50; i++)
		offer_frame(f, &header, 60, 2048);
	driver_notify(&f->device, TX);
	assert_int_equal(fake_net_sent(f->net, NULL), 50);
	assert_int_equal(f->device.interrupts[TX], 1);
}

/* Milliseconds until so many frames of 1,000 bytes are sent; the guest offers them at once. */
static unsigned time_to_send(struct fixture *f, const struct virtio_net_hdr_v1 *header,
			     unsigned count)
{
	size_t before = fake_net_sent(f->net, NULL);
	unsigned time = 0;

	for (unsigned i = 0; i < count; i++)
		offer_frame(f, header, 1000, 2048);
	driver_notify(&f->device, TX);
	while (fake_net_sent(f->net, NULL) - before < count) {
		assert_true(time < 10000);
		fake_os_monotonic += 1000000;
		time++;
		fake_os_run(f->loop);
	}
	return time;
}

static void test_a_rate_is_kept_and_nothing_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 header = {0};
	struct virtio_net_hdr_v1 segments = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.header_length = 50,
		.gso_size = 100,
		.checksum_start = 34,
		.checksum_offset = 16,
	};
	unsigned time = time_to_send(f, &header, 100);

	/* But for what may be on its way when the last is sent. */
	assert_in_range(time, 93, 100);
	/* What was not sent before doesn't come in one burst. */
	fake_os_monotonic += UINT64_C(60) * 1000000000;
	time = time_to_send(f, &header, 100);
	assert_in_range(time, 93, 100);
	/* Each of ten parts has its headers. */
	fake_os_monotonic += 1000000000;
	time = time_to_send(f, &segments, 40);
	assert_in_range(time, 53, 60);
}

static void test_a_reset_forgets_frames_that_wait(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 header = {0};
	size_t sent;

	for (unsigned i = 0; i < 20; i++)
		offer_frame(f, &header, 1000, 2048);
	driver_notify(&f->device, TX);
	sent = fake_net_sent(f->net, NULL);
	assert_in_range(sent, 1, 7);
	driver_reset(&f->device);
	fake_os_monotonic += 1000000000;
	fake_os_run(f->loop);
	assert_int_equal(fake_net_sent(f->net, NULL), sent);
}

static void test_a_full_port_drops_and_the_driver_goes_on(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 header = {0};

	fake_net_set_full(f->net, true);
	assert_int_equal(send_frame(f, &header, 60, 12), 0);
	assert_int_equal(f->device.queues[TX].used->index, 1);
	fake_net_set_full(f->net, false);
	assert_int_equal(send_frame(f, &header, 60, 12), 1);
}

static void test_headers_pass_with_what_was_negotiated(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.header_length = 54,
		.gso_size = 1448,
		.checksum_start = 34,
		.checksum_offset = 16,
		.num_buffers = 0xffff,
	};
	struct virtio_net_hdr_v1 passed;
	const uint8_t *sent;

	assert_int_equal(send_frame(f, &header, 1900, 500), 1);
	fake_net_sent(f->net, &sent);
	memcpy(&passed, sent, sizeof(passed));
	assert_int_equal(passed.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(passed.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(passed.gso_size, 1448);
	assert_int_equal(passed.checksum_start, 34);
	assert_int_equal(passed.num_buffers, 0);
}

static void test_bad_headers_drop_the_frame(void **state)
{
	struct fixture *f = *state;
	static const struct virtio_net_hdr_v1 headers[] = {
		/* a checksum behind the frame */
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .checksum_start = 98, .checksum_offset = 1},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		 .checksum_start = 0xffff,
		 .checksum_offset = 0xffff},
		/* kinds that were not offered, or do not exist */
		{.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 100},
		{.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4, .gso_size = 100},
		{.gso_type = 0x7f, .gso_size = 100},
		{.gso_type = VIRTIO_NET_HDR_GSO_ECN, .gso_size = 100},
		/* segments of nothing, headers longer than the frame */
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 10, .header_length = 101},
	};

	for (size_t i = 0; i < ARRAY_COUNT(headers); i++)
		assert_int_equal(send_frame(f, &headers[i], 100, 12), 0);
	assert_int_equal(f->device.queues[TX].used->index, ARRAY_COUNT(headers));
	assert_false(f->virtio->failed);
}

static void test_offloads_that_were_not_negotiated_drop_the_frame(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 checksum = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
	struct virtio_net_hdr_v1 segments = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100};

	assert_int_equal(send_frame(f, &checksum, 100, 12), 0);
	assert_int_equal(send_frame(f, &segments, 100, 12), 0);
}

static void test_nothing_and_too_much_are_no_frames(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 header = {0};
	gpa_t gpa = driver_alloc(&f->ram, 128 * KIB, 16);
	struct driver_buffer buffer = {gpa, 128 * KIB, false};

	assert_int_equal(send_frame(f, &header, 0, 12), 0);
	driver_add(&f->device.queues[TX], &buffer, 1);
	driver_notify(&f->device, TX);
	assert_int_equal(fake_net_sent(f->net, NULL), 0);
	assert_int_equal(f->device.queues[TX].used->index, 2);
}

static void test_a_frame_without_header_fails_the_device(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffer = {driver_alloc(&f->ram, 64, 16), HEADER - 1, false};

	driver_add(&f->device.queues[TX], &buffer, 1);
	driver_notify(&f->device, TX);
	assert_true(f->virtio->failed);
	assert_int_equal(f->device.queues[TX].used->index, 0);
}

/* --- Receiving ------------------------------------------------------------------------------- */

static gpa_t add_receive_buffer(struct fixture *f, uint32_t size)
{
	gpa_t gpa = driver_alloc(&f->ram, size, 16);
	struct driver_buffer buffer = {gpa, size, true};

	driver_add(&f->device.queues[RX], &buffer, 1);
	return gpa;
}

static void deliver(struct fixture *f, uint32_t size)
{
	static uint8_t bytes[HEADER + 70000];

	assert_true(HEADER + size <= sizeof(bytes));
	memset(bytes, 0, HEADER);
	fill(bytes + HEADER, size);
	fake_net_deliver(f->net, bytes, HEADER + size);
}

/* Takes a received frame of size bytes out of the buffers at first and on, piece bytes each. */
static void expect_received(struct fixture *f, gpa_t first, uint32_t size, uint32_t piece)
{
	struct virtio_net_hdr_v1 header;
	static uint8_t bytes[HEADER + 70000], frame[HEADER + 70000];
	uint32_t at = 0, written, head;
	unsigned count = 0;

	fill(bytes, size);
	while (at < HEADER + size) {
		assert_true(driver_take_used(&f->device.queues[RX], &head, &written));
		assert_int_equal(written, MIN(piece, HEADER + size - at));
		memcpy(frame + at, driver_at(&f->ram, first + (uint64_t)count * piece, written),
		       written);
		at += written;
		count++;
	}
	memcpy(&header, frame, HEADER);
	assert_int_equal(header.num_buffers, count);
	assert_memory_equal(frame + HEADER, bytes, size);
}

static void test_a_frame_is_received_into_one_buffer(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa = add_receive_buffer(f, 2048);

	driver_notify(&f->device, RX);
	deliver(f, 1514);
	expect_received(f, gpa, 1514, 2048);
	assert_int_equal(f->device.interrupts[RX], 1);
}

static void test_a_frame_is_spread_over_buffers(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa = 0;

	for (unsigned i = 0; i < 36; i++) {
		gpa_t at = add_receive_buffer(f, 64);

		gpa = gpa ? gpa : at;
	}
	driver_notify(&f->device, RX);
	deliver(f, 1000);
	expect_received(f, gpa, 1000, 64);
	assert_int_equal(f->device.interrupts[RX], 1);
	/* 16 buffers are used; the rest waits for more, for the largest frame of this MTU. */
	deliver(f, 300);
	assert_int_equal(fake_net_waiting(f->net), 1);
	for (unsigned i = 0; i < 10; i++)
		add_receive_buffer(f, 64);
	driver_notify(&f->device, RX);
	assert_int_equal(fake_net_waiting(f->net), 0);
	expect_received(f, gpa + 16 * 64, 300, 64);
}

static void test_a_segmented_frame_of_the_largest_size_is_received(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa = 0;

	for (unsigned i = 0; i < 60; i++) {
		gpa_t at = add_receive_buffer(f, 1536);

		gpa = gpa ? gpa : at;
	}
	driver_notify(&f->device, RX);
	deliver(f, 65535 + 18);
	expect_received(f, gpa, 65535 + 18, 1536);
}

static void test_frames_wait_in_the_port_for_buffers(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa;

	deliver(f, 100);
	deliver(f, 101);
	assert_int_equal(fake_net_waiting(f->net), 2);
	gpa = add_receive_buffer(f, 2048);
	driver_notify(&f->device, RX);
	expect_received(f, gpa, 100, 2048);
	assert_int_equal(fake_net_waiting(f->net), 1);
	gpa = add_receive_buffer(f, 2048);
	driver_notify(&f->device, RX);
	expect_received(f, gpa, 101, 2048);
	/* Buffers first, now: the port calls again. */
	gpa = add_receive_buffer(f, 2048);
	driver_notify(&f->device, RX);
	deliver(f, 102);
	expect_received(f, gpa, 102, 2048);
}

static void test_the_driver_is_asked_for_a_doorbell_when_buffers_are_out(void **state)
{
	struct fixture *f = *state;

	add_receive_buffer(f, 2048);
	driver_notify(&f->device, RX);
	deliver(f, 100);
	deliver(f, 100);
	assert_int_equal(fake_net_waiting(f->net), 1);
	assert_int_equal(*driver_available_event(&f->device.queues[RX]), 1);
}

static void test_a_driver_with_few_small_buffers_is_served(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa;

	for (unsigned round = 0; round < 5; round++) {
		gpa = add_receive_buffer(f, 64);
		add_receive_buffer(f, 64);
		driver_notify(&f->device, RX);
		deliver(f, 100);
		expect_received(f, gpa, 100, 64);
	}
}

static void test_many_frames_pass_through_a_small_ring(void **state)
{
	struct fixture *f = *state;
	uint32_t head, written;
	unsigned received = 0;

	for (unsigned i = 0; i < 256; i++)
		add_receive_buffer(f, 1600);
	driver_notify(&f->device, RX);
	for (unsigned i = 0; i < 3000; i++) {
		deliver(f, 60 + i % 1000);
		while (driver_take_used(&f->device.queues[RX], &head, &written)) {
			assert_int_equal(written, HEADER + 60 + received % 1000);
			received++;
			driver_offer(&f->device.queues[RX], (uint16_t)head);
		}
		driver_notify(&f->device, RX);
	}
	assert_int_equal(received, 3000);
}

static void test_a_burst_is_bounded_and_gone_on_with(void **state)
{
	struct fixture *f = *state;
	uint32_t head, written;
	unsigned received = 0;

	for (unsigned i = 0; i < 1000; i++)
		deliver(f, 60);
	for (unsigned i = 0; i < 256; i++)
		add_receive_buffer(f, 1600);
	while (received < 1000) {
		driver_notify(&f->device, RX);
		while (driver_take_used(&f->device.queues[RX], &head, &written)) {
			received++;
			driver_offer(&f->device.queues[RX], (uint16_t)head);
		}
	}
	assert_int_equal(fake_net_waiting(f->net), 0);
}

static void test_frames_that_are_too_long_are_dropped_and_the_next_received(void **state)
{
	struct fixture *f = *state;
	gpa_t gpa = add_receive_buffer(f, 2048);

	driver_notify(&f->device, RX);
	deliver(f, 4000);
	assert_int_equal(f->device.queues[RX].used->index, 0);
	deliver(f, 200);
	expect_received(f, gpa, 200, 2048);
}

static void test_without_merging_a_frame_is_one_buffer(void **state)
{
	struct fixture *f = *state;
	gpa_t first = add_receive_buffer(f, 512), second = add_receive_buffer(f, 512);

	driver_notify(&f->device, RX);
	deliver(f, 600);
	assert_int_equal(f->device.queues[RX].used->index, 0);
	deliver(f, 500);
	expect_received(f, first, 500, 512);
	deliver(f, 100);
	expect_received(f, second, 100, 512);
	deliver(f, 100);
	assert_int_equal(fake_net_waiting(f->net), 1);
}

static void test_a_receive_buffer_without_room_for_the_header_fails_the_device(void **state)
{
	struct fixture *f = *state;

	add_receive_buffer(f, HEADER - 1);
	driver_notify(&f->device, RX);
	assert_true(f->virtio->failed);
	deliver(f, 100);
	assert_int_equal(f->device.queues[RX].used->index, 0);
}

static void test_a_receive_buffer_to_be_read_fails_the_device(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffer = {driver_alloc(&f->ram, 2048, 16), 2048, false};

	driver_add(&f->device.queues[RX], &buffer, 1);
	driver_notify(&f->device, RX);
	assert_true(f->virtio->failed);
}

/* --- The device ------------------------------------------------------------------------------ */

static void test_config_and_features(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_config config = {0};

	driver_config_read(&f->device, 0, &config, f->virtio->config_size);
	assert_memory_equal(config.mac, mac, sizeof(mac));
	assert_int_equal(config.mtu, MTU);
	assert_int_equal(config.status, VIRTIO_NET_S_LINK_UP);
	assert_false(f->virtio->offered & OFFLOADS);
	assert_true(f->virtio->offered & BIT(VIRTIO_NET_F_MRG_RXBUF));
}

static void test_offloads_follow_the_driver(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->virtio->offered & OFFLOADS, OFFLOADS);
	assert_int_equal(fake_net_offloads(f->net),
			 BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
				 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN));
	driver_reset(&f->device);
	assert_int_equal(fake_net_offloads(f->net), 0);
	driver_start(&f->device, &f->ram, ~BIT(VIRTIO_NET_F_GUEST_CSUM), 256);
	assert_int_equal(fake_net_offloads(f->net), 0);
}

static void test_a_reset_forgets_the_receive_buffers(void **state)
{
	struct fixture *f = *state;
	gpa_t old, new;

	old = add_receive_buffer(f, 2048);
	driver_notify(&f->device, RX);
	driver_reset(&f->device);
	memset(driver_at(&f->ram, old, 2048), 0x55, 2048);
	deliver(f, 100);
	driver_start(&f->device, &f->ram, UINT64_MAX, 256);
	new = add_receive_buffer(f, 2048);
	driver_notify(&f->device, RX);
	expect_received(f, new, 100, 2048);
	assert_int_equal(*(uint8_t *)driver_at(&f->ram, old, 1), 0x55);
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define NET_TEST_WITH(name, set) cmocka_unit_test_setup_teardown(name, set, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(test_frames_are_sent_whatever_their_framing),
		NET_TEST(test_a_batch_of_frames_is_one_interrupt),
		NET_TEST_WITH(test_a_rate_is_kept_and_nothing_is_dropped, setup_rate),
		NET_TEST_WITH(test_a_reset_forgets_frames_that_wait, setup_rate),
		NET_TEST(test_a_full_port_drops_and_the_driver_goes_on),
		NET_TEST_WITH(test_headers_pass_with_what_was_negotiated, setup_offloads),
		NET_TEST_WITH(test_bad_headers_drop_the_frame, setup_offloads),
		NET_TEST_WITH(test_offloads_that_were_not_negotiated_drop_the_frame,
			      setup_offloads_not_negotiated),
		NET_TEST(test_nothing_and_too_much_are_no_frames),
		NET_TEST(test_a_frame_without_header_fails_the_device),
		NET_TEST(test_a_frame_is_received_into_one_buffer),
		NET_TEST(test_a_frame_is_spread_over_buffers),
		NET_TEST_WITH(test_a_segmented_frame_of_the_largest_size_is_received,
			      setup_offloads),
		NET_TEST(test_frames_wait_in_the_port_for_buffers),
		NET_TEST(test_the_driver_is_asked_for_a_doorbell_when_buffers_are_out),
		NET_TEST(test_a_driver_with_few_small_buffers_is_served),
		NET_TEST(test_many_frames_pass_through_a_small_ring),
		NET_TEST_WITH(test_many_frames_pass_through_a_small_ring, setup_offloads),
		NET_TEST(test_a_burst_is_bounded_and_gone_on_with),
		NET_TEST(test_frames_that_are_too_long_are_dropped_and_the_next_received),
		NET_TEST_WITH(test_without_merging_a_frame_is_one_buffer, setup_no_merging),
		NET_TEST(test_a_receive_buffer_without_room_for_the_header_fails_the_device),
		NET_TEST(test_a_receive_buffer_to_be_read_fails_the_device),
		NET_TEST(test_config_and_features),
		NET_TEST_WITH(test_offloads_follow_the_driver, setup_offloads),
		NET_TEST(test_a_reset_forgets_the_receive_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
