/* SPDX-License-Identifier: MIT */
/*
 * rtc.c - the MC146818A: a clock that is computed when it is read, and a timer towards the next
 * interrupt that somebody waits for.
 *
 * While the clock runs, the time cells are made from the host's clock and the offset.  While it
 * stands (SET, or its divider held in reset) they are plain memory, and become the time when it
 * starts again.
 */
#include "hw/rtc.h"

#include "lib/bits.h"
#include "monitor/devices/calendar.h"
#include "monitor/devices/devices.h"

#define NS_A_SECOND INT64_C(1000000000)
#define SECONDS_A_DAY 86400

/* An alarm is looked for again so often, because the host's wall clock may be set meanwhile. */
#define ALARM_LOOK_SECONDS 60

/* --- The guest's clock ----------------------------------------------------------------------- */

/* Nanoseconds since the epoch as the guest sees them: at most what 64 bits hold, in 2262. */
static int64_t clock_now(const struct rtc *rtc)
{
	int64_t ns;

	if (__builtin_add_overflow(os_clock_wall(), rtc->offset, &ns))
		return rtc->offset < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static int64_t second_of(int64_t ns)
{
	return ns / NS_A_SECOND - (ns % NS_A_SECOND < 0);
}

static int64_t fraction_of(int64_t ns)
{
	return ns - second_of(ns) * NS_A_SECOND;
}

static bool is_running(const struct rtc *rtc)
{
	return !(rtc->cmos[RTC_B] & RTC_B_SET) &&
	       (rtc->cmos[RTC_A] & RTC_A_DIVIDER) <= RTC_A_DIVIDER_32KHZ;
}

/* --- Cells to and from numbers --------------------------------------------------------------- */

static uint8_t encode(const struct rtc *rtc, int value)
{
	if (rtc->cmos[RTC_B] & RTC_B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 << 4 | value % 10);
}

static int decode(const struct rtc *rtc, uint8_t cell)
{
	if (rtc->cmos[RTC_B] & RTC_B_BINARY)
		return cell;
	return (cell >> 4) * 10 + (cell & 0xf);
}

static uint8_t encode_hour(const struct rtc *rtc, int hour)
{
	if (rtc->cmos[RTC_B] & RTC_B_24_HOURS)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? RTC_HOUR_PM : 0);
}

static int decode_hour(const struct rtc *rtc, uint8_t cell)
{
	int hour;

	if (rtc->cmos[RTC_B] & RTC_B_24_HOURS)
		return decode(rtc, cell);
	hour = decode(rtc, cell & (uint8_t)~RTC_HOUR_PM);
	if (hour == 12)
		hour = 0;
	return cell & RTC_HOUR_PM ? hour + 12 : hour;
}

static void store_time(struct rtc *rtc)
{
	struct calendar_time time;

	calendar_from_seconds(second_of(clock_now(rtc)), &time);
	rtc->cmos[RTC_SECOND] = encode(rtc, time.second);
	rtc->cmos[RTC_MINUTE] = encode(rtc, time.minute);
	rtc->cmos[RTC_HOUR] = encode_hour(rtc, time.hour);
	rtc->cmos[RTC_WEEKDAY] = encode(rtc, time.weekday + 1);
	rtc->cmos[RTC_DAY] = encode(rtc, time.day);
	rtc->cmos[RTC_MONTH] = encode(rtc, time.month);
	rtc->cmos[RTC_YEAR] = encode(rtc, time.year % 100);
	rtc->cmos[RTC_CENTURY] = encode(rtc, time.year / 100);
}

/* Whatever the cells hold becomes a time between 1970 and 2199, fraction ns into its second. */
static void load_time(struct rtc *rtc, int64_t fraction)
{
	struct calendar_time time = {
		.year = decode(rtc, rtc->cmos[RTC_CENTURY]) * 100 +
			decode(rtc, rtc->cmos[RTC_YEAR]),
		.month = decode(rtc, rtc->cmos[RTC_MONTH]),
		.day = decode(rtc, rtc->cmos[RTC_DAY]),
		.hour = decode_hour(rtc, rtc->cmos[RTC_HOUR]),
		.minute = decode(rtc, rtc->cmos[RTC_MINUTE]),
		.second = decode(rtc, rtc->cmos[RTC_SECOND]),
	};

	rtc->last_second = calendar_to_seconds(&time);
	rtc->offset = rtc->last_second * NS_A_SECOND + fraction - os_clock_wall();
}

/* --- Interrupts ------------------------------------------------------------------------------ */

/* Nanoseconds between two periodic interrupts, 0 for none (data sheet, table 5). */
static uint64_t period(const struct rtc *rtc)
{
	unsigned rate = rtc->cmos[RTC_A] & RTC_A_RATE;

	if (!rate)
		return 0;
	if (rate < 3)
		rate += 7; /* with the 32 kHz crystal 1 and 2 are as 8 and 9 */
	return ((uint64_t)NS_A_SECOND << (rate - 1)) / RTC_CRYSTAL_HZ;
}

static bool alarm_matches(uint8_t cell, int alarm, int value)
{
	return (cell & RTC_ALARM_ANY) == RTC_ALARM_ANY || alarm == value;
}

/*
 * The first second after the one given at which the alarm matches, or INT64_MAX if it never does.
 * Skips to the next hour or minute where that does not match, so it ends within 150 steps.
 */
static int64_t next_alarm(const struct rtc *rtc, int64_t after)
{
	uint8_t hour_cell = rtc->cmos[RTC_HOUR_ALARM], minute_cell = rtc->cmos[RTC_MINUTE_ALARM];
	uint8_t second_cell = rtc->cmos[RTC_SECOND_ALARM];
	int hour = decode_hour(rtc, hour_cell), minute = decode(rtc, minute_cell);
	int second = decode(rtc, second_cell);
	int64_t start = after + 1, at = start;

	while (at - start <= SECONDS_A_DAY) {
		int of_day = (int)(((at % SECONDS_A_DAY) + SECONDS_A_DAY) % SECONDS_A_DAY);

		if (!alarm_matches(hour_cell, hour, of_day / 3600))
			at += 3600 - of_day % 3600;
		else if (!alarm_matches(minute_cell, minute, of_day / 60 % 60))
			at += 60 - of_day % 60;
		else if (!alarm_matches(second_cell, second, of_day % 60))
			at++;
		else
			return at;
	}
	return INT64_MAX;
}

static void set_line(struct rtc *rtc, bool level)
{
	if (rtc->line == level)
		return;
	rtc->line = level;
	irq_pin_set(&rtc->pin, level);
}

/* Raises the flags for what has happened since it was last looked, and the pin if they are enabled.
 */
static void catch_up(struct rtc *rtc)
{
	uint64_t now = os_clock_monotonic(), every = period(rtc);
	uint8_t *flags = &rtc->cmos[RTC_C];
	int64_t second = second_of(clock_now(rtc));

	if (every && now >= rtc->next_periodic) {
		*flags |= RTC_C_PERIODIC;
		rtc->next_periodic += ((now - rtc->next_periodic) / every + 1) * every;
	}
	if (is_running(rtc) && second != rtc->last_second) {
		*flags |= RTC_C_UPDATE;
		if (next_alarm(rtc, rtc->last_second) <= second)
			*flags |= RTC_C_ALARM;
		rtc->last_second = second; /* less than before if the host's clock was set back */
	}
	if (*flags & rtc->cmos[RTC_B] & RTC_B_INTERRUPTS)
		*flags |= RTC_C_INTERRUPT;
	else
		*flags &= (uint8_t)~RTC_C_INTERRUPT;
	set_line(rtc, *flags & RTC_C_INTERRUPT);
}

/* Sets the timer to the next interrupt that is enabled and not raised yet. */
static void arm(struct rtc *rtc)
{
	uint8_t wanted = rtc->cmos[RTC_B] & ~rtc->cmos[RTC_C] & RTC_B_INTERRUPTS;
	uint64_t now = os_clock_monotonic(), deadline = UINT64_MAX;

	if ((wanted & RTC_B_PERIODIC) && period(rtc))
		deadline = rtc->next_periodic;
	if ((wanted & (RTC_B_UPDATE | RTC_B_ALARM)) && is_running(rtc)) {
		uint64_t next = (uint64_t)(NS_A_SECOND - fraction_of(clock_now(rtc)));

		if (!(wanted & RTC_B_UPDATE)) {
			int64_t alarm = next_alarm(rtc, rtc->last_second);

			if (alarm > rtc->last_second + ALARM_LOOK_SECONDS)
				next = (uint64_t)(ALARM_LOOK_SECONDS * NS_A_SECOND);
			else
				next += (uint64_t)((alarm - rtc->last_second - 1) * NS_A_SECOND);
		}
		deadline = MIN(deadline, now + next);
	}
	if (deadline == UINT64_MAX)
		deadline = 0;
	if (deadline == rtc->deadline)
		return;
	rtc->deadline = deadline;
	os_timer_set(rtc->timer, deadline);
}

static void timer_fired(void *arg)
{
	struct rtc *rtc = arg;

	os_mutex_lock(&rtc->lock);
	rtc->deadline = 0;
	catch_up(rtc);
	arm(rtc);
	os_mutex_unlock(&rtc->lock);
}

/* --- Registers ------------------------------------------------------------------------------- */

static bool is_time(uint8_t cell)
{
	switch (cell) {
	case RTC_SECOND:
	case RTC_MINUTE:
	case RTC_HOUR:
	case RTC_WEEKDAY:
	case RTC_DAY:
	case RTC_MONTH:
	case RTC_YEAR:
	case RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

static uint8_t a_read(const struct rtc *rtc)
{
	bool updating =
		is_running(rtc) && fraction_of(clock_now(rtc)) >= NS_A_SECOND - RTC_UPDATE_LEAD_NS;

	return rtc->cmos[RTC_A] | (updating ? RTC_A_UPDATING : 0);
}

static uint8_t c_read(struct rtc *rtc)
{
	uint8_t flags;

	catch_up(rtc);
	flags = rtc->cmos[RTC_C];
	rtc->cmos[RTC_C] = 0;
	set_line(rtc, false);
	arm(rtc);
	return flags;
}

static uint8_t cell_read(struct rtc *rtc, uint8_t cell)
{
	if (is_time(cell) && is_running(rtc))
		store_time(rtc);
	switch (cell) {
	case RTC_A:
		return a_read(rtc);
	case RTC_C:
		return c_read(rtc);
	case RTC_D:
		return RTC_D_VALID;
	default:
		return rtc->cmos[cell];
	}
}

/*
 * A and B together decide whether the clock runs.  When it starts again, the second that was under
 * way goes on; only after a reset of the divider is the first one half as long.
 */
static void control_write(struct rtc *rtc, uint8_t cell, uint8_t value)
{
	bool ran = is_running(rtc);
	uint64_t old_period = period(rtc);
	bool divided = (rtc->cmos[RTC_A] & RTC_A_DIVIDER) <= RTC_A_DIVIDER_32KHZ;

	if (cell == RTC_A)
		value &= (uint8_t)~RTC_A_UPDATING;
	else if (value & RTC_B_SET)
		value &= (uint8_t)~RTC_B_UPDATE; /* as the data sheet says of SET */
	if (ran)
		store_time(rtc);
	rtc->cmos[cell] = value;
	if (!ran && is_running(rtc))
		load_time(rtc, divided ? fraction_of(clock_now(rtc)) : NS_A_SECOND / 2);
	if (period(rtc) != old_period)
		rtc->next_periodic = os_clock_monotonic() + period(rtc);
}

static void time_write(struct rtc *rtc, uint8_t cell, uint8_t value)
{
	if (!is_running(rtc)) {
		rtc->cmos[cell] = value;
		return;
	}
	store_time(rtc);
	rtc->cmos[cell] = value;
	load_time(rtc, fraction_of(clock_now(rtc)));
}

static void cell_write(struct rtc *rtc, uint8_t cell, uint8_t value)
{
	catch_up(rtc);
	if (is_time(cell))
		time_write(rtc, cell, value);
	else if (cell == RTC_A || cell == RTC_B)
		control_write(rtc, cell, value);
	else if (cell != RTC_C && cell != RTC_D)
		rtc->cmos[cell] = value;
	catch_up(rtc);
	arm(rtc);
}

/* Two 8-bit ports: wider accesses come byte by byte. */
static uint64_t rtc_read(void *device, uint64_t offset, unsigned size)
{
	struct rtc *rtc = device;
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++) {
		bool data = offset + i == RTC_DATA_PORT - RTC_INDEX_PORT;
		/* The index can't be read back. */
		uint8_t byte = data ? cell_read(rtc, rtc->index) : UINT8_MAX;

		value |= (uint64_t)byte << (8 * i);
	}
	return value;
}

static void rtc_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct rtc *rtc = device;

	for (unsigned i = 0; i < size; i++, value >>= 8) {
		if (offset + i == RTC_DATA_PORT - RTC_INDEX_PORT)
			cell_write(rtc, rtc->index, (uint8_t)value);
		else
			rtc->index = value & RTC_INDEX_MASK;
	}
}

static const struct bus_ops rtc_ops = {.read = rtc_read, .write = rtc_write};

/* --- Making it ------------------------------------------------------------------------------- */

/* A memory size in its cells, low byte first; more than fits reads as the most that does. */
static void store_size(struct rtc *rtc, uint8_t cell, unsigned cells, uint64_t units)
{
	units = MIN(units, size_mask(cells));
	for (unsigned i = 0; i < cells; i++)
		rtc->cmos[cell + i] = (uint8_t)(units >> (8 * i));
}

static void store_memory(struct rtc *rtc, uint64_t below_4g, uint64_t above_4g)
{
	uint64_t extended = below_4g > MIB ? below_4g - MIB : 0;
	uint64_t above_16m = below_4g > 16 * MIB ? below_4g - 16 * MIB : 0;

	store_size(rtc, RTC_BASE_MEMORY, 2, MIN(below_4g / KIB, 640));
	store_size(rtc, RTC_EXTENDED_MEMORY, 2, extended / KIB);
	store_size(rtc, RTC_EXTENDED_MEMORY_FOUND, 2, extended / KIB);
	store_size(rtc, RTC_MEMORY_ABOVE_16M, 2, above_16m / (64 * KIB));
	store_size(rtc, RTC_MEMORY_ABOVE_4G, 3, above_4g / (64 * KIB));
}

int rtc_init(struct rtc *rtc, struct os_loop *loop, struct bus *ports, const struct irq_pin *pin,
	     uint64_t below_4g, uint64_t above_4g)
{
	struct bus_range range = {.base = RTC_INDEX_PORT,
				  .length = 2,
				  .ops = &rtc_ops,
				  .device = rtc,
				  .lock = &rtc->lock};
	int err;

	*rtc = (struct rtc){.pin = *pin};
	os_mutex_init(&rtc->lock);
	rtc->cmos[RTC_A] = RTC_A_DIVIDER_32KHZ | RTC_A_RATE_1024HZ;
	rtc->cmos[RTC_B] = RTC_B_24_HOURS;
	rtc->cmos[RTC_EQUIPMENT] = RTC_EQUIPMENT_FPU;
	store_memory(rtc, below_4g, above_4g);
	rtc->last_second = second_of(clock_now(rtc));
	rtc->next_periodic = os_clock_monotonic() + period(rtc);
	err = os_timer_create(loop, timer_fired, rtc, &rtc->timer);
	if (err < 0)
		return err;
	err = bus_add(ports, &range);
	if (err < 0)
		rtc_destroy(rtc);
	return err;
}

void rtc_destroy(struct rtc *rtc)
{
	os_timer_destroy(rtc->timer);
	rtc->timer = NULL;
}
