/* SPDX-License-Identifier: MIT */
/*
 * clock.c - the monotonic clock, which is the TSC at a rate that is measured at boot against the
 * ACPI power management timer, or the 8254; and the wall clock, once, of the RTC.
 */
#include "type1/runtime/clock.h"

#include "hw/acpi.h"
#include "hw/pit.h"
#include "hw/rtc.h"
#include "lib/bits.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/cpu.h"
#include "type1/runtime/instructions.h"

#define NS_A_SECOND UINT64_C(1000000000)
#define PM_TIMER_MASK 0xffffffu /* 24 bits are always there */
#define PM_TICKS (ACPI_PM_TIMER_HZ / 50)
#define PIT_TICKS (PIT_FREQUENCY / 50)
#define POLLS_MAX 10000000u /* a timer that moves none in so many reads stands still */

uint32_t clock_rate_khz;
uint64_t clock_tsc_base, clock_tsc_to_ns;
static uint64_t ns_to_tsc; /* times 2^32; [const] after boot */
static int64_t wall_base;  /* [const] after boot */

/* TSC ticks a second, or 0. */
static uint64_t measure_by_pm_timer(void)
{
	uint16_t port = acpi_machine.pm_timer;
	uint32_t first, passed = 0;
	uint64_t start;

	if (!port)
		return 0;
	first = in32(port);
	start = read_tsc();
	for (unsigned polls = 0; passed < PM_TICKS && polls < POLLS_MAX; polls++)
		passed = (in32(port) - first) & PM_TIMER_MASK;
	if (passed < PM_TICKS)
		return 0;
	return (read_tsc() - start) * ACPI_PM_TIMER_HZ / passed;
}

/* Counter 2 counts down once; its output, at port 0x61, rises at the end (82C54, mode 0). */
static uint64_t measure_by_pit(void)
{
	const uint8_t channel = 2;
	uint64_t start;
	unsigned polls = 0;

	out8(PIT_SPEAKER_PORT,
	     (uint8_t)((in8(PIT_SPEAKER_PORT) & ~PIT_SPEAKER_DATA) | PIT_SPEAKER_GATE));
	out8(PIT_CONTROL_PORT, (uint8_t)(channel << PIT_CONTROL_CHANNEL_SHIFT |
					 PIT_ACCESS_WORD << PIT_CONTROL_ACCESS_SHIFT |
					 PIT_MODE_TERMINAL_COUNT << PIT_CONTROL_MODE_SHIFT));
	out8((uint16_t)(PIT_PORT + channel), PIT_TICKS & 0xff);
	out8((uint16_t)(PIT_PORT + channel), PIT_TICKS >> 8);
	start = read_tsc();
	while (!(in8(PIT_SPEAKER_PORT) & PIT_SPEAKER_OUT)) {
		if (++polls == POLLS_MAX)
			return 0;
	}
	return (read_tsc() - start) * PIT_FREQUENCY / PIT_TICKS;
}

uint64_t clock_now(void)
{
	return (unsigned __int128)(read_tsc() - clock_tsc_base) * clock_tsc_to_ns >> 32;
}

int64_t clock_wall_base(void)
{
	return wall_base;
}

uint64_t clock_to_tsc(uint64_t nanoseconds)
{
	unsigned __int128 ticks = (unsigned __int128)nanoseconds * ns_to_tsc >> 32;

	/* Deadlines beyond all time are the end of it. */
	return ticks > UINT64_MAX - clock_tsc_base ? UINT64_MAX : clock_tsc_base + (uint64_t)ticks;
}

/* --- The RTC */

struct rtc_time {
	uint8_t second, minute, hour, day, month, year, century;
};

static uint8_t rtc_read(enum rtc_cell cell)
{
	out8(RTC_INDEX_PORT, (uint8_t)cell);
	return in8(RTC_DATA_PORT);
}

static struct rtc_time rtc_read_all(void)
{
	for (unsigned i = 0; i < POLLS_MAX && (rtc_read(RTC_A) & RTC_A_UPDATING); i++)
		cpu_relax();
	return (struct rtc_time){rtc_read(RTC_SECOND), rtc_read(RTC_MINUTE), rtc_read(RTC_HOUR),
				 rtc_read(RTC_DAY),    rtc_read(RTC_MONTH),  rtc_read(RTC_YEAR),
				 rtc_read(RTC_CENTURY)};
}

static unsigned from_bcd(uint8_t value, bool binary)
{
	return binary ? value : (value >> 4) * 10u + (value & 0xf);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar: with years that begin in March the
 * leap day is the last one of all. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
	const int64_t days_to_1970 = 719468; /* from 0000-03-01 */

	return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
	       days_to_1970;
}

/* Seconds since 1970. */
static int64_t rtc_seconds(void)
{
	struct rtc_time time = rtc_read_all();
	uint8_t mode = rtc_read(RTC_B);
	bool binary = mode & RTC_B_BINARY, pm = time.hour & RTC_HOUR_PM;
	unsigned hour = from_bcd(time.hour & ~RTC_HOUR_PM, binary), year, century;

	if (!(mode & RTC_B_24_HOURS))
		hour = hour % 12 + (pm ? 12 : 0);
	century = from_bcd(time.century, binary);
	year = from_bcd(time.year, binary) + (century < 19 || century > 29 ? 20 : century) * 100;
	return ((days_of(year, from_bcd(time.month, binary), from_bcd(time.day, binary)) * 24 +
		 hour) * 60 +
		from_bcd(time.minute, binary)) *
		       60 +
	       from_bcd(time.second, binary);
}

void clock_init(void)
{
	uint64_t rate = measure_by_pm_timer();

	if (!rate)
		rate = measure_by_pit();
	if (rate < 1000)
		panic(NULL, "clock: no timer to measure the TSC by");
	clock_rate_khz = (uint32_t)(rate / 1000);
	clock_tsc_to_ns = ((NS_A_SECOND / 1000) << 32) / clock_rate_khz;
	ns_to_tsc = ((uint64_t)clock_rate_khz << 32) / (NS_A_SECOND / 1000);
	wall_base = rtc_seconds() * (int64_t)NS_A_SECOND - (int64_t)clock_now();
}
