/* SPDX-License-Identifier: MIT */
#include "tests/guest/guest.h"

void guest_print(const char *text)
{
	for (; *text; text++)
		out8(GUEST_SERIAL, (uint8_t)*text);
}

void guest_print_number(uint32_t number)
{
	char text[11];
	char *at = text + sizeof(text) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	guest_print(at);
}

void guest_exit(uint32_t status)
{
	out32(GUEST_DEBUG_EXIT, status);
	for (;;)
		__asm__ volatile("cli; hlt");
}
