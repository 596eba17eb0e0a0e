/* SPDX-License-Identifier: MIT */
/*
 * option.c - reads options by their table, and prints the table as help.
 */
#include "cli/option.h"

#include <errno.h>
#include <string.h>

#include "cli/suggest.h"

#define HELP_COLUMN 27 /* where the explanation starts */

void option_begin(struct option_parser *parser, const struct option_spec *specs, const char *help,
		  int argc, char **argv)
{
	*parser = (struct option_parser){
		.specs = specs, .help = help, .argc = argc, .next = 1, .argv = argv};
}

static bool option_can_be_negated(const struct option_spec *spec)
{
	return spec->argument == OPTION_SWITCH || spec->argument == OPTION_FLAG;
}

/* word is what stands behind the dashes, without "=VALUE". */
static const struct option_spec *option_find(const struct option_spec *specs, const char *word,
					     size_t length, bool *negated)
{
	for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
		*negated = false;
		if (strlen(spec->name) == length && memcmp(spec->name, word, length) == 0)
			return spec;
		*negated = true;
		if (option_can_be_negated(spec) && length == strlen(spec->name) + 3 &&
		    memcmp(word, "no-", 3) == 0 && memcmp(word + 3, spec->name, length - 3) == 0)
			return spec;
	}
	return NULL;
}

/* dashes and word as given, without "=VALUE". */
static int option_unknown(const struct option_parser *parser, const char *dashes, const char *word,
			  size_t length, struct error *why)
{
	struct suggestion suggestion;
	const char *nearest, *no = "";
	char copy[64];

	if (length >= sizeof(copy))
		length = sizeof(copy) - 1;
	memcpy(copy, word, length);
	copy[length] = '\0';
	if (strncmp(copy, "no-", 3) == 0)
		no = "no-";
	suggest_begin(&suggestion, copy + strlen(no));
	for (const struct option_spec *spec = parser->specs; spec->name != NULL; spec++)
		if (no[0] == '\0' || option_can_be_negated(spec))
			suggest_consider(&suggestion, spec->name);
	nearest = suggest_result(&suggestion);
	if (nearest != NULL)
		return error_set(why, -EINVAL, "unknown option %s%s; did you mean --%s%s?", dashes,
				 copy, no, nearest);
	return error_set(why, -EINVAL, "unknown option %s%s; '%s' lists the options", dashes, copy,
			 parser->help);
}

/* The value is the next word, unless that is evidently another option. */
static int option_take_value(struct option_parser *parser, const struct option_spec *spec,
			     struct option *option, struct error *why)
{
	const char *kind = spec->argument == OPTION_SWITCH ? "on|off" : spec->value;
	const char *word, *equals;
	bool negated;

	if (parser->next >= parser->argc)
		return error_set(why, -EINVAL, "--%s needs a value: --%s %s", spec->name,
				 spec->name, kind);
	word = parser->argv[parser->next];
	equals = strchr(word, '=');
	if (strncmp(word, "--", 2) == 0 &&
	    option_find(parser->specs, word + 2,
			equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2, &negated))
		return error_set(why, -EINVAL,
				 "--%s needs a value, but the option %.80s follows it; write "
				 "--%s=%.80s if that is the value",
				 spec->name, word, spec->name, word);
	option->value = word;
	parser->next++;
	return 1;
}

static int option_next_long(struct option_parser *parser, const char *given, struct option *option,
			    struct error *why)
{
	const char *word = given + 2;
	const char *equals = strchr(word, '=');
	size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct option_spec *spec;
	bool negated;

	spec = option_find(parser->specs, word, length, &negated);
	if (spec == NULL)
		return option_unknown(parser, "--", word, length, why);
	option->spec = spec;
	option->value = NULL;
	if (equals != NULL) {
		if (spec->argument == OPTION_NONE || negated)
			return error_set(why, -EINVAL,
					 "--%s%s takes no value, but \"%.80s\" was given",
					 negated ? "no-" : "", spec->name, equals + 1);
		option->value = equals + 1;
		return 1;
	}
	if (negated)
		option->value = "off";
	else if (spec->argument == OPTION_FLAG)
		option->value = "on";
	else if (spec->argument != OPTION_NONE)
		return option_take_value(parser, spec, option, why);
	return 1;
}

int option_next(struct option_parser *parser, struct option *option, struct error *why)
{
	const char *given;

	if (parser->next >= parser->argc)
		return 0;
	given = parser->argv[parser->next++];
	if (!parser->operands_only && strcmp(given, "--") == 0) {
		parser->operands_only = true;
		if (parser->next >= parser->argc)
			return 0;
		given = parser->argv[parser->next++];
	}
	if (parser->operands_only || given[0] != '-' || given[1] == '\0') {
		option->spec = NULL;
		option->value = given;
		return 1;
	}
	if (given[1] == '-')
		return option_next_long(parser, given, option, why);
	for (const struct option_spec *spec = parser->specs; spec->name != NULL; spec++) {
		if (spec->letter == 0 || given[1] != spec->letter || given[2] != '\0')
			continue;
		option->spec = spec;
		option->value = NULL;
		if (spec->argument == OPTION_VALUE || spec->argument == OPTION_SWITCH)
			return option_take_value(parser, spec, option, why);
		if (spec->argument == OPTION_FLAG)
			option->value = "on";
		return 1;
	}
	return option_unknown(parser, "-", given + 1, strcspn(given + 1, "="), why);
}

static int option_print_name(FILE *out, const struct option_spec *spec)
{
	int width = 2;

	fputs("  ", out);
	if (spec->letter != 0)
		width += fprintf(out, "-%c, ", spec->letter);
	width += fprintf(out, "--%s", spec->name);
	switch (spec->argument) {
	case OPTION_NONE:
		break;
	case OPTION_VALUE:
		width += fprintf(out, " %s", spec->value);
		break;
	case OPTION_SWITCH:
		width += fprintf(out, " on|off");
		break;
	case OPTION_FLAG:
		width += fprintf(out, "[=on|off]");
		break;
	}
	return width;
}

void option_print_help(FILE *out, const struct option_spec *specs)
{
	for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
		const char *line = spec->help;
		int width;

		if (spec->group != NULL)
			fprintf(out, "\n%s:\n", spec->group);
		width = option_print_name(out, spec);
		if (width >= HELP_COLUMN) {
			fputc('\n', out);
			width = 0;
		}
		for (;;) {
			size_t length = strcspn(line, "\n");

			fprintf(out, "%*s%.*s\n", HELP_COLUMN - width, "", (int)length, line);
			if (line[length] == '\0')
				break;
			line += length + 1;
			width = 0;
		}
	}
}
