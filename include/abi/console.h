/* SPDX-License-Identifier: MIT */
/*
 * console.h - what a monitor and the console service say to each other: a guest's terminal, as two
 * rings of bytes.  Shared memory: struct console_channel, from offset 0.
 */
#ifndef DYAD_ABI_CONSOLE_H
#define DYAD_ABI_CONSOLE_H

#include <stdint.h>

#include "abi/ring.h"

#define CONSOLE_OUTPUT                                                                             \
	65536 /* bytes; what the guest wrote while nobody was attached is kept here */
#define CONSOLE_INPUT 4096

struct console_channel {
	struct ring_header output, input; /* of the guest; an entry is a byte */
	uint8_t written[CONSOLE_OUTPUT];
	uint8_t typed[CONSOLE_INPUT];
	/* [console] What the person asks of the VM: raised when it is to be pressed or ended. */
	uint32_t power_button, stop;
};

#endif
