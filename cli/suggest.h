/* SPDX-License-Identifier: MIT */
/*
 * suggest.h - finds the word that a mistyped one was probably meant to be.
 *
 * Begin with the mistyped word, offer each candidate, ask for the result.  Relies on nothing.
 */
#ifndef DYAD_CLI_SUGGEST_H
#define DYAD_CLI_SUGGEST_H

struct suggestion {
	const char *word;
	const char *nearest; /* the best candidate so far, or NULL */
	unsigned distance;
};

void suggest_begin(struct suggestion *suggestion, const char *word);
/* candidate is kept by reference. */
void suggest_consider(struct suggestion *suggestion, const char *candidate);
/* The nearest candidate, or NULL if none is near enough to be worth naming. */
const char *suggest_result(const struct suggestion *suggestion);

#endif
