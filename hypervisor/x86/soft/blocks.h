/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - decoded blocks: where they are found, how one leads to the next, what ends them.
 *
 * A block belongs to a guest-physical address and a mode, so that it serves all processes that map
 * it; it never goes beyond its page, but for one of a single instruction that lies in two.  Its
 * memory stays until all blocks are flushed: one that has become void is only unlinked, and its
 * operations return to the run loop, so that even the running one may become void.
 */
#ifndef DYAD_SOFT_BLOCKS_H
#define DYAD_SOFT_BLOCKS_H

#include "hypervisor/x86/soft/soft.h"

/* Operations call each other at their ends; a build without tail calls must not do so for ever. */
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SOFT_TAIL_CALLS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SOFT_TAIL_CALLS false
#endif
#endif
#ifndef SOFT_TAIL_CALLS
#define SOFT_TAIL_CALLS true
#endif

#define SOFT_BLOCK_INSNS 48

/* How a block leads to another. */
struct soft_link {
	const struct soft_op *to; /* NULL: not known yet */
	uint64_t rip, stamp;      /* where and when it may be followed; stamp 0: always (near) */
	struct soft_link *next;   /* near: others that lead to the same block */
	int64_t target;           /* from the start of the block that it leads from */
};

/* Blocks by their virtual address. */
#define SOFT_JUMPS 4096
struct soft_jump {
	uint64_t rip, stamp;
	const struct soft_op *to;
	uint64_t unused;
};

int soft_blocks_create(struct soft_vcpu *c);
void soft_blocks_destroy(struct soft_vcpu *c);

/*
 * The block at state.rip, decoded if need be; NULL when the fetch faulted (c->stop).  single: of
 * one instruction.  Sets c->pending, if it may lead there.
 */
const struct soft_op *soft_block_find(struct soft_vcpu *c, bool single);

/* Everything is void and its memory free.  Not while a block runs. */
void soft_blocks_flush(struct soft_vcpu *c);
/* Blocks with a byte in these guest-physical pages are void.  Also by the block that runs. */
void soft_blocks_void(struct soft_vcpu *c, uint64_t gpa, uint64_t size);

/* What c->enter, enter_far and enter_indirect are, and what they are to leave. */
void soft_enter(struct soft_vcpu *c, struct soft_link *link);
void soft_enter_far(struct soft_vcpu *c, struct soft_link *link);
void soft_enter_indirect(struct soft_vcpu *c);
void soft_leave(struct soft_vcpu *c, struct soft_link *link);
void soft_leave_indirect(struct soft_vcpu *c);

static inline struct soft_jump *soft_jump_at(struct soft_vcpu *c, uint64_t rip)
{
	return &c->jump[(rip ^ rip >> 12) % SOFT_JUMPS];
}

#endif
