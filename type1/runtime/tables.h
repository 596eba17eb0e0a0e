/* SPDX-License-Identifier: MIT */
/*
 * tables.h - the runtime's own page tables, of which all others share the upper half.
 */
#ifndef DYAD_TYPE1_TABLES_H
#define DYAD_TYPE1_TABLES_H

#include <stdbool.h>
#include <stdint.h>

extern uint64_t table_root; /* the runtime's own; [const] after tables_init() */

extern bool table_has_gib_pages; /* [const] as that: what table_map() may be asked for */

/* Makes them, with the image and no memory yet. */
void tables_init(void);
/* Maps memory at PHYSICAL_MAP.  Before others run. */
void tables_add_memory(uint64_t start, uint64_t end);

#endif
