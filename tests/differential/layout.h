/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the addresses that tests run at, natively and in the guest: below 2 GiB, so that all
 * forms of addresses reach them, in 32-bit code, too.  Also seen by assembly.
 */
#ifndef DYAD_TESTS_DIFFERENTIAL_LAYOUT_H
#define DYAD_TESTS_DIFFERENTIAL_LAYOUT_H

#define AREA_CODE 0x20000000
#define AREA_CODE_SIZE 0x100000
/* Two pages to write, one to read, and none before and behind; the same for the stack. */
#define AREA_DATA 0x22001000
#define AREA_STACK 0x23001000
#define AREA_PAGES 2
#define AREA_PAGE 0x1000

/* What the way in and out of native code keeps.  The guest doesn't have it. */
#define CONTROL 0x21000000
#define CONTROL_GPR (CONTROL + 0x000)
#define CONTROL_RFLAGS (CONTROL + 0x080)
#define CONTROL_RIP (CONTROL + 0x088)
#define CONTROL_HOST_RSP (CONTROL + 0x090)
#define CONTROL_EXIT (CONTROL + 0x098)
#define CONTROL_MXCSR (CONTROL + 0x0a0)
#define CONTROL_FCW (CONTROL + 0x0a4)
#define CONTROL_FAR (CONTROL + 0x0b0)
#define CONTROL_RETURN (CONTROL + 0x0c0) /* code: from 32-bit code back */
#define CONTROL_XSAVE (CONTROL + 0x400)
#define CONTROL_SIZE 0x1000

/* 16-bit code has its data in a segment that begins a page below the area. */
#define DATA16_BASE (AREA_DATA - 0x1000)
#define DATA16_LIMIT 0xffff
#define SELECTOR_CODE16 0x07 /* in the LDT */
#define SELECTOR_DATA16 0x0f
#define SELECTOR_CODE32 0x23
#define SELECTOR_CODE64 0x33
#define SELECTOR_DATA 0x2b

#endif
