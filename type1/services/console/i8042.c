/* SPDX-License-Identifier: MIT */
/*
 * i8042.c - the keyboard's controller (i8042.h).  The firmware may have left it in any state, and
 * may be what answers itself, for a keyboard at USB: nothing is waited for without an end.
 */
#include "type1/services/console/i8042.h"

#include <linux/errno.h>

#include "hw/i8042.h"
#include "os.h"
#include "type1/process/ports.h"

#define NOTHING_THERE 0xffu         /* what ports without a device read as */
#define PATIENCE UINT64_C(50000000) /* ns, for each step */
#define LEFT_MAX 64                 /* bytes that may stand in its way */
#define READ_MAX 64                 /* bytes at a time, whosever they are */
#define KEYBOARD_SCAN 0xf4          /* a command of the keyboard's: it sends its keys */

static uint8_t status(void)
{
	return port_in(I8042_COMMAND_PORT);
}

/* Whether those bits of the status come to be as wanted. */
static bool await(uint8_t bits, uint8_t wanted)
{
	uint64_t deadline = os_clock_monotonic() + PATIENCE;

	while ((status() & bits) != wanted)
		if (os_clock_monotonic() > deadline)
			return false;
	return true;
}

static bool put(unsigned port, uint8_t byte)
{
	if (!await(I8042_STATUS_INPUT_FULL, 0))
		return false;
	port_out(port, byte);
	return true;
}

static bool get(uint8_t *byte)
{
	if (!await(I8042_STATUS_OUTPUT_FULL, I8042_STATUS_OUTPUT_FULL))
		return false;
	*byte = port_in(I8042_DATA_PORT);
	return true;
}

static void drain(void)
{
	for (unsigned i = 0; i < LEFT_MAX && (status() & I8042_STATUS_OUTPUT_FULL); i++)
		port_in(I8042_DATA_PORT);
}

int i8042_begin(void)
{
	uint8_t config;

	if (status() == NOTHING_THERE)
		return -ENODEV;
	/* Nothing comes between a command and its answer. */
	if (!put(I8042_COMMAND_PORT, I8042_KEYBOARD_DISABLE) ||
	    !put(I8042_COMMAND_PORT, I8042_AUX_DISABLE))
		return -EIO;
	drain();
	if (!put(I8042_COMMAND_PORT, I8042_READ_CONFIG) || !get(&config))
		return -EIO;
	config &= (uint8_t) ~(I8042_CONFIG_KEYBOARD_INTERRUPT | I8042_CONFIG_AUX_INTERRUPT |
			      I8042_CONFIG_KEYBOARD_OFF);
	config |= I8042_CONFIG_AUX_OFF | I8042_CONFIG_TRANSLATE;
	/* The keyboard's answer comes as a code, of a key that is up. */
	if (!put(I8042_COMMAND_PORT, I8042_WRITE_CONFIG) || !put(I8042_DATA_PORT, config) ||
	    !put(I8042_COMMAND_PORT, I8042_KEYBOARD_ENABLE) || !put(I8042_DATA_PORT, KEYBOARD_SCAN))
		return -EIO;
	return 0;
}

bool i8042_ready(void)
{
	uint8_t now = status();

	return now != NOTHING_THERE && (now & I8042_STATUS_OUTPUT_FULL);
}

size_t i8042_read(uint8_t *codes, size_t size)
{
	size_t count = 0;

	for (unsigned i = 0; i < READ_MAX && count < size && i8042_ready(); i++) {
		/* What a mouse says only makes room. */
		bool from_mouse = status() & I8042_STATUS_AUX;
		uint8_t byte = port_in(I8042_DATA_PORT);

		if (!from_mouse)
			codes[count++] = byte;
	}
	return count;
}
