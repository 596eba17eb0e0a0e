/* SPDX-License-Identifier: MIT */
/*
 * locked.c - what reads, changes and writes memory at once: instructions with LOCK, XCHG with
 * memory; XADD, CMPXCHG, CMPXCHG8B and CMPXCHG16B with and without.
 *
 * They are the host's own locked instructions on guest memory.  Those without LOCK are as locked:
 * nobody can tell.
 */
#include "hypervisor/x86/soft/integer.h"

#define RAX (c->vcpu.state.gpr[CPU_RAX])
#define RDX (c->vcpu.state.gpr[CPU_RDX])

/* at op= b; b is changed by those that swap. */
typedef void locked_compute(void *at, uint64_t *b, uint16_t *flags);

#define LOCKED(name, text, bits, k)                                                                \
	static void name##_##bits(void *at, uint64_t *b, uint16_t *flags)                          \
	{                                                                                          \
		soft_u##bits *m = at;                                                              \
		uint64_t value = *b;                                                               \
		uint16_t ax = *flags;                                                              \
                                                                                                   \
		__asm__ volatile(SOFT_FLAGS_FROM_AX "lock " text "\n\t" SOFT_FLAGS_TO_AX           \
				 : [m] "+m"(*m), [b] "+r"(value), [ax] "+&a"(ax)                   \
				 :                                                                 \
				 : "cc", "memory");                                                \
		*flags = ax;                                                                       \
		*b = value;                                                                        \
	}

#define LOCKED_TWO(name)                                                                           \
	LOCKED(name, #name "b %b[b], %[m]", 8, "b")                                                \
	LOCKED(name, #name "w %w[b], %[m]", 16, "w")                                               \
	LOCKED(name, #name "l %k[b], %[m]", 32, "k")                                               \
	LOCKED(name, #name "q %q[b], %[m]", 64, "q")                                               \
	static locked_compute *const name[SOFT_SIZES] = SOFT_ALL_SIZES(name);

#define LOCKED_ONE(name)                                                                           \
	LOCKED(name, #name "b %[m]", 8, "b")                                                       \
	LOCKED(name, #name "w %[m]", 16, "w")                                                      \
	LOCKED(name, #name "l %[m]", 32, "k")                                                      \
	LOCKED(name, #name "q %[m]", 64, "q")                                                      \
	static locked_compute *const name[SOFT_SIZES] = SOFT_ALL_SIZES(name);

#define LOCKED_BIT(name)                                                                           \
	LOCKED(name, #name "w %w[b], %[m]", 16, "w")                                               \
	LOCKED(name, #name "l %k[b], %[m]", 32, "k")                                               \
	LOCKED(name, #name "q %q[b], %[m]", 64, "q")                                               \
	static locked_compute *const name[SOFT_SIZES] = SOFT_WIDE_SIZES(name);

LOCKED_TWO(add)
LOCKED_TWO(or)
LOCKED_TWO(adc)
LOCKED_TWO(sbb)
LOCKED_TWO(and)
LOCKED_TWO(sub)
LOCKED_TWO(xor)
LOCKED_TWO(xadd)
LOCKED_ONE(inc)
LOCKED_ONE(dec)
LOCKED_ONE(neg)
LOCKED_ONE(not )
LOCKED_BIT(bts)
LOCKED_BIT(btr)
LOCKED_BIT(btc)
/* XCHG locks without the prefix, which is allowed. */
LOCKED_TWO(xchg)

/* op->size; the source is register op->b or, where that is absent, the immediate.  spare[0]: the
 * register is written, too. */
static SOFT_APART bool run_locked_work(struct soft_vcpu *c, const struct soft_op *op,
				       locked_compute *const compute[SOFT_SIZES], uint64_t offset,
				       uint64_t value)
{
	void *at = soft_locked_at(c, op->segment, offset, op->size);
	uint16_t flags = c->flags;

	if (SOFT_UNLIKELY(!at))
		return false;
	compute[soft_size_index(op->size)](at, &value, &flags);
	if (SOFT_UNLIKELY(!soft_update_end(c, at)))
		return false;
	c->flags = flags;
	if (op->spare[0])
		soft_put(c, op->b, value, op->size);
	return true;
}

static inline void run_locked(struct soft_vcpu *c, const struct soft_op *op,
			      locked_compute *const compute[SOFT_SIZES], uint64_t offset,
			      uint64_t value)
{
	soft_next_if(c, op, run_locked_work(c, op, compute, offset, value));
}

static inline uint64_t source_of(struct soft_vcpu *c, const struct soft_op *op)
{
	return op->b == SOFT_OFFSET(zero) ? (uint64_t)op->immediate : soft_get(c, op->b, op->size);
}

#define HANDLER(name)                                                                              \
	static void run_##name(struct soft_vcpu *c, const struct soft_op *op)                      \
	{                                                                                          \
		run_locked(c, op, name, soft_offset(c, op), source_of(c, op));                     \
	}

HANDLER(add)
HANDLER(or)
HANDLER(adc)
HANDLER(sbb)
HANDLER(and)
HANDLER(sub)
HANDLER(xor)
HANDLER(xadd)
HANDLER(inc)
HANDLER(dec)
HANDLER(neg)
HANDLER(not )
HANDLER(xchg)

/* Bits: as in bits.c, a number in a register may lead to other bytes. */
static inline void run_bit(struct soft_vcpu *c, const struct soft_op *op,
			   locked_compute *const compute[SOFT_SIZES])
{
	uint64_t number = source_of(c, op), offset = soft_offset(c, op);

	if (op->b != SOFT_OFFSET(zero)) {
		int64_t units = op->size == 8   ? (int64_t)number >> 6
				: op->size == 4 ? (int32_t)number >> 5
						: (int16_t)number >> 4;

		offset += (uint64_t)(units * op->size);
		if (op->spare[1] < 8)
			offset &= size_mask(op->spare[1]);
	}
	run_locked(c, op, compute, offset, number & (op->size * 8u - 1));
}

#define HANDLER_BIT(name)                                                                          \
	static void run_##name(struct soft_vcpu *c, const struct soft_op *op)                      \
	{                                                                                          \
		run_bit(c, op, name);                                                              \
	}

HANDLER_BIT(bts)
HANDLER_BIT(btr)
HANDLER_BIT(btc)

/* --- CMPXCHG
 * ------------------------------------------------------------------------------------ */

#define COMPARE(bits, suffix)                                                                      \
	static bool compare_##bits(void *at, uint64_t *a, uint64_t b, uint16_t *flags)             \
	{                                                                                          \
		uint##bits##_t accumulator = (uint##bits##_t) * a;                                 \
		soft_u##bits *m = at;                                                              \
		uint16_t ax;                                                                       \
		uint64_t old;                                                                      \
                                                                                                   \
		__asm__ volatile("lock cmpxchg" suffix " %[b], %[m]\n\t"                           \
				 "mov %%rax, %[old]\n\t" SOFT_FLAGS_TO_AX "\n\t"                   \
				 "mov %%ax, %[ax]"                                                 \
				 : [m] "+m"(*m),                                                   \
				   "+&a"(accumulator), [old] "=&r"(old), [ax] "=&r"(ax)            \
				 : [b] "r"((uint##bits##_t)b)                                      \
				 : "cc", "memory");                                                \
		*flags = ax;                                                                       \
		*a = (uint##bits##_t)old;                                                          \
		return ax & SOFT_FLAG_ZF;                                                          \
	}

COMPARE(8, "b")
COMPARE(16, "w")
COMPARE(32, "l")
COMPARE(64, "q")

typedef bool compare(void *at, uint64_t *a, uint64_t b, uint16_t *flags);
static compare *const compares[SOFT_SIZES] = SOFT_ALL_SIZES(compare);

static SOFT_APART bool cmpxchg_m_work(struct soft_vcpu *c, const struct soft_op *op)
{
	void *at = soft_locked_at(c, op->segment, soft_offset(c, op), op->size);
	uint64_t a = RAX;
	uint16_t flags;
	bool equal;

	if (SOFT_UNLIKELY(!at))
		return false;
	equal = compares[soft_size_index(op->size)](at, &a, soft_get(c, op->b, op->size), &flags);
	if (SOFT_UNLIKELY(!soft_update_end(c, at)))
		return false;
	c->flags = flags;
	if (!equal)
		soft_put(c, CPU_RAX * 8, a, op->size);
	return true;
}

static void cmpxchg_m(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, cmpxchg_m_work(c, op));
}

static SOFT_APART bool cmpxchg_r_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value = soft_get(c, op->a, op->size), a = RAX;
	uint64_t source = soft_get(c, op->b, op->size);

	if (compares[soft_size_index(op->size)](&value, &a, source, &c->flags))
		soft_put(c, op->a, source, op->size);
	else
		soft_put(c, CPU_RAX * 8, a, op->size);
	return true;
}

static void cmpxchg_r(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, cmpxchg_r_work(c, op));
}

static SOFT_APART bool xadd_r_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value = soft_get(c, op->a, op->size), b = soft_get(c, op->b, op->size);

	xadd[soft_size_index(op->size)](&value, &b, &c->flags);
	soft_put(c, op->b, b, op->size);
	soft_put(c, op->a, value, op->size);
	return true;
}

static void xadd_r(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, xadd_r_work(c, op));
}

/* CMPXCHG8B, CMPXCHG16B: op->size is that of a half. */
static bool compare_pair(struct soft_vcpu *c, unsigned half, void *at)
{
	uint64_t a = RAX, d = RDX, b = c->vcpu.state.gpr[CPU_RBX], cx = c->vcpu.state.gpr[CPU_RCX];
	bool equal;

	if (half == 8)
		__asm__ volatile("lock cmpxchg16b %[m]"
				 : [m] "+m"(*(unsigned __int128 *)at), "+a"(a), "+d"(d),
				   "=@ccz"(equal)
				 : "b"(b), "c"(cx)
				 : "memory");
	else
		__asm__ volatile("lock cmpxchg8b %[m]"
				 : [m] "+m"(*(soft_u64 *)at), "+a"(a), "+d"(d), "=@ccz"(equal)
				 : "b"(b), "c"(cx)
				 : "memory");
	if (!equal && half == 8) {
		RAX = a;
		RDX = d;
	} else if (!equal) {
		RAX = (uint32_t)a;
		RDX = (uint32_t)d;
	}
	return equal;
}

static void cmpxchg_pair(struct soft_vcpu *c, const struct soft_op *op)
{
	struct soft_linear linear;
	uint64_t offset = soft_offset(c, op), a = RAX, d = RDX;
	bool equal;
	void *at;

	if (op->size == 8) {
		linear = soft_linear(c, op->segment, offset, 16, true);
		if (linear.ok && !is_aligned(linear.address, 16)) {
			soft_fault_error(c, CPU_VECTOR_GP, 0);
			soft_stop(c, op);
			return;
		}
	}
	at = soft_locked_at(c, op->segment, offset, op->size * 2u);
	if (SOFT_UNLIKELY(!at)) {
		soft_stop(c, op);
		return;
	}
	equal = compare_pair(c, op->size, at);
	if (SOFT_UNLIKELY(!soft_update_end(c, at))) {
		RAX = a;
		RDX = d;
		soft_stop(c, op);
		return;
	}
	c->flags = (uint16_t)((c->flags & ~SOFT_FLAG_ZF) | (equal ? SOFT_FLAG_ZF : 0));
	soft_next(c, op);
}

/* --- Compiling
 * ---------------------------------------------------------------------------------- */

static soft_handler *handler_of(uint16_t op)
{
	switch (op) {
	case OP_ADD:
		return run_add;
	case OP_OR:
		return run_or;
	case OP_ADC:
		return run_adc;
	case OP_SBB:
		return run_sbb;
	case OP_AND:
		return run_and;
	case OP_SUB:
		return run_sub;
	case OP_XOR:
		return run_xor;
	case OP_XADD:
		return run_xadd;
	case OP_INC:
		return run_inc;
	case OP_DEC:
		return run_dec;
	case OP_NEG:
		return run_neg;
	case OP_NOT:
		return run_not;
	case OP_XCHG:
		return run_xchg;
	case OP_BTS:
		return run_bts;
	case OP_BTR:
		return run_btr;
	case OP_BTC:
		return run_btc;
	default:
		return NULL;
	}
}

static bool compile_locked(struct soft_compile *k, const struct decode_insn *insn,
			   unsigned memory_operand)
{
	const struct decode_operand *other = &insn->operand[!memory_operand];
	struct soft_op *op = soft_compile_op(k);

	op->size = (uint8_t)insn->operand[memory_operand].size;
	op->spare[0] = insn->op == OP_XCHG || insn->op == OP_XADD;
	op->spare[1] = insn->address_size;
	if (insn->operand_count > 1 && other->kind == DECODE_REGISTER)
		op->b = soft_compile_register(other);
	soft_compile_memory(k, insn);
	k->op->immediate = insn->immediate;
	soft_compile_emit(k, handler_of(insn->op));
	return true;
}

static bool compile_registers(struct soft_compile *k, const struct decode_insn *insn,
			      soft_handler *r, soft_handler *m)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = (uint8_t)insn->operand[0].size;
	op->spare[0] = insn->op == OP_XADD;
	op->b = soft_compile_register(&insn->operand[1]);
	soft_compile_emit(k, soft_compile_place(k, insn, 0) == SOFT_R ? r : m);
	return true;
}

bool soft_compile_locked(struct soft_compile *k, const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_CMPXCHG:
		return compile_registers(k, insn, cmpxchg_r, cmpxchg_m);
	case OP_XADD:
		return compile_registers(k, insn, xadd_r, run_xadd);
	case OP_CMPXCHG8B:
	case OP_CMPXCHG16B:
		soft_compile_op(k)->size = insn->op == OP_CMPXCHG16B ? 8 : 4;
		soft_compile_memory(k, insn);
		soft_compile_emit(k, cmpxchg_pair);
		return true;
	case OP_XCHG:
		if (insn->operand[0].kind == DECODE_MEMORY)
			return compile_locked(k, insn, 0);
		if (insn->operand[1].kind == DECODE_MEMORY)
			return compile_locked(k, insn, 1);
		return false;
	default:
		return insn->lock && handler_of(insn->op) && compile_locked(k, insn, 0);
	}
}
