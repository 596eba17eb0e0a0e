/* SPDX-License-Identifier: MIT */
/*
 * bmi.c - BMI1 and BMI2: ANDN, BLSR, BLSMSK, BLSI, BEXTR, BZHI, PEXT, PDEP, MULX, SHLX, SHRX, SARX,
 * RORX.
 */
#include "hypervisor/x86/soft/integer.h"

/* What they compute: x, y, result as the host's instruction has its operands. */
typedef uint64_t bmi_compute(uint64_t x, uint64_t y, uint16_t *flags);

#define BMI(name, bits, text)                                                                      \
	static uint64_t name##_##bits(uint64_t x, uint64_t y, uint16_t *flags)                     \
	{                                                                                          \
		uint16_t ax = *flags;                                                              \
		uint64_t result;                                                                   \
                                                                                                   \
		__asm__(SOFT_FLAGS_FROM_AX text "\n\t" SOFT_FLAGS_TO_AX                            \
			: [r] "=&r"(result), [ax] "+&a"(ax)                                        \
			: [x] "r"(x), [y] "r"(y)                                                   \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return result;                                                                     \
	}

#define BMI_THREE(name, bits, k) BMI(name, bits, #name " %" k "[y], %" k "[x], %" k "[r]")
#define BMI_TWO(name, bits, k) BMI(name, bits, #name " %" k "[x], %" k "[r]")

#define BMI_HANDLER(name)                                                                          \
	static void run_##name(struct soft_vcpu *c, const struct soft_op *op)                      \
	{                                                                                          \
		run_bmi(c, op, name##_32, name##_64);                                              \
	}

/* x is register op->a or memory, y register op->b, or the other way round if op->spare[1] is set;
 * the result goes to op->spare[0], in units of 8 bytes. */
static inline void run_bmi(struct soft_vcpu *c, const struct soft_op *op, bmi_compute *compute32,
			   bmi_compute *compute64)
{
	uint64_t rm, v = soft_get64(c, op->b), result;
	const void *at;

	if (op->a == SOFT_OFFSET(zero)) {
		at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);
		if (!at) {
			soft_stop(c, op);
			return;
		}
		rm = soft_load(at, op->size);
	} else {
		rm = soft_get64(c, op->a);
	}
	result = (op->size == 8 ? compute64 : compute32)(op->spare[1] ? v : rm,
							 op->spare[1] ? rm : v, &c->flags);
	soft_put(c, op->spare[0] * 8u, result, op->size);
	soft_next(c, op);
}

#define BMI_ALL(name, form) form(name, 32, "k") form(name, 64, "q") BMI_HANDLER(name)

/* ANDN r, v, rm; PEXT, PDEP r, v, rm: v is the first source. */
BMI_ALL(andn, BMI_THREE)
BMI_ALL(pext, BMI_THREE)
BMI_ALL(pdep, BMI_THREE)
/* r, rm, v */
BMI_ALL(bextr, BMI_THREE)
BMI_ALL(bzhi, BMI_THREE)
BMI_ALL(shlx, BMI_THREE)
BMI_ALL(shrx, BMI_THREE)
BMI_ALL(sarx, BMI_THREE)
/* r, rm */
BMI_ALL(blsr, BMI_TWO)
BMI_ALL(blsmsk, BMI_TWO)
BMI_ALL(blsi, BMI_TWO)

/* op->b is the destination, the count immediate. */
static void run_rorx(struct soft_vcpu *c, const struct soft_op *op)
{
	unsigned count = (unsigned)op->immediate & (op->size * 8u - 1);
	const void *at = NULL;
	uint64_t value;

	if (op->a == SOFT_OFFSET(zero)) {
		at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);
		if (!at) {
			soft_stop(c, op);
			return;
		}
	}
	value = at ? soft_load(at, op->size) : soft_get(c, op->a, op->size);
	if (op->size == 8)
		value = value >> count | value << (-count & 63);
	else
		value = (uint32_t)value >> count | (uint32_t)value << (-count & 31);
	soft_put(c, op->b, value, op->size);
	soft_next(c, op);
}

/* op->b is the destination of the high half, spare[0] that of the low one, in units of 8. */
static void run_mulx(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t d = c->vcpu.state.gpr[CPU_RDX], value;
	unsigned __int128 product;
	const void *at = NULL;

	if (op->a == SOFT_OFFSET(zero)) {
		at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);
		if (!at) {
			soft_stop(c, op);
			return;
		}
	}
	value = at ? soft_load(at, op->size) : soft_get(c, op->a, op->size);
	product = (unsigned __int128)value * (op->size == 8 ? d : (uint32_t)d);
	soft_put(c, op->spare[0] * 8u, (uint64_t)product, op->size);
	soft_put(c, op->b, (uint64_t)(product >> (op->size * 8)), op->size);
	soft_next(c, op);
}

/* --- Compiling: which operand is r/m
 * ------------------------------------------------------------ */

static bool compile(struct soft_compile *k, const struct decode_insn *insn, soft_handler *run,
		    unsigned rm, unsigned v, bool v_first)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = (uint8_t)insn->operand[0].size;
	op->spare[0] = insn->operand[0].reg;
	op->spare[1] = v_first;
	if (v)
		op->b = soft_compile_register(&insn->operand[v]);
	soft_compile_place(k, insn, rm);
	soft_compile_emit(k, run);
	return true;
}

static bool compile_rorx(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = (uint8_t)insn->operand[0].size;
	op->b = soft_compile_register(&insn->operand[0]);
	soft_compile_place(k, insn, 1);
	k->op->immediate = insn->immediate;
	soft_compile_emit(k, run_rorx);
	return true;
}

static bool compile_mulx(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = (uint8_t)insn->operand[0].size;
	op->b = soft_compile_register(&insn->operand[0]);
	op->spare[0] = insn->operand[1].reg;
	soft_compile_place(k, insn, 2);
	soft_compile_emit(k, run_mulx);
	return true;
}

bool soft_compile_bmi(struct soft_compile *k, const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_ANDN:
		return compile(k, insn, run_andn, 2, 1, true);
	case OP_PEXT:
		return compile(k, insn, run_pext, 2, 1, true);
	case OP_PDEP:
		return compile(k, insn, run_pdep, 2, 1, true);
	case OP_BEXTR:
		return compile(k, insn, run_bextr, 1, 2, false);
	case OP_BZHI:
		return compile(k, insn, run_bzhi, 1, 2, false);
	case OP_SHLX:
		return compile(k, insn, run_shlx, 1, 2, false);
	case OP_SHRX:
		return compile(k, insn, run_shrx, 1, 2, false);
	case OP_SARX:
		return compile(k, insn, run_sarx, 1, 2, false);
	case OP_BLSR:
		return compile(k, insn, run_blsr, 1, 0, false);
	case OP_BLSMSK:
		return compile(k, insn, run_blsmsk, 1, 0, false);
	case OP_BLSI:
		return compile(k, insn, run_blsi, 1, 0, false);
	case OP_RORX:
		return compile_rorx(k, insn);
	case OP_MULX:
		return compile_mulx(k, insn);
	default:
		return false;
	}
}
