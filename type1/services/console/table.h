/* SPDX-License-Identifier: MIT */
/*
 * table.h - a table of texts: cells are put in row by row, and printed with each column as wide as
 * what it has, names to the left and numbers to the right.
 */
#ifndef DYAD_TYPE1_CONSOLE_TABLE_H
#define DYAD_TYPE1_CONSOLE_TABLE_H

#include "type1/services/console/output.h"

#define TABLE_ROWS 72
#define TABLE_COLUMNS 9
#define TABLE_CELL 40 /* bytes, with the zero at the end; what is longer is cut */

struct table {
	unsigned columns, cells;
	unsigned left; /* a bit for each column that is aligned to the left */
	char cell[TABLE_ROWS * TABLE_COLUMNS][TABLE_CELL];
};

/* heads: the first row, words between spaces; one that begins with "<" is of a column to the left.
 * What does not fit a table is left out. */
void table_begin(struct table *table, const char *heads);
__attribute__((format(printf, 2, 3))) void table_add(struct table *table, const char *format, ...);
void table_print(const struct table *table, const struct output *out);

#endif
