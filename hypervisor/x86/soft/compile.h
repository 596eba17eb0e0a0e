/* SPDX-License-Identifier: MIT */
/*
 * compile.h - from a decoded instruction to operations of a block.
 */
#ifndef DYAD_SOFT_COMPILE_H
#define DYAD_SOFT_COMPILE_H

#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/soft.h"

/* An instruction makes at most this many operations. */
#define SOFT_OPS_PER_INSN 4

struct soft_compile {
	struct soft_vcpu *c;
	struct soft_op *op; /* the one to fill in */
	uint16_t at;        /* of the instruction, from the block's start */
	uint8_t length;
	bool ended;              /* by an instruction that doesn't go on behind it */
	uint32_t room;           /* from the block's start to its page's end */
	uint32_t offset;         /* of the block's start in its page */
	struct soft_op *compare; /* a CMP or TEST that could be one with a branch behind it */
	bool no_memory;          /* the blocks' memory is full */
};

/* Makes the operations of insn, at k->at. */
void soft_compile(struct soft_compile *k, const struct decode_insn *insn);
/* An operation that raises an exception. */
void soft_compile_fault(struct soft_compile *k, uint8_t vector, bool has_error);
/* Ends the block: goes on at k->at, near if that is in the same page, as all of its instruction. */
void soft_compile_continue(struct soft_compile *k, bool near);

/* --- For the files of instructions
 * -------------------------------------------------------------- */

/* How operands are: what tables of handlers are indexed with.  Of memory, how its address is. */
enum soft_address {
	SOFT_FLAT,    /* 64-bit mode, no segment: base + displacement */
	SOFT_INDEXED, /* the same with an index */
	SOFT_GENERAL, /* by soft_offset(), in a segment */
	SOFT_ADDRESSES
};
enum soft_form {
	SOFT_RR,
	SOFT_RI,
	SOFT_RM, /* these three + enum soft_address */
	SOFT_MR = SOFT_RM + SOFT_ADDRESSES,
	SOFT_MI = SOFT_MR + SOFT_ADDRESSES,
	SOFT_FORMS = SOFT_MI + SOFT_ADDRESSES,
};
/* Of one operand. */
enum soft_place { SOFT_R, SOFT_M, SOFT_PLACES = SOFT_M + SOFT_ADDRESSES };

#define SOFT_SIZES 4 /* 1, 2, 4, 8: by soft_size_index() */
static inline unsigned soft_size_index(unsigned size)
{
	return size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0;
}

typedef soft_handler *const soft_forms[SOFT_FORMS][SOFT_SIZES];
typedef soft_handler *const soft_places[SOFT_PLACES][SOFT_SIZES];

/* Starts an operation: at, length, absent operands. */
struct soft_op *soft_compile_op(struct soft_compile *k);
/* It is complete; run is its handler. */
void soft_compile_emit(struct soft_compile *k, soft_handler *run);
/* Sets the memory operand of k->op (may emit an operation that computes it first). */
enum soft_address soft_compile_memory(struct soft_compile *k, const struct decode_insn *insn);
/* Sets a (and b, immediate) of k->op by insn's first (two) operands. */
enum soft_form soft_compile_form(struct soft_compile *k, const struct decode_insn *insn);
enum soft_place soft_compile_place(struct soft_compile *k, const struct decode_insn *insn,
				   unsigned operand);
/* The byte offset of a general register operand in struct cpu_state. */
uint8_t soft_compile_register(const struct decode_operand *operand);
/* A copy of insn that lives as long as the block; NULL: no room (k->no_memory). */
const struct decode_insn *soft_compile_keep(struct soft_compile *k, const struct decode_insn *insn);
/* A link to target, in bytes from the block's start; near: within the page, 64-bit mode. */
struct soft_link *soft_compile_link(struct soft_compile *k, int64_t target, bool near);
bool soft_compile_is_near(const struct soft_compile *k, int64_t target);

/* The last operation is a CMP or TEST. */
void soft_compile_note_compare(struct soft_compile *k, const struct decode_insn *insn);
/* The last operation is a near Jcc: one with what stands before it, if that is a compare. */
void soft_compile_fused(struct soft_compile *k, unsigned condition);

/* Each makes the operations of what it knows; false: it is not one of its own. */
bool soft_compile_alu(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_move(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_shift(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_multiply(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_bits(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_bmi(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_stack(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_string(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_condition(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_branch(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_locked(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_flags(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_port(struct soft_compile *k, const struct decode_insn *insn);
bool soft_compile_misc(struct soft_compile *k, const struct decode_insn *insn);

#endif
