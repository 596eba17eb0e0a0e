/* SPDX-License-Identifier: MIT */
/*
 * words.h - command lines: words between spaces, each a name or name=value.
 */
#ifndef DYAD_TYPE1_WORDS_H
#define DYAD_TYPE1_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
	const char *name, *value; /* not ended by a zero; value: NULL without "=" */
	size_t name_size, value_size;
};
/* The next word at *line, which moves on behind it; false: there is none. */
bool word_next(const char **line, struct word *word);
#define WORD_TEXT 64
/* Its name for a message, cut to what has room; buffer. */
const char *word_text(const struct word *word, char buffer[WORD_TEXT]);
bool word_is(const struct word *word, const char *name);
/* The value is a number, maybe with K, M or G behind it, and nothing else. */
bool word_number(const struct word *word, uint64_t *number);
/* The value is numbers below 64 and ranges of them, as in 0,2-3: a bit each. */
bool word_set(const struct word *word, uint64_t *set);

#endif
