/* SPDX-License-Identifier: MIT */
/*
 * tcp_frame.h - TCP in Ethernet frames: makes one whose checksum is open and that may be too long
 * for a wire (virtio 1.2 section 5.1.6.2), and reads those that are finished, by the RFCs and
 * nothing of what is tested.
 */
#ifndef DYAD_TESTS_TCP_FRAME_H
#define DYAD_TESTS_TCP_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/virtio.h"
#include "lib/bytes.h"

struct tcp_shape {
	bool ipv6;
	unsigned tags;       /* of VLANs */
	unsigned ip_options; /* bytes: of IPv4, a multiple of 4; of IPv6, of 8 */
	unsigned tcp_options;
	uint32_t payload;
	uint16_t each; /* gso_size */
	uint8_t flags; /* of TCP */
};

static inline uint32_t tcp_get(const uint8_t *at, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

static inline void tcp_set(uint8_t *at, unsigned bytes, uint32_t value)
{
	while (bytes--) {
		at[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* What a place of the payload has. */
static inline uint8_t tcp_payload(uint32_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7);
}

#define TCP_FRAME_ID 0xfffe /* its successors pass 0xffff */
#define TCP_FRAME_SEQUENCE 0xffffff00u

/* Writes the frame behind Ethernet's addresses, which stay, and its header.  Its size. */
static inline uint32_t tcp_make(const struct tcp_shape *shape, struct virtio_net_hdr_v1 *header,
				uint8_t *frame)
{
	uint32_t ip = 14 + 4 * shape->tags, ip_size = (shape->ipv6 ? 40 : 20) + shape->ip_options;
	uint32_t tcp = ip + ip_size, tcp_size = 20 + shape->tcp_options;

	memset(frame + 12, 0, tcp + tcp_size - 12);
	for (unsigned i = 0; i < shape->tags; i++)
		tcp_set(frame + 12 + 4 * i, 4, i + 1 < shape->tags ? 0x88a80005 : 0x81000007);
	tcp_set(frame + ip - 2, 2, shape->ipv6 ? 0x86dd : 0x0800);
	if (shape->ipv6) {
		frame[ip] = 0x60;
		tcp_set(frame + ip + 4, 2, ip_size - 40 + tcp_size + shape->payload);
		frame[ip + 6] = shape->ip_options ? 60 : 6;
		if (shape->ip_options) {
			frame[ip + 40] = 6;
			frame[ip + 41] = (uint8_t)(shape->ip_options / 8 - 1);
		}
		for (unsigned i = 8; i < 40; i++)
			frame[ip + i] = (uint8_t)(0xf0 + i);
	} else {
		frame[ip] = (uint8_t)(0x40 | ip_size / 4);
		tcp_set(frame + ip + 2, 2, ip_size + tcp_size + shape->payload);
		tcp_set(frame + ip + 4, 2, TCP_FRAME_ID);
		tcp_set(frame + ip + 6, 2, 0x4000); /* not to be fragmented */
		frame[ip + 8] = 64;
		frame[ip + 9] = 6;
		tcp_set(frame + ip + 12, 4, 0x0a000001);
		tcp_set(frame + ip + 16, 4, 0x0a0000fe);
		memset(frame + ip + 20, 1, shape->ip_options); /* no operation */
	}
	tcp_set(frame + tcp, 4, 0x1234abcd); /* ports */
	tcp_set(frame + tcp + 4, 4, TCP_FRAME_SEQUENCE);
	frame[tcp + 12] = (uint8_t)(tcp_size / 4 << 4);
	frame[tcp + 13] = shape->flags;
	tcp_set(frame + tcp + 14, 2, 0x1000);
	memset(frame + tcp + 20, 1, shape->tcp_options);
	for (uint32_t i = 0; i < shape->payload; i++)
		frame[tcp + tcp_size + i] = tcp_payload(i);
	*header = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = shape->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.header_length = (uint16_t)(tcp + tcp_size),
		.gso_size = shape->each,
		.checksum_start = (uint16_t)tcp,
		.checksum_offset = 16,
	};
	return tcp + tcp_size + shape->payload;
}

struct tcp_frame {
	uint32_t sequence, payload_size;
	uint16_t id;
	uint8_t flags;
	uint32_t ip, tcp; /* where they begin */
	const uint8_t *payload;
};

/* One after the other, as on paper. */
static inline uint32_t tcp_sum(const uint8_t *bytes, uint32_t size, uint32_t total)
{
	for (uint32_t i = 0; i < size; i++) {
		total += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		if (total > 0xffff)
			total -= 0xffff;
	}
	return total;
}

/* Whether it is a finished frame with all lengths and checksums right, of such a shape. */
static inline bool tcp_read(const struct tcp_shape *shape, const uint8_t *frame, uint32_t size,
			    struct tcp_frame *out)
{
	uint32_t ip = 14 + 4 * shape->tags, ip_size = (shape->ipv6 ? 40 : 20) + shape->ip_options;
	uint32_t tcp = ip + ip_size, tcp_size = 20 + shape->tcp_options, total;

	if (size < tcp + tcp_size || tcp_get(frame + ip - 2, 2) != (shape->ipv6 ? 0x86dd : 0x800))
		return false;
	total = tcp_sum(frame + tcp, size - tcp, 0);
	if (shape->ipv6) {
		if (tcp_get(frame + ip + 4, 2) != size - ip - 40)
			return false;
		total = tcp_sum(frame + ip + 8, 32, total);
	} else {
		if (tcp_get(frame + ip + 2, 2) != size - ip ||
		    tcp_sum(frame + ip, ip_size, 0) != 0xffff)
			return false;
		total = tcp_sum(frame + ip + 12, 8, total);
	}
	total += 6 + (size - tcp);
	while (total > 0xffff)
		total -= 0xffff;
	*out = (struct tcp_frame){
		.sequence = tcp_get(frame + tcp + 4, 4),
		.payload_size = size - tcp - tcp_size,
		.id = shape->ipv6 ? 0 : (uint16_t)tcp_get(frame + ip + 4, 2),
		.flags = frame[tcp + 13],
		.ip = ip,
		.tcp = tcp,
		.payload = frame + tcp + tcp_size,
	};
	return total == 0xffff && frame[tcp + 12] >> 4 == tcp_size / 4;
}

/* Whether the frame is the nth of those that one of the shape makes on the wire: all that is to
 * differ between them does, and nothing else.  whole: what tcp_make() made. */
static inline bool tcp_is_part(const struct tcp_shape *shape, const uint8_t *whole, uint32_t n,
			       const uint8_t *frame, uint32_t size)
{
	uint32_t start = n * shape->each, left = shape->payload - start;
	bool first = n == 0, last = left <= shape->each;
	uint8_t flags = shape->flags, header[256];
	struct tcp_frame part;

	if (!tcp_read(shape, frame, size, &part))
		return false;
	if (!first)
		flags &= 0x7f; /* CWR */
	if (!last)
		flags &= 0xf6; /* FIN, PSH */
	if (part.sequence != TCP_FRAME_SEQUENCE + start || part.flags != flags ||
	    part.payload_size != (last ? left : shape->each) ||
	    part.id != (shape->ipv6 ? 0 : (uint16_t)(TCP_FRAME_ID + n)))
		return false;
	for (uint32_t i = 0; i < part.payload_size; i++)
		if (part.payload[i] != tcp_payload(start + i))
			return false;
	/* The headers without these fields, which were seen to. */
	memcpy(header, frame, size - part.payload_size);
	memcpy(header + part.tcp + 4, whole + part.tcp + 4, 4);
	header[part.tcp + 13] = whole[part.tcp + 13];
	memcpy(header + part.tcp + 16, whole + part.tcp + 16, 2);
	if (shape->ipv6) {
		memcpy(header + part.ip + 4, whole + part.ip + 4, 2);
	} else {
		memcpy(header + part.ip + 2, whole + part.ip + 2, 4);
		memcpy(header + part.ip + 10, whole + part.ip + 10, 2);
	}
	return !memcmp(header, whole, size - part.payload_size);
}

#endif
