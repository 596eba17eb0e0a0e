/* SPDX-License-Identifier: MIT */
/*
 * tails.h - the last that each VM wrote, by its name, also when it has ended.
 */
#ifndef DYAD_TYPE1_CONSOLE_TAILS_H
#define DYAD_TYPE1_CONSOLE_TAILS_H

#include <stddef.h>
#include <stdint.h>

#include "abi/type1.h"

#define TAIL_BYTES 8192u

struct tail {
	char name[TYPE1_NAME];
	uint64_t written; /* bytes, ever: the last TAIL_BYTES of them are kept */
	uint64_t seen;    /* of them, by who was attached */
	char bytes[TAIL_BYTES];
	struct tail *next;
};

struct tails {
	struct tail *first;
};

/* NULL: nothing is known of a VM of that name. */
struct tail *tails_find(const struct tails *tails, const char *name);
/* The same, empty, of one that begins.  It stays for as long as the tails do.  NULL: no memory. */
struct tail *tails_begin(struct tails *tails, const char *name);

/* Of a tail that is NULL: nothing. */
void tail_add(struct tail *tail, const char *bytes, size_t count);
/* Where the first whole line that is kept begins, a count like written. */
uint64_t tail_start(const struct tail *tail);
/* Copies what is kept, oldest first, from *at on, a count like written, which it raises, to where
 * it begins at least.  How many bytes; 0: that was all. */
size_t tail_read(const struct tail *tail, uint64_t *at, char *bytes, size_t size);

#endif
