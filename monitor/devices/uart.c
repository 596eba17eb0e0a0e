/* SPDX-License-Identifier: MIT */
/*
 * uart.c - a 16550A without a line behind it: bytes go to the console at once, so the only delays
 * are a console that is full and a guest that does not read.  Baud rate, parity and break mean
 * nothing.
 */
#include "hw/uart.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/devices/devices.h"

/* Bytes at which a receive FIFO interrupts, by FCR's trigger field. */
static unsigned rx_trigger(const struct uart *uart)
{
	static const uint8_t bytes[] = {1, 4, 8, 14};

	if (!(uart->fcr & UART_FCR_ENABLE))
		return 1;
	return bytes[(uart->fcr & UART_FCR_TRIGGER) >> UART_FCR_TRIGGER_SHIFT];
}

/* Without FIFOs there is one holding register each way. */
static unsigned fifo_size(const struct uart *uart)
{
	return uart->fcr & UART_FCR_ENABLE ? UART_FIFO_SIZE : 1;
}

static bool is_looped(const struct uart *uart)
{
	return uart->mcr & UART_MCR_LOOP;
}

/* --- Interrupts (PC16550D section 8.6) ------------------------------------------------------- */

/*
 * The cause with the highest priority.  Fewer bytes than the trigger level count as timed out at
 * once: whatever the console had has been read by then, so nothing is about to follow them.
 */
static uint8_t interrupt_cause(const struct uart *uart)
{
	if ((uart->ier & UART_IER_LINE) && (uart->lsr & UART_LSR_ERRORS))
		return UART_IIR_LINE;
	if ((uart->ier & UART_IER_RECEIVED) && uart->rx_count)
		return uart->rx_count >= rx_trigger(uart) ? UART_IIR_RECEIVED : UART_IIR_TIMEOUT;
	if ((uart->ier & UART_IER_THRE) && uart->thr_interrupt)
		return UART_IIR_THRE;
	if ((uart->ier & UART_IER_MODEM) && (uart->msr & UART_MSR_CHANGES))
		return UART_IIR_MODEM;
	return UART_IIR_NONE;
}

static void set_line(struct uart *uart, bool level)
{
	if (uart->line == level)
		return;
	uart->line = level;
	uart->sent = 0;
	irq_pin_set(&uart->pin, level);
}

static void update_interrupt(struct uart *uart)
{
	set_line(uart, interrupt_cause(uart) != UART_IIR_NONE);
}

/*
 * THR has just been written and is empty again.  In a real chip the write lowers the pin until the
 * FIFO has drained; a driver that answers THRE by writing and never reads IIR lives on that edge.
 * So the pin dips once for each FIFO's worth of bytes, not for each byte of a burst.
 */
static void thr_sent(struct uart *uart)
{
	if (!(uart->ier & UART_IER_THRE)) {
		uart->thr_interrupt = true;
		return;
	}
	if (uart->thr_interrupt && uart->line && ++uart->sent >= fifo_size(uart))
		set_line(uart, false);
	uart->thr_interrupt = true;
	update_interrupt(uart);
}

/* --- Receiver -------------------------------------------------------------------------------- */

static void rx_push(struct uart *uart, uint8_t byte)
{
	uart->rx[(uart->rx_first + uart->rx_count++) % UART_FIFO_SIZE] = byte;
	uart->lsr |= UART_LSR_READY;
}

static void rx_clear(struct uart *uart)
{
	uart->rx_count = 0;
	uart->lsr &= (uint8_t)~UART_LSR_READY;
}

/* Whether the console may have something, and the driver wants it. */
static inline bool rx_wanted(const struct uart *uart)
{
	return uart->input_waiting &&
	       ((uart->mcr & UART_MCR_RTS) || (uart->ier & UART_IER_RECEIVED));
}

/* Reads as much of the console as there is room for, if the driver wants it. */
static void rx_fill(struct uart *uart)
{
	uint8_t bytes[UART_FIFO_SIZE];
	unsigned size = fifo_size(uart);
	size_t count;

	if (!rx_wanted(uart) || !uart->console || is_looped(uart) || uart->rx_count >= size)
		return;
	size -= uart->rx_count;
	count = os_console_read(uart->console, bytes, size);
	uart->input_waiting = count == size;
	for (size_t i = 0; i < count; i++)
		rx_push(uart, bytes[i]);
}

static uint8_t rx_read(struct uart *uart)
{
	uint8_t byte = uart->rx[uart->rx_first];

	if (!uart->rx_count)
		return byte; /* the holding register keeps what it had */
	uart->rx_first = (uart->rx_first + 1) % UART_FIFO_SIZE;
	if (!--uart->rx_count) {
		uart->rx[uart->rx_first] = byte;
		uart->lsr &= (uint8_t)~UART_LSR_READY;
	}
	/* Without FIFOs each byte has an edge of its own. */
	if (!(uart->fcr & UART_FCR_ENABLE))
		update_interrupt(uart);
	rx_fill(uart);
	update_interrupt(uart);
	return byte;
}

/* --- Transmitter ----------------------------------------------------------------------------- */

static void tx_loop_back(struct uart *uart, uint8_t byte)
{
	if (uart->rx_count < fifo_size(uart)) {
		rx_push(uart, byte);
	} else {
		uart->lsr |= UART_LSR_OVERRUN;
		if (!(uart->fcr & UART_FCR_ENABLE))
			uart->rx[uart->rx_first] = byte;
	}
	thr_sent(uart);
	update_interrupt(uart);
}

/* Keeps byte until the console has room.  Beyond UART_TX_SIZE the driver has ignored THRE. */
static void tx_wait(struct uart *uart, uint8_t byte)
{
	if (uart->tx_count < UART_TX_SIZE)
		uart->tx[uart->tx_count++] = byte;
	uart->lsr &= (uint8_t) ~(UART_LSR_THRE | UART_LSR_TEMT);
	uart->thr_interrupt = false;
	update_interrupt(uart);
}

static void tx_write(struct uart *uart, uint8_t byte)
{
	if (is_looped(uart))
		tx_loop_back(uart, byte);
	else if (uart->console && (uart->tx_count || !os_console_write(uart->console, &byte, 1)))
		tx_wait(uart, byte);
	else
		thr_sent(uart);
}

static void tx_drain(struct uart *uart)
{
	size_t taken;

	if (!uart->tx_count)
		return;
	taken = os_console_write(uart->console, uart->tx, uart->tx_count);
	uart->tx_count -= (unsigned)taken;
	memmove(uart->tx, uart->tx + taken, uart->tx_count);
	if (uart->tx_count)
		return;
	uart->lsr |= UART_LSR_THRE | UART_LSR_TEMT;
	uart->thr_interrupt = true;
}

/* --- Modem lines ----------------------------------------------------------------------------- */

/* The other end is always there and ready; in loopback our own outputs come back (section 8.6.7).
 */
static uint8_t modem_lines(uint8_t mcr)
{
	uint8_t lines = 0;

	if (!(mcr & UART_MCR_LOOP))
		return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	if (mcr & UART_MCR_RTS)
		lines |= UART_MSR_CTS;
	if (mcr & UART_MCR_DTR)
		lines |= UART_MSR_DSR;
	if (mcr & UART_MCR_OUT1)
		lines |= UART_MSR_RI;
	if (mcr & UART_MCR_OUT2)
		lines |= UART_MSR_DCD;
	return lines;
}

static void mcr_write(struct uart *uart, uint8_t value)
{
	uint8_t lines, changed;

	uart->mcr = value & UART_MCR_ALL;
	lines = modem_lines(uart->mcr);
	changed = (uart->msr ^ lines) & UART_MSR_LINES;
	uart->msr = lines | (uart->msr & UART_MSR_CHANGES);
	if (changed & UART_MSR_CTS)
		uart->msr |= UART_MSR_DCTS;
	if (changed & UART_MSR_DSR)
		uart->msr |= UART_MSR_DDSR;
	if (changed & ~lines & UART_MSR_RI) /* the trailing edge only */
		uart->msr |= UART_MSR_TERI;
	if (changed & UART_MSR_DCD)
		uart->msr |= UART_MSR_DDCD;
	rx_fill(uart);
	update_interrupt(uart);
}

/* --- Registers ------------------------------------------------------------------------------- */

static void ier_write(struct uart *uart, uint8_t value)
{
	uint8_t before = uart->ier;

	uart->ier = value & UART_IER_ALL;
	/* Enabling THRE while THR is empty interrupts, told or not. */
	if (uart->ier & ~before & UART_IER_THRE)
		uart->thr_interrupt = uart->lsr & UART_LSR_THRE;
	rx_fill(uart);
	update_interrupt(uart);
}

/* What waits for the console has left the chip, as it were: clearing the FIFO does not drop it. */
static void fcr_write(struct uart *uart, uint8_t value)
{
	if (!(value & UART_FCR_ENABLE))
		value = 0; /* the other bits are programmed only together with this one */
	if ((value & UART_FCR_CLEAR_RX) || ((value ^ uart->fcr) & UART_FCR_ENABLE))
		rx_clear(uart);
	uart->fcr = value & (UART_FCR_ENABLE | UART_FCR_DMA | UART_FCR_TRIGGER);
	rx_fill(uart);
	update_interrupt(uart);
}

static uint8_t iir_read(struct uart *uart)
{
	uint8_t cause = interrupt_cause(uart);

	if (cause == UART_IIR_THRE) {
		uart->thr_interrupt = false;
		update_interrupt(uart);
	}
	return cause | (uart->fcr & UART_FCR_ENABLE ? UART_IIR_FIFOS : 0);
}

/* Kept out of the way of the read that finds nothing to do. */
__attribute__((noinline)) static uint8_t lsr_read_slowly(struct uart *uart)
{
	uint8_t value;

	rx_fill(uart);
	value = uart->lsr;
	uart->lsr &= (uint8_t)~UART_LSR_ERRORS;
	update_interrupt(uart);
	return value;
}

static inline uint8_t lsr_read(struct uart *uart)
{
	if (rx_wanted(uart) || (uart->lsr & UART_LSR_ERRORS))
		return lsr_read_slowly(uart);
	return uart->lsr;
}

static uint8_t msr_read(struct uart *uart)
{
	uint8_t value = uart->msr;

	if (value & UART_MSR_CHANGES) {
		uart->msr &= UART_MSR_LINES;
		update_interrupt(uart);
	}
	return value;
}

static uint8_t register_read(struct uart *uart, uint64_t number)
{
	if (number < ARRAY_COUNT(uart->divisor) && (uart->lcr & UART_LCR_DLAB))
		return uart->divisor[number];
	switch (number) {
	case UART_DATA:
		return rx_read(uart);
	case UART_IER:
		return uart->ier;
	case UART_IIR_FCR:
		return iir_read(uart);
	case UART_LCR:
		return uart->lcr;
	case UART_MCR:
		return uart->mcr;
	case UART_LSR:
		return lsr_read(uart);
	case UART_MSR:
		return msr_read(uart);
	default:
		return uart->scr;
	}
}

static void register_write(struct uart *uart, uint64_t number, uint8_t value)
{
	if (number < ARRAY_COUNT(uart->divisor) && (uart->lcr & UART_LCR_DLAB)) {
		uart->divisor[number] = value;
		return;
	}
	switch (number) {
	case UART_DATA:
		tx_write(uart, value);
		break;
	case UART_IER:
		ier_write(uart, value);
		break;
	case UART_IIR_FCR:
		fcr_write(uart, value);
		break;
	case UART_LCR:
		uart->lcr = value;
		break;
	case UART_MCR:
		mcr_write(uart, value);
		break;
	case UART_SCR:
		uart->scr = value;
		break;
	default:
		break; /* LSR and MSR are read only */
	}
}

/* The chip sits on an 8-bit bus: wider accesses come to it byte by byte. */
__attribute__((noinline)) static uint64_t registers_read(struct uart *uart, uint64_t offset,
							 unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)register_read(uart, offset + i) << (8 * i);
	return value;
}

static uint64_t uart_read(void *device, uint64_t offset, unsigned size)
{
	/* What a driver that polls reads before each byte. */
	if (offset == UART_LSR && size == 1)
		return lsr_read(device);
	return registers_read(device, offset, size);
}

static void uart_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct uart *uart = device;

	register_write(uart, offset, (uint8_t)value);
	for (unsigned i = 1; i < size; i++)
		register_write(uart, offset + i, (uint8_t)(value >> (8 * i)));
}

static const struct bus_ops uart_ops = {.read = uart_read, .write = uart_write};

/* The console has input, or room again. */
static void console_changed(void *arg)
{
	struct uart *uart = arg;

	os_mutex_lock(&uart->lock);
	uart->input_waiting = true;
	tx_drain(uart);
	rx_fill(uart);
	update_interrupt(uart);
	os_mutex_unlock(&uart->lock);
}

int uart_init(struct uart *uart, struct bus *ports, uint16_t base, const struct irq_pin *pin,
	      struct os_console *console)
{
	struct bus_range range = {.base = base,
				  .length = UART_REGISTERS,
				  .ops = &uart_ops,
				  .device = uart,
				  .lock = &uart->lock};
	int err;

	*uart = (struct uart){
		.pin = *pin,
		.console = console,
		.lsr = UART_LSR_THRE | UART_LSR_TEMT,
		.msr = modem_lines(0),
		.input_waiting = true, /* it may have been typed before anybody listened */
	};
	os_mutex_init(&uart->lock);
	err = bus_add(ports, &range);
	if (!err && console)
		os_console_set_listener(console, console_changed, uart);
	return err;
}

void uart_destroy(struct uart *uart)
{
	if (!uart->console)
		return;
	os_console_set_listener(uart->console, NULL, NULL);
	tx_drain(uart);
}
