/* SPDX-License-Identifier: MIT */
/*
 * Makes the decoder's enumerations and tables of lib/decode/instructions.txt, which says what it
 * looks like.
 *
 *   decode_tables INSTRUCTIONS DECODE_OP_H
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 1024

struct names {
	unsigned count;
	char *name[NAMES_MAX];
};

static struct names ops, features;

static void fail(unsigned line, const char *what)
{
	fprintf(stderr, "decode_tables: line %u: %s\n", line, what);
	exit(1);
}

static unsigned name_number(struct names *names, const char *name)
{
	unsigned i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], name))
			return i;
	if (names->count == NAMES_MAX)
		fail(0, "too many names");
	names->name[names->count] = strdup(name);
	return names->count++;
}

static void read_line(unsigned number, char *line)
{
	char *field[5], *part, *end;
	unsigned i;

	for (i = 0; i < 5; i++) {
		field[i] = strsep(&line, "|");
		if (!field[i])
			fail(number, "not five fields");
		field[i] += strspn(field[i], " \t\n");
	}
	end = field[1] + strcspn(field[1], " \t\n");
	*end = 0;
	name_number(&ops, field[1]);
	field[4][strcspn(field[4], " \t\n")] = 0;
	while ((part = strsep(&field[4], "/")))
		if (*part && *part != '-')
			name_number(&features, part);
}

static void print_enum(FILE *out, const char *tag, const char *prefix, const struct names *names,
		       const char *first)
{
	unsigned i;

	fprintf(out, "enum %s {\n\t%s_%s,\n", tag, prefix, first);
	for (i = 0; i < names->count; i++) {
		const char *c;

		fprintf(out, "\t%s_", prefix);
		for (c = names->name[i]; *c; c++)
			fputc(toupper((unsigned char)*c), out);
		fprintf(out, ",\n");
	}
	fprintf(out, "\t%s_COUNT\n};\n\n", prefix);
}

int main(int argc, char **argv)
{
	char line[256];
	unsigned number = 0;
	FILE *in, *out;

	if (argc != 3) {
		fprintf(stderr, "usage: decode_tables INSTRUCTIONS DECODE_OP_H\n");
		return 2;
	}
	in = fopen(argv[1], "r");
	out = fopen(argv[2], "w");
	if (!in || !out) {
		fprintf(stderr, "decode_tables: %s: %s\n", in ? argv[2] : argv[1], strerror(errno));
		return 1;
	}
	while (fgets(line, sizeof(line), in)) {
		number++;
		if (*line != '#' && *line != '\n')
			read_line(number, line);
	}
	fprintf(out, "/* Generated from lib/decode/instructions.txt. */\n"
		     "#ifndef DYAD_LIB_DECODE_OP_H\n#define DYAD_LIB_DECODE_OP_H\n\n");
	print_enum(out, "decode_op", "OP", &ops, "NONE");
	print_enum(out, "decode_feature", "FEATURE", &features, "BASE");
	fprintf(out, "#endif\n");
	return fclose(out) ? 1 : 0;
}
