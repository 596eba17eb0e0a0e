/* SPDX-License-Identifier: MIT */
/*
 * A guest that writes what it likes to the console service's terminal, of any size, and a keyboard
 * that says what it likes: the cursor stays on the screen, and nothing is written beside it.
 */
#include "tests/support/fuzz_input.h"
#include "type1/services/console/keyboard.h"
#include "type1/services/console/terminal.h"

#include "type1/services/console/keyboard.c"
#include "type1/services/console/terminal.c"
#include "type1/services/console/terminal_cells.c"
#include "type1/services/console/terminal_characters.c"
#include "type1/services/console/terminal_style.c"

#define COLUMNS_MAX 40
#define ROWS_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct terminal *terminal)
{
	fuzz_check(terminal->at.column < terminal->columns);
	fuzz_check(terminal->at.row < terminal->rows);
	fuzz_check(terminal->top < terminal->bottom);
	fuzz_check(terminal->bottom <= terminal->rows);
	fuzz_check(terminal->parameter_count <= TERMINAL_PARAMETERS);
}

static void write_byte(struct terminal *terminal, uint8_t byte)
{
	terminal_write(terminal, (const char *)&byte, 1);
	check(terminal);
}

static void press(struct keyboard *keyboard, struct terminal *terminal, uint8_t code)
{
	char bytes[KEYBOARD_BYTES];
	size_t count = keyboard_take(keyboard, code, bytes);

	fuzz_check(count <= sizeof(bytes));
	for (size_t i = 0; i < count; i++)
		write_byte(terminal, (uint8_t)bytes[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	unsigned columns = 1 + (unsigned)fuzz_take(&input, 1) % COLUMNS_MAX;
	unsigned rows = 1 + (unsigned)fuzz_take(&input, 1) % ROWS_MAX;
	bool keys = fuzz_take(&input, 1) & 1;
	uint16_t *cells = malloc(sizeof(*cells) * columns * rows);
	struct keyboard keyboard = {0};
	struct terminal terminal;

	fuzz_check(cells != NULL);
	terminal_init(&terminal, cells, columns, rows);
	while (input.left) {
		uint8_t byte = (uint8_t)fuzz_take(&input, 1);

		if (keys)
			press(&keyboard, &terminal, byte);
		else
			write_byte(&terminal, byte);
	}
	for (unsigned row = 0; row < rows; row++)
		for (unsigned column = 0; column < columns; column++)
			terminal_look(&terminal, column, row);
	terminal_reset_modes(&terminal);
	check(&terminal);
	free(cells);
	return 0;
}
