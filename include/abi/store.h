/* SPDX-License-Identifier: MIT */
/*
 * store.h - what a client and the store say to each other in a channel: requests for a volume's
 * blocks.  Data moves between the device and the client's memory by DMA; the channel has requests
 * and answers only.
 *
 * Shared memory: struct store_channel, from offset 0.  A client connects once for each volume; its
 * first request is STORE_OPEN.  After -EPIPE (the store died) it connects anew, opens anew, and
 * submits again what has no answer yet: all requests can be done twice.
 *
 * What the store does at its start is said by its own module (word module=NAME of its line in the
 * image), if it has one: text, with a line each of
 *
 * - `format`: a disk without any partition table becomes the store's.  Without this only disks are
 *   touched that have a partition of the store's type.
 * - `import VOLUME FILE [SIZE]`: a volume is made of a file of the image, if there is none of that
 *   name; SIZE, with K, M, G or T behind it, if it is to be larger.
 * - `create VOLUME SIZE`: an empty one, if there is none of that name.
 */
#ifndef DYAD_ABI_STORE_H
#define DYAD_ABI_STORE_H

#include <stdint.h>

#include "abi/ring.h"

#define STORE_RING 64     /* requests, and answers: a store has no more under way */
#define STORE_SEGMENTS 64 /* of one request */
#define STORE_NAME 64     /* of a volume, ended by a zero: A-Z a-z 0-9 . _ - */
#define STORE_TRANSFER_MAX (UINT64_C(1) << 20) /* bytes of one READ or WRITE */
#define STORE_ALIGNMENT 4                      /* of memory, that disk controllers need */

enum store_operation {
	/* store_channel.name, and STORE_READ_ONLY in offset, or 0; answer: store_channel.info is
	 * filled.  Who writes has a volume alone (-EBUSY); who only reads, with others that do. */
	STORE_OPEN,
	STORE_READ,
	STORE_WRITE,
	STORE_FLUSH, /* all writes that were answered before it was submitted are durable */
	STORE_DISCARD,
	STORE_ZERO,
	/* Of whole volumes, for the console: name, and size in store_request.offset */
	STORE_CREATE,
	STORE_DELETE,
	STORE_GROW,
	STORE_LIST, /* store_channel.info and name of the volume with the index in offset */
};

struct store_segment {
	uint64_t address; /* in the client's address space; a multiple of STORE_ALIGNMENT */
	uint64_t size;    /* bytes; a multiple of the volume's block size */
};

struct store_request {
	uint32_t operation;
	uint32_t id;             /* below STORE_RING; the client's; one that is in use is refused */
	uint64_t offset, length; /* bytes in the volume, multiples of its block size */
	uint32_t segments;       /* READ, WRITE: how many of store_channel.segments[id] */
	uint32_t reserved;
};
_Static_assert(sizeof(struct store_request) == 32, "of the ABI");

struct store_answer {
	uint32_t id;
	int32_t result; /* 0 or -errno */
};
_Static_assert(sizeof(struct store_answer) == 8, "of the ABI");

struct store_info {
	uint64_t size;       /* bytes */
	uint32_t block_size; /* 512 or 4096; nothing less is read or written */
	uint32_t flags;      /* STORE_* */
};
#define STORE_READ_ONLY 1u
#define STORE_CAN_DISCARD 2u

struct store_channel {
	struct ring_header requests, answers;
	struct store_request request[STORE_RING];
	struct store_answer answer[STORE_RING];
	struct store_segment segments[STORE_RING][STORE_SEGMENTS];
	struct store_info info;
	char name[STORE_NAME];
};

#endif
