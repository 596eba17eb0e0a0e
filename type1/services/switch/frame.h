/* SPDX-License-Identifier: MIT */
/*
 * frame.h - a frame on its way through the switch: what of it was copied and judged, and the
 * frames that it makes for who takes nothing unfinished: with its checksum completed, or cut up.
 *
 * Where it came from may be a hostile client's memory, which is read once: the headers are copied
 * and only the copy is judged and passed on; what is behind them is copied once, to where it goes.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_FRAME_H
#define DYAD_TYPE1_SERVICES_SWITCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/virtio.h"
#include "type1/services/switch/segment.h"

#define FRAME_HEADER sizeof(struct virtio_net_hdr_v1)

struct frame {
	struct virtio_net_hdr_v1 header; /* as it may be given to who takes all in `needs` */
	uint64_t needs;                  /* of VIRTIO_NET_F_GUEST_*, bit numbers as bits */
	uint32_t size;                   /* without the virtio header */
	uint32_t head_size;              /* of head: ETHERNET_HEADER at the least */
	struct segments segments;        /* count 1 and no more if it is not one to be cut up */
	const uint8_t *rest;             /* behind the head: may change at any time */
	uint8_t head[SEGMENT_HEADERS_MAX];
};

/* One without a header, of ETHERNET_HEADER bytes at the least, or less in a buffer of so many. */
void frame_of(struct frame *frame, const uint8_t *bytes, uint32_t size);
/* One with its header in front, of FRAME_HEADER + ETHERNET_HEADER bytes at the least, that others
 * may be writing to.  False: its header asks for what can't be. */
bool frame_read(struct frame *frame, const uint8_t *bytes, uint32_t size);

/* The size of the longest frame that it makes on the wire, and of all of them. */
uint32_t frame_longest(const struct frame *frame);
uint32_t frame_wire_bytes(const struct frame *frame);

/* Writes the frame as it is, size bytes. */
void frame_write(const struct frame *frame, uint8_t *to);
/* The size of the nth of segments.count frames, with nothing open; and writes it. */
uint32_t frame_part_size(const struct frame *frame, uint32_t n);
void frame_write_part(const struct frame *frame, uint32_t n, uint8_t *to);

#endif
