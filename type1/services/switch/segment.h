/* SPDX-License-Identifier: MIT */
/*
 * segment.h - TCP segments that a client leaves to others to cut up (virtio 1.2 section 5.1.6.2,
 * gso_type): which frames one makes on the wire, and each of these.
 *
 * Pure: makes no call, and trusts nothing in the headers.  What it judged is a copy of theirs; the
 * payload behind them may change at any time.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_SEGMENT_H
#define DYAD_TYPE1_SERVICES_SWITCH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/virtio.h"

/* Ethernet with two VLAN tags, IPv6 with some options, or the longest of IPv4, and the longest of
 * TCP. */
#define SEGMENT_HEADERS_MAX 256

struct segments {
	uint32_t count;   /* frames on the wire */
	uint32_t payload; /* bytes, of all */
	uint16_t each;    /* of them in each frame but the last, which has at most that */
	uint16_t headers; /* bytes in front of the payload */
	uint16_t ip, tcp; /* where these begin */
	bool ipv6;
};

/*
 * Of a frame of size bytes that begins with head, min(size, SEGMENT_HEADERS_MAX) bytes, with a
 * gso_type.  False: it can't be cut up, as it is no TCP, or its header is not about it.
 */
bool segments_find(struct segments *segments, const struct virtio_net_hdr_v1 *header,
		   const uint8_t *head, uint32_t size);
/* The size of the nth frame from 0 on. */
uint32_t segment_size(const struct segments *segments, uint32_t n);
/* Writes it, complete; the payload is that of all. */
void segment_write(const struct segments *segments, uint32_t n, const uint8_t *head,
		   const uint8_t *payload, uint8_t *to);

#endif
