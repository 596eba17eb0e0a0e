/* SPDX-License-Identifier: MIT */
/*
 * i8042.h - the PC's keyboard controller (Intel 8042 as in the IBM PS/2 Hardware Interface
 * Technical Reference, "Keyboard and Auxiliary Device Controller") and system control port A.
 */
#ifndef DYAD_HW_I8042_H
#define DYAD_HW_I8042_H

#define I8042_DATA_PORT 0x60
#define I8042_COMMAND_PORT 0x64 /* read: status */

enum i8042_status {
	I8042_STATUS_OUTPUT_FULL = 0x01,
	I8042_STATUS_INPUT_FULL = 0x02, /* what was written was not taken yet */
	I8042_STATUS_SYSTEM = 0x04,     /* the self-test has passed */
	I8042_STATUS_UNLOCKED = 0x10,   /* the key lock is open */
	I8042_STATUS_AUX = 0x20,        /* what is to be read comes from the mouse */
};

enum i8042_command {
	I8042_READ_CONFIG = 0x20,
	I8042_WRITE_CONFIG = 0x60,
	I8042_AUX_DISABLE = 0xa7,
	I8042_AUX_ENABLE = 0xa8,
	I8042_AUX_TEST = 0xa9,
	I8042_SELF_TEST = 0xaa,
	I8042_KEYBOARD_TEST = 0xab,
	I8042_KEYBOARD_DISABLE = 0xad,
	I8042_KEYBOARD_ENABLE = 0xae,
	I8042_READ_INPUT_PORT = 0xc0,
	I8042_READ_OUTPUT_PORT = 0xd0,
	I8042_WRITE_OUTPUT_PORT = 0xd1,
	I8042_ECHO_KEYBOARD = 0xd2, /* the data byte comes back as if a keyboard had sent it */
	I8042_ECHO_AUX = 0xd3,
	I8042_WRITE_AUX = 0xd4,
	I8042_READ_TEST_INPUTS = 0xe0,
	I8042_PULSE = 0xf0, /* to 0xff: low bits that are 0 name output lines to pull */
};

enum i8042_answer {
	I8042_SELF_TEST_PASSED = 0x55,
	I8042_PORT_TEST_PASSED = 0x00,
	I8042_PORT_TEST_CLOCK_LOW = 0x01,
};

enum i8042_config {
	I8042_CONFIG_KEYBOARD_INTERRUPT = 0x01,
	I8042_CONFIG_AUX_INTERRUPT = 0x02,
	I8042_CONFIG_SYSTEM = 0x04,
	I8042_CONFIG_KEYBOARD_OFF = 0x10,
	I8042_CONFIG_AUX_OFF = 0x20,
	I8042_CONFIG_TRANSLATE = 0x40, /* the keyboard's codes of set 2 into those of set 1 */
};

enum i8042_output_port {
	I8042_OUTPUT_RESET = 0x01, /* low: the CPU is held in reset */
	I8042_OUTPUT_A20 = 0x02,
};

#define SYSTEM_CONTROL_A_PORT 0x92

enum system_control_a {
	SYSTEM_CONTROL_A_RESET = 0x01, /* from 0 to 1: resets */
	SYSTEM_CONTROL_A_A20 = 0x02,
};

#endif
