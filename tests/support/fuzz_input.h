/* SPDX-License-Identifier: MIT */
/* fuzz_input.h - takes a fuzzer's input apart: numbers from the front, zeros once it is used up. */
#ifndef DYAD_TESTS_FUZZ_INPUT_H
#define DYAD_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

/* size bytes, 1 to 8, little-endian. */
static inline uint64_t fuzz_take(struct fuzz_input *input, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size && input->left; i++, input->left--)
		value |= (uint64_t)*input->at++ << (8 * i);
	return value;
}

/* What must hold whatever the guest does. */
static inline void fuzz_check(int holds)
{
	if (!holds)
		abort();
}

#endif
