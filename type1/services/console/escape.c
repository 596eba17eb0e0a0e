/* SPDX-License-Identifier: MIT */
/*
 * escape.c - the escape key (escape.h).
 */
#include "type1/services/console/escape.h"

enum escape_action escape_type(bool *pressed, uint8_t byte)
{
	if (!*pressed) {
		*pressed = byte == ESCAPE_KEY;
		return *pressed ? ESCAPE_NOTHING : ESCAPE_SEND;
	}
	*pressed = false;
	switch (byte) {
	case ESCAPE_KEY:
		return ESCAPE_SEND;
	case 'd':
		return ESCAPE_DETACH;
	case 'p':
		return ESCAPE_POWER_BUTTON;
	case 'x':
		return ESCAPE_STOP;
	case 'h':
		return ESCAPE_HELP;
	default:
		return ESCAPE_NOTHING;
	}
}
