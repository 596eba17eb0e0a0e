/* SPDX-License-Identifier: MIT */
/*
 * block.h - a volume of the store as block.c and block_buffer.c share it.  On the loop thread.
 */
#ifndef DYAD_TYPE1_PROCESS_BLOCK_H
#define DYAD_TYPE1_PROCESS_BLOCK_H

#include "abi/store.h"
#include "os.h"
#include "type1/process/channel.h"
#include "type1/process/ring.h"

/* What a request's private words are. */
struct block_job {
	struct os_block_request *next;
	uint64_t asked;    /* bytes that parts were made of */
	uint64_t iov_skip; /* of the first iov that isn't asked for all */
	uint32_t iov;
	uint32_t parts; /* that have no answer yet */
	int32_t result;
};
_Static_assert(sizeof(struct block_job) <= sizeof(((struct os_block_request *)0)->os_private),
	       "it fits");

static inline struct block_job *block_job(struct os_block_request *request)
{
	return (struct block_job *)request->os_private;
}

struct block_queue {
	struct os_block_request *first, *last;
};
void block_push(struct block_queue *queue, struct os_block_request *request);
struct os_block_request *block_pop(struct block_queue *queue);

/* A request of the store that has no answer yet. */
struct block_part {
	struct os_block_request *owner; /* NULL: the number is free */
	struct store_request request;
	enum { BLOCK_SEGMENTS_NONE, BLOCK_SEGMENTS_IOV, BLOCK_SEGMENTS_BUFFER } segments;
	uint32_t iov; /* of the owner, where the memory begins */
	uint64_t iov_skip;
};
/* Numbers: of the request that opens the volume, of the buffer's, and from there on of any. */
#define BLOCK_OPEN_ID 0
#define BLOCK_BUFFER_ID 1
#define BLOCK_FIRST_ID 2

struct os_block {
	struct os_loop *loop;
	struct channel channel;
	struct store_channel *shared;
	struct ring requests, answers;
	struct os_block_info info;
	char name[STORE_NAME];
	bool read_only; /* as it is opened */
	bool is_open;   /* the open request has its answer: */
	int opened;     /* 0 or -errno */
	bool signal;    /* requests were written that the store isn't told of */
	bool finishing; /* done() is being called */
	int dead;       /* 0, or the error that all ends with: there is no store any more */
	uint64_t outstanding;
	struct block_queue waiting; /* the first of them may be asked for in part */
	struct block_queue finished;
	unsigned free_count;
	uint8_t free[STORE_RING];
	struct block_part parts[STORE_RING];

	/* block_buffer.c's: what waits for the buffer, the first of them has it. */
	struct block_queue buffered;
	uint8_t *buffer;
	bool writing; /* the buffer's content is on its way to the volume */
};

/* A part of a request; filled in, block_ask() puts it into the ring. */
void block_begin_part(struct os_block *block, struct block_part *part,
		      struct os_block_request *owner, enum store_operation operation);
void block_ask(struct os_block *block, struct block_part *part);
/* The request has its result, unless it has one already; its done() is called soon. */
void block_end(struct os_block *block, struct os_block_request *request, int result);

/* --- block_buffer.c */

/* Whether the disk can't do the request with the caller's memory as it is. */
bool block_needs_buffer(const struct os_block *block, const struct os_block_request *request);
void block_buffer_submit(struct os_block *block, struct os_block_request *request);
/* The part that a request had by the buffer has its answer. */
void block_buffer_answered(struct os_block *block, struct os_block_request *request);

#endif
