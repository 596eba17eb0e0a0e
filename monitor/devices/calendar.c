/* SPDX-License-Identifier: MIT */
#include "monitor/devices/calendar.h"

#include <stdbool.h>

#define SECONDS_A_DAY 86400
#define EPOCH_WEEKDAY 4 /* 1970-01-01 was a Thursday */

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from the epoch to the first of January. */
static int64_t days_before_year(int year)
{
	int last = year - 1;
	int leaps = last / 4 - last / 100 + last / 400;
	int first = CALENDAR_FIRST_YEAR - 1;

	leaps -= first / 4 - first / 100 + first / 400;
	return 365 * (int64_t)(year - CALENDAR_FIRST_YEAR) + leaps;
}

static int clamp(int value, int low, int high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

void calendar_from_seconds(int64_t seconds, struct calendar_time *time)
{
	int64_t end = days_before_year(CALENDAR_LAST_YEAR + 1) * SECONDS_A_DAY;
	int64_t days;
	int rest;

	if (seconds < 0)
		seconds = 0;
	if (seconds >= end)
		seconds = end - 1;
	days = seconds / SECONDS_A_DAY;
	rest = (int)(seconds % SECONDS_A_DAY);
	time->hour = rest / 3600;
	time->minute = rest / 60 % 60;
	time->second = rest % 60;
	time->weekday = (int)((days + EPOCH_WEEKDAY) % 7);
	/* At most one year too late: there is less than a year's worth of leap days in our range.
	 */
	time->year = CALENDAR_FIRST_YEAR + (int)(days / 365);
	if (days_before_year(time->year) > days)
		time->year--;
	days -= days_before_year(time->year);
	time->month = 1;
	while (days >= days_in_month(time->year, time->month))
		days -= days_in_month(time->year, time->month++);
	time->day = (int)days + 1;
}

int64_t calendar_to_seconds(const struct calendar_time *time)
{
	int year = clamp(time->year, CALENDAR_FIRST_YEAR, CALENDAR_LAST_YEAR);
	int month = clamp(time->month, 1, 12);
	int64_t days = days_before_year(year);

	for (int before = 1; before < month; before++)
		days += days_in_month(year, before);
	days += clamp(time->day, 1, days_in_month(year, month)) - 1;
	return days * SECONDS_A_DAY + clamp(time->hour, 0, 23) * 3600 +
	       clamp(time->minute, 0, 59) * 60 + clamp(time->second, 0, 59);
}
