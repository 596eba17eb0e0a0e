/* SPDX-License-Identifier: MIT */
/*
 * fuse.c - CMP and TEST that are one with the near Jcc behind them: one handler does both, as in
 * most loops and ifs.  The Jcc's own operation stays behind it, with its links.
 */
#include "hypervisor/x86/soft/integer.h"

/* --- The handlers: all conditions of an operation, operand form and size
 * ------------------------- */

#define FUSED(name, mnemonic, suffix, bits, n, condition, a, b)                                    \
	static SOFT_INLINE void name##_##n##_body(struct soft_vcpu *c, const struct soft_op *op,   \
						  const void *at)                                  \
	{                                                                                          \
		uint16_t flags;                                                                    \
		bool taken;                                                                        \
                                                                                                   \
		(void)at;                                                                          \
		__asm__(mnemonic suffix " %[y], %[x]\n\t" SOFT_FLAGS_TO_AX                         \
			: [flags] "=&a"(flags), "=@cc" condition(taken)                            \
			: [x] "r"((uint##bits##_t)(a)), [y] "r"((uint##bits##_t)(b)));             \
		c->flags = flags;                                                                  \
		soft_branch_take(c, op + 1, taken);                                                \
	}

/* maker makes the handler of the body. */
#define FUSED_ALL(name, mnemonic, suffix, bits, maker, a, b)                                       \
	FUSED(name, mnemonic, suffix, bits, 0, "o", a, b)                                          \
	FUSED(name, mnemonic, suffix, bits, 1, "no", a, b)                                         \
	FUSED(name, mnemonic, suffix, bits, 2, "b", a, b)                                          \
	FUSED(name, mnemonic, suffix, bits, 3, "ae", a, b)                                         \
	FUSED(name, mnemonic, suffix, bits, 4, "e", a, b)                                          \
	FUSED(name, mnemonic, suffix, bits, 5, "ne", a, b)                                         \
	FUSED(name, mnemonic, suffix, bits, 6, "be", a, b)                                         \
	FUSED(name, mnemonic, suffix, bits, 7, "a", a, b)                                          \
	FUSED(name, mnemonic, suffix, bits, 8, "s", a, b)                                          \
	FUSED(name, mnemonic, suffix, bits, 9, "ns", a, b)                                         \
	FUSED(name, mnemonic, suffix, bits, 10, "p", a, b)                                         \
	FUSED(name, mnemonic, suffix, bits, 11, "np", a, b)                                        \
	FUSED(name, mnemonic, suffix, bits, 12, "l", a, b)                                         \
	FUSED(name, mnemonic, suffix, bits, 13, "ge", a, b)                                        \
	FUSED(name, mnemonic, suffix, bits, 14, "le", a, b)                                        \
	FUSED(name, mnemonic, suffix, bits, 15, "g", a, b)                                         \
	maker(name, 0, bits) maker(name, 1, bits) maker(name, 2, bits) maker(name, 3, bits) maker( \
		name, 4, bits) maker(name, 5, bits) maker(name, 6, bits) maker(name, 7, bits)      \
		maker(name, 8, bits) maker(name, 9, bits) maker(name, 10, bits) maker(name, 11,    \
										      bits)        \
			maker(name, 12, bits) maker(name, 13, bits) maker(name, 14, bits)          \
				maker(name, 15, bits) static soft_handler *const name[16] = {      \
					name##_0_h,  name##_1_h,  name##_2_h,  name##_3_h,         \
					name##_4_h,  name##_5_h,  name##_6_h,  name##_7_h,         \
					name##_8_h,  name##_9_h,  name##_10_h, name##_11_h,        \
					name##_12_h, name##_13_h, name##_14_h, name##_15_h};

#define REGISTERS(name, n, bits)                                                                   \
	static void name##_##n##_h(struct soft_vcpu *c, const struct soft_op *op)                  \
	{                                                                                          \
		name##_##n##_body(c, op, NULL);                                                    \
	}

#define MEMORY(name, n, bits) SOFT_READER(name##_##n##_h, SOFT_FLAT, bits / 8, name##_##n##_body)

#define FUSED_SIZE(bits, suffix)                                                                   \
	FUSED_ALL(cmp_rr_##bits, "cmp", suffix, bits, REGISTERS, soft_get##bits(c, op->a),         \
		  soft_get##bits(c, op->b))                                                        \
	FUSED_ALL(cmp_ri_##bits, "cmp", suffix, bits, REGISTERS, soft_get##bits(c, op->a),         \
		  op->immediate)                                                                   \
	FUSED_ALL(cmp_rm_##bits, "cmp", suffix, bits, MEMORY, soft_get##bits(c, op->a),            \
		  soft_load(at, bits / 8))                                                         \
	FUSED_ALL(cmp_mr_##bits, "cmp", suffix, bits, MEMORY, soft_load(at, bits / 8),             \
		  soft_get##bits(c, op->b))                                                        \
	FUSED_ALL(cmp_mi_##bits, "cmp", suffix, bits, MEMORY, soft_load(at, bits / 8),             \
		  op->immediate)                                                                   \
	FUSED_ALL(test_rr_##bits, "test", suffix, bits, REGISTERS, soft_get##bits(c, op->a),       \
		  soft_get##bits(c, op->b))                                                        \
	FUSED_ALL(test_ri_##bits, "test", suffix, bits, REGISTERS, soft_get##bits(c, op->a),       \
		  op->immediate)                                                                   \
	FUSED_ALL(test_mi_##bits, "test", suffix, bits, MEMORY, soft_load(at, bits / 8),           \
		  op->immediate)

FUSED_SIZE(8, "b")
FUSED_SIZE(32, "l")
FUSED_SIZE(64, "q")

/* --- Which is which
 * ----------------------------------------------------------------------------- */

enum { CMP_RR, CMP_RI, CMP_RM, CMP_MR, CMP_MI, TEST_RR, TEST_RI, TEST_MI, FUSED_FORMS };

#define FUSED_TABLE(bits)                                                                          \
	{                                                                                          \
		[CMP_RR] = cmp_rr_##bits, [CMP_RI] = cmp_ri_##bits, [CMP_RM] = cmp_rm_##bits,      \
		[CMP_MR] = cmp_mr_##bits, [CMP_MI] = cmp_mi_##bits, [TEST_RR] = test_rr_##bits,    \
		[TEST_RI] = test_ri_##bits, [TEST_MI] = test_mi_##bits,                            \
	}

/* By size as soft_size_index() has it; none of 16 bits. */
static soft_handler *const *const fused[SOFT_SIZES][FUSED_FORMS] = {
	FUSED_TABLE(8), {NULL}, FUSED_TABLE(32), FUSED_TABLE(64)};

/* The form as an index of fused, or -1. */
static int form_of(const struct decode_insn *insn)
{
	bool test = insn->op == OP_TEST;
	uint8_t first = insn->operand[0].kind, second = insn->operand[1].kind;

	if (first == DECODE_REGISTER && second == DECODE_REGISTER)
		return test ? TEST_RR : CMP_RR;
	if (first == DECODE_REGISTER && second == DECODE_IMMEDIATE)
		return test ? TEST_RI : CMP_RI;
	if (first == DECODE_MEMORY && second == DECODE_IMMEDIATE)
		return test ? TEST_MI : CMP_MI;
	if (test)
		return -1;
	return first == DECODE_MEMORY ? CMP_MR : CMP_RM;
}

static bool has_memory(const struct decode_insn *insn)
{
	return insn->operand[0].kind == DECODE_MEMORY || insn->operand[1].kind == DECODE_MEMORY;
}

void soft_compile_note_compare(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = &k->op[-1];
	int form = form_of(insn);

	/* Of memory only what SOFT_FLAT says. */
	if (form < 0 || (has_memory(insn) && (op->index != SOFT_OFFSET(zero) ||
					      op->segment >= CPU_FS || !k->c->long64)))
		return;
	op->size = (uint8_t)soft_size_index(insn->operand[0].size);
	op->spare[0] = (uint8_t)form;
	k->compare = op;
}

void soft_compile_fused(struct soft_compile *k, unsigned condition)
{
	struct soft_op *compare = k->compare;

	if (compare && compare + 2 == k->op && fused[compare->size][compare->spare[0]])
		compare->run = fused[compare->size][compare->spare[0]][condition];
}
