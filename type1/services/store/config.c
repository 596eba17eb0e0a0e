/* SPDX-License-Identifier: MIT */
/*
 * config.c - reading the store's module: lines of words between spaces.
 */
#include "type1/services/store/config.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/store/metadata.h"

#define WORDS_MAX 4

struct line {
	unsigned number;     /* from 1 on */
	unsigned word_count; /* WORDS_MAX + 1: too many */
	const char *words[WORDS_MAX];
	uint64_t sizes[WORDS_MAX];
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next line's words; where the one behind it begins. */
static uint64_t read_line(const char *text, uint64_t size, uint64_t at, struct line *line)
{
	line->number++;
	line->word_count = 0;
	while (at < size && text[at] != '\n') {
		uint64_t start;

		if (is_space(text[at])) {
			at++;
			continue;
		}
		start = at;
		while (at < size && text[at] != '\n' && !is_space(text[at]))
			at++;
		if (line->word_count < WORDS_MAX) {
			line->words[line->word_count] = text + start;
			line->sizes[line->word_count] = at - start;
		}
		line->word_count += line->word_count <= WORDS_MAX;
	}
	return at + 1;
}

static bool word_is(const struct line *line, unsigned i, const char *word)
{
	return line->sizes[i] == text_length(word) && !memcmp(line->words[i], word, line->sizes[i]);
}

/* Bytes, with K, M, G or T behind the number. */
static bool word_size(const struct line *line, unsigned i, uint64_t *size)
{
	static const char units[] = {'K', 'M', 'G', 'T'};
	uint64_t length = line->sizes[i], factor = 1;
	const char *word = line->words[i];

	for (unsigned unit = 0; unit < sizeof(units); unit++) {
		if (word[length - 1] == units[unit]) {
			factor = KIB << (10 * unit);
			length--;
			break;
		}
	}
	*size = 0;
	for (uint64_t at = 0; at < length; at++) {
		if (word[at] < '0' || word[at] > '9' || *size > UINT64_MAX / 16)
			return false;
		*size = *size * 10 + (uint64_t)(word[at] - '0');
	}
	if (!length || !*size || *size > (UINT64_MAX >> 1) / factor)
		return false;
	*size *= factor;
	return is_aligned(*size, METADATA_BLOCK);
}

static bool read_volume(const struct line *line, struct config *config)
{
	bool import = word_is(line, 0, "import");
	struct config_volume *volume = &config->volumes[config->volume_count];

	if (config->volume_count == CONFIG_VOLUMES || line->sizes[1] >= STORE_NAME)
		return false;
	*volume = (struct config_volume){0};
	memcpy(volume->name, line->words[1], line->sizes[1]);
	if (!metadata_name_valid(volume->name))
		return false;
	if (import) {
		if (line->sizes[2] >= CONFIG_FILE)
			return false;
		memcpy(volume->file, line->words[2], line->sizes[2]);
		if (line->word_count == 4 && !word_size(line, 3, &volume->size))
			return false;
	} else if (!word_size(line, 2, &volume->size)) {
		return false;
	}
	config->volume_count++;
	return true;
}

static bool read_words(const struct line *line, struct config *config)
{
	if (!line->word_count)
		return true;
	if (word_is(line, 0, "format") && line->word_count == 1) {
		config->format = true;
		return true;
	}
	if ((word_is(line, 0, "import") && (line->word_count == 3 || line->word_count == 4)) ||
	    (word_is(line, 0, "create") && line->word_count == 3))
		return read_volume(line, config);
	return false;
}

int config_read(const char *text, uint64_t size, struct config *config, struct error *why)
{
	struct line line = {0};

	*config = (struct config){0};
	for (uint64_t at = 0; at < size;) {
		at = read_line(text, size, at, &line);
		if (!read_words(&line, config))
			return error_set(why, -EINVAL,
					 "line %u of the store's module is none that it knows",
					 line.number);
	}
	return 0;
}
