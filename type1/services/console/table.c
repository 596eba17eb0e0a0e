/* SPDX-License-Identifier: MIT */
/*
 * table.c - tables (table.h).
 */
#include "type1/services/console/table.h"

#include <stdarg.h>
#include <stdbool.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"

#define GAP 2 /* columns of the screen, between those of the table */

void table_begin(struct table *table, const char *heads)
{
	table->columns = table->cells = table->left = 0;
	while (*heads && table->columns < TABLE_COLUMNS) {
		size_t count;

		if (*heads == '<') {
			table->left |= 1u << table->columns;
			heads++;
		}
		for (count = 0; heads[count] && heads[count] != ' ';)
			count++;
		count = MIN(count, TABLE_CELL - 1);
		memcpy(table->cell[table->cells], heads, count);
		table->cell[table->cells++][count] = '\0';
		table->columns++;
		heads += count;
		if (*heads == ' ')
			heads++;
	}
}

void table_add(struct table *table, const char *format, ...)
{
	va_list args;

	if (table->cells == TABLE_ROWS * table->columns)
		return;
	va_start(args, format);
	format_text_args(table->cell[table->cells++], TABLE_CELL, format, args);
	va_end(args);
}

static size_t table_width(const struct table *table, unsigned column)
{
	size_t width = 0;

	for (unsigned i = column; i < table->cells; i += table->columns)
		width = MAX(width, text_length(table->cell[i]));
	return width;
}

/* Into its place of a row that is all spaces; how many bytes the place has, with the gap. */
static size_t put_cell(char *row, const char *text, size_t width, bool left)
{
	size_t length = text_length(text);

	memcpy(row + (left ? 0 : width - length), text, length);
	return width + GAP;
}

void table_print(const struct table *table, const struct output *out)
{
	char row[TABLE_COLUMNS * (TABLE_CELL + GAP) + 1];
	size_t width[TABLE_COLUMNS];

	for (unsigned i = 0; i < table->columns; i++)
		width[i] = table_width(table, i);
	for (unsigned start = 0; start < table->cells; start += table->columns) {
		size_t used = 0;

		memset(row, ' ', sizeof(row));
		for (unsigned i = 0; i < table->columns && start + i < table->cells; i++)
			used += put_cell(row + used, table->cell[start + i], width[i],
					 table->left & (1u << i));
		while (used && row[used - 1] == ' ')
			used--;
		row[used++] = '\n';
		output_bytes(out, row, used);
	}
}
