/* SPDX-License-Identifier: MIT */
/*
 * json_reader.c - walks a JSON tree and keeps track of the place.
 */
#include "cli/json_reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/suggest.h"
#include "cli/value.h"

/* --- Where we are, and what is wrong there --------------------------------------------------- */

static size_t place_enter_key(struct json_reader *reader, const char *key)
{
	size_t before = strlen(reader->place);

	snprintf(reader->place + before, JSON_READER_PLACE_MAX - before, "%s%.40s",
		 before > 0 ? "." : "", key);
	return before;
}

static size_t place_enter_item(struct json_reader *reader, size_t item)
{
	size_t before = strlen(reader->place);

	snprintf(reader->place + before, JSON_READER_PLACE_MAX - before, "[%zu]", item);
	return before;
}

static void place_leave(struct json_reader *reader, size_t before)
{
	reader->place[before] = '\0';
}

/* Puts the file and the place in front of the sentence. */
int json_reader_error(struct json_reader *reader, int code)
{
	char where[JSON_READER_PLACE_MAX + 256];

	if (reader->place[0] == '\0')
		return value_error_at(reader->why, code, reader->path);
	snprintf(where, sizeof(where), "%.240s: %s", reader->path, reader->place);
	return value_error_at(reader->why, code, where);
}

static const char *json_type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "null";
	}
}

int json_reader_expected(struct json_reader *reader, const json_t *value, const char *expected)
{
	error_set(reader->why, -EINVAL, "expected %s, found %s", expected, json_type_name(value));
	return json_reader_error(reader, -EINVAL);
}

/* --- Values ---------------------------------------------------------------------------------- */

const char *json_read_text(struct json_reader *reader, const json_t *value, const char *expected)
{
	if (json_is_string(value))
		return json_string_value(value);
	json_reader_expected(reader, value, expected);
	return NULL;
}

int json_read_bool(struct json_reader *reader, const json_t *value, bool *on)
{
	if (!json_is_boolean(value))
		return json_reader_expected(reader, value, "true or false");
	*on = json_is_true(value);
	return 0;
}

int json_read_choice(struct json_reader *reader, const json_t *value, const char *const *names,
		     unsigned *place)
{
	const char *text = json_read_text(reader, value, "a string");

	if (text == NULL)
		return -EINVAL;
	if (value_choice(text, names, place, reader->why) < 0)
		return json_reader_error(reader, -EINVAL);
	return 0;
}

/* --- Objects and arrays ---------------------------------------------------------------------- */

static int json_reader_unknown(struct json_reader *reader, const struct json_key *keys,
			       const char *name)
{
	struct suggestion suggestion;
	const char *nearest;

	suggest_begin(&suggestion, name);
	for (const struct json_key *key = keys; key->name != NULL; key++)
		suggest_consider(&suggestion, key->name);
	nearest = suggest_result(&suggestion);
	if (nearest != NULL)
		error_set(reader->why, -EINVAL, "unknown key \"%.40s\"; did you mean \"%s\"?", name,
			  nearest);
	else
		error_set(reader->why, -EINVAL,
			  "unknown key \"%.40s\"; dyad-vm(5) lists the keys that belong here",
			  name);
	return json_reader_error(reader, -EINVAL);
}

int json_read_object(struct json_reader *reader, json_t *object, const struct json_key *keys,
		     const char *expected, void *target)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return json_reader_expected(reader, object, expected);
	json_object_foreach(object, name, value)
	{
		const struct json_key *key = keys;
		size_t before;
		int error;

		while (key->name != NULL && strcmp(key->name, name) != 0)
			key++;
		if (key->name == NULL)
			return json_reader_unknown(reader, keys, name);
		before = place_enter_key(reader, name);
		error = key->read(reader, value, target);
		if (error < 0)
			return error;
		place_leave(reader, before);
	}
	return 0;
}

int json_read_array(struct json_reader *reader, json_t *array, json_read *read, void *target)
{
	if (!json_is_array(array))
		return json_reader_expected(reader, array, "an array");
	for (size_t i = 0; i < json_array_size(array); i++) {
		size_t before = place_enter_item(reader, i);
		int error = read(reader, json_array_get(array, i), target);

		if (error < 0)
			return error;
		place_leave(reader, before);
	}
	return 0;
}

int json_reader_missing(struct json_reader *reader, const char *key)
{
	error_set(reader->why, -EINVAL, "the key \"%s\" is missing", key);
	return json_reader_error(reader, -EINVAL);
}
