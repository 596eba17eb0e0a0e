/* SPDX-License-Identifier: MIT */
/*
 * private.h - what the files of the core's host on the runtime share.
 */
#ifndef DYAD_TYPE1_HOST_PRIVATE_H
#define DYAD_TYPE1_HOST_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "type1/runtime/memory.h"

/* The host's private part of one of host.h's objects, checked to fit. */
#define HOST_PRIVATE(object, type)                                                                 \
	({                                                                                         \
		_Static_assert(sizeof(type) <= sizeof((object)->opaque), "it has room for that");  \
		(type *)(object)->opaque;                                                          \
	})

/*
 * host_blocks.c: blocks of pages that the core has.  Each knows who pays for it, as it may be freed
 * on behalf of nobody, and counts references: the core's, and those of mappings of what it shares
 * with its caller.
 */
int host_blocks_init(void);             /* once, during boot */
void *host_block_alloc(unsigned order); /* zeroed, for the current process; NULL.  Any context */
void host_block_get(const void *block); /* any context */
bool host_block_put(void *block);       /* false: no block begins there.  Any context */

/* host_mitigations.c: once, during boot. */
void host_mitigations_init(void);

/* The account of who has the core work: the current process's, or the runtime's own. */
struct account *host_account(void);

#endif
