/* SPDX-License-Identifier: MIT */
/*
 * Frames with a virtio header that asks for them to be cut up: any bytes at all, of which what is
 * cut up is in bounds and complete; and TCP of all shapes, of which each part is what the RFCs want
 * (tcp_frame.h).
 */
#include <stdlib.h>

#include "lib/bits.h"
#include "tests/support/fuzz_input.h"
#include "tests/support/tcp_frame.h"
#include "type1/services/switch/checksum.c"
#include "type1/services/switch/segment.c"

#define PARTS_MAX 100 /* that are looked at, from the first on, and the last */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each has memory of its own, of just its size. */
static void write_parts(const struct segments *segments, const uint8_t *frame, uint32_t size,
			const struct tcp_shape *shape)
{
	uint32_t total = 0;

	fuzz_check(segments->count && segments->headers + segments->payload == size);
	for (uint32_t n = 0; n < segments->count; n++) {
		uint32_t part = segment_size(segments, n);
		uint8_t *bytes;

		fuzz_check(part > segments->headers);
		total += part - segments->headers;
		if (n >= PARTS_MAX && n + 1 < segments->count)
			continue;
		bytes = malloc(part);
		segment_write(segments, n, frame, frame + segments->headers, bytes);
		fuzz_check(!shape || tcp_is_part(shape, frame, n, bytes, part));
		free(bytes);
	}
	fuzz_check(total == segments->payload);
}

static void any_bytes(struct fuzz_input *input)
{
	struct virtio_net_hdr_v1 header;
	struct segments segments;
	uint32_t size, head_size;
	uint8_t *frame, *head;

	for (unsigned i = 0; i < sizeof(header); i++)
		((uint8_t *)&header)[i] = (uint8_t)fuzz_take(input, 1);
	size = (uint32_t)input->left;
	if (size < 14)
		return;
	head_size = MIN(size, SEGMENT_HEADERS_MAX);
	frame = malloc(size);
	head = malloc(head_size);
	memcpy(frame, input->at, size);
	memcpy(head, frame, head_size);
	if (segments_find(&segments, &header, head, size))
		write_parts(&segments, frame, size, NULL);
	free(head);
	free(frame);
}

static void any_shape(struct fuzz_input *input)
{
	static uint8_t frame[18 + 65535];
	const struct tcp_shape shape = {
		.ipv6 = fuzz_take(input, 1) & 1,
		.tags = (unsigned)fuzz_take(input, 1) % 3,
		.ip_options = (unsigned)fuzz_take(input, 1) % 6 * 8,
		.tcp_options = (unsigned)fuzz_take(input, 1) % 11 * 4,
		.payload = 1 + (uint32_t)fuzz_take(input, 2) % 65000,
		.each = (uint16_t)(1 + fuzz_take(input, 2) % 9000),
		.flags = (uint8_t)fuzz_take(input, 1),
	};
	struct virtio_net_hdr_v1 header;
	struct segments segments;
	uint32_t size;

	for (unsigned i = 0; i < 12; i++)
		frame[i] = (uint8_t)fuzz_take(input, 1);
	size = tcp_make(&shape, &header, frame);
	fuzz_check(segments_find(&segments, &header, frame, size));
	write_parts(&segments, frame, size, &shape);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};

	if (fuzz_take(&input, 1) & 1)
		any_bytes(&input);
	else
		any_shape(&input);
	return 0;
}
