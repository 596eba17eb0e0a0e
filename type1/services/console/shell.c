/* SPDX-License-Identifier: MIT */
/*
 * shell.c - command lines (shell.h).
 */
#include "type1/services/console/shell.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"

#define USAGE_SIZE 64
#define WHAT_SIZE 16 /* of a name in a usage */

/* --- Words */

/* The words of text, each ended by a zero; at most SHELL_WORDS, SHELL_WORDS + 1: there are more. */
static unsigned split(char *text, char *words[SHELL_WORDS])
{
	unsigned count = 0;

	for (;;) {
		while (*text == ' ')
			*text++ = '\0';
		if (!*text)
			return count;
		if (count == SHELL_WORDS)
			return count + 1;
		words[count++] = text;
		while (*text && *text != ' ')
			text++;
	}
}

bool shell_number(const char *text, uint64_t limit, uint64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(uint8_t)*text - '0';

		if (digit > 9 || digit > limit || value > (limit - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

bool shell_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	char digits[LINE_SIZE];
	size_t length = text_length_max(text, sizeof(digits) - 1);
	unsigned shift = 0;

	memcpy(digits, text, length);
	digits[length] = '\0';
	for (unsigned i = 0; length && units[i]; i++)
		if (digits[length - 1] == units[i])
			shift = 10 * (i + 1);
	if (shift)
		digits[length - 1] = '\0';
	if (!shell_number(digits, UINT64_MAX >> shift, bytes))
		return false;
	*bytes <<= shift;
	return true;
}

/* --- Commands */

static const struct shell_command *find(const struct shell *shell, const char *name)
{
	for (unsigned i = 0; i < shell->command_count; i++)
		if (text_equal(shell->commands[i].name, name))
			return &shell->commands[i];
	return NULL;
}

/* How many arguments a command takes, at least and at most. */
static void count_arguments(const struct shell_command *command, unsigned *least, unsigned *most)
{
	*least = *most = 0;
	for (const char *at = command->usage; *at; at++) {
		if (at != command->usage && at[-1] != ' ')
			continue;
		++*most;
		*least += *at != '[';
	}
}

/* What a command's usage calls its argument of that number; false: it has none. */
static bool argument_name(const struct shell_command *command, unsigned number,
			  char what[WHAT_SIZE])
{
	const char *at = command->usage;
	size_t length = 0;

	while (number--) {
		while (*at && *at != ' ')
			at++;
		if (*at)
			at++;
	}
	if (*at == '[')
		at++;
	while (length < WHAT_SIZE - 1 && at[length] && at[length] != ' ' && at[length] != ']')
		length++;
	memcpy(what, at, length);
	what[length] = '\0';
	return length;
}

static void say_usage(const struct shell *shell, const struct shell_command *command)
{
	output_print(shell->out, "usage: %s%s%s\n", command->name, *command->usage ? " " : "",
		     command->usage);
}

void shell_help(const struct shell *shell, const char *name)
{
	const struct shell_command *only = name ? find(shell, name) : NULL;
	char usage[USAGE_SIZE];

	if (name && !only) {
		output_print(shell->out, "there is no command %s; 'help' lists all\n", name);
		return;
	}
	for (unsigned i = 0; i < shell->command_count; i++) {
		const struct shell_command *command = &shell->commands[i];

		if (only && command != only)
			continue;
		format_text(usage, sizeof(usage), "%s %s", command->name, command->usage);
		output_print(shell->out, "  %-34s %s\n", usage, command->summary);
	}
}

void shell_run(const struct shell *shell, char *text)
{
	const struct shell_command *command;
	char *words[SHELL_WORDS];
	unsigned count = split(text, words), least, most;

	if (!count)
		return;
	command = find(shell, words[0]);
	if (!command) {
		output_print(shell->out, "there is no command %s; 'help' lists all\n", words[0]);
		return;
	}
	count_arguments(command, &least, &most);
	if (count - 1 < least || count - 1 > most) {
		say_usage(shell, command);
		return;
	}
	command->run(shell->context, count - 1, words + 1);
}

/* --- Completion */

struct completion {
	const struct shell *shell;
	const char *what; /* NULL: a command */
	const char *start;
	size_t length; /* of start */
	/* What was found: */
	char common[LINE_SIZE];
	unsigned count;
};

static const char *next_candidate(const struct completion *completion, unsigned *index)
{
	const struct shell *shell = completion->shell;

	if (completion->what)
		return shell->next_name(shell->context, completion->what, index);
	return *index < shell->command_count ? shell->commands[(*index)++].name : NULL;
}

/* The next that begins as the word does. */
static const char *next_match(const struct completion *completion, unsigned *index)
{
	const char *name;

	while ((name = next_candidate(completion, index)))
		if (text_length(name) >= completion->length &&
		    !memcmp(name, completion->start, completion->length))
			return name;
	return NULL;
}

static void find_common(struct completion *completion)
{
	unsigned index = 0;
	const char *name;

	while ((name = next_match(completion, &index))) {
		size_t same = 0;

		if (completion->count++) {
			while (name[same] && name[same] == completion->common[same])
				same++;
			completion->common[same] = '\0';
		} else {
			format_text(completion->common, sizeof(completion->common), "%s", name);
		}
	}
}

static void list_matches(const struct completion *completion, struct line *line)
{
	const struct output *out = completion->shell->out;
	unsigned index = 0;
	const char *name;

	line_hide(line);
	while ((name = next_match(completion, &index)))
		output_print(out, "%s  ", name);
	output_text(out, "\n");
}

static void complete(struct completion *completion, struct line *line)
{
	size_t known;

	find_common(completion);
	known = text_length(completion->common);
	if (!completion->count)
		return;
	if (known > completion->length)
		line_insert(line, completion->common + completion->length,
			    known - completion->length);
	else if (completion->count > 1)
		list_matches(completion, line);
	if (completion->count == 1)
		line_insert(line, " ", 1);
}

/* What the word at the cursor is: the words before it say that. */
void shell_complete(const struct shell *shell, struct line *line)
{
	char before[LINE_SIZE], *words[SHELL_WORDS], what[WHAT_SIZE];
	struct completion completion = {.shell = shell};
	const struct shell_command *command = NULL;
	size_t start = line->cursor;
	unsigned count;

	while (start && line->text[start - 1] != ' ')
		start--;
	memcpy(before, line->text, start);
	before[start] = '\0';
	count = split(before, words);
	completion.start = line->text + start;
	completion.length = line->cursor - start;
	if (count && count <= SHELL_WORDS)
		command = find(shell, words[0]);
	if (command && argument_name(command, count - 1, what))
		completion.what = text_equal(what, "COMMAND") ? NULL : what;
	if (!count || (command && argument_name(command, count - 1, what)))
		complete(&completion, line);
	line_show(line);
}
