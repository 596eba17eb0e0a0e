/* SPDX-License-Identifier: MIT */
/*
 * clock.h - how clock.c is set up.
 */
#ifndef DYAD_TYPE1_CLOCK_H
#define DYAD_TYPE1_CLOCK_H

void clock_init(void); /* acpi_init() before; clock_tsc_base is set by who entered first */

#endif
