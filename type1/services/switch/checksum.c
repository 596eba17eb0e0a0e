/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - the Internet's checksum (checksum.h).
 */
#include "type1/services/switch/checksum.h"

#include "lib/bits.h"

/* Words of four bytes, which 64 bits hold without a carry. */
uint64_t checksum_add(uint64_t total, const uint8_t *bytes, uint32_t size)
{
	for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
		uint64_t words = load_le64(bytes);

		total += (words & UINT32_MAX) + (words >> 32);
	}
	for (; size >= sizeof(uint16_t); size -= sizeof(uint16_t), bytes += sizeof(uint16_t))
		total += load_le16(bytes);
	if (size)
		total += *bytes;
	return total;
}

uint16_t checksum_end(uint64_t total)
{
	while (total >> 16)
		total = (total & UINT16_MAX) + (total >> 16);
	return (uint16_t)~total;
}
