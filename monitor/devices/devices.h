/* SPDX-License-Identifier: MIT */
/*
 * devices.h - the platform's devices: what a PC has besides PCI.
 *
 * Each is a struct that the machine embeds, an init function that puts it on the buses, and a lock
 * of its own that the bus holds around its registers.  A device's effects leave it through its pin
 * and its call backs.  Call backs to the machine (reset, power off, debug exit) are made with the
 * device's lock held and only leave a note for the machine's threads.
 */
#ifndef DYAD_MONITOR_DEVICES_DEVICES_H
#define DYAD_MONITOR_DEVICES_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/rtc.h"
#include "monitor/machine/bus.h"
#include "monitor/machine/irq.h"
#include "os.h"

/* What a device may ask of the machine as a whole.  Any thread; returns at once. */
struct machine_requests {
	void (*reset)(void *context);
	void (*power_off)(void *context);
	/* The guest has finished and says how: status is what it wrote. */
	void (*debug_exit)(void *context, uint32_t status);
	void *context;
};

/* --- 16550A UART (National Semiconductor PC16550D) -------------------------------------------- */

#define UART_FIFO_SIZE 16
#define UART_TX_SIZE 64 /* what waits for a console that is full */

/*
 * While the console is full, THRE and TEMT read 0 and what was written waits here: a driver that
 * heeds them loses nothing.  Input is taken only while the driver asserts RTS or has the receive
 * interrupt on, so that what is typed ahead waits in the console and not in a FIFO that drivers
 * clear first.  OUT2 does not gate the interrupt.
 */
struct uart {
	struct os_mutex lock;
	struct irq_pin pin;
	struct os_console *console; /* NULL: output is dropped, nothing comes in */
	/* lock */
	uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
	uint8_t divisor[2];
	bool thr_interrupt; /* the transmitter has become empty and nobody has been told */
	bool input_waiting; /* the console may have more than was read of it */
	bool line;          /* the pin's level */
	unsigned sent;      /* bytes sent since the pin rose */
	uint8_t rx[UART_FIFO_SIZE];
	unsigned rx_first, rx_count;
	uint8_t tx[UART_TX_SIZE];
	unsigned tx_count;
};

/* At eight ports from base.  The uart becomes the console's listener if console is not NULL. */
int uart_init(struct uart *uart, struct bus *ports, uint16_t base, const struct irq_pin *pin,
	      struct os_console *console);
void uart_destroy(struct uart *uart); /* ends listening */

/* --- CMOS RAM and RTC (Motorola MC146818A), ports 0x70 and 0x71 ------------------------------- */

/*
 * UTC by the host's wall clock, plus what the guest has set it off by.  Flags of register C are
 * worked out when they are read; the timer only runs towards an interrupt that is enabled.
 */
struct rtc {
	struct os_mutex lock;
	struct irq_pin pin; /* GSI 8 */
	struct os_timer *timer;
	/* lock */
	uint8_t index;
	uint8_t cmos[RTC_CELLS]; /* the time cells are valid only while the clock stands */
	int64_t offset;          /* guest's clock minus the host's, ns */
	int64_t last_second;     /* guest's second up to which UF and AF have been considered */
	uint64_t next_periodic;  /* os_clock_monotonic() of the next PF */
	uint64_t deadline;       /* what the timer is set to */
	bool line;               /* the pin's level */
};

/* below_4g and above_4g: bytes of RAM, told in the cells that firmware keeps for it. */
int rtc_init(struct rtc *rtc, struct os_loop *loop, struct bus *ports, const struct irq_pin *pin,
	     uint64_t below_4g, uint64_t above_4g);
void rtc_destroy(struct rtc *rtc);

/* --- i8042: no keyboard or mouse, but the reset line, ports 0x60, 0x64, and port 0x92 -----------
 */

struct i8042 {
	struct os_mutex lock;
	const struct machine_requests *requests;
	/* lock */
	uint8_t command; /* a command that waits for its data byte, or 0 */
	uint8_t config;  /* the controller's configuration byte */
	uint8_t output;  /* what port 0x60 reads */
	bool output_full;
	bool reset_bit; /* bit 0 of port 0x92, as last written */
};

int i8042_init(struct i8042 *i8042, struct bus *ports, const struct machine_requests *requests);

/* --- ACPI fixed hardware: PM1 event and control, PM timer, reset register --------------------- */

/*
 * Always in ACPI mode (no SMI_CMD, SCI_EN reads 1).  No general-purpose events.  The PM timer's
 * carry sets TMR_STS when a register is next accessed; it wakes nobody by itself.
 */
struct acpi_pm {
	struct os_mutex lock;
	struct irq_pin sci;
	const struct machine_requests *requests;
	uint64_t timer_start; /* os_clock_monotonic() when the PM timer read 0 */
	/* lock */
	uint16_t pm1_status, pm1_enable, pm1_control;
	uint64_t timer_carries; /* how many have been seen: the count's bits from 31 on */
	bool line;              /* the SCI's level */
};

/* Where: the numbers that go into the FADT. */
#define ACPI_PM1_EVENT_PORT 0x600 /* status, enable */
#define ACPI_PM1_EVENT_LENGTH 4
#define ACPI_PM1_CONTROL_PORT 0x604
#define ACPI_PM1_CONTROL_LENGTH 2
#define ACPI_PM_TIMER_PORT 0x608
#define ACPI_PM_TIMER_LENGTH 4
#define ACPI_RESET_PORT 0x60c /* 1 byte; 0xcf9 is taken by PCI's CONFIG_ADDRESS */
#define ACPI_PM_PORTS 16      /* from ACPI_PM1_EVENT_PORT: what all of this takes up */
#define ACPI_RESET_VALUE 0x06
#define ACPI_SLEEP_TYPE_S5 5
#define ACPI_SCI_GSI 9

int acpi_pm_init(struct acpi_pm *pm, struct bus *ports, const struct irq_pin *sci,
		 const struct machine_requests *requests);
/* Presses the power button.  Any thread. */
void acpi_pm_power_button(struct acpi_pm *pm);

/* --- For OS developers: debug exit and the test device of kvm-unit-tests --------------------- */

/*
 * Ports 0xf4 to 0xf7: a write ends the VM, with that value as the guest's status; reads 0.
 * Port 0xe9: debug console: what is written appears on the console; reads 0xe9.
 * Port 0xf1: a character to the console (test output).
 * Ports 0xe0 to 0xe7: scratch registers, of any width.
 * Ports 0x2000 to 0x2017: a byte sets global interrupt line (port - 0x2000) to 1 or, with 0, to 0.
 * 64 KiB of scratch registers in memory at 0xff000000.
 * Ports 0x510, 0x511: number of CPUs and size of RAM by QEMU's fw_cfg selectors (signature 0,
 * RAM size 3, number of CPUs 5, maximum 15); all other selectors read 0.
 * These ports have no flow control: characters that a full console does not take are lost.
 */
#define TEST_DEVICE_MEMORY UINT64_C(0xff000000)
#define TEST_DEVICE_MEMORY_SIZE UINT64_C(0x10000)

struct test_device {
	struct os_mutex lock;
	const struct machine_requests *requests;
	struct os_console *console;
	void (*irq_set)(void *context, uint32_t gsi, bool level);
	void *irq_context;
	uint32_t cpus;
	uint64_t ram_size;
	/* lock */
	uint8_t scratch[8];
	uint8_t *memory; /* TEST_DEVICE_MEMORY_SIZE bytes */
	uint16_t selector;
	uint32_t selector_offset; /* of the item's byte that is read next */
};

int test_device_init(struct test_device *test, struct bus *ports, struct bus *memory,
		     const struct machine_requests *requests, struct os_console *console,
		     void (*irq_set)(void *context, uint32_t gsi, bool level), void *irq_context,
		     uint32_t cpus, uint64_t ram_size);
void test_device_destroy(struct test_device *test);

#endif
