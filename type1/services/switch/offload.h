/* SPDX-License-Identifier: MIT */
/*
 * offload.h - what a client may leave open in the frames it sends: their checksum.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_OFFLOAD_H
#define DYAD_TYPE1_SERVICES_SWITCH_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/virtio.h"

/* Whether the switch can finish a frame with this header: nothing to cut up, and the checksum's
 * place in the frame, behind the Ethernet header. */
bool offload_possible(const struct virtio_net_hdr_v1 *header, uint32_t size);
/* Finishes one that it can, whose bytes may meanwhile be written by others. */
void offload_finish(const struct virtio_net_hdr_v1 *header, uint8_t *frame, uint32_t size);

#endif
