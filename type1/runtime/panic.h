/* SPDX-License-Identifier: MIT */
/*
 * panic.h - how trap.c tells panic.c of an NMI: it stops the CPU if another one panics.
 */
#ifndef DYAD_TYPE1_PANIC_H
#define DYAD_TYPE1_PANIC_H

void panic_take_nmi(void);

#endif
