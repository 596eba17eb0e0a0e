/* SPDX-License-Identifier: MIT */
/*
 * offload.c - checksums that a client left open (virtio 1.2 section 5.1.6.2): the field has the sum
 * of the pseudo header, and the sum of all from checksum_start on, the field included, completes
 * it.
 *
 * A sum of 16-bit words in one's complement is the same in either byte order, but for the order of
 * its own bytes (RFC 1071, section 2B), so the words are added as they are loaded.
 */
#include "type1/services/switch/offload.h"

#include "lib/bits.h"
#include "type1/services/switch/forward.h"

bool offload_possible(const struct virtio_net_hdr_v1 *header, uint32_t size)
{
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	/* Behind the addresses, which are judged before it is written. */
	return header->checksum_start >= ETHERNET_HEADER &&
	       (uint32_t)header->checksum_start + header->checksum_offset + sizeof(uint16_t) <=
		       size;
}

/* Of words of four bytes, which 64 bits hold without a carry, folded to one of two. */
uint16_t offload_sum(uint16_t before, const uint8_t *bytes, uint32_t size)
{
	uint64_t total = before;

	for (; size >= sizeof(uint32_t); size -= sizeof(uint32_t), bytes += sizeof(uint32_t))
		total += load_le32(bytes);
	for (; size >= sizeof(uint16_t); size -= sizeof(uint16_t), bytes += sizeof(uint16_t))
		total += load_le16(bytes);
	if (size)
		total += *bytes;
	while (total >> 16)
		total = (total & UINT16_MAX) + (total >> 16);
	return (uint16_t)total;
}

void offload_finish(const struct virtio_net_hdr_v1 *header, uint8_t *frame, uint32_t size)
{
	uint16_t checksum;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	checksum = (uint16_t)~offload_sum(0, frame + header->checksum_start,
					  size - header->checksum_start);
	/* UDP's zero is "none" (RFC 768); the other zero is the same number. */
	if (!checksum)
		checksum = UINT16_MAX;
	store_le16(frame + header->checksum_start + header->checksum_offset, checksum);
}
