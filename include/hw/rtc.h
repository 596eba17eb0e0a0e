/* SPDX-License-Identifier: MIT */
/*
 * rtc.h - registers of the real-time clock and the CMOS RAM behind it (Motorola MC146818A data
 * sheet), and the cells to which PC firmware has given a meaning.
 */
#ifndef DYAD_HW_RTC_H
#define DYAD_HW_RTC_H

#define RTC_INDEX_PORT 0x70 /* bit 7 masks NMI, the rest selects the cell */
#define RTC_DATA_PORT 0x71
#define RTC_INDEX_MASK 0x7f
#define RTC_CELLS 128

enum rtc_cell {
	RTC_SECOND = 0x00,
	RTC_SECOND_ALARM = 0x01,
	RTC_MINUTE = 0x02,
	RTC_MINUTE_ALARM = 0x03,
	RTC_HOUR = 0x04,
	RTC_HOUR_ALARM = 0x05,
	RTC_WEEKDAY = 0x06, /* Sunday is 1 */
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09, /* within the century */
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	RTC_EQUIPMENT = 0x14,
	RTC_BASE_MEMORY = 0x15,           /* 2 cells, KiB below 640 KiB */
	RTC_EXTENDED_MEMORY = 0x17,       /* 2 cells, KiB above 1 MiB */
	RTC_EXTENDED_MEMORY_FOUND = 0x30, /* the same, as the memory test found it */
	RTC_CENTURY = 0x32,
	RTC_MEMORY_ABOVE_16M = 0x34, /* 2 cells, units of 64 KiB */
	RTC_MEMORY_ABOVE_4G = 0x5b,  /* 3 cells, units of 64 KiB */
};

enum rtc_a {
	RTC_A_RATE = 0x0f,
	RTC_A_RATE_1024HZ = 0x06,
	RTC_A_DIVIDER = 0x70,
	RTC_A_DIVIDER_32KHZ = 0x20, /* the highest setting with which the clock runs */
	RTC_A_UPDATING = 0x80,      /* UIP */
};

/* B enables what C reports, at the same bit. */
enum rtc_b {
	RTC_B_24_HOURS = 0x02,
	RTC_B_BINARY = 0x04, /* DM; else BCD */
	RTC_B_UPDATE = 0x10,
	RTC_B_ALARM = 0x20,
	RTC_B_PERIODIC = 0x40,
	RTC_B_SET = 0x80, /* the clock stands, its registers may be written */
	RTC_B_INTERRUPTS = RTC_B_UPDATE | RTC_B_ALARM | RTC_B_PERIODIC,
};

enum rtc_c {
	RTC_C_UPDATE = 0x10,
	RTC_C_ALARM = 0x20,
	RTC_C_PERIODIC = 0x40,
	RTC_C_INTERRUPT = 0x80, /* IRQF */
};

enum rtc_d {
	RTC_D_VALID = 0x80, /* VRT: the battery is good */
};

#define RTC_ALARM_ANY 0xc0        /* both bits set in an alarm cell: it matches always */
#define RTC_HOUR_PM 0x80          /* in 12-hour mode */
#define RTC_EQUIPMENT_FPU 0x02    /* there is a floating point unit */
#define RTC_UPDATE_LEAD_NS 244000 /* UIP rises so long before the registers change */
#define RTC_CRYSTAL_HZ 32768

#endif
