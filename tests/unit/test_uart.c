/* SPDX-License-Identifier: MIT */
/* The 16550A as drivers use it: probing, polling, interrupts, flow control with the console. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/uart.h"
#include "monitor/devices/devices.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"

#define BASE 0x3f8
#define GSI 4

struct fixture {
	struct bus ports;
	struct uart uart;
	struct os_console *console;
	bool level;
	unsigned changes, rises;
};

static void irq_set(void *context, uint32_t gsi, bool level)
{
	struct fixture *f = context;

	assert_int_equal(gsi, GSI);
	assert_int_not_equal(level, f->level); /* each call is a system call: only for a change */
	f->level = level;
	f->changes++;
	f->rises += level;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct irq_pin pin = {.set = irq_set, .context = f, .gsi = GSI};

	assert_non_null(f);
	bus_init(&f->ports);
	f->console = fake_console_create();
	assert_int_equal(uart_init(&f->uart, &f->ports, BASE, &pin, f->console), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	uart_destroy(&f->uart);
	fake_console_destroy(f->console);
	free(f);
	return 0;
}

static uint8_t in(struct fixture *f, unsigned number)
{
	return (uint8_t)access_read(&f->ports, BASE + number, 1);
}

static void out(struct fixture *f, unsigned number, uint8_t value)
{
	access_write(&f->ports, BASE + number, 1, value);
}

static void type(struct fixture *f, const char *text)
{
	fake_console_type(f->console, text, strlen(text));
}

/* As a driver leaves it: FIFOs with the trigger at 14, DTR, RTS and OUT2 asserted. */
static void start(struct fixture *f, uint8_t ier)
{
	out(f, UART_IIR_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX | 0xc0);
	out(f, UART_LCR, 0x03);
	out(f, UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	out(f, UART_IER, ier);
}

static void reset_values_are_those_of_the_data_sheet(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, UART_IER), 0);
	assert_int_equal(in(f, UART_IIR_FCR), UART_IIR_NONE);
	assert_int_equal(in(f, UART_LCR), 0);
	assert_int_equal(in(f, UART_MCR), 0);
	assert_int_equal(in(f, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(in(f, UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	assert_int_equal(f->changes, 0);
}

/* What Linux's 8250 driver does to find out what it has before it (autoconfig). */
static void probing_finds_a_16550a(void **state)
{
	struct fixture *f = *state;

	out(f, UART_IER, 0);
	assert_int_equal(in(f, UART_IER) & 0x0f, 0);
	out(f, UART_IER, 0x0f);
	assert_int_equal(in(f, UART_IER) & 0x0f, 0x0f);
	out(f, UART_IER, 0xff); /* no bit of a cleverer chip sticks */
	assert_int_equal(in(f, UART_IER), 0x0f);
	out(f, UART_IER, 0);
	out(f, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in(f, UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(f, UART_MCR, 0);
	out(f, UART_LCR, 0xbf); /* 16650 and later have other registers here */
	assert_int_not_equal(in(f, UART_IIR_FCR), 0);
	out(f, UART_LCR, 0);
	out(f, UART_IIR_FCR, UART_FCR_ENABLE);
	assert_int_equal(in(f, UART_IIR_FCR) >> 6, 3);
	out(f, UART_IIR_FCR, 0);
	assert_int_equal(in(f, UART_IIR_FCR) >> 6, 0);
	out(f, UART_SCR, 0x5a);
	assert_int_equal(in(f, UART_SCR), 0x5a);
}

/* How drivers measure the FIFO: more than it holds, in loopback. */
static void fifo_in_loopback_holds_16_bytes_and_overruns(void **state)
{
	struct fixture *f = *state;
	unsigned count = 0;

	start(f, 0);
	out(f, UART_MCR, UART_MCR_LOOP);
	for (unsigned i = 0; i < 256; i++)
		out(f, UART_DATA, (uint8_t)i);
	assert_true(in(f, UART_LSR) & UART_LSR_OVERRUN);
	assert_false(in(f, UART_LSR) & UART_LSR_OVERRUN); /* reading clears it */
	for (; count < 256 && (in(f, UART_LSR) & UART_LSR_READY); count++)
		assert_int_equal(in(f, UART_DATA), count);
	assert_int_equal(count, 16);
	assert_string_equal(fake_console_output(f->console), "");
}

static void without_fifos_an_overrun_replaces_the_byte(void **state)
{
	struct fixture *f = *state;

	out(f, UART_MCR, UART_MCR_LOOP);
	out(f, UART_DATA, 'a');
	out(f, UART_DATA, 'b');
	assert_int_equal(in(f, UART_LSR) & (UART_LSR_OVERRUN | UART_LSR_READY),
			 UART_LSR_OVERRUN | UART_LSR_READY);
	out(f, UART_IIR_FCR, UART_FCR_CLEAR_RX); /* nothing without the enable bit */
	assert_true(in(f, UART_LSR) & UART_LSR_READY);
	assert_int_equal(in(f, UART_DATA), 'b');
	assert_int_equal(in(f, UART_LSR) & UART_LSR_READY, 0);
}

static void divisor_stands_behind_dlab(void **state)
{
	struct fixture *f = *state;

	out(f, UART_IER, 0x05);
	out(f, UART_LCR, UART_LCR_DLAB | 3);
	out(f, UART_DIVISOR_LOW, 0x0c);
	out(f, UART_DIVISOR_HIGH, 0x34);
	assert_int_equal(in(f, UART_DIVISOR_LOW), 0x0c);
	assert_int_equal(in(f, UART_DIVISOR_HIGH), 0x34);
	out(f, UART_LCR, 3);
	assert_int_equal(in(f, UART_IER), 0x05);
	assert_string_equal(fake_console_output(f->console), "");
}

static void polled_output_reaches_the_console_at_once(void **state)
{
	struct fixture *f = *state;

	for (const char *c = "hello\n"; *c; c++) {
		assert_true(in(f, UART_LSR) & UART_LSR_THRE);
		out(f, UART_DATA, (uint8_t)*c);
	}
	assert_string_equal(fake_console_output(f->console), "hello\n");
	assert_int_equal(f->changes, 0);
}

static void polled_input_needs_only_rts(void **state)
{
	struct fixture *f = *state;

	type(f, "ab");
	assert_int_equal(in(f, UART_LSR) & UART_LSR_READY, 0);
	out(f, UART_MCR, UART_MCR_RTS);
	assert_true(in(f, UART_LSR) & UART_LSR_READY);
	assert_int_equal(in(f, UART_DATA), 'a');
	assert_true(in(f, UART_LSR) & UART_LSR_READY);
	assert_int_equal(in(f, UART_DATA), 'b');
	assert_false(in(f, UART_LSR) & UART_LSR_READY);
}

static void type_ahead_survives_the_drivers_start(void **state)
{
	struct fixture *f = *state;

	type(f, "root\n");
	/* Linux clears the FIFOs and empties every register before it asserts RTS. */
	out(f, UART_IIR_FCR, UART_FCR_ENABLE);
	out(f, UART_IIR_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX);
	out(f, UART_IIR_FCR, 0);
	in(f, UART_LSR);
	in(f, UART_DATA);
	in(f, UART_IIR_FCR);
	in(f, UART_MSR);
	start(f, UART_IER_RECEIVED);
	for (const char *c = "root\n"; *c; c++) {
		assert_true(in(f, UART_LSR) & UART_LSR_READY);
		assert_int_equal(in(f, UART_DATA), *c);
	}
}

static void receive_interrupt_is_a_timeout_below_the_trigger(void **state)
{
	struct fixture *f = *state;

	start(f, UART_IER_RECEIVED);
	assert_false(f->level);
	type(f, "xy");
	assert_true(f->level);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_TIMEOUT);
	assert_int_equal(in(f, UART_DATA), 'x');
	assert_true(f->level);
	assert_int_equal(in(f, UART_DATA), 'y');
	assert_false(f->level);
	assert_int_equal(in(f, UART_IIR_FCR), UART_IIR_NONE | UART_IIR_FIFOS);
	type(f, "0123456789abcd");
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_RECEIVED);
	assert_int_equal(f->rises, 2);
}

static void input_beyond_the_fifo_waits_in_the_console(void **state)
{
	struct fixture *f = *state;
	char text[101];

	for (int i = 0; i < 100; i++)
		text[i] = (char)('!' + i % 90);
	text[100] = '\0';
	start(f, UART_IER_RECEIVED);
	type(f, text);
	for (int i = 0; i < 100; i++) {
		assert_true(in(f, UART_LSR) & UART_LSR_READY);
		assert_int_equal(in(f, UART_DATA), (uint8_t)text[i]);
	}
	assert_int_equal(in(f, UART_LSR) & (UART_LSR_READY | UART_LSR_OVERRUN), 0);
	assert_false(f->level);
}

static void without_fifos_each_byte_has_an_edge(void **state)
{
	struct fixture *f = *state;

	out(f, UART_MCR, UART_MCR_RTS);
	out(f, UART_IER, UART_IER_RECEIVED);
	type(f, "abc");
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(f->rises, i);
		assert_int_equal(in(f, UART_IIR_FCR), UART_IIR_RECEIVED);
		assert_int_equal(in(f, UART_DATA), "abc"[i - 1]);
	}
	assert_false(f->level);
}

static void thre_interrupts_when_it_is_enabled_and_iir_clears_it(void **state)
{
	struct fixture *f = *state;

	start(f, 0);
	for (unsigned i = 1; i <= 2; i++) { /* Linux tries twice, and remembers a chip that fails */
		out(f, UART_IER, UART_IER_THRE);
		assert_true(f->level);
		assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_THRE);
		assert_false(f->level);
		assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_NONE);
		out(f, UART_IER, 0);
		assert_int_equal(f->rises, i);
	}
}

/* Linux: on THRE, reads IIR, writes up to 16 bytes, returns. */
static void a_burst_of_output_costs_one_interrupt(void **state)
{
	struct fixture *f = *state;

	start(f, UART_IER_THRE);
	in(f, UART_IIR_FCR);
	f->changes = 0;
	for (unsigned i = 0; i < 16; i++)
		out(f, UART_DATA, 'x');
	assert_true(f->level);
	assert_int_equal(f->changes, 1);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_THRE);
	assert_int_equal(f->changes, 2);
}

/* A driver with one cause of interrupts need not read IIR: writing THR resets it as well. */
static void thre_has_an_edge_for_a_driver_that_never_reads_iir(void **state)
{
	struct fixture *f = *state;

	out(f, UART_IER, UART_IER_THRE);
	for (unsigned i = 1; i <= 5; i++) {
		assert_int_equal(f->rises, i);
		out(f, UART_DATA, 'x');
	}
	start(f, UART_IER_THRE);
	f->rises = 0;
	for (unsigned i = 0; i < 16; i++)
		out(f, UART_DATA, 'y');
	assert_true(f->rises > 0);
}

static void causes_are_shown_by_priority(void **state)
{
	struct fixture *f = *state;

	start(f, 0);
	in(f, UART_MSR);
	out(f, UART_MCR, UART_MCR_LOOP);  /* changes the modem lines */
	for (unsigned i = 0; i < 17; i++) /* fills the FIFO and overruns it */
		out(f, UART_DATA, 'x');
	out(f, UART_IER, UART_IER_ALL);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_LINE);
	in(f, UART_LSR);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_RECEIVED);
	while (in(f, UART_LSR) & UART_LSR_READY)
		in(f, UART_DATA);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_THRE);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_MODEM);
	assert_true(f->level);
	assert_int_equal(in(f, UART_MSR) & 0x0f, UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_NONE);
	assert_false(f->level);
	assert_int_equal(in(f, UART_MSR) & 0x0f, 0);
}

static void ri_counts_only_when_it_ends(void **state)
{
	struct fixture *f = *state;

	out(f, UART_MCR, UART_MCR_LOOP);
	in(f, UART_MSR);
	out(f, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
	assert_int_equal(in(f, UART_MSR), UART_MSR_RI);
	out(f, UART_MCR, UART_MCR_LOOP);
	assert_int_equal(in(f, UART_MSR), UART_MSR_TERI);
}

static void a_full_console_holds_output_back_and_loses_nothing(void **state)
{
	struct fixture *f = *state;

	start(f, UART_IER_THRE);
	fake_console_set_room(f->console, 3);
	for (unsigned i = 0; i < 16; i++) /* a driver's whole burst */
		out(f, UART_DATA, (uint8_t)('a' + i));
	assert_string_equal(fake_console_output(f->console), "abc");
	assert_int_equal(in(f, UART_LSR) & (UART_LSR_THRE | UART_LSR_TEMT), 0);
	assert_false(f->level);
	out(f, UART_IER, 0);
	out(f, UART_IER, UART_IER_THRE); /* not empty: enabling does not interrupt */
	assert_false(f->level);
	fake_console_set_room(f->console, 5);
	assert_string_equal(fake_console_output(f->console), "abcdefgh");
	assert_int_equal(in(f, UART_LSR) & UART_LSR_THRE, 0);
	/* What has left the driver is not taken back. */
	out(f, UART_IIR_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_TX);
	fake_console_set_room(f->console, SIZE_MAX);
	assert_string_equal(fake_console_output(f->console), "abcdefghijklmnop");
	assert_int_equal(in(f, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_true(f->level);
	assert_int_equal(in(f, UART_IIR_FCR) & 0x0f, UART_IIR_THRE);
}

static void a_driver_that_ignores_thre_is_bounded(void **state)
{
	struct fixture *f = *state;

	fake_console_set_room(f->console, 0);
	for (unsigned i = 0; i < 10000; i++)
		out(f, UART_DATA, 'x');
	fake_console_set_room(f->console, SIZE_MAX);
	assert_int_equal(strlen(fake_console_output(f->console)), UART_TX_SIZE);
}

static void without_a_console_output_goes_nowhere(void **state)
{
	struct bus ports;
	struct uart uart;
	struct irq_pin pin = {0};

	(void)state;
	bus_init(&ports);
	assert_int_equal(uart_init(&uart, &ports, BASE, &pin, NULL), 0);
	access_write(&ports, BASE + UART_MCR, 1, UART_MCR_RTS);
	access_write(&ports, BASE + UART_DATA, 1, 'x');
	assert_int_equal(access_read(&ports, BASE + UART_LSR, 1), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(uart_init(&uart, &ports, BASE + 4, &pin, NULL), -EEXIST);
	uart_destroy(&uart);
}

static void wide_accesses_are_those_of_each_byte(void **state)
{
	struct fixture *f = *state;

	access_write(&f->ports, BASE + UART_MCR, 1, 0);
	access_write(&f->ports, BASE + UART_IIR_FCR, 8, 0); /* crosses the end: nobody's */
	access_write(&f->ports, BASE + UART_LCR, 2, 0x0203);
	assert_int_equal(access_read(&f->ports, BASE + UART_LCR, 2), 0x0203);
	assert_int_equal(access_read(&f->ports, BASE, 8) >> 24 & 0xffff, 0x0203);
}

static void after_destruction_the_console_calls_nobody(void **state)
{
	struct fixture *f = *state;

	uart_destroy(&f->uart);
	memset(&f->uart, 0xff, sizeof(f->uart));
	type(f, "x");
	f->uart.console = NULL; /* the teardown destroys it again */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset_values_are_those_of_the_data_sheet),
		TEST(probing_finds_a_16550a),
		TEST(fifo_in_loopback_holds_16_bytes_and_overruns),
		TEST(without_fifos_an_overrun_replaces_the_byte),
		TEST(divisor_stands_behind_dlab),
		TEST(polled_output_reaches_the_console_at_once),
		TEST(polled_input_needs_only_rts),
		TEST(type_ahead_survives_the_drivers_start),
		TEST(receive_interrupt_is_a_timeout_below_the_trigger),
		TEST(input_beyond_the_fifo_waits_in_the_console),
		TEST(without_fifos_each_byte_has_an_edge),
		TEST(thre_interrupts_when_it_is_enabled_and_iir_clears_it),
		TEST(a_burst_of_output_costs_one_interrupt),
		TEST(thre_has_an_edge_for_a_driver_that_never_reads_iir),
		TEST(causes_are_shown_by_priority),
		TEST(ri_counts_only_when_it_ends),
		TEST(a_full_console_holds_output_back_and_loses_nothing),
		TEST(a_driver_that_ignores_thre_is_bounded),
		TEST(without_a_console_output_goes_nowhere),
		TEST(wide_accesses_are_those_of_each_byte),
		TEST(after_destruction_the_console_calls_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
