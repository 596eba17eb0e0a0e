/* SPDX-License-Identifier: MIT */
/*
 * other.h - a second CPU for guests that test what two do.
 */
#ifndef DYAD_TESTS_GUEST_OTHER_H
#define DYAD_TESTS_GUEST_OTHER_H

#include <stdbool.h>

/*
 * Starts it: in flat 32-bit protected mode with the GDT of traps_init(), no IDT, interrupts off and
 * a stack of its own, main() is called, which never returns.  False: there is none.  The local APIC
 * is in xAPIC mode; once.
 */
bool other_start(void (*main)(void));

#endif
