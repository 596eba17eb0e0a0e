/* SPDX-License-Identifier: MIT */
/*
 * escape.h - the escape key of an attached terminal, as in 'dyad run': Ctrl-A, and the key behind
 * it.
 */
#ifndef DYAD_TYPE1_CONSOLE_ESCAPE_H
#define DYAD_TYPE1_CONSOLE_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#define ESCAPE_KEY 0x01 /* Ctrl-A */

enum escape_action {
	ESCAPE_SEND,    /* the byte is the guest's */
	ESCAPE_NOTHING, /* it was the escape key, or a key that means nothing behind that */
	ESCAPE_DETACH,
	ESCAPE_POWER_BUTTON,
	ESCAPE_STOP,
	ESCAPE_HELP,
};

/* pressed: whether the key before was the escape key; kept by the caller, false at first. */
enum escape_action escape_type(bool *pressed, uint8_t byte);

#endif
