/* SPDX-License-Identifier: MIT */
/*
 * pit.h - the 8254 programmable interval timer (Intel 82C54 data sheet), and the PC's port 0x61
 * that its third counter is wired to.
 */
#ifndef DYAD_HW_PIT_H
#define DYAD_HW_PIT_H

#define PIT_FREQUENCY 1193182u /* Hz */
#define PIT_CHANNELS 3
#define PIT_COUNTS 0x10000u /* what a count of 0 means */
#define PIT_COUNTS_BCD 10000u
#define PIT_PORT 0x40 /* a port for each counter, then: */
#define PIT_CONTROL_PORT 0x43

/* Control word, data sheet figure 7. */
#define PIT_CONTROL_BCD 0x01u
#define PIT_CONTROL_MODE_SHIFT 1
#define PIT_CONTROL_MODE_MASK 7u
#define PIT_CONTROL_ACCESS_SHIFT 4
#define PIT_CONTROL_ACCESS_MASK 3u
#define PIT_CONTROL_CHANNEL_SHIFT 6
#define PIT_CONTROL_READ_BACK 3u
enum pit_access {
	PIT_ACCESS_LATCH = 0,
	PIT_ACCESS_LOW = 1,
	PIT_ACCESS_HIGH = 2,
	PIT_ACCESS_WORD = 3,      /* low, then high */
	PIT_ACCESS_WORD_HIGH = 4, /* of a word, whose low byte is done: a state only */
};

enum pit_mode {
	PIT_MODE_TERMINAL_COUNT = 0,
	PIT_MODE_ONE_SHOT = 1,
	PIT_MODE_RATE = 2,
	PIT_MODE_SQUARE = 3,
	PIT_MODE_SOFTWARE_STROBE = 4,
	PIT_MODE_HARDWARE_STROBE = 5,
};

/* Read-back command, figure 10: these two are active low. */
#define PIT_READ_BACK_NO_COUNT 0x20u
#define PIT_READ_BACK_NO_STATUS 0x10u
#define PIT_READ_BACK_CHANNEL_SHIFT 1

/* Status byte, figure 11. */
#define PIT_STATUS_OUT 0x80u
#define PIT_STATUS_NULL 0x40u

/* Port 0x61 of the PC. */
#define PIT_SPEAKER_PORT 0x61
#define PIT_SPEAKER_GATE 0x01u /* of counter 2 */
#define PIT_SPEAKER_DATA 0x02u
#define PIT_SPEAKER_REFRESH 0x10u /* toggles with each refresh of memory */
#define PIT_SPEAKER_OUT 0x20u     /* of counter 2 */
#define PIT_REFRESH_SHIFT 14      /* the bit toggles every 2^14 ns, about as it did */

#endif
