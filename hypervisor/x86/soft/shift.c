/* SPDX-License-Identifier: MIT */
/*
 * shift.c - ROL, ROR, RCL, RCR, SHL, SHR, SAR; SHLD, SHRD.
 *
 * All flags go in and come out, as a count of 0 leaves them all and a rotation most of them.
 */
#include "hypervisor/x86/soft/integer.h"

#define COMPUTE(name, bits, suffix)                                                                \
	static inline uint##bits##_t name##_##bits(uint##bits##_t a, uint8_t count,                \
						   uint16_t *flags)                                \
	{                                                                                          \
		uint16_t ax = *flags;                                                              \
                                                                                                   \
		__asm__(SOFT_FLAGS_FROM_AX #name suffix " %%cl, %[a]\n\t" SOFT_FLAGS_TO_AX         \
			: [a] "+r"(a), [ax] "+&a"(ax)                                              \
			: "c"(count)                                                               \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return a;                                                                          \
	}

/* Of a count that isn't 0 and an operation that writes all flags. */
#define COMPUTE_FRESH(name, bits, suffix)                                                          \
	static inline uint##bits##_t name##_fresh_##bits(uint##bits##_t a, uint8_t count,          \
							 uint16_t *flags)                          \
	{                                                                                          \
		uint16_t ax;                                                                       \
                                                                                                   \
		__asm__(#name suffix " %%cl, %[a]\n\t" SOFT_FLAGS_TO_AX                            \
			: [a] "+r"(a), [ax] "=&a"(ax)                                              \
			: "c"(count)                                                               \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return a;                                                                          \
	}

/* r: by CL or by an immediate; fresh ones are for immediates of shifts. */
#define HANDLER_REGISTER(name, compute, form, bits, count)                                         \
	static void name##_##form##_##bits(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		soft_put##bits(                                                                    \
			c, op->a,                                                                  \
			compute##_##bits(soft_get##bits(c, op->a), (uint8_t)(count), &c->flags));  \
		soft_next(c, op);                                                                  \
	}

#define HANDLER_MEMORY(name, form, bits, count)                                                    \
	static void name##_##form##_##bits(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		void *at = soft_operand_update(c, op, SOFT_GENERAL, bits / 8);                     \
		uint16_t flags = c->flags;                                                         \
                                                                                                   \
		if (SOFT_UNLIKELY(!at)) {                                                          \
			soft_stop(c, op);                                                          \
			return;                                                                    \
		}                                                                                  \
		soft_save(at,                                                                      \
			  name##_##bits((uint##bits##_t)soft_load(at, bits / 8), (uint8_t)(count), \
					&flags),                                                   \
			  bits / 8);                                                               \
		if (SOFT_UNLIKELY(!soft_update_end(c, at))) {                                      \
			soft_stop(c, op);                                                          \
			return;                                                                    \
		}                                                                                  \
		c->flags = flags;                                                                  \
		soft_next(c, op);                                                                  \
	}

#define CL c->vcpu.state.gpr[CPU_RCX]

#define HANDLERS(name, by_imm, bits, suffix)                                                       \
	COMPUTE(name, bits, suffix)                                                                \
	HANDLER_REGISTER(name, name, rc, bits, CL)                                                 \
	HANDLER_REGISTER(name, by_imm, ri, bits, op->immediate)                                    \
	HANDLER_MEMORY(name, mc, bits, CL)                                                         \
	HANDLER_MEMORY(name, mi, bits, op->immediate)

/* [memory][immediate][size] */
typedef soft_handler *const shift_table[2][2][SOFT_SIZES];

#define HANDLERS_ALL(name, by_imm)                                                                 \
	HANDLERS(name, by_imm, 8, "b")                                                             \
	HANDLERS(name, by_imm, 16, "w")                                                            \
	HANDLERS(name, by_imm, 32, "l")                                                            \
	HANDLERS(name, by_imm, 64, "q")                                                            \
	static shift_table name##_table = {                                                        \
		{SOFT_ALL_SIZES(name##_rc), SOFT_ALL_SIZES(name##_ri)},                            \
		{SOFT_ALL_SIZES(name##_mc), SOFT_ALL_SIZES(name##_mi)},                            \
	};

#define FRESH_ALL(name)                                                                            \
	COMPUTE_FRESH(name, 8, "b")                                                                \
	COMPUTE_FRESH(name, 16, "w")                                                               \
	COMPUTE_FRESH(name, 32, "l")                                                               \
	COMPUTE_FRESH(name, 64, "q")

FRESH_ALL(shl)
FRESH_ALL(shr)
FRESH_ALL(sar)
HANDLERS_ALL(rol, rol)
HANDLERS_ALL(ror, ror)
HANDLERS_ALL(rcl, rcl)
HANDLERS_ALL(rcr, rcr)
HANDLERS_ALL(shl, shl_fresh)
HANDLERS_ALL(shr, shr_fresh)
HANDLERS_ALL(sar, sar_fresh)

static shift_table *table_of(uint16_t op)
{
	switch (op) {
	case OP_ROL:
		return &rol_table;
	case OP_ROR:
		return &ror_table;
	case OP_RCL:
		return &rcl_table;
	case OP_RCR:
		return &rcr_table;
	case OP_SHL:
		return &shl_table;
	case OP_SHR:
		return &shr_table;
	case OP_SAR:
		return &sar_table;
	default:
		return NULL;
	}
}

/* --- SHLD, SHRD: op->size; the count is CL if op->spare[0], else immediate
 * ------------------------ */

#define DOUBLE(name, bits, suffix)                                                                 \
	static uint64_t name##_##bits(uint64_t a, uint64_t b, uint8_t count, uint16_t *flags)      \
	{                                                                                          \
		uint##bits##_t low = (uint##bits##_t)a;                                            \
		uint16_t ax = *flags;                                                              \
                                                                                                   \
		__asm__(SOFT_FLAGS_FROM_AX #name suffix " %%cl, %[b], %[a]\n\t" SOFT_FLAGS_TO_AX   \
			: [a] "+r"(low), [ax] "+&a"(ax)                                            \
			: "c"(count), [b] "r"((uint##bits##_t)b)                                   \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return low;                                                                        \
	}

DOUBLE(shld, 16, "w")
DOUBLE(shld, 32, "l")
DOUBLE(shld, 64, "q")
DOUBLE(shrd, 16, "w")
DOUBLE(shrd, 32, "l")
DOUBLE(shrd, 64, "q")

typedef uint64_t double_compute(uint64_t a, uint64_t b, uint8_t count, uint16_t *flags);
static double_compute *const shld[SOFT_SIZES] = SOFT_WIDE_SIZES(shld);
static double_compute *const shrd[SOFT_SIZES] = SOFT_WIDE_SIZES(shrd);

static inline uint64_t compute_double(struct soft_vcpu *c, const struct soft_op *op,
				      double_compute *const compute[SOFT_SIZES], uint64_t a,
				      uint16_t *flags)
{
	uint8_t count = (uint8_t)(op->spare[0] ? CL : (uint64_t)op->immediate);

	return compute[soft_size_index(op->size)](a, soft_get(c, op->b, op->size), count, flags);
}

static inline void double_r(struct soft_vcpu *c, const struct soft_op *op,
			    double_compute *const compute[SOFT_SIZES])
{
	soft_put(c, op->a, compute_double(c, op, compute, soft_get(c, op->a, op->size), &c->flags),
		 op->size);
	soft_next(c, op);
}

static SOFT_APART bool double_m_work(struct soft_vcpu *c, const struct soft_op *op,
				     double_compute *const compute[SOFT_SIZES])
{
	void *at = soft_update_at(c, op->segment, soft_offset(c, op), op->size);
	uint16_t flags = c->flags;

	if (!at)
		return false;
	soft_save(at, compute_double(c, op, compute, soft_load(at, op->size), &flags), op->size);
	if (!soft_update_end(c, at))
		return false;
	c->flags = flags;
	return true;
}

static inline void double_m(struct soft_vcpu *c, const struct soft_op *op,
			    double_compute *const compute[SOFT_SIZES])
{
	soft_next_if(c, op, double_m_work(c, op, compute));
}

static void shld_r(struct soft_vcpu *c, const struct soft_op *op)
{
	double_r(c, op, shld);
}

static void shld_m(struct soft_vcpu *c, const struct soft_op *op)
{
	double_m(c, op, shld);
}

static void shrd_r(struct soft_vcpu *c, const struct soft_op *op)
{
	double_r(c, op, shrd);
}

static void shrd_m(struct soft_vcpu *c, const struct soft_op *op)
{
	double_m(c, op, shrd);
}

/* --- Compiling
 * ---------------------------------------------------------------------------------- */

static void compile_double(struct soft_compile *k, const struct decode_insn *insn)
{
	bool left = insn->op == OP_SHLD;
	struct soft_op *op = soft_compile_op(k);

	op->size = (uint8_t)insn->operand[0].size;
	op->spare[0] = insn->operand[2].kind == DECODE_REGISTER;
	op->b = soft_compile_register(&insn->operand[1]);
	if (soft_compile_place(k, insn, 0) == SOFT_R) {
		k->op->immediate = insn->immediate;
		soft_compile_emit(k, left ? shld_r : shrd_r);
	} else {
		k->op->immediate = insn->immediate;
		soft_compile_emit(k, left ? shld_m : shrd_m);
	}
}

/* A shift by 0 changes nothing but may fault on memory. */
static bool is_fresh_zero(const struct decode_insn *insn, uint8_t count)
{
	uint8_t mask = insn->operand[0].size == 8 ? 0x3f : 0x1f;

	return insn->operand[1].kind == DECODE_IMMEDIATE && !(count & mask);
}

bool soft_compile_shift(struct soft_compile *k, const struct decode_insn *insn)
{
	shift_table *table = table_of(insn->op);
	unsigned size = soft_size_index(insn->operand[0].size);
	bool immediate = insn->operand[1].kind == DECODE_IMMEDIATE;
	bool memory;

	if (insn->op == OP_SHLD || insn->op == OP_SHRD) {
		compile_double(k, insn);
		return true;
	}
	if (!table)
		return false;
	soft_compile_op(k);
	memory = soft_compile_place(k, insn, 0) != SOFT_R;
	k->op->immediate = immediate ? insn->immediate : 0;
	if (immediate && !memory && is_fresh_zero(insn, (uint8_t)insn->immediate)) {
		/* Of a register of 32 bits the upper half becomes zero: a rotation by 0 does it. */
		soft_compile_emit(k, rol_table[0][1][size]);
		return true;
	}
	soft_compile_emit(k, (*table)[memory][immediate][size]);
	return true;
}
