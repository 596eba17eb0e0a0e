/* SPDX-License-Identifier: MIT */
/*
 * screen.c - the text screen that a BIOS's boot loader leaves: characters with their colours, two
 * bytes each, row by row.  There is none by UEFI.
 */
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/serial.h"

#define GREY_ON_BLACK 0x0700u

static struct {
	volatile uint16_t *cells; /* NULL: none */
	unsigned width, height, column;
} screen;

void screen_init(void)
{
	const struct boot_screen *boot = &boot_screen;

	if (!boot->physical)
		return;
	screen.width = boot->width;
	screen.height = boot->height;
	screen.cells = map_device(boot->physical, (uint64_t)boot->width * boot->height * 2);
}

static void new_line(void)
{
	unsigned last = screen.width * (screen.height - 1);

	for (unsigned i = 0; i < last; i++)
		screen.cells[i] = screen.cells[i + screen.width];
	for (unsigned i = 0; i < screen.width; i++)
		screen.cells[last + i] = GREY_ON_BLACK | ' ';
	screen.column = 0;
}

void screen_write(const char *text, size_t size)
{
	if (!screen.cells)
		return;
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n' || screen.column == screen.width)
			new_line();
		if (text[i] >= ' ')
			screen.cells[screen.width * (screen.height - 1) + screen.column++] =
				GREY_ON_BLACK | (uint8_t)text[i];
	}
}
