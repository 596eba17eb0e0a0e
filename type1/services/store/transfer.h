/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - requests of clients that the disk works on: the client's memory is held, its pages
 * go to the disk as they are, and the volume's extents one after the other.
 *
 * There are TRANSFERS of them for all clients together.
 */
#ifndef DYAD_STORE_TRANSFER_H
#define DYAD_STORE_TRANSFER_H

#include "abi/store.h"
#include "type1/process/channel.h"
#include "type1/services/store/volumes.h"

#define TRANSFERS 64
/* Pages of STORE_TRANSFER_MAX, and one or two that are not whole for each segment. */
#define TRANSFER_EXTENTS ((unsigned)(STORE_TRANSFER_MAX / 4096) + 2 * STORE_SEGMENTS)

struct client;
struct transfer {
	struct transfer *next_free;
	struct client *client;
	const struct channel *channel;
	struct volumes *volumes;
	unsigned volume;
	struct store_request request;
	struct store_segment segments[STORE_SEGMENTS]; /* copies, which were checked */
	unsigned held;                                 /* segments whose memory is held */
	uint64_t done;                                 /* bytes that are, or are under way */
	struct block_request block;
	struct type1_extent extents[TRANSFER_EXTENTS];
};

/* The pool, at the beginning. */
void transfer_init(void);
/* NULL: all are in use. */
struct transfer *transfer_take(void);
void transfer_give(struct transfer *transfer);

/*
 * Begins what request, segments and the volume say; all of them are checked but that the memory is
 * the client's: -EFAULT, -ENOSPC, and then the transfer is still the caller's.  Else it ends by
 * clients_transferred().
 */
int transfer_start(struct transfer *transfer);

/* clients.c: the client's request has ended, and nothing of its memory is held. */
void clients_transferred(struct transfer *transfer, int result);

#endif
