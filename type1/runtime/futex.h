/* SPDX-License-Identifier: MIT */
/*
 * futex.h - waiting for a word of memory to change: TYPE1_FUTEX_WAIT and _WAKE of the current
 * process.
 */
#ifndef DYAD_TYPE1_FUTEX_H
#define DYAD_TYPE1_FUTEX_H

#include <stdint.h>

int futex_wait(uint64_t address, uint32_t value, uint64_t deadline);
int64_t futex_wake(uint64_t address, uint64_t count);

#endif
