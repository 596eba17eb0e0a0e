/* SPDX-License-Identifier: MIT */
/*
 * condition.c - SETcc and CMOVcc.
 */
#include "hypervisor/x86/soft/integer.h"

static void cmov_m(struct soft_vcpu *c, const struct soft_op *op)
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at) {
		soft_stop(c, op);
		return;
	}
	if (soft_condition(c->flags, op->spare[0]))
		soft_put(c, op->a, soft_load(at, op->size), op->size);
	else if (op->size == 4)
		soft_put32(c, op->a, soft_get32(c, op->a));
	soft_next(c, op);
}

static SOFT_APART bool setcc_m_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint8_t value = soft_condition(c->flags, op->spare[0]);

	if (!soft_write(c, op->segment, soft_offset(c, op), &value, 1))
		return false;
	return true;
}

static void setcc_m(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, setcc_m_work(c, op));
}

#define CONDITION(n)                                                                               \
	static void setcc_##n(struct soft_vcpu *c, const struct soft_op *op)                       \
	{                                                                                          \
		soft_put8(c, op->a, soft_condition(c->flags, n));                                  \
		soft_next(c, op);                                                                  \
	}                                                                                          \
	static void cmov_16_##n(struct soft_vcpu *c, const struct soft_op *op)                     \
	{                                                                                          \
		if (soft_condition(c->flags, n))                                                   \
			soft_put16(c, op->a, soft_get16(c, op->b));                                \
		soft_next(c, op);                                                                  \
	}                                                                                          \
	static void cmov_32_##n(struct soft_vcpu *c, const struct soft_op *op)                     \
	{                                                                                          \
		bool yes = soft_condition(c->flags, n);                                            \
                                                                                                   \
		soft_put32(c, op->a, soft_get32(c, yes ? op->b : op->a));                          \
		soft_next(c, op);                                                                  \
	}                                                                                          \
	static void cmov_64_##n(struct soft_vcpu *c, const struct soft_op *op)                     \
	{                                                                                          \
		bool yes = soft_condition(c->flags, n);                                            \
                                                                                                   \
		soft_put64(c, op->a, soft_get64(c, yes ? op->b : op->a));                          \
		soft_next(c, op);                                                                  \
	}

SOFT_EACH_CONDITION(CONDITION)

static soft_handler *const setcc[16] = SOFT_CONDITIONS(setcc);
static soft_handler *const cmov[SOFT_SIZES][16] = {
	{NULL}, SOFT_CONDITIONS(cmov_16), SOFT_CONDITIONS(cmov_32), SOFT_CONDITIONS(cmov_64)};

static void compile_cmov(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = soft_compile_op(k);
	unsigned condition = insn->opcode & 0xf;

	op->spare[0] = (uint8_t)condition;
	op->size = (uint8_t)insn->operand[0].size;
	op->a = soft_compile_register(&insn->operand[0]);
	if (insn->operand[1].kind == DECODE_MEMORY) {
		soft_compile_memory(k, insn);
		soft_compile_emit(k, cmov_m);
		return;
	}
	op->b = soft_compile_register(&insn->operand[1]);
	soft_compile_emit(k, cmov[soft_size_index(op->size)][condition]);
}

static void compile_setcc(struct soft_compile *k, const struct decode_insn *insn)
{
	unsigned condition = insn->opcode & 0xf;

	soft_compile_op(k)->spare[0] = (uint8_t)condition;
	soft_compile_emit(k, soft_compile_place(k, insn, 0) == SOFT_R ? setcc[condition] : setcc_m);
}

bool soft_compile_condition(struct soft_compile *k, const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_CMOVCC:
		compile_cmov(k, insn);
		return true;
	case OP_SETCC:
		compile_setcc(k, insn);
		return true;
	default:
		return false;
	}
}
