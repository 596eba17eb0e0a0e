/* SPDX-License-Identifier: MIT */
/*
 * branch.c - near jumps, calls and returns, Jcc, LOOP, JCXZ.
 *
 * In 64-bit mode a branch to a known place ends in a link: near (target in the same page, which is
 * mapped as long as this block is) or far.  The other modes, where the code segment has a base and
 * a limit, go by c->enter_indirect().
 */
#include "hypervisor/x86/soft/integer.h"

/* Where a branch of 16 or 32-bit code may go; and one with prefix 66 on AMD's CPUs in 64-bit code.
 */
static bool legacy_target(struct soft_vcpu *c, uint64_t target, unsigned size, uint64_t *rip)
{
	*rip = target & size_mask(size);
	if (c->long64 || *rip <= c->vcpu.state.segment[CPU_CS].limit)
		return true;
	soft_fault_error(c, CPU_VECTOR_GP, 0);
	return false;
}

/* Of a branch: the target from the block's start is in immediate, its size in op->size. */
static void go_legacy(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t rip;

	if (!legacy_target(c, c->vcpu.state.rip + (uint64_t)op->immediate, op->size, &rip)) {
		soft_stop(c, op);
		return;
	}
	c->vcpu.state.rip = rip;
	soft_go_indirect(c);
}

static void go_behind(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_rip_advance(c, op->at + op->length);
	soft_go_indirect(c);
}

/* --- JMP
 * ---------------------------------------------------------------------------------------- */

static void jmp_near(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.rip += (uint64_t)op->link->target;
	soft_go(c, op->link);
}

static void jmp_far(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.rip += (uint64_t)op->link->target;
	soft_go_far(c, op->link);
}

/* Indirect, to a value of op->size bytes. */
static void go_to(struct soft_vcpu *c, const struct soft_op *op, uint64_t target)
{
	uint64_t rip = target;

	bool is_long = c->long64 && op->size == 8;

	if (is_long ? !soft_canonical(c, rip) : !legacy_target(c, target, op->size, &rip)) {
		if (is_long)
			soft_fault_error(c, CPU_VECTOR_GP, 0);
		soft_stop(c, op);
		return;
	}
	c->vcpu.state.rip = rip;
	soft_go_indirect(c);
}

static void jmp_r(struct soft_vcpu *c, const struct soft_op *op)
{
	go_to(c, op, soft_get(c, op->a, op->size));
}

static void jmp_m(struct soft_vcpu *c, const struct soft_op *op)
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at) {
		soft_stop(c, op);
		return;
	}
	go_to(c, op, soft_load(at, op->size));
}

static void jmp_legacy(struct soft_vcpu *c, const struct soft_op *op)
{
	go_legacy(c, op);
}

/* --- Conditions
 * --------------------------------------------------------------------------------- */

static inline void take_far(struct soft_vcpu *c, const struct soft_op *op, bool taken)
{
	const struct soft_branch *branch = op->data;

	c->vcpu.state.rip += (uint64_t)branch->to[taken];
	if (branch->link[taken]->stamp)
		soft_go_far(c, branch->link[taken]);
	else
		soft_go(c, branch->link[taken]);
}

static void jcc_legacy(struct soft_vcpu *c, const struct soft_op *op)
{
	if (soft_condition(c->flags, op->spare[0]))
		go_legacy(c, op);
	else
		go_behind(c, op);
}

/* All that is made for each condition. */
#define CONDITION(n)                                                                               \
	static void jcc_near_##n(struct soft_vcpu *c, const struct soft_op *op)                    \
	{                                                                                          \
		soft_branch_take(c, op, soft_condition(c->flags, n));                              \
	}                                                                                          \
	static void jcc_far_##n(struct soft_vcpu *c, const struct soft_op *op)                     \
	{                                                                                          \
		take_far(c, op, soft_condition(c->flags, n));                                      \
	}

SOFT_EACH_CONDITION(CONDITION)

static soft_handler *const jcc_near[16] = SOFT_CONDITIONS(jcc_near);
static soft_handler *const jcc_far[16] = SOFT_CONDITIONS(jcc_far);

/* --- LOOP, JCXZ: op->b is the address size, spare[0] what ends it
 * ------------------------------- */

enum loop_kind { LOOP, LOOP_EQUAL, LOOP_NOT_EQUAL, IF_ZERO };

static bool loop_goes_on(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t count = soft_get(c, CPU_RCX * 8, op->b);
	bool zero = c->flags & SOFT_FLAG_ZF;

	if (op->spare[0] == IF_ZERO)
		return count == 0;
	return count != 1 && (op->spare[0] == LOOP || (op->spare[0] == LOOP_EQUAL) == zero);
}

static void loop_count(struct soft_vcpu *c, const struct soft_op *op)
{
	if (op->spare[0] != IF_ZERO)
		soft_put(c, CPU_RCX * 8, soft_get(c, CPU_RCX * 8, op->b) - 1, op->b);
}

static void loop_long(struct soft_vcpu *c, const struct soft_op *op)
{
	bool taken = loop_goes_on(c, op);

	loop_count(c, op);
	take_far(c, op, taken);
}

static void loop_legacy(struct soft_vcpu *c, const struct soft_op *op)
{
	bool taken = loop_goes_on(c, op);
	uint64_t rip;

	if (taken &&
	    !legacy_target(c, c->vcpu.state.rip + (uint64_t)op->immediate, op->size, &rip)) {
		soft_stop(c, op);
		return;
	}
	loop_count(c, op);
	if (taken)
		go_legacy(c, op);
	else
		go_behind(c, op);
}

/* --- CALL and RET
 * ------------------------------------------------------------------------------- */

static SOFT_APART bool push_return_slow(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t *rsp = &c->vcpu.state.gpr[CPU_RSP];

	if (!soft_store_slow(c, CPU_SS, *rsp - 8, c->vcpu.state.rip + op->at + op->length, 8))
		return false;
	*rsp -= 8;
	return true;
}

static SOFT_INLINE bool push_return(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t *rsp = &c->vcpu.state.gpr[CPU_RSP];
	void *to = soft_stack_write_short(c, *rsp - 8);

	if (SOFT_UNLIKELY(!to))
		return false;
	soft_save(to, c->vcpu.state.rip + op->at + op->length, 8);
	*rsp -= 8;
	return true;
}

static SOFT_INLINE void call_near_go(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.rip += (uint64_t)op->link->target;
	soft_go(c, op->link);
}

static SOFT_INLINE void call_far_go(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.rip += (uint64_t)op->link->target;
	soft_go_far(c, op->link);
}

#define CALL(name)                                                                                 \
	static SOFT_APART void name##_slow(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		if (push_return_slow(c, op))                                                       \
			name##_go(c, op);                                                          \
		else                                                                               \
			soft_stop(c, op);                                                          \
	}                                                                                          \
	static void name##_long(struct soft_vcpu *c, const struct soft_op *op)                     \
	{                                                                                          \
		if (SOFT_LIKELY(push_return(c, op)))                                               \
			name##_go(c, op);                                                          \
		else                                                                               \
			name##_slow(c, op);                                                        \
	}

CALL(call_near)
CALL(call_far)

static void call_to_long(struct soft_vcpu *c, const struct soft_op *op, uint64_t target)
{
	if (!soft_canonical(c, target)) {
		soft_fault_error(c, CPU_VECTOR_GP, 0);
		soft_stop(c, op);
		return;
	}
	if (SOFT_UNLIKELY(!push_return(c, op) && !push_return_slow(c, op))) {
		soft_stop(c, op);
		return;
	}
	c->vcpu.state.rip = target;
	soft_go_indirect(c);
}

static void call_to_legacy(struct soft_vcpu *c, const struct soft_op *op, uint64_t target)
{
	uint64_t rip, behind = c->vcpu.state.rip + op->at + op->length;

	if (!legacy_target(c, target, op->size, &rip) || !soft_push(c, behind, op->size)) {
		soft_stop(c, op);
		return;
	}
	c->vcpu.state.rip = rip;
	soft_go_indirect(c);
}

static void call_legacy(struct soft_vcpu *c, const struct soft_op *op)
{
	call_to_legacy(c, op, c->vcpu.state.rip + (uint64_t)op->immediate);
}

static void call_r(struct soft_vcpu *c, const struct soft_op *op)
{
	if (c->long64 && op->size == 8)
		call_to_long(c, op, soft_get64(c, op->a));
	else
		call_to_legacy(c, op, soft_get(c, op->a, op->size));
}

static void call_m(struct soft_vcpu *c, const struct soft_op *op)
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at) {
		soft_stop(c, op);
		return;
	}
	if (c->long64 && op->size == 8)
		call_to_long(c, op, soft_load(at, 8));
	else
		call_to_legacy(c, op, soft_load(at, op->size));
}

static SOFT_APART void ret_long_slow(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t *rsp = &c->vcpu.state.gpr[CPU_RSP];
	const void *at = soft_read_page(c, CPU_SS, *rsp, 8);
	uint64_t rip;

	if (!at) {
		soft_stop(c, op);
		return;
	}
	rip = soft_load(at, 8);
	if (!soft_canonical(c, rip)) {
		soft_fault_error(c, CPU_VECTOR_GP, 0);
		soft_stop(c, op);
		return;
	}
	*rsp += 8 + (uint64_t)op->immediate;
	c->vcpu.state.rip = rip;
	soft_go_indirect(c);
}

static void ret_long(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t *rsp = &c->vcpu.state.gpr[CPU_RSP];
	const void *at = soft_stack_read_short(c, *rsp);
	uint64_t rip = at ? soft_load(at, 8) : 0;

	/* Those of 57 bits are left to the slow way. */
	if (SOFT_UNLIKELY(!at || (uint64_t)((int64_t)(rip << 16) >> 16) != rip)) {
		ret_long_slow(c, op);
		return;
	}
	*rsp += 8 + (uint64_t)op->immediate;
	c->vcpu.state.rip = rip;
	soft_go_indirect(c);
}

static SOFT_APART bool ret_legacy_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value, rip;

	if (!soft_peek(c, 0, &value, op->size) || !legacy_target(c, value, op->size, &rip))
		return false;
	soft_stack_move(c, op->size + op->immediate);
	c->vcpu.state.rip = rip;
	return true;
}

static void ret_legacy(struct soft_vcpu *c, const struct soft_op *op)
{
	if (!ret_legacy_work(c, op)) {
		soft_stop(c, op);
		return;
	}
	soft_go_indirect(c);
}

/* --- Compiling
 * ---------------------------------------------------------------------------------- */

/* What a target is relative to: the block's start. */
static int64_t target_of(const struct soft_compile *k, const struct decode_insn *insn)
{
	return insn->immediate + k->at + insn->length;
}

/* In 64-bit mode, with two ends. */
static bool compile_ends(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_branch *branch = soft_block_alloc(k->c, sizeof(*branch));
	int64_t to[2] = {k->at + insn->length, target_of(k, insn)};
	bool near = true;

	k->op->data = branch;
	if (!branch) {
		k->no_memory = true;
		return near;
	}
	for (unsigned i = 0; i < 2; i++) {
		bool is_near = soft_compile_is_near(k, to[i]);

		branch->to[i] = to[i];
		branch->link[i] = soft_compile_link(k, to[i], is_near);
		near &= is_near;
	}
	return near;
}

static void set_legacy(struct soft_compile *k, const struct decode_insn *insn)
{
	k->op->immediate = target_of(k, insn);
	k->op->size = insn->operand_size;
}

/* AMD's CPUs do with prefix 66 what 16-bit code does; for Intel's the decoder doesn't tell of it.
 */
static bool is_legacy(const struct decode_insn *insn)
{
	return insn->mode != DECODE_64 || insn->operand_size == 2;
}

static void compile_jcc(struct soft_compile *k, const struct decode_insn *insn)
{
	unsigned condition = insn->opcode & 0xf;

	soft_compile_op(k)->spare[0] = (uint8_t)condition;
	if (is_legacy(insn)) {
		set_legacy(k, insn);
		soft_compile_emit(k, jcc_legacy);
		return;
	}
	if (compile_ends(k, insn)) {
		soft_compile_emit(k, jcc_near[condition]);
		soft_compile_fused(k, condition);
	} else {
		soft_compile_emit(k, jcc_far[condition]);
	}
}

static void compile_loop(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = soft_compile_op(k);

	op->spare[0] = insn->op == OP_LOOP     ? LOOP
		       : insn->op == OP_LOOPE  ? LOOP_EQUAL
		       : insn->op == OP_LOOPNE ? LOOP_NOT_EQUAL
					       : IF_ZERO;
	op->b = insn->address_size;
	if (is_legacy(insn)) {
		set_legacy(k, insn);
		soft_compile_emit(k, loop_legacy);
		return;
	}
	compile_ends(k, insn);
	soft_compile_emit(k, loop_long);
}

/* JMP and CALL: to a relative place, a register, memory. */
static void compile_jump(struct soft_compile *k, const struct decode_insn *insn, bool call)
{
	struct soft_op *op = soft_compile_op(k);
	bool near;

	op->size = insn->operand_size;
	if (insn->operand[0].kind == DECODE_MEMORY) {
		soft_compile_memory(k, insn);
		soft_compile_emit(k, call ? call_m : jmp_m);
	} else if (insn->operand[0].kind == DECODE_REGISTER) {
		op->a = soft_compile_register(&insn->operand[0]);
		soft_compile_emit(k, call ? call_r : jmp_r);
	} else if (is_legacy(insn)) {
		set_legacy(k, insn);
		soft_compile_emit(k, call ? call_legacy : jmp_legacy);
	} else {
		near = soft_compile_is_near(k, target_of(k, insn));
		op->link = soft_compile_link(k, target_of(k, insn), near);
		if (call)
			soft_compile_emit(k, near ? call_near_long : call_far_long);
		else
			soft_compile_emit(k, near ? jmp_near : jmp_far);
	}
}

static void compile_ret(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = insn->operand_size;
	op->immediate = insn->operand_count && insn->operand[0].kind == DECODE_IMMEDIATE
				? (uint16_t)insn->immediate
				: 0;
	soft_compile_emit(k, is_legacy(insn) ? ret_legacy : ret_long);
}

bool soft_compile_branch(struct soft_compile *k, const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_JCC:
		compile_jcc(k, insn);
		break;
	case OP_LOOP:
	case OP_LOOPE:
	case OP_LOOPNE:
	case OP_JCXZ:
		compile_loop(k, insn);
		break;
	case OP_JMP_NEAR:
	case OP_CALL_NEAR:
		compile_jump(k, insn, insn->op == OP_CALL_NEAR);
		break;
	case OP_RET_NEAR:
		compile_ret(k, insn);
		break;
	default:
		return false;
	}
	k->ended = true;
	return true;
}
