/* SPDX-License-Identifier: MIT */
/*
 * vga.h - the text screen of EGA and VGA (IBM VGA Technical Reference, "CRT Controller Registers").
 */
#ifndef DYAD_HW_VGA_H
#define DYAD_HW_VGA_H

#define VGA_CRTC_PORT 0x3d4 /* the index of a register; the register is one behind */
#define VGA_CRTC_PORTS 2

enum vga_crtc {
	VGA_CRTC_CURSOR_START = 0x0a,
};
enum vga_cursor_start {
	VGA_CURSOR_OFF = 0x20,
};

#endif
