/* SPDX-License-Identifier: MIT */
/*
 * calendar.h - seconds since 1970-01-01 00:00 UTC to and from the Gregorian calendar.
 */
#ifndef DYAD_MONITOR_DEVICES_CALENDAR_H
#define DYAD_MONITOR_DEVICES_CALENDAR_H

#include <stdint.h>

/* In nanoseconds an int64_t ends in 2262; nothing we tell the time to goes that far. */
#define CALENDAR_FIRST_YEAR 1970
#define CALENDAR_LAST_YEAR 2199

struct calendar_time {
	int year;  /* CALENDAR_FIRST_YEAR to CALENDAR_LAST_YEAR */
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
	int hour, minute, second;
	int weekday; /* Sunday is 0 */
};

/* Seconds before the first or after the last year count as the first or the last moment. */
void calendar_from_seconds(int64_t seconds, struct calendar_time *time);
/* Fields out of their range count as the nearest value in it; weekday is not looked at. */
int64_t calendar_to_seconds(const struct calendar_time *time);

#endif
