/* SPDX-License-Identifier: MIT */
/*
 * segment.h - TCP packets that a client left to be cut up (virtio 1.2 section 5.1.6.2, GSO_TCPV4
 * and GSO_TCPV6): what of them is where, and the frames that are made of one.
 *
 * Pure.  A packet's first bytes are hostile: they are judged once, by a copy.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_SEGMENT_H
#define DYAD_TYPE1_SERVICES_SWITCH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/virtio.h"

/* Ethernet with a VLAN tag, IPv4 and TCP with all options that they can have. */
#define SEGMENT_HEADERS_MAX (18 + 60 + 60)
#define SEGMENTS_MAX 1024 /* of one packet */

struct segments {
	uint32_t network, transport,
		payload; /* offsets of the IP and TCP headers, and of the data */
	uint32_t size;   /* of the packet's frame */
	uint32_t most;   /* bytes of data in a segment */
	bool ipv6;
};

/*
 * Finds out about a packet of size bytes whose first `have` are in start: as many as there are, and
 * no more than SEGMENT_HEADERS_MAX.  False: it can't be cut up as its header says, into Ethernet
 * frames.
 */
bool segments_find(struct segments *segments, const struct virtio_net_hdr_v1 *header,
		   const uint8_t *start, uint32_t have, uint32_t size);
/* Whether who accepts that (SWITCH_ACCEPTS_*) takes the packet as it is. */
bool segments_accepted(const struct virtio_net_hdr_v1 *header, uint32_t accepts);
uint32_t segments_count(const struct segments *segments);
/* Writes number of segments_count() of a packet in one piece, complete; how many bytes. */
uint32_t segment_write(const struct segments *segments, const uint8_t *packet, uint32_t number,
		       uint8_t *to);

#endif
