/* SPDX-License-Identifier: MIT */
/*
 * tails.c - the last that each VM wrote (tails.h).  Names are those of the image's processes: there
 * are no more tails than these.
 */
#include "type1/services/console/tails.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "os.h"

struct tail *tails_find(const struct tails *tails, const char *name)
{
	struct tail *tail = tails->first;

	while (tail && !text_equal(tail->name, name))
		tail = tail->next;
	return tail;
}

struct tail *tails_begin(struct tails *tails, const char *name)
{
	struct tail *tail = tails_find(tails, name);

	if (tail) {
		tail->written = tail->seen = 0;
		return tail;
	}
	tail = os_alloc(sizeof(*tail));
	if (!tail)
		return NULL;
	memcpy(tail->name, name, MIN(text_length(name), sizeof(tail->name) - 1));
	tail->next = tails->first;
	tails->first = tail;
	return tail;
}

void tail_add(struct tail *tail, const char *bytes, size_t count)
{
	if (!tail)
		return;
	for (size_t i = 0; i < count; i++)
		tail->bytes[tail->written++ % TAIL_BYTES] = bytes[i];
}

uint64_t tail_start(const struct tail *tail)
{
	uint64_t first = tail->written - MIN(tail->written, (uint64_t)TAIL_BYTES), at = first;

	if (!first)
		return 0;
	while (at < tail->written)
		if (tail->bytes[at++ % TAIL_BYTES] == '\n')
			return at;
	return first;
}

size_t tail_read(const struct tail *tail, uint64_t *at, char *bytes, size_t size)
{
	size_t count = 0;

	if (!tail)
		return 0;
	if (tail->written > TAIL_BYTES)
		*at = MAX(*at, tail->written - TAIL_BYTES);
	while (count < size && *at < tail->written)
		bytes[count++] = tail->bytes[(*at)++ % TAIL_BYTES];
	return count;
}
