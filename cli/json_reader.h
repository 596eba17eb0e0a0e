/* SPDX-License-Identifier: MIT */
/*
 * json_reader.h - reads a JSON tree by tables of keys, and knows at each value where it is, so that
 * every error can say so: "web.json: disks[1].cache: ...".
 *
 * Functions return 0 or a negative errno with the whole sentence in why.  Relies on jansson,
 * value.h and suggest.h.
 */
#ifndef DYAD_CLI_JSON_READER_H
#define DYAD_CLI_JSON_READER_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

#define JSON_READER_PLACE_MAX 160

struct json_reader {
	const char *path; /* what to call the file */
	struct error *why;
	void *context;                     /* the user's */
	char place[JSON_READER_PLACE_MAX]; /* the value that is being read: disks[1].cache */
};

typedef int json_read(struct json_reader *reader, json_t *value, void *target);

struct json_key { /* a table of them ends with a NULL name */
	const char *name;
	json_read *read; /* reads the key's value into the object's target */
};

/* Puts the file and the place in front of the sentence in why, and returns code. */
int json_reader_error(struct json_reader *reader, int code);
/* "expected ..., found ..." */
int json_reader_expected(struct json_reader *reader, const json_t *value, const char *expected);
/* An object lacks a key that it must have. */
int json_reader_missing(struct json_reader *reader, const char *key);

/* The string's text, which lives as long as value; NULL if it is none, with the error made. */
const char *json_read_text(struct json_reader *reader, const json_t *value, const char *expected);
int json_read_bool(struct json_reader *reader, const json_t *value, bool *on);
/* One of names, which ends with NULL: its place. */
int json_read_choice(struct json_reader *reader, const json_t *value, const char *const *names,
		     unsigned *place);
/* An object that has some of the keys and no others. */
int json_read_object(struct json_reader *reader, json_t *object, const struct json_key *keys,
		     const char *expected, void *target);
/* An array of values that read() takes one by one. */
int json_read_array(struct json_reader *reader, json_t *array, json_read *read, void *target);

#endif
