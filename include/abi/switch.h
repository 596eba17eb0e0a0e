/* SPDX-License-Identifier: MIT */
/*
 * switch.h - what a client and the virtual switch say to each other: a port, by which Ethernet
 * frames go in and out.  The switch copies each frame once, between the memory of two ports or a
 * port and the network card; the frames of a port stand in its channel.
 *
 * Shared memory: struct switch_channel, from offset 0.  In front of each frame stands its struct
 * virtio_net_hdr_v1 (virtio 1.2 section 5.1.6).  What a client sends may have its checksum open,
 * and a TCP segment may be as long as IP allows, to be cut up; what it receives has open only what
 * it has asked for.
 *
 * The entries of a ring (ring.h) are units of memory.  A frame stands in one piece: struct
 * switch_frame at a unit's start, as many units as it needs.  A size of 0 says that the next frame
 * stands at the ring's first unit.  A size that can't be, of what doesn't end in the ring or before
 * its head, ends the channel.
 */
#ifndef DYAD_ABI_SWITCH_H
#define DYAD_ABI_SWITCH_H

#include <stdint.h>

#include "abi/ring.h"

#define SWITCH_UNIT 64
#define SWITCH_RING 4096 /* units: three frames of the largest size at the least */
/* Header, Ethernet with a VLAN tag, and an IP packet. */
#define SWITCH_FRAME_MAX (12 + 18 + 65535)

struct switch_frame {
	uint32_t size; /* with its header */
	uint8_t bytes[];
};
_Static_assert(sizeof(struct switch_frame) == 4, "of the ABI");

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
	uint32_t state; /* [switch] 1: the port is up, negative: -errno */
	uint32_t reserved;
	/* [client] at any time: which of VIRTIO_NET_F_GUEST_* (bit numbers as bits) it takes in
	 * frames that it receives from now on. */
	uint64_t offloads;
	uint8_t reserved_288[32];
	uint8_t sent[SWITCH_RING * SWITCH_UNIT], received[SWITCH_RING * SWITCH_UNIT];
};
_Static_assert(__builtin_offsetof(struct switch_channel, sent) == 320, "of the ABI");

#endif
