/* SPDX-License-Identifier: MIT */
/*
 * serial.c - the first serial line (COM1): a 16550, 115200 8N1, polled.  Who has the machine's
 * console writes to it, too, and reads it (type1/process/serial.c).
 */
#include "type1/runtime/serial.h"

#include <stdbool.h>
#include <stdint.h>

#include "hw/uart.h"
#include "type1/runtime/instructions.h"

#define DIVISOR_115200 1u
#define LCR_8N1 0x03u
#define SCRATCH 0x5au
/* A byte takes 87 us, a read of a register about 1: a line that takes none for so long is dead. */
#define POLLS_MAX 100000u

static bool present; /* [const] after serial_init(); false too when the line was found dead */

static uint8_t in(enum uart_register reg)
{
	return in8((uint16_t)(UART_COM1_PORT + reg));
}

static void out(enum uart_register reg, uint8_t value)
{
	out8((uint16_t)(UART_COM1_PORT + reg), value);
}

void serial_init(void)
{
	out(UART_SCR, SCRATCH);
	if (in(UART_SCR) != SCRATCH)
		return;
	out(UART_IER, 0);
	out(UART_LCR, UART_LCR_DLAB | LCR_8N1);
	out(UART_DIVISOR_LOW, DIVISOR_115200);
	out(UART_DIVISOR_HIGH, 0);
	out(UART_LCR, LCR_8N1);
	out(UART_IIR_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	present = true;
}

static void put(char c)
{
	unsigned polls = 0;

	while (present && !(in(UART_LSR)&UART_LSR_THRE)) {
		if (++polls == POLLS_MAX)
			present = false;
	}
	if (present)
		out(UART_DATA, (uint8_t)c);
}

void serial_write(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			put('\r');
		put(text[i]);
	}
}
