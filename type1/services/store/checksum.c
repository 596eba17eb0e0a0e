/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - cyclic redundancy checks, a bit at a time: tables of partitions and volumes are
 * small and seldom.
 */
#include "type1/services/store/checksum.h"

uint32_t checksum(uint32_t polynomial, uint32_t before, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint32_t crc = ~before;

	for (size_t i = 0; i < size; i++) {
		crc ^= at[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
	}
	return ~crc;
}
