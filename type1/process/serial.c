/* SPDX-License-Identifier: MIT */
/*
 * serial.c - the serial line from ring 3 (serial.h).
 */
#include "type1/process/serial.h"

#include "hw/uart.h"
#include "type1/process/call.h"
#include "type1/process/ports.h"

#define SCRATCH 0xa5u
#define FIFO_SIZE 16u
#define WAIT UINT64_C(1000000) /* ns: what the line sends 11 bytes in */
#define REFUSALS_MAX 1000u

static uint8_t in(enum uart_register reg)
{
	return port_in(UART_COM1_PORT + reg);
}

static void out(enum uart_register reg, uint8_t value)
{
	port_out(UART_COM1_PORT + reg, value);
}

void serial_begin(struct serial *serial)
{
	*serial = (struct serial){.present = false};
	os_mutex_init(&serial->lock);
	out(UART_SCR, SCRATCH);
	serial->present = in(UART_SCR) == SCRATCH;
	serial->has_fifo = (in(UART_IIR_FCR)&UART_IIR_FIFOS) == UART_IIR_FIFOS;
}

static void wait(void)
{
	static const uint32_t never;

	call3(TYPE1_FUTEX_WAIT, call_address(&never), never, os_clock_monotonic() + WAIT);
}

/* Of count bytes: how many the line takes at once. */
static size_t write_some(struct serial *serial, const char *bytes, size_t count)
{
	unsigned room = serial->has_fifo ? FIFO_SIZE : 1;
	size_t done = 0;

	if (!(in(UART_LSR)&UART_LSR_THRE)) {
		serial->refusals += serial->refusals < REFUSALS_MAX;
		return serial->refusals < REFUSALS_MAX ? 0 : count;
	}
	serial->refusals = 0;
	/* That the holding register is empty means that all of the FIFO is (16550D, 8.4). */
	for (; done < count && room; room--)
		out(UART_DATA, (uint8_t)bytes[done++]);
	return done;
}

void serial_write(struct serial *serial, const char *bytes, size_t count)
{
	if (!serial->present)
		return;
	os_mutex_lock(&serial->lock);
	while (count) {
		size_t done = write_some(serial, bytes, count);

		bytes += done;
		count -= done;
		if (count && !(in(UART_LSR)&UART_LSR_THRE))
			wait();
	}
	os_mutex_unlock(&serial->lock);
}

bool serial_ready(const struct serial *serial)
{
	return serial->present && (in(UART_LSR)&UART_LSR_READY);
}

size_t serial_read(const struct serial *serial, uint8_t *bytes, size_t size)
{
	size_t count = 0;

	while (count < size && serial_ready(serial))
		bytes[count++] = in(UART_DATA);
	return count;
}
