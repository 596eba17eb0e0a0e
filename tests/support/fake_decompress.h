/* SPDX-License-Identifier: MIT */
/*
 * fake_decompress.h - os_decompress() for tests: a packed stream is its codec's magic, the count of
 * bytes (32 bits), and the bytes as they are.
 */
#ifndef DYAD_TESTS_FAKE_DECOMPRESS_H
#define DYAD_TESTS_FAKE_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "os.h"

/* What the next calls return instead of unpacking, while it is not 0. */
extern int64_t fake_decompress_result;

/* Writes the stream, which is at most 10 bytes longer than the content; returns its size. */
size_t fake_compress(enum os_codec codec, const void *content, size_t size, uint8_t *packed);

#endif
