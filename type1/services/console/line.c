/* SPDX-License-Identifier: MIT */
/*
 * line.c - editing of one line (line.h).
 */
#include "type1/services/console/line.h"

#include "lib/bits.h"
#include "lib/bytes.h"

#define CONTROL(letter) ((letter)&0x1f)
#define ESCAPE 0x1b
#define DELETE 0x7f
#define UTF8_LEAD_MASK 0xc0 /* of a byte that isn't the first of a character: */
#define UTF8_CONTINUATION 0x80
#define PARAMETER_MAX 99

/* Of VT220's editing keypad: ESC [ number ~ */
enum { KEYPAD_HOME = 1, KEYPAD_DELETE = 3, KEYPAD_END = 4, KEYPAD_HOME_RXVT = 7, KEYPAD_END_RXVT };

static bool is_continuation(char byte)
{
	return ((uint8_t)byte & UTF8_LEAD_MASK) == UTF8_CONTINUATION;
}

static size_t count_columns(const char *text, size_t count)
{
	size_t columns = 0;

	for (size_t i = 0; i < count; i++)
		columns += !is_continuation(text[i]);
	return columns;
}

static size_t character_before(const struct line *line, size_t at)
{
	if (at)
		at--;
	while (at && is_continuation(line->text[at]))
		at--;
	return at;
}

static size_t character_behind(const struct line *line, size_t at)
{
	if (at < line->length)
		at++;
	while (at < line->length && is_continuation(line->text[at]))
		at++;
	return at;
}

/* --- The screen */

static void line_draw(const struct line *line)
{
	size_t columns = LINE_TERMINAL - 1 - text_length(line->prompt);
	size_t start = 0, end = line->length, back;

	while (count_columns(line->text + start, line->cursor - start) > columns)
		start = character_behind(line, start);
	while (count_columns(line->text + start, end - start) > columns)
		end = character_before(line, end);
	output_print(line->out, "\r%s", line->prompt);
	output_bytes(line->out, line->text + start, end - start);
	output_text(line->out, "\033[K"); /* EL: erases what is behind */
	back = count_columns(line->text + line->cursor, end - line->cursor);
	if (back)
		output_print(line->out, "\033[%zuD", back); /* CUB */
}

void line_hide(struct line *line)
{
	if (line->shown)
		output_text(line->out, "\r\033[K");
	line->shown = false;
}

void line_show(struct line *line)
{
	line->shown = true;
	line_draw(line);
}

void line_init(struct line *line, const struct output *out, const char *prompt)
{
	*line = (struct line){.out = out, .prompt = prompt};
}

static void line_set(struct line *line, const char *text)
{
	line->length = line->cursor = text_length_max(text, LINE_SIZE - 1);
	memmove(line->text, text, line->length);
	line->text[line->length] = '\0';
}

void line_begin(struct line *line)
{
	line_set(line, "");
	line->history_back = 0;
	line->escape = LINE_PLAIN;
	line_show(line);
}

/* --- Text */

void line_insert(struct line *line, const char *text, size_t count)
{
	if (count > LINE_SIZE - 1 - line->length)
		return;
	memmove(line->text + line->cursor + count, line->text + line->cursor,
		line->length - line->cursor + 1);
	memcpy(line->text + line->cursor, text, count);
	line->length += count;
	line->cursor += count;
}

/* The text from start up to end goes, and the cursor is where it was. */
static void line_cut(struct line *line, size_t start, size_t end)
{
	memmove(line->text + start, line->text + end, line->length - end + 1);
	line->length -= end - start;
	line->cursor = start;
}

static size_t word_before(const struct line *line)
{
	size_t at = line->cursor;

	while (at && line->text[at - 1] == ' ')
		at--;
	while (at && line->text[at - 1] != ' ')
		at--;
	return at;
}

/* --- History */

static char *history_entry(struct line *line, unsigned back)
{
	return line->history[(line->history_count - back) % LINE_HISTORY];
}

static void history_add(struct line *line)
{
	if (!line->length ||
	    (line->history_count && text_equal(history_entry(line, 1), line->text)))
		return;
	line->history_count++;
	memcpy(history_entry(line, 1), line->text, line->length + 1);
}

static void history_go(struct line *line, unsigned back)
{
	if (back > MIN(line->history_count, LINE_HISTORY))
		return;
	if (!line->history_back)
		memcpy(line->newest, line->text, line->length + 1);
	line->history_back = back;
	line_set(line, back ? history_entry(line, back) : line->newest);
}

static void history_older(struct line *line)
{
	history_go(line, line->history_back + 1);
}

static void history_newer(struct line *line)
{
	if (line->history_back)
		history_go(line, line->history_back - 1);
}

/* --- Keys */

static void delete_character(struct line *line)
{
	line_cut(line, line->cursor, character_behind(line, line->cursor));
}

static void key_of_keypad(struct line *line, unsigned number)
{
	switch (number) {
	case KEYPAD_HOME:
	case KEYPAD_HOME_RXVT:
		line->cursor = 0;
		break;
	case KEYPAD_END:
	case KEYPAD_END_RXVT:
		line->cursor = line->length;
		break;
	case KEYPAD_DELETE:
		delete_character(line);
		break;
	default:
		break;
	}
}

/* The last byte of ESC [ ... or ESC O. */
static void key_of_sequence(struct line *line, uint8_t last)
{
	switch (last) {
	case 'A':
		history_older(line);
		break;
	case 'B':
		history_newer(line);
		break;
	case 'C':
		line->cursor = character_behind(line, line->cursor);
		break;
	case 'D':
		line->cursor = character_before(line, line->cursor);
		break;
	case 'H':
		line->cursor = 0;
		break;
	case 'F':
		line->cursor = line->length;
		break;
	case '~':
		key_of_keypad(line, line->parameter);
		break;
	default:
		break;
	}
}

static void take_sequence(struct line *line, uint8_t byte)
{
	if (line->escape == LINE_ESCAPED) {
		bool goes_on = byte == '[' || byte == 'O';

		line->escape = goes_on ? LINE_SEQUENCE : LINE_PLAIN;
		line->parameter = 0;
		line->parameter_over = false;
		return;
	}
	if (byte >= '0' && byte <= '9') {
		if (!line->parameter_over)
			line->parameter = MIN(line->parameter * 10 + (byte - '0'), PARAMETER_MAX);
		return;
	}
	line->parameter_over = true;
	/* What ends a sequence stands in columns 04 to 07 of the code table. */
	if (byte < '@')
		return;
	line->escape = LINE_PLAIN;
	key_of_sequence(line, byte);
}

static void take_control(struct line *line, uint8_t byte)
{
	switch (byte) {
	case CONTROL('A'):
		line->cursor = 0;
		break;
	case CONTROL('B'):
		line->cursor = character_before(line, line->cursor);
		break;
	case CONTROL('D'):
		delete_character(line);
		break;
	case CONTROL('E'):
		line->cursor = line->length;
		break;
	case CONTROL('F'):
		line->cursor = character_behind(line, line->cursor);
		break;
	case CONTROL('H'):
	case DELETE:
		line_cut(line, character_before(line, line->cursor), line->cursor);
		break;
	case CONTROL('K'):
		line_cut(line, line->cursor, line->length);
		break;
	case CONTROL('L'):
		output_text(line->out, "\033[H\033[2J"); /* CUP, ED */
		break;
	case CONTROL('N'):
		history_newer(line);
		break;
	case CONTROL('P'):
		history_older(line);
		break;
	case CONTROL('U'):
		line_cut(line, 0, line->cursor);
		break;
	case CONTROL('W'):
		line_cut(line, word_before(line), line->cursor);
		break;
	case ESCAPE:
		line->escape = LINE_ESCAPED;
		break;
	default:
		break;
	}
}

static enum line_event line_finish(struct line *line)
{
	line->cursor = line->length;
	line_draw(line);
	line->shown = false;
	output_text(line->out, "\n");
	history_add(line);
	return LINE_DONE;
}

enum line_event line_type(struct line *line, uint8_t byte)
{
	bool after_return = line->after_return;

	line->after_return = byte == '\r';
	if (byte == '\n' && after_return)
		return LINE_GOES_ON;
	if (line->escape != LINE_PLAIN) {
		take_sequence(line, byte);
	} else if (byte == '\r' || byte == '\n') {
		return line_finish(line);
	} else if (byte == '\t') {
		return LINE_COMPLETE;
	} else if (byte == CONTROL('C')) {
		line->shown = false;
		output_text(line->out, "^C\n");
		return LINE_INTERRUPTED;
	} else if (byte == CONTROL('D') && !line->length) {
		return LINE_END;
	} else if (byte < ' ' || byte == DELETE) {
		take_control(line, byte);
	} else {
		char character = (char)byte;

		line_insert(line, &character, 1);
		/* The usual case, without drawing all of it; nor half a character of many bytes. */
		if (byte < DELETE && line->cursor == line->length &&
		    text_length(line->prompt) + count_columns(line->text, line->length) <
			    LINE_TERMINAL) {
			output_bytes(line->out, &character, 1);
			return LINE_GOES_ON;
		}
	}
	if (line->escape == LINE_PLAIN)
		line_draw(line);
	return LINE_GOES_ON;
}
