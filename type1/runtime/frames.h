/* SPDX-License-Identifier: MIT */
/*
 * frames.h - how frames.c gets its memory, during boot.
 */
#ifndef DYAD_TYPE1_FRAMES_H
#define DYAD_TYPE1_FRAMES_H

#include <stdint.h>

/* state: a byte for each of the pages from physical 0 on, for ever.  Once, first. */
void frames_init(void *state, uint64_t pages);
/* Memory that is free from now on, below those pages and mapped at PHYSICAL_MAP. */
void frames_add(uint64_t start, uint64_t end);

#endif
