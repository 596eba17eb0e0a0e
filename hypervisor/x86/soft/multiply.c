/* SPDX-License-Identifier: MIT */
/*
 * multiply.c - MUL, IMUL, DIV, IDIV; AAA, AAS, DAA, DAS, AAM, AAD, SALC.
 */
#include "hypervisor/x86/soft/integer.h"

#define RAX (c->vcpu.state.gpr[CPU_RAX])
#define RDX (c->vcpu.state.gpr[CPU_RDX])

/* --- MUL, IMUL of one operand: rDX:rAX = rAX * operand
 * ------------------------------------------- */

/* Results come back through registers that no flag instruction needs. */
#define MULTIPLY(name, bits, suffix)                                                               \
	static void name##_##bits(struct soft_vcpu *c, uint64_t operand)                           \
	{                                                                                          \
		uint##bits##_t a = (uint##bits##_t)RAX, low, high;                                 \
		uint16_t flags;                                                                    \
                                                                                                   \
		__asm__(#name suffix " %[operand]\n\t"                                             \
				     "mov %[a], %[low]\n\t" SOFT_FLAGS_TO_AX "\n\t"                \
				     "mov %%ax, %[flags]"                                          \
			: [a] "+&a"(a), "=&d"(high), [low] "=&r"(low), [flags] "=&r"(flags)        \
			: [operand] "r"((uint##bits##_t)operand)                                   \
			: "cc");                                                                   \
		soft_put##bits(c, CPU_RAX * 8, low);                                               \
		soft_put##bits(c, CPU_RDX * 8, high);                                              \
		c->flags = flags;                                                                  \
	}

#define MULTIPLY_BYTE(name)                                                                        \
	static void name##_8(struct soft_vcpu *c, uint64_t operand)                                \
	{                                                                                          \
		uint16_t a = (uint16_t)RAX, product;                                               \
                                                                                                   \
		__asm__(#name "b %[operand]\n\t"                                                   \
			      "mov %%ax, %[product]\n\t" SOFT_FLAGS_TO_AX                          \
			: "+&a"(a), [product] "=&r"(product)                                       \
			: [operand] "q"((uint8_t)operand)                                          \
			: "cc");                                                                   \
		soft_put16(c, CPU_RAX * 8, product);                                               \
		c->flags = a;                                                                      \
	}

MULTIPLY_BYTE(mul)
MULTIPLY(mul, 16, "w")
MULTIPLY(mul, 32, "l")
MULTIPLY(mul, 64, "q")
MULTIPLY_BYTE(imul)
MULTIPLY(imul, 16, "w")
MULTIPLY(imul, 32, "l")
MULTIPLY(imul, 64, "q")

typedef void multiply(struct soft_vcpu *c, uint64_t operand);
static multiply *const mul[SOFT_SIZES] = SOFT_ALL_SIZES(mul);
static multiply *const imul[SOFT_SIZES] = SOFT_ALL_SIZES(imul);

/* --- IMUL of two and three operands
 * ------------------------------------------------------------- */

#define PRODUCT(bits, suffix)                                                                      \
	static inline uint##bits##_t product_##bits(uint##bits##_t a, uint##bits##_t b,            \
						    uint16_t *flags)                               \
	{                                                                                          \
		uint16_t ax;                                                                       \
                                                                                                   \
		__asm__("imul" suffix " %[b], %[a]\n\t" SOFT_FLAGS_TO_AX                           \
			: [a] "+r"(a), [ax] "=&a"(ax)                                              \
			: [b] "r"(b)                                                               \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return a;                                                                          \
	}                                                                                          \
	static void imul_rr_##bits(struct soft_vcpu *c, const struct soft_op *op)                  \
	{                                                                                          \
		soft_put##bits(c, op->a,                                                           \
			       product_##bits(soft_get##bits(c, op->a), soft_get##bits(c, op->b),  \
					      &c->flags));                                         \
		soft_next(c, op);                                                                  \
	}                                                                                          \
	static void imul_rri_##bits(struct soft_vcpu *c, const struct soft_op *op)                 \
	{                                                                                          \
		soft_put##bits(c, op->a,                                                           \
			       product_##bits(soft_get##bits(c, op->b),                            \
					      (uint##bits##_t)op->immediate, &c->flags));          \
		soft_next(c, op);                                                                  \
	}                                                                                          \
	static void imul_rm_##bits(struct soft_vcpu *c, const struct soft_op *op)                  \
	{                                                                                          \
		const void *at = soft_operand_read(c, op, SOFT_GENERAL, bits / 8);                 \
                                                                                                   \
		if (SOFT_UNLIKELY(!at)) {                                                          \
			soft_stop(c, op);                                                          \
			return;                                                                    \
		}                                                                                  \
		soft_put##bits(c, op->a,                                                           \
			       product_##bits((uint##bits##_t)soft_load(at, bits / 8),             \
					      op->spare[0] ? (uint##bits##_t)op->immediate         \
							   : soft_get##bits(c, op->a),             \
					      &c->flags));                                         \
		soft_next(c, op);                                                                  \
	}

PRODUCT(16, "w")
PRODUCT(32, "l")
PRODUCT(64, "q")

static soft_handler *const imul_rr[SOFT_SIZES] = SOFT_WIDE_SIZES(imul_rr);
static soft_handler *const imul_rri[SOFT_SIZES] = SOFT_WIDE_SIZES(imul_rri);
static soft_handler *const imul_rm[SOFT_SIZES] = SOFT_WIDE_SIZES(imul_rm);

/* --- DIV, IDIV: false when the quotient doesn't fit; flags are left as they are
 * ------------------- */

static bool divide_128(uint64_t high, uint64_t low, uint64_t by, uint64_t *quotient,
		       uint64_t *remainder)
{
	if (high >= by)
		return false;
	__asm__("divq %[by]"
		: "=a"(*quotient), "=d"(*remainder)
		: "a"(low), "d"(high), [by] "r"(by)
		: "cc");
	return true;
}

static bool div_64(struct soft_vcpu *c, uint64_t by)
{
	return divide_128(RDX, RAX, by, &RAX, &RDX);
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static bool idiv_64(struct soft_vcpu *c, uint64_t operand)
{
	bool negative = (int64_t)RDX < 0, by_negative = (int64_t)operand < 0;
	uint64_t low = negative ? -RAX : RAX;
	uint64_t high = negative ? ~RDX + (RAX == 0) : RDX;
	uint64_t quotient, remainder;
	uint64_t limit = INT64_MAX + (uint64_t)(negative != by_negative);

	if (!divide_128(high, low, magnitude((int64_t)operand), &quotient, &remainder) ||
	    quotient > limit)
		return false;
	RAX = negative != by_negative ? -quotient : quotient;
	RDX = negative ? -remainder : remainder;
	return true;
}

static bool div_32(struct soft_vcpu *c, uint64_t operand)
{
	uint64_t value = (RDX << 32) | (uint32_t)RAX, by = (uint32_t)operand;

	if (!by || value / by > UINT32_MAX)
		return false;
	RAX = value / by;
	RDX = value % by;
	return true;
}

static bool idiv_32(struct soft_vcpu *c, uint64_t operand)
{
	int64_t value = (int64_t)((RDX << 32) | (uint32_t)RAX), by = (int32_t)operand;

	if (!by || (by == -1 && value == INT64_MIN) || value / by != (int32_t)(value / by))
		return false;
	RAX = (uint32_t)(value / by);
	RDX = (uint32_t)(value % by);
	return true;
}

static bool div_16(struct soft_vcpu *c, uint64_t operand)
{
	uint32_t value = (uint32_t)(uint16_t)RDX << 16 | (uint16_t)RAX, by = (uint16_t)operand;

	if (!by || value / by > UINT16_MAX)
		return false;
	soft_put16(c, CPU_RAX * 8, (uint16_t)(value / by));
	soft_put16(c, CPU_RDX * 8, (uint16_t)(value % by));
	return true;
}

static bool idiv_16(struct soft_vcpu *c, uint64_t operand)
{
	int64_t value = (int32_t)((uint32_t)(uint16_t)RDX << 16 | (uint16_t)RAX);
	int64_t by = (int16_t)operand;

	if (!by || value / by != (int16_t)(value / by))
		return false;
	soft_put16(c, CPU_RAX * 8, (uint16_t)(value / by));
	soft_put16(c, CPU_RDX * 8, (uint16_t)(value % by));
	return true;
}

static bool div_8(struct soft_vcpu *c, uint64_t operand)
{
	uint32_t value = (uint16_t)RAX, by = (uint8_t)operand;

	if (!by || value / by > UINT8_MAX)
		return false;
	soft_put16(c, CPU_RAX * 8, (uint16_t)(value % by << 8 | value / by));
	return true;
}

static bool idiv_8(struct soft_vcpu *c, uint64_t operand)
{
	int32_t value = (int16_t)RAX, by = (int32_t)(int8_t)operand;

	if (!by || value / by != (int8_t)(value / by))
		return false;
	soft_put16(c, CPU_RAX * 8, (uint16_t)((uint8_t)(value % by) << 8 | (uint8_t)(value / by)));
	return true;
}

typedef bool divide(struct soft_vcpu *c, uint64_t operand);
static divide *const div[SOFT_SIZES] = SOFT_ALL_SIZES(div);
static divide *const idiv[SOFT_SIZES] = SOFT_ALL_SIZES(idiv);

/* --- Handlers: op->size, the operand's place
 * ---------------------------------------------------- */

static inline void multiply_r(struct soft_vcpu *c, const struct soft_op *op,
			      multiply *const compute[SOFT_SIZES])
{
	compute[soft_size_index(op->size)](c, soft_get(c, op->a, op->size));
	soft_next(c, op);
}

static inline void multiply_m(struct soft_vcpu *c, const struct soft_op *op,
			      multiply *const compute[SOFT_SIZES])
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at) {
		soft_stop(c, op);
		return;
	}
	compute[soft_size_index(op->size)](c, soft_load(at, op->size));
	soft_next(c, op);
}

static inline void divide_by(struct soft_vcpu *c, const struct soft_op *op,
			     divide *const compute[SOFT_SIZES], uint64_t operand)
{
	if (SOFT_UNLIKELY(!compute[soft_size_index(op->size)](c, operand))) {
		soft_fault(c, CPU_VECTOR_DE);
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

static inline void divide_m(struct soft_vcpu *c, const struct soft_op *op,
			    divide *const compute[SOFT_SIZES])
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at) {
		soft_stop(c, op);
		return;
	}
	divide_by(c, op, compute, soft_load(at, op->size));
}

#define HANDLERS_MULTIPLY(name)                                                                    \
	static void name##_r(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		multiply_r(c, op, name);                                                           \
	}                                                                                          \
	static void name##_m(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		multiply_m(c, op, name);                                                           \
	}

#define HANDLERS_DIVIDE(name)                                                                      \
	static void name##_r(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		divide_by(c, op, name, soft_get(c, op->a, op->size));                              \
	}                                                                                          \
	static void name##_m(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		divide_m(c, op, name);                                                             \
	}

HANDLERS_MULTIPLY(mul)
HANDLERS_MULTIPLY(imul)
HANDLERS_DIVIDE(div)
HANDLERS_DIVIDE(idiv)

/* --- Decimal: not in 64-bit mode; flags as the manual's pseudo code has them (AMD APM volume 3)
 * --- */

static void set_result_flags(struct soft_vcpu *c, uint8_t result, bool carry, bool adjust)
{
	uint16_t flags = 0x0200; /* the bit that reads as one */

	flags |= carry ? SOFT_FLAG_CF : 0;
	flags |= adjust ? SOFT_FLAG_AF : 0;
	flags |= result == 0 ? SOFT_FLAG_ZF : 0;
	flags |= result & 0x80 ? SOFT_FLAG_SF : 0;
	flags |= __builtin_parity(result) ? 0 : SOFT_FLAG_PF;
	c->flags = flags;
}

static void decimal_adjust(struct soft_vcpu *c, bool subtract)
{
	uint8_t al = (uint8_t)RAX, old = al;
	bool carry = c->flags & SOFT_FLAG_CF, adjust = c->flags & SOFT_FLAG_AF, old_carry = carry;

	carry = false;
	if ((al & 0xf) > 9 || adjust) {
		carry = old_carry || (subtract ? al < 6 : al > 0xf9);
		al = (uint8_t)(subtract ? al - 6 : al + 6);
		adjust = true;
	}
	if (old > 0x99 || old_carry) {
		al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
		carry = true;
	}
	soft_put8(c, CPU_RAX * 8, al);
	set_result_flags(c, al, carry, adjust);
}

static void ascii_adjust(struct soft_vcpu *c, bool subtract)
{
	uint16_t a = (uint16_t)RAX;
	bool adjust = (a & 0xf) > 9 || (c->flags & SOFT_FLAG_AF);

	if (adjust)
		a = (uint16_t)(subtract ? a - 0x106 : a + 0x106);
	a &= 0xff0f;
	soft_put16(c, CPU_RAX * 8, a);
	set_result_flags(c, (uint8_t)a, adjust, adjust);
}

static void daa(struct soft_vcpu *c, const struct soft_op *op)
{
	decimal_adjust(c, false);
	soft_next(c, op);
}

static void das(struct soft_vcpu *c, const struct soft_op *op)
{
	decimal_adjust(c, true);
	soft_next(c, op);
}

static void aaa(struct soft_vcpu *c, const struct soft_op *op)
{
	ascii_adjust(c, false);
	soft_next(c, op);
}

static void aas(struct soft_vcpu *c, const struct soft_op *op)
{
	ascii_adjust(c, true);
	soft_next(c, op);
}

static void aam(struct soft_vcpu *c, const struct soft_op *op)
{
	uint8_t al = (uint8_t)RAX, base = (uint8_t)op->immediate;

	if (!base) {
		soft_fault(c, CPU_VECTOR_DE);
		soft_stop(c, op);
		return;
	}
	soft_put16(c, CPU_RAX * 8, (uint16_t)(al / base << 8 | al % base));
	set_result_flags(c, al % base, false, false);
	soft_next(c, op);
}

static void aad(struct soft_vcpu *c, const struct soft_op *op)
{
	uint16_t a = (uint16_t)RAX;
	uint8_t al = (uint8_t)((a & 0xff) + (a >> 8) * (uint8_t)op->immediate);

	soft_put16(c, CPU_RAX * 8, al);
	set_result_flags(c, al, false, false);
	soft_next(c, op);
}

static void salc(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_put8(c, CPU_RAX * 8, c->flags & SOFT_FLAG_CF ? 0xff : 0);
	soft_next(c, op);
}

/* --- Compiling
 * ---------------------------------------------------------------------------------- */

static bool compile_one(struct soft_compile *k, const struct decode_insn *insn, soft_handler *r,
			soft_handler *m)
{
	soft_compile_op(k)->size = (uint8_t)insn->operand[0].size;
	soft_compile_emit(k, soft_compile_place(k, insn, 0) == SOFT_R ? r : m);
	return true;
}

/* Explicit operands come first; those of the one-operand form have rAX as an implicit one. */
static bool compile_imul(struct soft_compile *k, const struct decode_insn *insn)
{
	bool immediate = insn->operand_count > 2 && insn->operand[2].kind == DECODE_IMMEDIATE;
	unsigned size = soft_size_index(insn->operand[0].size);
	enum soft_place place;

	if (insn->map == 0 && (insn->opcode == 0xf6 || insn->opcode == 0xf7))
		return compile_one(k, insn, imul_r, imul_m);
	soft_compile_op(k);
	place = soft_compile_place(k, insn, 1);
	if (place == SOFT_R)
		k->op->b = k->op->a;
	k->op->a = soft_compile_register(&insn->operand[0]);
	k->op->spare[0] = immediate;
	k->op->immediate = insn->immediate;
	if (place != SOFT_R)
		soft_compile_emit(k, imul_rm[size]);
	else
		soft_compile_emit(k, immediate ? imul_rri[size] : imul_rr[size]);
	return true;
}

static bool compile_decimal(struct soft_compile *k, const struct decode_insn *insn,
			    soft_handler *run)
{
	soft_compile_op(k)->immediate = insn->immediate;
	soft_compile_emit(k, run);
	return true;
}

bool soft_compile_multiply(struct soft_compile *k, const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_MUL:
		return compile_one(k, insn, mul_r, mul_m);
	case OP_IMUL:
		return compile_imul(k, insn);
	case OP_DIV:
		return compile_one(k, insn, div_r, div_m);
	case OP_IDIV:
		return compile_one(k, insn, idiv_r, idiv_m);
	case OP_DAA:
		return compile_decimal(k, insn, daa);
	case OP_DAS:
		return compile_decimal(k, insn, das);
	case OP_AAA:
		return compile_decimal(k, insn, aaa);
	case OP_AAS:
		return compile_decimal(k, insn, aas);
	case OP_AAM:
		return compile_decimal(k, insn, aam);
	case OP_AAD:
		return compile_decimal(k, insn, aad);
	case OP_SALC:
		return compile_decimal(k, insn, salc);
	default:
		return false;
	}
}
