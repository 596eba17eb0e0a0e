/* SPDX-License-Identifier: MIT */
/*
 * push.c - PUSH, POP, PUSHA, POPA, ENTER, LEAVE.
 */
#include "hypervisor/x86/soft/integer.h"

#define RSP (c->vcpu.state.gpr[CPU_RSP])
#define RBP (c->vcpu.state.gpr[CPU_RBP])

/* --- All sizes: op->size
 * ------------------------------------------------------------------------ */

static void push_r(struct soft_vcpu *c, const struct soft_op *op)
{
	if (!soft_push(c, soft_get64(c, op->a), op->size)) {
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

static void push_i(struct soft_vcpu *c, const struct soft_op *op)
{
	if (!soft_push(c, (uint64_t)op->immediate, op->size)) {
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

static void push_m(struct soft_vcpu *c, const struct soft_op *op)
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at || !soft_push(c, soft_load(at, op->size), op->size)) {
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

static SOFT_APART bool pop_r_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value;

	if (!soft_pop(c, &value, op->size))
		return false;
	soft_put(c, op->a, value, op->size);
	return true;
}

static void pop_r(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, pop_r_work(c, op));
}

/* The address is that after RSP has moved: compile_pop() has seen to it. */
static SOFT_APART bool pop_m_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value;

	if (!soft_peek(c, 0, &value, op->size) ||
	    !soft_write(c, op->segment, soft_offset(c, op), &value, op->size))
		return false;
	soft_stack_move(c, op->size);
	return true;
}

static void pop_m(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, pop_m_work(c, op));
}

static void pusha(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t rsp = RSP;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t value = i == CPU_RSP ? rsp : c->vcpu.state.gpr[i];

		if (!soft_push(c, value, op->size)) {
			RSP = rsp;
			soft_stop(c, op);
			return;
		}
	}
	soft_next(c, op);
}

static SOFT_APART bool popa_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value[8];

	for (unsigned i = 0; i < 8; i++)
		if (!soft_peek(c, (uint64_t)(7 - i) * op->size, &value[i], op->size))
			return false;
	for (unsigned i = 0; i < 8; i++)
		if (i != CPU_RSP)
			soft_put(c, i * 8, value[i], op->size);
	soft_stack_move(c, 8 * op->size);
	return true;
}

static void popa(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, popa_work(c, op));
}

/* ENTER: op->immediate bytes of locals, op->b levels; Intel SDM volume 2A. */
static bool enter(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t mask = c->stack_mask, value, frame;

	if (!soft_push(c, RBP, op->size))
		return false;
	frame = RSP;
	for (unsigned i = 1; i < op->b; i++) {
		value = 0;
		if (!soft_read(c, CPU_SS, (RBP - i * op->size) & mask, &value, op->size) ||
		    !soft_push(c, value, op->size))
			return false;
	}
	if (op->b && !soft_push(c, frame, op->size))
		return false;
	soft_stack_move(c, -op->immediate);
	if (!soft_probe(c, CPU_SS, RSP & mask, op->size, true))
		return false;
	soft_put(c, CPU_RBP * 8, frame, op->size);
	return true;
}

static void run_enter(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t rsp = RSP;

	if (!enter(c, op)) {
		RSP = rsp;
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

static SOFT_APART bool leave_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t mask = c->stack_mask, value = 0;

	if (!soft_read(c, CPU_SS, RBP & mask, &value, op->size))
		return false;
	RSP = (RSP & ~mask) | ((RBP + op->size) & mask);
	soft_put(c, CPU_RBP * 8, value, op->size);
	return true;
}

static void leave(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, leave_work(c, op));
}

/* --- 8 bytes, in 64-bit mode
 * -------------------------------------------------------------------- */

/* The short way is made anew for each; the slow one is that of all sizes, above. */
static SOFT_INLINE void push_long(struct soft_vcpu *c, const struct soft_op *op, uint64_t value,
				  soft_handler *slow)
{
	void *to = soft_stack_write_short(c, RSP - 8);

	if (SOFT_UNLIKELY(!to)) {
		slow(c, op);
		return;
	}
	soft_save(to, value, 8);
	RSP -= 8;
	soft_next(c, op);
}

static void push_r_long(struct soft_vcpu *c, const struct soft_op *op)
{
	push_long(c, op, soft_get64(c, op->a), push_r);
}

static void push_i_long(struct soft_vcpu *c, const struct soft_op *op)
{
	push_long(c, op, (uint64_t)op->immediate, push_i);
}

static void pop_r_long(struct soft_vcpu *c, const struct soft_op *op)
{
	const void *at = soft_stack_read_short(c, RSP);
	uint64_t value;

	if (SOFT_UNLIKELY(!at)) {
		pop_r(c, op);
		return;
	}
	value = soft_load(at, 8);
	RSP += 8;
	soft_put64(c, op->a, value);
	soft_next(c, op);
}

static void leave_long(struct soft_vcpu *c, const struct soft_op *op)
{
	const void *at = soft_stack_read_short(c, RBP);
	uint64_t value;

	if (SOFT_UNLIKELY(!at)) {
		leave(c, op);
		return;
	}
	value = soft_load(at, 8);
	RSP = RBP + 8;
	RBP = value;
	soft_next(c, op);
}

/* --- Compiling
 * ---------------------------------------------------------------------------------- */

static bool compile_push(struct soft_compile *k, const struct decode_insn *insn)
{
	bool is_long = insn->mode == DECODE_64 && insn->stack_size == 8;
	struct soft_op *op = soft_compile_op(k);

	op->size = insn->stack_size;
	if (insn->operand[0].kind == DECODE_IMMEDIATE) {
		op->immediate = insn->immediate;
		soft_compile_emit(k, is_long ? push_i_long : push_i);
	} else if (soft_compile_place(k, insn, 0) == SOFT_R) {
		soft_compile_emit(k, is_long ? push_r_long : push_r);
	} else {
		soft_compile_emit(k, push_m);
	}
	return true;
}

static bool compile_pop(struct soft_compile *k, const struct decode_insn *insn)
{
	bool is_long = insn->mode == DECODE_64 && insn->stack_size == 8;
	struct decode_insn moved = *insn;

	if (insn->memory.base == CPU_RSP)
		moved.memory.displacement += insn->stack_size;
	soft_compile_op(k)->size = insn->stack_size;
	if (soft_compile_place(k, &moved, 0) == SOFT_R)
		soft_compile_emit(k, is_long ? pop_r_long : pop_r);
	else
		soft_compile_emit(k, pop_m);
	return true;
}

static bool compile_plain(struct soft_compile *k, const struct decode_insn *insn, soft_handler *run)
{
	soft_compile_op(k)->size = insn->stack_size;
	soft_compile_emit(k, run);
	return true;
}

static bool compile_enter(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = insn->stack_size;
	op->immediate = (uint16_t)insn->immediate;
	op->b = insn->immediate2 & 0x1f;
	soft_compile_emit(k, run_enter);
	return true;
}

bool soft_compile_stack(struct soft_compile *k, const struct decode_insn *insn)
{
	bool is_long = insn->mode == DECODE_64 && insn->stack_size == 8;

	switch (insn->op) {
	case OP_PUSH:
		return compile_push(k, insn);
	case OP_POP:
		return compile_pop(k, insn);
	case OP_PUSHA:
		return compile_plain(k, insn, pusha);
	case OP_POPA:
		return compile_plain(k, insn, popa);
	case OP_ENTER:
		return compile_enter(k, insn);
	case OP_LEAVE:
		return compile_plain(k, insn, is_long ? leave_long : leave);
	default:
		return false;
	}
}
