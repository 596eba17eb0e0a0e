/* SPDX-License-Identifier: MIT */
/*
 * words.c - takes command lines apart.
 */
#include "type1/runtime/words.h"

#include "lib/bits.h"
#include "lib/bytes.h"

#define SET_BITS 64

bool word_next(const char **line, struct word *word)
{
	const char *at = *line, *start;

	while (*at == ' ')
		at++;
	start = at;
	*word = (struct word){.name = start};
	for (; *at && *at != ' '; at++) {
		if (*at == '=' && !word->value)
			word->value = at + 1;
	}
	*line = at;
	word->name_size = (size_t)((word->value ? word->value - 1 : at) - start);
	word->value_size = word->value ? (size_t)(at - word->value) : 0;
	return at != start;
}

const char *word_text(const struct word *word, char buffer[WORD_TEXT])
{
	size_t size = MIN(word->name_size, WORD_TEXT - 1);

	memcpy(buffer, word->name, size);
	buffer[size] = 0;
	return buffer;
}

bool word_is(const struct word *word, const char *name)
{
	return text_length(name) == word->name_size && !memcmp(word->name, name, word->name_size);
}

/* Decimal digits at *at, which moves on behind them. */
static bool read_number(const char **at, const char *end, uint64_t *number)
{
	const char *start = *at;

	*number = 0;
	for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (*number > (UINT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return *at != start;
}

bool word_number(const struct word *word, uint64_t *number)
{
	static const char units[] = "KMG";
	const char *at = word->value, *end;
	uint64_t unit = 1;

	if (!at)
		return false;
	end = at + word->value_size;
	if (!read_number(&at, end, number))
		return false;
	for (unsigned i = 0; at < end && units[i]; i++) {
		unit *= KIB;
		if (*at == units[i]) {
			at++;
			if (*number > UINT64_MAX / unit)
				return false;
			*number *= unit;
			break;
		}
	}
	return at == end;
}

bool word_set(const struct word *word, uint64_t *set)
{
	const char *at = word->value, *end;
	uint64_t first, last;

	*set = 0;
	if (!at)
		return false;
	end = at + word->value_size;
	for (;;) {
		if (!read_number(&at, end, &first))
			return false;
		last = first;
		if (at < end && *at == '-') {
			at++;
			if (!read_number(&at, end, &last))
				return false;
		}
		if (last >= SET_BITS || first > last)
			return false;
		for (uint64_t i = first; i <= last; i++)
			*set |= BIT(i);
		if (at == end)
			return true;
		if (*at++ != ',')
			return false;
	}
}
