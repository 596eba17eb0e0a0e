/* SPDX-License-Identifier: MIT */
/*
 * load_fuzz.h - what the loaders' fuzz targets share.
 *
 * The input is the request's options, and then either a kernel file as it is, or a list of changes
 * to a sound kernel: 32-bit values that are written to its first bytes, where all of its headers
 * stand.
 */
#ifndef DYAD_TESTS_LOAD_FUZZ_H
#define DYAD_TESTS_LOAD_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "tests/support/kernels.h"

/* seed makes the sound kernel that variant (any number) stands for. */
void load_fuzz(const uint8_t *data, size_t size, struct image (*seed)(unsigned variant));

#endif
