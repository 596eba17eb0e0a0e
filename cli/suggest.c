/* SPDX-License-Identifier: MIT */
/*
 * suggest.c - nearness of words: the number of letters to insert, delete, change or swap with their
 * neighbour.  A word that begins a candidate counts as one slip: people abbreviate.
 */
#include "cli/suggest.h"

#include <string.h>

#define WORD_MAX 32

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned suggest_distance(const char *a, const char *b)
{
	size_t a_length = strlen(a), b_length = strlen(b);
	unsigned row[3][WORD_MAX + 1];

	if (a_length > WORD_MAX || b_length > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_length; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *now = row[i % 3];
		const unsigned *above = row[(i + 2) % 3], *above2 = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			now[j] = least(above[j], now[j - 1]) + 1;
			now[j] = least(now[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], above2[j - 2] + 1);
		}
	}
	return row[a_length % 3][b_length];
}

void suggest_begin(struct suggestion *suggestion, const char *word)
{
	suggestion->word = word;
	suggestion->nearest = NULL;
	suggestion->distance = WORD_MAX;
}

void suggest_consider(struct suggestion *suggestion, const char *candidate)
{
	size_t length = strlen(suggestion->word);
	unsigned distance = suggest_distance(suggestion->word, candidate);

	if (length >= 2 && strncmp(suggestion->word, candidate, length) == 0)
		distance = least(distance, 1);
	if (distance < suggestion->distance) {
		suggestion->distance = distance;
		suggestion->nearest = candidate;
	}
}

const char *suggest_result(const struct suggestion *suggestion)
{
	/* Up to a third of the letters may be wrong, and one always. */
	size_t bound = strlen(suggestion->word) / 3;

	if (bound < 1)
		bound = 1;
	return suggestion->distance <= bound ? suggestion->nearest : NULL;
}
