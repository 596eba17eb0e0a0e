/* SPDX-License-Identifier: MIT */
/*
 * uart.h - registers of the 16550A UART (National Semiconductor PC16550D data sheet, section 8).
 */
#ifndef DYAD_HW_UART_H
#define DYAD_HW_UART_H

#define UART_COM1_PORT 0x3f8 /* where PCs have the first one */

/* Offsets from the base port.  With LCR.DLAB set, 0 and 1 are the divisor instead. */
enum uart_register {
	UART_DATA = 0, /* read: RBR; write: THR */
	UART_IER = 1,
	UART_IIR_FCR = 2, /* read: IIR; write: FCR */
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_MSR = 6,
	UART_SCR = 7,
	UART_REGISTERS = 8,

	UART_DIVISOR_LOW = 0,
	UART_DIVISOR_HIGH = 1,
};

enum uart_ier {
	UART_IER_RECEIVED = 0x01, /* ERBFI */
	UART_IER_THRE = 0x02,     /* ETBEI */
	UART_IER_LINE = 0x04,     /* ELSI */
	UART_IER_MODEM = 0x08,    /* EDSSI */
	UART_IER_ALL = 0x0f,
};

/* Interrupt identification, by falling priority. */
enum uart_iir {
	UART_IIR_LINE = 0x06,
	UART_IIR_RECEIVED = 0x04,
	UART_IIR_TIMEOUT = 0x0c,
	UART_IIR_THRE = 0x02,
	UART_IIR_MODEM = 0x00,
	UART_IIR_NONE = 0x01,
	UART_IIR_FIFOS = 0xc0, /* both FIFOs are enabled */
};

enum uart_fcr {
	UART_FCR_ENABLE = 0x01,
	UART_FCR_CLEAR_RX = 0x02,
	UART_FCR_CLEAR_TX = 0x04,
	UART_FCR_DMA = 0x08,
	UART_FCR_TRIGGER = 0xc0, /* 1, 4, 8 or 14 bytes */
	UART_FCR_TRIGGER_SHIFT = 6,
};

enum uart_lcr {
	UART_LCR_DLAB = 0x80,
};

enum uart_mcr {
	UART_MCR_DTR = 0x01,
	UART_MCR_RTS = 0x02,
	UART_MCR_OUT1 = 0x04,
	UART_MCR_OUT2 = 0x08,
	UART_MCR_LOOP = 0x10,
	UART_MCR_ALL = 0x1f,
};

enum uart_lsr {
	UART_LSR_READY = 0x01, /* DR */
	UART_LSR_OVERRUN = 0x02,
	UART_LSR_PARITY = 0x04,
	UART_LSR_FRAMING = 0x08,
	UART_LSR_BREAK = 0x10,
	UART_LSR_THRE = 0x20,
	UART_LSR_TEMT = 0x40,
	UART_LSR_ERRORS = UART_LSR_OVERRUN | UART_LSR_PARITY | UART_LSR_FRAMING | UART_LSR_BREAK,
};

enum uart_msr {
	UART_MSR_DCTS = 0x01,
	UART_MSR_DDSR = 0x02,
	UART_MSR_TERI = 0x04,
	UART_MSR_DDCD = 0x08,
	UART_MSR_CTS = 0x10,
	UART_MSR_DSR = 0x20,
	UART_MSR_RI = 0x40,
	UART_MSR_DCD = 0x80,
	UART_MSR_CHANGES = UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_TERI | UART_MSR_DDCD,
	UART_MSR_LINES = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_RI | UART_MSR_DCD,
};

#endif
