/* SPDX-License-Identifier: MIT */
/*
 * keyboard.h - a keyboard's codes (scan code set 1, as the i8042 hands them out) into the bytes
 * that a terminal would send for its keys: US layout; keys without a character are the sequences of
 * VT220 and xterm.  Pure: codes in, bytes out, whatever comes.
 */
#ifndef DYAD_TYPE1_CONSOLE_KEYBOARD_H
#define DYAD_TYPE1_CONSOLE_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYBOARD_BYTES 8 /* at most for one code */

struct keyboard {
	unsigned held; /* modifiers that are down, a bit each */
	bool caps_lock, caps_down;
	bool number_lock_off, number_down; /* firmware leaves it on */
	bool extended;                     /* the code before was the prefix */
	unsigned skipped;                  /* codes to pass over, of the pause key */
};

/* How many bytes the code makes. */
size_t keyboard_take(struct keyboard *keyboard, uint8_t code, char bytes[KEYBOARD_BYTES]);

#endif
