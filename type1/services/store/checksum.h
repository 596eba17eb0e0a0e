/* SPDX-License-Identifier: MIT */
/*
 * checksum.h - the two checksums of the store's disks: CRC-32 of partition tables (UEFI 2.10,
 * section 5.3.1), and CRC-32C of its own metadata.
 */
#ifndef DYAD_STORE_CHECKSUM_H
#define DYAD_STORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Polynomials with the lowest bit first. */
#define CHECKSUM_CRC32 0xedb88320u
#define CHECKSUM_CRC32C 0x82f63b78u

/* before: 0, or the checksum of the bytes that these follow. */
uint32_t checksum(uint32_t polynomial, uint32_t before, const void *bytes, size_t size);

#endif
