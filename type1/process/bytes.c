/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - the four functions that compilers call on their own (lib/bytes.h).  The string
 * instructions can't be compiled into calls of themselves.  They are those of words: bytes are as
 * fast on processors that say so (CPUID leaf 7, ERMS), which AMD's do from Zen 3 on, and elsewhere
 * each byte is a step.  What is left behind the last word is a word again that ends with it.
 */
#include "lib/bytes.h"

#include <stdint.h>

#define WORD sizeof(uint64_t)
#define BYTES_OF_ONE UINT64_C(0x0101010101010101)

/* One at any place, of whatever stands there. */
typedef uint64_t __attribute__((aligned(1), may_alias)) any_word;

/* From the start on, which memmove() relies on: where to is below from, nothing is written before
 * it is read. */
static void copy(uint8_t *to, const uint8_t *from, size_t count)
{
	uint8_t *end = to + count;
	size_t words = count / WORD;
	uint64_t last;

	if (!words) {
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
		return;
	}
	last = *(const any_word *)(const void *)(from + count - WORD);
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	*(any_word *)(void *)(end - WORD) = last;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	copy(to, from, count);
	return to;
}

void *memmove(void *to, const void *from, size_t count)
{
	uint8_t *last = (uint8_t *)to + count - 1;
	const uint8_t *from_last = (const uint8_t *)from + count - 1;

	if ((uintptr_t)to - (uintptr_t)from >= count) {
		copy(to, from, count);
		return to;
	}
	/* to lies within what is copied: from the end down. */
	__asm__ volatile("std\n\trep movsb\n\tcld"
			 : "+D"(last), "+S"(from_last), "+c"(count)
			 :
			 : "memory", "cc");
	return to;
}

void *memset(void *to, int byte, size_t count)
{
	uint64_t word = (uint8_t)byte * BYTES_OF_ONE;
	size_t words = count / WORD;
	uint8_t *at = to;

	if (!words) {
		__asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(byte) : "memory");
		return to;
	}
	__asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(word) : "memory");
	*(any_word *)(void *)((uint8_t *)to + count - WORD) = word;
	return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < count; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}
