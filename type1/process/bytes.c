/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - the four functions that compilers call on their own (lib/bytes.h).  The string
 * instructions are fast on all processors that have virtualization, and can't be compiled into
 * calls of themselves.
 */
#include "lib/bytes.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(count) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t count)
{
	uint8_t *last = (uint8_t *)to + count - 1;
	const uint8_t *from_last = (const uint8_t *)from + count - 1;

	if ((uintptr_t)to - (uintptr_t)from >= count)
		return memcpy(to, from, count);
	/* to lies within what is copied: from the end down. */
	__asm__ volatile("std\n\trep movsb\n\tcld"
			 : "+D"(last), "+S"(from_last), "+c"(count)
			 :
			 : "memory", "cc");
	return to;
}

void *memset(void *to, int byte, size_t count)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(byte) : "memory");
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
