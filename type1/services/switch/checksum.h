/* SPDX-License-Identifier: MIT */
/*
 * checksum.h - the Internet's checksum (RFC 1071): the sum of 16-bit words in one's complement,
 * which is the same in either byte order but for the order of its own bytes (section 2B), so words
 * are added as they are loaded, and stored as they are.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_CHECKSUM_H
#define DYAD_TYPE1_SERVICES_SWITCH_CHECKSUM_H

#include <stdint.h>

/* Adds size bytes, an even number unless they are the last, and 64 KiB and some at the most, to
 * what others have summed up to. */
uint64_t checksum_add(uint64_t total, const uint8_t *bytes, uint32_t size);
/* The checksum of all that was added. */
uint16_t checksum_end(uint64_t total);

#endif
