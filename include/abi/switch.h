/* SPDX-License-Identifier: MIT */
/*
 * switch.h - what a client and the virtual switch say to each other: a port, by which Ethernet
 * frames go in and out.  The switch copies each frame once, between the memory of two ports or a
 * port and the network card; the frames of a port stand in its channel.
 *
 * Shared memory: struct switch_channel, from offset 0.  In front of each frame stands its struct
 * virtio_net_hdr_v1 (virtio 1.2 section 5.1.6).  A client may leave a frame's checksum open, and
 * a TCP packet of up to SWITCH_PACKET_MAX bytes to be cut up: then it goes as it is to those that
 * accept that, and for others the switch does it.
 */
#ifndef DYAD_ABI_SWITCH_H
#define DYAD_ABI_SWITCH_H

#include <stdint.h>

#include "abi/ring.h"

#define SWITCH_RING 128
#define SWITCH_FRAME 2048 /* bytes: a header of 12 and a frame of 1518 at the most, rounded up */
#define SWITCH_PACKET_MAX (65535 + 18) /* with Ethernet header and VLAN tag, without the header */

/* A frame, or a part of one that is longer: all but its last part are full, and all are produced at
 * once. */
struct switch_frame {
	uint16_t size; /* with the header, in the first part; SWITCH_MORE: the frame goes on */
	uint8_t bytes[SWITCH_FRAME - 2];
};
_Static_assert(sizeof(struct switch_frame) == SWITCH_FRAME, "of the ABI");
#define SWITCH_MORE 0x8000u
#define SWITCH_PART (SWITCH_FRAME - 2)
#define SWITCH_PARTS_MAX ((12 + SWITCH_PACKET_MAX + SWITCH_PART - 1) / SWITCH_PART)

/* switch_channel.accepts: what frames that the client receives may leave open. */
#define SWITCH_ACCEPTS_CHECKSUM 1u
#define SWITCH_ACCEPTS_TCP4 2u /* with SWITCH_ACCEPTS_CHECKSUM: packets to be cut up */
#define SWITCH_ACCEPTS_TCP6 4u
#define SWITCH_ACCEPTS_ECN 8u /* also such with the CWR flag */

/* What the client asks of its port, and signals then; the switch reads it once, when it is ready.
 */
struct switch_port {
	uint8_t mac[6]; /* the only source that its frames may have */
	uint16_t ready; /* 1: written last, when the rest stands */
	uint64_t rate;  /* bits a second that it may send; 0: no limit */
};

struct switch_channel {
	struct ring_header transmit, receive; /* seen by the client */
	struct switch_port port;
	uint32_t state;   /* [switch] 1: the port is up, negative: -errno */
	uint32_t accepts; /* [client] at any time: SWITCH_ACCEPTS_* */
	struct switch_frame sent[SWITCH_RING], received[SWITCH_RING];
};

#endif
