/* SPDX-License-Identifier: MIT */
/* The MC146818A: telling and setting the time, its three interrupts, and cells full of nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/rtc.h"
#include "lib/bits.h"
#include "monitor/devices/calendar.h"
#include "monitor/devices/devices.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"

#define NS INT64_C(1000000000)
#define GSI 8
/* 2026-11-23 14:05:59 UTC, a Monday, and a quarter of a second */
#define NOW_SECONDS 1795442759
#define NOW (NOW_SECONDS * NS + NS / 4)

struct fixture {
	struct os_loop *loop;
	struct bus ports;
	struct rtc rtc;
	bool level;
	unsigned rises;
};

static void irq_set(void *context, uint32_t gsi, bool level)
{
	struct fixture *f = context;

	assert_int_equal(gsi, GSI);
	assert_int_not_equal(level, f->level);
	f->level = level;
	f->rises += level;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct irq_pin pin = {.set = irq_set, .context = f, .gsi = GSI};

	assert_non_null(f);
	fake_os_wall = NOW;
	fake_os_monotonic = NS;
	bus_init(&f->ports);
	assert_int_equal(os_loop_create(&f->loop), 0);
	assert_int_equal(rtc_init(&f->rtc, f->loop, &f->ports, &pin, 3 * GIB, 5 * GIB), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rtc_destroy(&f->rtc);
	os_loop_destroy(f->loop);
	free(f);
	return 0;
}

static uint8_t in(struct fixture *f, uint8_t cell)
{
	access_write(&f->ports, RTC_INDEX_PORT, 1, cell);
	return (uint8_t)access_read(&f->ports, RTC_DATA_PORT, 1);
}

static void out(struct fixture *f, uint8_t cell, uint8_t value)
{
	access_write(&f->ports, RTC_INDEX_PORT, 1, cell);
	access_write(&f->ports, RTC_DATA_PORT, 1, value);
}

static void pass(struct fixture *f, int64_t ns)
{
	fake_os_wall += ns;
	fake_os_monotonic += (uint64_t)ns;
	fake_os_run(f->loop);
}

static unsigned size_in(struct fixture *f, uint8_t cell, unsigned cells)
{
	unsigned value = 0;

	for (unsigned i = cells; i-- > 0;)
		value = value << 8 | in(f, (uint8_t)(cell + i));
	return value;
}

static void assert_time(struct fixture *f, const uint8_t expected[8])
{
	static const uint8_t cells[] = {RTC_CENTURY, RTC_YEAR, RTC_MONTH,  RTC_DAY,
					RTC_WEEKDAY, RTC_HOUR, RTC_MINUTE, RTC_SECOND};

	for (unsigned i = 0; i < ARRAY_COUNT(cells); i++)
		assert_int_equal(in(f, cells[i]), expected[i]);
}

static void tells_the_hosts_time_in_bcd(void **state)
{
	assert_time(*state, (uint8_t[]){0x20, 0x26, 0x11, 0x23, 2, 0x14, 0x05, 0x59});
	pass(*state, NS);
	assert_time(*state, (uint8_t[]){0x20, 0x26, 0x11, 0x23, 2, 0x14, 0x06, 0x00});
}

static void tells_the_time_in_binary(void **state)
{
	out(*state, RTC_B, RTC_B_24_HOURS | RTC_B_BINARY);
	assert_time(*state, (uint8_t[]){20, 26, 11, 23, 2, 14, 5, 59});
}

static void tells_the_time_in_12_hours(void **state)
{
	static const uint8_t hours[] = {0x12, 1,    2,    3,    4,    5,    6,    7,
					8,    9,    0x10, 0x11, 0x92, 0x81, 0x82, 0x83,
					0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91};
	struct fixture *f = *state;

	out(f, RTC_B, 0);
	for (unsigned hour = 0; hour < 24; hour++) {
		fake_os_wall = hour * 3600 * NS;
		assert_int_equal(in(f, RTC_HOUR), hours[hour]);
		out(f, RTC_HOUR, hours[hour]); /* means the same when it is written */
		assert_int_equal(f->rtc.offset, 0);
	}
}

/* As Linux sets it: the clock stands, its divider is reset, and both go on. */
static void the_time_can_be_set(void **state)
{
	struct fixture *f = *state;
	uint8_t a = in(f, RTC_A), b = in(f, RTC_B);

	out(f, RTC_B, b | RTC_B_SET);
	out(f, RTC_A, a | 0x70);
	out(f, RTC_CENTURY, 0x19);
	out(f, RTC_YEAR, 0x99);
	out(f, RTC_MONTH, 0x12);
	out(f, RTC_DAY, 0x31);
	out(f, RTC_HOUR, 0x23);
	out(f, RTC_MINUTE, 0x59);
	out(f, RTC_SECOND, 0x59);
	pass(f, 10 * NS); /* it stands */
	assert_int_equal(in(f, RTC_SECOND), 0x59);
	out(f, RTC_B, b);
	out(f, RTC_A, a);
	pass(f, NS / 2 - 1); /* the first second after a reset of the divider is half as long */
	assert_time(f, (uint8_t[]){0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59});
	pass(f, 1);
	assert_time(f, (uint8_t[]){0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00});
}

static void a_cell_can_be_set_while_the_clock_runs(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_HOUR, 0x03);
	assert_time(f, (uint8_t[]){0x20, 0x26, 0x11, 0x23, 2, 0x03, 0x05, 0x59});
	pass(f, NS * 3 / 4); /* the second that was under way goes on */
	assert_int_equal(in(f, RTC_SECOND), 0x00);
}

static void nonsense_in_the_cells_becomes_some_time(void **state)
{
	static const uint8_t cells[] = {RTC_CENTURY, RTC_YEAR, RTC_MONTH,  RTC_DAY,
					RTC_WEEKDAY, RTC_HOUR, RTC_MINUTE, RTC_SECOND};
	struct fixture *f = *state;

	for (unsigned mode = 0; mode < 8; mode += 2) {
		for (unsigned value = 0; value < 256; value++) {
			out(f, RTC_B, (uint8_t)(mode | RTC_B_SET));
			for (unsigned i = 0; i < ARRAY_COUNT(cells); i++)
				out(f, cells[i], (uint8_t)value);
			out(f, RTC_B, (uint8_t)mode);
			out(f, RTC_MONTH, (uint8_t)value);
			out(f, RTC_B, RTC_B_24_HOURS | RTC_B_BINARY);
			assert_in_range(in(f, RTC_MONTH), 1, 12);
			assert_in_range(in(f, RTC_DAY), 1, 31);
			assert_in_range(in(f, RTC_HOUR), 0, 23);
			assert_in_range(in(f, RTC_MINUTE), 0, 59);
			assert_in_range(in(f, RTC_SECOND), 0, 59);
			assert_in_range(in(f, RTC_CENTURY), 19, 21);
		}
	}
}

/* The guest has set its clock far ahead, and then the host's is set ahead as well. */
static void a_clock_beyond_64_bits_stands_at_the_end(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_CENTURY, 0x21);
	out(f, RTC_YEAR, 0x99);
	fake_os_wall = 4261222912 * NS; /* in 2105 */
	fake_os_run(f->loop);
	assert_int_equal(in(f, RTC_CENTURY), 0x21);
	assert_int_equal(in(f, RTC_YEAR), 0x99);
}

static void update_in_progress_is_shown_before_the_second_changes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, RTC_A) & RTC_A_UPDATING, 0);
	pass(f, NS * 3 / 4 - 1000);
	assert_true(in(f, RTC_A) & RTC_A_UPDATING);
	assert_int_equal(in(f, RTC_SECOND), 0x59);
	pass(f, 1000);
	assert_int_equal(in(f, RTC_A) & RTC_A_UPDATING, 0);
	assert_int_equal(in(f, RTC_SECOND), 0x00);
	out(f, RTC_A, 0xa6); /* the bit can't be written */
	assert_int_equal(in(f, RTC_A), 0x26);
}

static void update_ended_interrupts_each_second(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_UPDATE);
	pass(f, NS * 3 / 4 - 1);
	assert_false(f->level);
	pass(f, 1);
	assert_true(f->level);
	pass(f, 5 * NS); /* nobody looks: nothing more happens */
	assert_int_equal(f->rises, 1);
	assert_int_equal(in(f, RTC_C), RTC_C_INTERRUPT | RTC_C_UPDATE | RTC_C_PERIODIC);
	assert_false(f->level);
	assert_int_equal(in(f, RTC_C), 0);
	pass(f, NS);
	assert_int_equal(f->rises, 2);
}

static void flags_rise_without_their_interrupts(void **state)
{
	struct fixture *f = *state;

	in(f, RTC_C);
	pass(f, NS);
	assert_int_equal(in(f, RTC_C), RTC_C_UPDATE | RTC_C_PERIODIC);
	assert_int_equal(f->rises, 0);
}

static void setting_the_clock_ends_the_update_interrupt(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_UPDATE);
	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_UPDATE | RTC_B_SET);
	assert_int_equal(in(f, RTC_B), RTC_B_24_HOURS | RTC_B_SET);
	pass(f, 3 * NS);
	assert_int_equal(f->rises, 0);
}

static void alarm_interrupts_at_its_second(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_HOUR_ALARM, 0x14);
	out(f, RTC_MINUTE_ALARM, 0x07);
	out(f, RTC_SECOND_ALARM, 0x30);
	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_ALARM);
	for (unsigned i = 0; i < 90; i++) {
		assert_false(f->level);
		pass(f, NS);
	}
	assert_false(f->level);
	pass(f, NS * 3 / 4);
	assert_true(f->level);
	assert_int_equal(in(f, RTC_C),
			 RTC_C_INTERRUPT | RTC_C_ALARM | RTC_C_UPDATE | RTC_C_PERIODIC);
	pass(f, 86399 * NS);
	assert_false(f->level);
	pass(f, NS);
	assert_true(f->level);
}

static void alarm_cells_with_both_high_bits_match_always(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_HOUR_ALARM, 0xff);
	out(f, RTC_MINUTE_ALARM, 0xc0);
	out(f, RTC_SECOND_ALARM, 0x10);
	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_ALARM);
	for (unsigned minute = 1; minute <= 3; minute++) {
		pass(f, 60 * NS);
		assert_int_equal(f->rises, minute);
		in(f, RTC_C);
	}
}

static void an_alarm_that_never_matches_is_no_trouble(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_HOUR_ALARM, 0x99);
	out(f, RTC_MINUTE_ALARM, 0x7f);
	out(f, RTC_SECOND_ALARM, 0xbf);
	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_ALARM);
	for (unsigned hour = 0; hour < 30; hour++)
		pass(f, 3600 * NS);
	assert_int_equal(f->rises, 0);
}

/* The host's administrator sets its clock: the alarm still goes by what the guest reads. */
static void alarm_follows_the_hosts_clock_when_it_is_set(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_HOUR_ALARM, 0x18);
	out(f, RTC_MINUTE_ALARM, 0x00);
	out(f, RTC_SECOND_ALARM, 0x00);
	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_ALARM);
	pass(f, NS);
	fake_os_wall += 4 * 3600 * NS;
	pass(f, 60 * NS);
	assert_true(f->level);
	in(f, RTC_C);
	fake_os_wall -= 8 * 3600 * NS; /* and back */
	pass(f, 60 * NS);
	assert_false(f->level);
}

static void periodic_interrupt_keeps_its_rate(void **state)
{
	struct fixture *f = *state;

	out(f, RTC_A, 0x2f); /* 2 Hz */
	out(f, RTC_B, RTC_B_24_HOURS | RTC_B_PERIODIC);
	in(f, RTC_C);
	for (unsigned i = 1; i <= 10; i++) {
		pass(f, NS / 2);
		assert_int_equal(f->rises, i);
		assert_true(in(f, RTC_C) & RTC_C_PERIODIC);
	}
	out(f, RTC_A, 0x26); /* 1024 Hz */
	f->rises = 0;
	for (unsigned i = 0; i < 1000; i++) {
		pass(f, NS / 1000);
		in(f, RTC_C);
	}
	assert_in_range(f->rises, 990, 1000); /* one for each millisecond that held a tick */
	out(f, RTC_A, 0x21); /* 256 Hz: the two lowest rates are not in line with the others */
	f->rises = 0;
	for (unsigned i = 0; i < 256; i++) {
		pass(f, NS / 512);
		assert_false(in(f, RTC_C) & RTC_C_PERIODIC);
		pass(f, NS / 512);
		assert_true(in(f, RTC_C) & RTC_C_PERIODIC);
	}
	assert_int_equal(f->rises, 256);
	out(f, RTC_A, 0x20); /* none */
	f->rises = 0;
	pass(f, NS);
	assert_int_equal(f->rises, 0);
}

static void cells_tell_the_size_of_memory(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(size_in(f, RTC_BASE_MEMORY, 2), 640);
	assert_int_equal(size_in(f, RTC_EXTENDED_MEMORY, 2), 0xffff); /* saturated */
	assert_int_equal(size_in(f, RTC_EXTENDED_MEMORY_FOUND, 2), 0xffff);
	assert_int_equal(size_in(f, RTC_MEMORY_ABOVE_16M, 2), (3 * GIB - 16 * MIB) >> 16);
	assert_int_equal(size_in(f, RTC_MEMORY_ABOVE_4G, 3), 5 * GIB >> 16);
}

static void other_cells_are_memory_and_status_is_not(void **state)
{
	struct fixture *f = *state;

	out(f, 0x0f, 0x5a);
	out(f, 0x7f, 0xa5);
	assert_int_equal(in(f, 0x0f), 0x5a);
	assert_int_equal(in(f, 0xff), 0xa5); /* bit 7 of the index only masks NMI */
	out(f, RTC_C, 0xff);
	out(f, RTC_D, 0x00);
	assert_int_equal(in(f, RTC_C), 0);
	assert_int_equal(in(f, RTC_D), RTC_D_VALID);
	assert_int_equal(access_read(&f->ports, RTC_INDEX_PORT, 1), 0xff);
	access_write(&f->ports, RTC_INDEX_PORT, 2, 0x770f);
	assert_int_equal(in(f, 0x0f), 0x77);
}

static void calendar_knows_every_day_of_its_range(void **state)
{
	struct calendar_time time, before = {.year = 1969, .month = 12, .day = 31, .weekday = 3};
	int64_t day = 0;

	(void)state;
	for (;; day++) {
		calendar_from_seconds(day * 86400 + 86399, &time);
		assert_int_equal(calendar_to_seconds(&time), day * 86400 + 86399);
		assert_int_equal(time.weekday, (before.weekday + 1) % 7);
		if (time.day != before.day + 1) {
			assert_int_equal(time.day, 1);
			assert_int_equal(time.month, before.month % 12 + 1);
			assert_int_equal(time.year, before.year + (time.month == 1));
		}
		if (time.year == CALENDAR_LAST_YEAR && time.month == 12 && time.day == 31)
			break;
		before = time;
	}
	calendar_from_seconds((day + 1) * 86400, &time); /* beyond the end */
	assert_int_equal(time.year, CALENDAR_LAST_YEAR);
	calendar_from_seconds(-1, &time);
	assert_int_equal(time.year, CALENDAR_FIRST_YEAR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tells_the_hosts_time_in_bcd),
		TEST(tells_the_time_in_binary),
		TEST(tells_the_time_in_12_hours),
		TEST(the_time_can_be_set),
		TEST(a_cell_can_be_set_while_the_clock_runs),
		TEST(nonsense_in_the_cells_becomes_some_time),
		TEST(a_clock_beyond_64_bits_stands_at_the_end),
		TEST(update_in_progress_is_shown_before_the_second_changes),
		TEST(update_ended_interrupts_each_second),
		TEST(flags_rise_without_their_interrupts),
		TEST(setting_the_clock_ends_the_update_interrupt),
		TEST(alarm_interrupts_at_its_second),
		TEST(alarm_cells_with_both_high_bits_match_always),
		TEST(an_alarm_that_never_matches_is_no_trouble),
		TEST(alarm_follows_the_hosts_clock_when_it_is_set),
		TEST(periodic_interrupt_keeps_its_rate),
		TEST(cells_tell_the_size_of_memory),
		TEST(other_cells_are_memory_and_status_is_not),
		TEST(calendar_knows_every_day_of_its_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
