/* SPDX-License-Identifier: MIT */
/*
 * alu.c - ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST; INC, DEC, NEG, NOT.
 *
 * Each is the host's own instruction, and its flags are the host's.
 */
#include "hypervisor/x86/soft/integer.h"

/* --- What they compute: a, op b; flags in and out as c->flags has them
 * --------------------------- */

#define COMPUTE(name, mnemonic, before, bits, suffix)                                              \
	static inline uint##bits##_t name##_##bits(uint##bits##_t a, uint##bits##_t b,             \
						   uint16_t *flags)                                \
	{                                                                                          \
		uint16_t ax = *flags;                                                              \
                                                                                                   \
		__asm__(before mnemonic suffix " %[b], %[a]\n\t" SOFT_FLAGS_TO_AX                  \
			: [a] "+r"(a), [ax] "+&a"(ax)                                              \
			: [b] "r"(b)                                                               \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return a;                                                                          \
	}

#define COMPUTE_ALL(name, mnemonic, before)                                                        \
	COMPUTE(name, mnemonic, before, 8, "b")                                                    \
	COMPUTE(name, mnemonic, before, 16, "w")                                                   \
	COMPUTE(name, mnemonic, before, 32, "l")                                                   \
	COMPUTE(name, mnemonic, before, 64, "q")

COMPUTE_ALL(add, "add", "")
COMPUTE_ALL(or, "or", "")
COMPUTE_ALL(adc, "adc", SOFT_CARRY_FROM_AX)
COMPUTE_ALL(sbb, "sbb", SOFT_CARRY_FROM_AX)
COMPUTE_ALL(and, "and", "")
COMPUTE_ALL(sub, "sub", "")
COMPUTE_ALL(xor, "xor", "")
COMPUTE_ALL(cmp, "cmp", "")
COMPUTE_ALL(test, "test", "")

#define COMPUTE_ONE(name, mnemonic, before, after, bits, suffix)                                   \
	static inline uint##bits##_t name##_##bits(uint##bits##_t a, uint16_t *flags)              \
	{                                                                                          \
		uint16_t ax = *flags;                                                              \
                                                                                                   \
		__asm__(before mnemonic suffix " %[a]\n\t" after                                   \
			: [a] "+r"(a), [ax] "+&a"(ax)                                              \
			:                                                                          \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return a;                                                                          \
	}

#define COMPUTE_ONE_ALL(name, mnemonic, before, after)                                             \
	COMPUTE_ONE(name, mnemonic, before, after, 8, "b")                                         \
	COMPUTE_ONE(name, mnemonic, before, after, 16, "w")                                        \
	COMPUTE_ONE(name, mnemonic, before, after, 32, "l")                                        \
	COMPUTE_ONE(name, mnemonic, before, after, 64, "q")

COMPUTE_ONE_ALL(inc, "inc", SOFT_CARRY_FROM_AX, SOFT_FLAGS_TO_AX)
COMPUTE_ONE_ALL(dec, "dec", SOFT_CARRY_FROM_AX, SOFT_FLAGS_TO_AX)
COMPUTE_ONE_ALL(neg, "neg", "", SOFT_FLAGS_TO_AX)
COMPUTE_ONE_ALL(not, "not", "", "")

/* --- Handlers of two operands
 * ------------------------------------------------------------------- */

/* To a register, from a register, an immediate. */
#define HANDLER_REGISTER(name, form, bits, b, writes)                                              \
	static void name##_##form##_##bits(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		uint##bits##_t result =                                                            \
			name##_##bits(soft_get##bits(c, op->a), (uint##bits##_t)(b), &c->flags);   \
                                                                                                   \
		if (writes)                                                                        \
			soft_put##bits(c, op->a, result);                                          \
		soft_next(c, op);                                                                  \
	}

/* To a register, from memory. */
#define BODY_LOAD(name, bits, writes)                                                              \
	static SOFT_INLINE void name##_load_##bits(struct soft_vcpu *c, const struct soft_op *op,  \
						   const void *at)                                 \
	{                                                                                          \
		uint##bits##_t result =                                                            \
			name##_##bits(soft_get##bits(c, op->a),                                    \
				      (uint##bits##_t)soft_load(at, bits / 8), &c->flags);         \
                                                                                                   \
		if (writes)                                                                        \
			soft_put##bits(c, op->a, result);                                          \
		soft_next(c, op);                                                                  \
	}

/* To memory, from a register or an immediate. */
#define BODY_CHANGE(name, form, bits, b)                                                           \
	static SOFT_INLINE void name##_##form##_change_##bits(                                     \
		struct soft_vcpu *c, const struct soft_op *op, void *at, uint16_t *flags)          \
	{                                                                                          \
		uint##bits##_t operand = (uint##bits##_t)(b);                                      \
                                                                                                   \
		(void)c;                                                                           \
		soft_save(at,                                                                      \
			  name##_##bits((uint##bits##_t)soft_load(at, bits / 8), operand, flags),  \
			  bits / 8);                                                               \
	}

/* Memory with a register or an immediate, for the flags alone. */
#define BODY_COMPARE(name, form, bits, b)                                                          \
	static SOFT_INLINE void name##_##form##_compare_##bits(                                    \
		struct soft_vcpu *c, const struct soft_op *op, const void *at)                     \
	{                                                                                          \
		name##_##bits((uint##bits##_t)soft_load(at, bits / 8), (uint##bits##_t)(b),        \
			      &c->flags);                                                          \
		soft_next(c, op);                                                                  \
	}

#define HANDLERS_REGISTER(name, bits, writes)                                                      \
	HANDLER_REGISTER(name, rr, bits, soft_get##bits(c, op->b), writes)                         \
	HANDLER_REGISTER(name, ri, bits, op->immediate, writes)                                    \
	BODY_LOAD(name, bits, writes)                                                              \
	SOFT_READER(name##_rm_flat_##bits, SOFT_FLAT, bits / 8, name##_load_##bits)                \
	SOFT_READER(name##_rm_indexed_##bits, SOFT_INDEXED, bits / 8, name##_load_##bits)          \
	SOFT_READER(name##_rm_general_##bits, SOFT_GENERAL, bits / 8, name##_load_##bits)

#define HANDLERS_MEMORY(name, form, bits, maker, body)                                             \
	maker(name##_##form##_flat_##bits, SOFT_FLAT, bits / 8, body)                              \
		maker(name##_##form##_indexed_##bits, SOFT_INDEXED, bits / 8, body)                \
			maker(name##_##form##_general_##bits, SOFT_GENERAL, bits / 8, body)

/* Those that write, and those that don't. */
#define HANDLERS_WRITING(name, bits)                                                               \
	HANDLERS_REGISTER(name, bits, true)                                                        \
	BODY_CHANGE(name, mr, bits, soft_get##bits(c, op->b))                                      \
	BODY_CHANGE(name, mi, bits, op->immediate)                                                 \
	HANDLERS_MEMORY(name, mr, bits, SOFT_UPDATER, name##_mr_change_##bits)                     \
	HANDLERS_MEMORY(name, mi, bits, SOFT_UPDATER, name##_mi_change_##bits)

#define HANDLERS_COMPARING(name, bits)                                                             \
	HANDLERS_REGISTER(name, bits, false)                                                       \
	BODY_COMPARE(name, mr, bits, soft_get##bits(c, op->b))                                     \
	BODY_COMPARE(name, mi, bits, op->immediate)                                                \
	HANDLERS_MEMORY(name, mr, bits, SOFT_READER, name##_mr_compare_##bits)                     \
	HANDLERS_MEMORY(name, mi, bits, SOFT_READER, name##_mi_compare_##bits)

#define HANDLERS_ALL(name, kind)                                                                   \
	HANDLERS_##kind(name, 8) HANDLERS_##kind(name, 16) HANDLERS_##kind(name, 32)               \
		HANDLERS_##kind(name, 64) static soft_forms name##_forms = {                       \
			SOFT_ALL_SIZES(name##_rr),         SOFT_ALL_SIZES(name##_ri),              \
			SOFT_ALL_SIZES(name##_rm_flat),    SOFT_ALL_SIZES(name##_rm_indexed),      \
			SOFT_ALL_SIZES(name##_rm_general), SOFT_ALL_SIZES(name##_mr_flat),         \
			SOFT_ALL_SIZES(name##_mr_indexed), SOFT_ALL_SIZES(name##_mr_general),      \
			SOFT_ALL_SIZES(name##_mi_flat),    SOFT_ALL_SIZES(name##_mi_indexed),      \
			SOFT_ALL_SIZES(name##_mi_general),                                         \
	};

HANDLERS_ALL(add, WRITING)
HANDLERS_ALL(or, WRITING)
HANDLERS_ALL(adc, WRITING)
HANDLERS_ALL(sbb, WRITING)
HANDLERS_ALL(and, WRITING)
HANDLERS_ALL(sub, WRITING)
HANDLERS_ALL(xor, WRITING)
HANDLERS_ALL(cmp, COMPARING)
HANDLERS_ALL(test, COMPARING)

/* --- Handlers of one operand
 * -------------------------------------------------------------------- */

#define HANDLER_ONE_REGISTER(name, bits)                                                           \
	static void name##_r_##bits(struct soft_vcpu *c, const struct soft_op *op)                 \
	{                                                                                          \
		soft_put##bits(c, op->a, name##_##bits(soft_get##bits(c, op->a), &c->flags));      \
		soft_next(c, op);                                                                  \
	}

#define HANDLERS_ONE(name, bits)                                                                   \
	static SOFT_INLINE void name##_change_##bits(                                              \
		struct soft_vcpu *c, const struct soft_op *op, void *at, uint16_t *flags)          \
	{                                                                                          \
		(void)c;                                                                           \
		(void)op;                                                                          \
		soft_save(at, name##_##bits((uint##bits##_t)soft_load(at, bits / 8), flags),       \
			  bits / 8);                                                               \
	}                                                                                          \
	HANDLER_ONE_REGISTER(name, bits)                                                           \
	SOFT_UPDATER(name##_m_flat_##bits, SOFT_FLAT, bits / 8, name##_change_##bits)              \
	SOFT_UPDATER(name##_m_indexed_##bits, SOFT_INDEXED, bits / 8, name##_change_##bits)        \
	SOFT_UPDATER(name##_m_general_##bits, SOFT_GENERAL, bits / 8, name##_change_##bits)

#define HANDLERS_ONE_ALL(name)                                                                     \
	HANDLERS_ONE(name, 8)                                                                      \
	HANDLERS_ONE(name, 16)                                                                     \
	HANDLERS_ONE(name, 32)                                                                     \
	HANDLERS_ONE(name, 64)                                                                     \
	static soft_places name##_places = {                                                       \
		SOFT_ALL_SIZES(name##_r),                                                          \
		SOFT_ALL_SIZES(name##_m_flat),                                                     \
		SOFT_ALL_SIZES(name##_m_indexed),                                                  \
		SOFT_ALL_SIZES(name##_m_general),                                                  \
	};

HANDLERS_ONE_ALL(inc)
HANDLERS_ONE_ALL(dec)
HANDLERS_ONE_ALL(neg)
HANDLERS_ONE_ALL(not )

/* --- Which is which
 * ----------------------------------------------------------------------------- */

static soft_forms *forms_of(uint16_t op)
{
	switch (op) {
	case OP_ADD:
		return &add_forms;
	case OP_OR:
		return &or_forms;
	case OP_ADC:
		return &adc_forms;
	case OP_SBB:
		return &sbb_forms;
	case OP_AND:
		return &and_forms;
	case OP_SUB:
		return &sub_forms;
	case OP_XOR:
		return &xor_forms;
	case OP_CMP:
		return &cmp_forms;
	case OP_TEST:
		return &test_forms;
	default:
		return NULL;
	}
}

static soft_places *places_of(uint16_t op)
{
	switch (op) {
	case OP_INC:
		return &inc_places;
	case OP_DEC:
		return &dec_places;
	case OP_NEG:
		return &neg_places;
	case OP_NOT:
		return &not_places;
	default:
		return NULL;
	}
}

bool soft_compile_alu(struct soft_compile *k, const struct decode_insn *insn)
{
	soft_forms *forms = forms_of(insn->op);
	soft_places *places = places_of(insn->op);
	unsigned size = soft_size_index(insn->operand[0].size);

	if (forms) {
		soft_compile_op(k);
		soft_compile_emit(k, (*forms)[soft_compile_form(k, insn)][size]);
		if (insn->op == OP_CMP || insn->op == OP_TEST)
			soft_compile_note_compare(k, insn);
		return true;
	}
	if (places) {
		soft_compile_op(k);
		soft_compile_emit(k, (*places)[soft_compile_place(k, insn, 0)][size]);
		return true;
	}
	return false;
}
