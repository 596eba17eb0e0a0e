/* SPDX-License-Identifier: MIT */
/*
 * offload.h - what a client may leave open in the frames it sends: their checksum.  (And packets to
 * be cut up: segment.h.)
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_OFFLOAD_H
#define DYAD_TYPE1_SERVICES_SWITCH_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/virtio.h"

/* Whether the switch can finish a frame with this header: the checksum's place is in the frame,
 * behind the Ethernet header. */
bool offload_possible(const struct virtio_net_hdr_v1 *header, uint32_t size);
/* Finishes one that it can, whose bytes may meanwhile be written by others. */
void offload_finish(const struct virtio_net_hdr_v1 *header, uint8_t *frame, uint32_t size);

/* Adds size bytes to a sum of 16-bit words in one's complement: words in memory's order. */
uint16_t offload_sum(uint16_t before, const uint8_t *bytes, uint32_t size);

#endif
