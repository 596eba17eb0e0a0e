/* SPDX-License-Identifier: MIT */
/*
 * frame.c - a frame on its way (frame.h).
 */
#include "type1/services/switch/frame.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/frame_queue.h"
#include "type1/services/switch/checksum.h"
#include "type1/services/switch/forward.h"

void frame_of(struct frame *frame, const uint8_t *bytes, uint32_t size)
{
	frame->header = (struct virtio_net_hdr_v1){.num_buffers = 1};
	frame->needs = 0;
	frame->size = size;
	frame->head_size = ETHERNET_HEADER;
	frame->segments = (struct segments){.count = 1};
	frame->rest = bytes + ETHERNET_HEADER;
	memcpy(frame->head, bytes, ETHERNET_HEADER);
}

/* Whether the checksum's place is in the frame, behind the addresses, which are judged before it
 * is written. */
static bool checksum_possible(const struct virtio_net_hdr_v1 *header, uint32_t size)
{
	return header->checksum_start >= ETHERNET_HEADER &&
	       (uint32_t)header->checksum_start + header->checksum_offset + sizeof(uint16_t) <=
		       size;
}

bool frame_read(struct frame *frame, const uint8_t *bytes, uint32_t size)
{
	struct virtio_net_hdr_v1 header;
	uint32_t head_size = MIN(size - (uint32_t)FRAME_HEADER, SEGMENT_HEADERS_MAX);

	memcpy(&header, bytes, sizeof(header));
	frame_of(frame, bytes + FRAME_HEADER, size - (uint32_t)FRAME_HEADER);
	if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		memcpy(frame->head, bytes + FRAME_HEADER, head_size);
	/* The copies before they are judged: the compiler may not read the client's again. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!checksum_possible(&header, frame->size))
			return false;
		frame->header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		frame->header.checksum_start = header.checksum_start;
		frame->header.checksum_offset = header.checksum_offset;
	}
	if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		if (!segments_find(&frame->segments, &header, frame->head, frame->size))
			return false;
		frame->head_size = frame->segments.headers;
		frame->rest = bytes + FRAME_HEADER + frame->head_size;
		frame->header.gso_type = header.gso_type;
		frame->header.gso_size = header.gso_size;
		frame->header.header_length = frame->segments.headers;
	}
	frame->needs = frame_needs(&frame->header);
	return true;
}

uint32_t frame_longest(const struct frame *frame)
{
	return frame_part_size(frame, 0);
}

uint32_t frame_wire_bytes(const struct frame *frame)
{
	return frame->size + (frame->segments.count - 1) * frame->segments.headers;
}

void frame_write(const struct frame *frame, uint8_t *to)
{
	memcpy(to, frame->head, frame->head_size);
	memcpy(to + frame->head_size, frame->rest, frame->size - frame->head_size);
}

/* Section 5.1.6.2: the field has the sum of the pseudo header, and the sum of all from
 * checksum_start on, the field included, completes it. */
static void complete_checksum(const struct virtio_net_hdr_v1 *header, uint8_t *bytes, uint32_t size)
{
	uint32_t start = header->checksum_start;
	uint16_t checksum = checksum_end(checksum_add(0, bytes + start, size - start));

	/* UDP's zero is "none" (RFC 768); the other zero is the same number. */
	if (!checksum)
		checksum = UINT16_MAX;
	store_le16(bytes + start + header->checksum_offset, checksum);
}

/* Whether it is to be cut up: each of its parts is made anew. */
static bool has_segments(const struct frame *frame)
{
	return frame->header.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

uint32_t frame_part_size(const struct frame *frame, uint32_t n)
{
	return has_segments(frame) ? segment_size(&frame->segments, n) : frame->size;
}

void frame_write_part(const struct frame *frame, uint32_t n, uint8_t *to)
{
	if (has_segments(frame)) {
		segment_write(&frame->segments, n, frame->head, frame->rest, to);
		return;
	}
	frame_write(frame, to);
	if (frame->header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		complete_checksum(&frame->header, to, frame->size);
}
