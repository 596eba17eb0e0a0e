/* SPDX-License-Identifier: MIT */
/* TCP segments that the switch cuts up, checked against what the RFCs say (tcp_frame.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "tests/support/tcp_frame.h"
#include "type1/services/switch/checksum.c"
#include "type1/services/switch/segment.c"

#define FRAME_MAX (18 + 65535)

static uint8_t whole[FRAME_MAX];

static bool find(struct segments *segments, const struct virtio_net_hdr_v1 *header, uint32_t size)
{
	/* Of exactly what it may look at. */
	uint32_t head_size = MIN(size, SEGMENT_HEADERS_MAX);
	uint8_t *head = malloc(head_size);
	bool found;

	memcpy(head, whole, head_size);
	found = segments_find(segments, header, head, size);
	free(head);
	return found;
}

static void expect_cut(const struct tcp_shape *shape)
{
	struct virtio_net_hdr_v1 header;
	struct segments segments;
	uint32_t size, headers;

	for (unsigned i = 0; i < 12; i++)
		whole[i] = (uint8_t)(0x40 + i);
	size = tcp_make(shape, &header, whole);
	headers = size - shape->payload;
	header.header_length = 7; /* a hint, and not to be relied on */
	assert_true(find(&segments, &header, size));
	assert_int_equal(segments.count, (shape->payload + shape->each - 1) / shape->each);
	assert_int_equal(segments.headers, headers);
	for (uint32_t n = 0; n < segments.count; n++) {
		uint32_t part = segment_size(&segments, n);
		uint8_t *bytes = malloc(part);

		segment_write(&segments, n, whole, whole + headers, bytes);
		assert_true(tcp_is_part(shape, whole, n, bytes, part));
		free(bytes);
	}
}

static void all_shapes(void **state)
{
	static const uint32_t payloads[] = {1, 999, 1000, 1001, 2000, 54321, 65300};
	static const unsigned options[] = {0, 8, 40};

	(void)state;
	for (unsigned i = 0; i < 2 * 3 * 3 * 3 * 7; i++) {
		struct tcp_shape shape = {
			.ipv6 = i % 2,
			.tags = i / 2 % 3,
			.ip_options = options[i / 6 % 3],
			.tcp_options = options[i / 18 % 3],
			.payload = payloads[i / 54],
			.each = 1000,
			.flags = 0xff,
		};

		expect_cut(&shape);
	}
}

static void all_sizes_of_parts(void **state)
{
	(void)state;
	for (uint16_t each = 1; each < 1500; each += each < 70 ? 1 : 37) {
		struct tcp_shape shape = {.payload = 3001, .each = each, .flags = 0x19};

		expect_cut(&shape);
	}
}

/* A field of the header or a byte of the frame that is wrong. */
static void what_is_no_tcp(void **state)
{
	static const struct {
		bool ipv6;
		unsigned at;
		uint8_t value;
	} bytes[] = {
		{false, 12, 0x86},         /* another type */
		{true, 12, 8},             /* the same */
		{false, 14, 0x65},         /* another version of IP */
		{true, 14, 0x40},          /* the same */
		{false, 14, 0x46},         /* a header that goes on */
		{false, 14, 0x44},         /* one that is too short */
		{false, 14 + 6, 0x20},     /* a fragment that others follow */
		{false, 14 + 7, 1},        /* a fragment behind others */
		{false, 14 + 9, 17},       /* UDP */
		{true, 14 + 6, 17},        /* the same */
		{true, 14 + 6, 0},         /* options that end beyond */
		{true, 14 + 6, 43},        /* a routing header */
		{false, 34 + 12, 4 << 4},  /* TCP's header is too short */
		{false, 34 + 12, 15 << 4}, /* TCP's header is longer than the frame */
	};
	const struct tcp_shape shapes[] = {{.payload = 30, .each = 10},
					   {.ipv6 = true, .payload = 30, .each = 10}};
	struct virtio_net_hdr_v1 header;
	struct segments segments;
	uint32_t size;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(bytes); i++) {
		size = tcp_make(&shapes[bytes[i].ipv6], &header, whole);
		assert_true(find(&segments, &header, size));
		whole[bytes[i].at] = bytes[i].value;
		assert_false(find(&segments, &header, size));
	}
}

static void headers_that_cannot_be(void **state)
{
	const struct tcp_shape shape = {.payload = 300, .each = 100};
	struct virtio_net_hdr_v1 good, header;
	struct segments segments;
	uint32_t size = tcp_make(&shape, &good, whole);
	static const uint16_t starts[] = {0, 13, 14, 15, 33, 35, 237, 256, UINT16_MAX};
	static const uint8_t types[] = {0, 2, 3, 4, 5, 0x80, 0x81 ^ 0x40, 0xff};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(starts); i++) {
		header = good;
		header.checksum_start = starts[i];
		assert_false(find(&segments, &header, size));
	}
	for (unsigned i = 0; i < ARRAY_COUNT(types); i++) {
		header = good;
		header.gso_type = types[i];
		assert_false(find(&segments, &header, size));
	}
	header = good;
	header.flags = 0;
	assert_false(find(&segments, &header, size));
	header = good;
	header.checksum_offset = 6;
	assert_false(find(&segments, &header, size));
	header = good;
	header.gso_size = 0;
	assert_false(find(&segments, &header, size));
	header = good;
	header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	assert_true(find(&segments, &header, size));
	assert_true(find(&segments, &good, size - 299));
	/* No payload, and frames that end in their headers. */
	for (uint32_t less = 14; less <= size - 300; less++)
		assert_false(find(&segments, &good, less));
}

static void headers_that_are_too_long(void **state)
{
	struct tcp_shape shape = {.ipv6 = true, .payload = 100, .each = 10, .tcp_options = 40};
	struct virtio_net_hdr_v1 header;
	struct segments segments;
	uint32_t size;

	(void)state;
	/* 14, 40, 20 and 40 are TCP's without options of IP. */
	shape.ip_options = 136;
	size = tcp_make(&shape, &header, whole);
	assert_true(find(&segments, &header, size));
	assert_int_equal(segments.headers, 250);
	shape.ip_options += 8;
	size = tcp_make(&shape, &header, whole);
	assert_false(find(&segments, &header, size));
}

static void checksums(void **state)
{
	uint8_t bytes[77];

	(void)state;
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0xff - i * i);
	for (uint32_t size = 0; size <= sizeof(bytes); size++) {
		uint16_t sum = checksum_end(checksum_add(0, bytes, size));
		uint32_t expected = 0xffff - tcp_sum(bytes, size, 0);

		assert_int_equal((uint16_t)(sum << 8 | sum >> 8), expected);
		/* Of two parts. */
		assert_int_equal(
			checksum_end(checksum_add(checksum_add(0, bytes, size / 4 * 2),
						  bytes + size / 4 * 2, size - size / 4 * 2)),
			sum);
	}
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(checksum_end(checksum_add(UINT32_MAX, bytes, 76)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_shapes),
		cmocka_unit_test(all_sizes_of_parts),
		cmocka_unit_test(what_is_no_tcp),
		cmocka_unit_test(headers_that_cannot_be),
		cmocka_unit_test(headers_that_are_too_long),
		cmocka_unit_test(checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
