/* SPDX-License-Identifier: MIT */
/*
 * move.c - MOV, MOVZX, MOVSX, MOVSXD, LEA, MOVNTI, MOVBE, BSWAP, XCHG of registers, XLAT, CBW and
 * CWD with their kin.
 */
#include "hypervisor/x86/soft/integer.h"

/* --- MOV
 * ---------------------------------------------------------------------------------------- */

#define MOV_REGISTER(form, bits, value)                                                            \
	static void mov_##form##_##bits(struct soft_vcpu *c, const struct soft_op *op)             \
	{                                                                                          \
		soft_put##bits(c, op->a, (uint##bits##_t)(value));                                 \
		soft_next(c, op);                                                                  \
	}

#define MOV_SIZE(bits)                                                                             \
	static SOFT_INLINE void mov_load_##bits(struct soft_vcpu *c, const struct soft_op *op,     \
						const void *at)                                    \
	{                                                                                          \
		soft_put##bits(c, op->a, (uint##bits##_t)soft_load(at, bits / 8));                 \
		soft_next(c, op);                                                                  \
	}                                                                                          \
	MOV_REGISTER(rr, bits, soft_get##bits(c, op->b))                                           \
	MOV_REGISTER(ri, bits, op->immediate)                                                      \
	SOFT_READER(mov_rm_flat_##bits, SOFT_FLAT, bits / 8, mov_load_##bits)                      \
	SOFT_READER(mov_rm_indexed_##bits, SOFT_INDEXED, bits / 8, mov_load_##bits)                \
	SOFT_READER(mov_rm_general_##bits, SOFT_GENERAL, bits / 8, mov_load_##bits)                \
	SOFT_WRITER(mov_mr_flat_##bits, SOFT_FLAT, bits / 8, soft_get##bits(c, op->b))             \
	SOFT_WRITER(mov_mr_indexed_##bits, SOFT_INDEXED, bits / 8, soft_get##bits(c, op->b))       \
	SOFT_WRITER(mov_mr_general_##bits, SOFT_GENERAL, bits / 8, soft_get##bits(c, op->b))       \
	SOFT_WRITER(mov_mi_flat_##bits, SOFT_FLAT, bits / 8, op->immediate)                        \
	SOFT_WRITER(mov_mi_indexed_##bits, SOFT_INDEXED, bits / 8, op->immediate)                  \
	SOFT_WRITER(mov_mi_general_##bits, SOFT_GENERAL, bits / 8, op->immediate)

MOV_SIZE(8)
MOV_SIZE(16)
MOV_SIZE(32)
MOV_SIZE(64)

static soft_forms mov_forms = {
	SOFT_ALL_SIZES(mov_rr),         SOFT_ALL_SIZES(mov_ri),         SOFT_ALL_SIZES(mov_rm_flat),
	SOFT_ALL_SIZES(mov_rm_indexed), SOFT_ALL_SIZES(mov_rm_general), SOFT_ALL_SIZES(mov_mr_flat),
	SOFT_ALL_SIZES(mov_mr_indexed), SOFT_ALL_SIZES(mov_mr_general), SOFT_ALL_SIZES(mov_mi_flat),
	SOFT_ALL_SIZES(mov_mi_indexed), SOFT_ALL_SIZES(mov_mi_general),
};

/* --- Extensions: indexed by the source's place, then by the destination's size
 * ------------------- */

#define EXTEND_REGISTER(name, from, source, bits)                                                  \
	static void name##_r_##bits(struct soft_vcpu *c, const struct soft_op *op)                 \
	{                                                                                          \
		soft_put##bits(c, op->a, (uint##bits##_t)(source)soft_get##from(c, op->b));        \
		soft_next(c, op);                                                                  \
	}

#define EXTEND_SIZE(name, from, source, bits)                                                      \
	static SOFT_INLINE void name##_load_##bits(struct soft_vcpu *c, const struct soft_op *op,  \
						   const void *at)                                 \
	{                                                                                          \
		soft_put##bits(c, op->a, (uint##bits##_t)(source)soft_load(at, from / 8));         \
		soft_next(c, op);                                                                  \
	}                                                                                          \
	EXTEND_REGISTER(name, from, source, bits)                                                  \
	SOFT_READER(name##_m_flat_##bits, SOFT_FLAT, from / 8, name##_load_##bits)                 \
	SOFT_READER(name##_m_indexed_##bits, SOFT_INDEXED, from / 8, name##_load_##bits)           \
	SOFT_READER(name##_m_general_##bits, SOFT_GENERAL, from / 8, name##_load_##bits)

#define EXTEND(name, from, source)                                                                 \
	EXTEND_SIZE(name, from, source, 16)                                                        \
	EXTEND_SIZE(name, from, source, 32)                                                        \
	EXTEND_SIZE(name, from, source, 64)                                                        \
	static soft_places name##_places = {                                                       \
		SOFT_WIDE_SIZES(name##_r),                                                         \
		SOFT_WIDE_SIZES(name##_m_flat),                                                    \
		SOFT_WIDE_SIZES(name##_m_indexed),                                                 \
		SOFT_WIDE_SIZES(name##_m_general),                                                 \
	};

EXTEND(zero_8, 8, uint8_t)
EXTEND(zero_16, 16, uint16_t)
EXTEND(sign_8, 8, int8_t)
EXTEND(sign_16, 16, int16_t)
EXTEND(sign_32, 32, int32_t)

static bool compile_extension(struct soft_compile *k, const struct decode_insn *insn)
{
	bool sign = insn->op != OP_MOVZX;
	unsigned from = insn->operand[1].size;
	soft_places *places = from == 1   ? (sign ? &sign_8_places : &zero_8_places)
			      : from == 2 ? (sign ? &sign_16_places : &zero_16_places)
					  : &sign_32_places;
	enum soft_place place;

	soft_compile_op(k);
	place = soft_compile_place(k, insn, 1);
	if (place == SOFT_R)
		k->op->b = k->op->a;
	k->op->a = soft_compile_register(&insn->operand[0]);
	soft_compile_emit(k, (*places)[place][soft_size_index(insn->operand[0].size)]);
	return true;
}

/* --- LEA
 * ---------------------------------------------------------------------------------------- */

static void lea_flat_64(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_put64(c, op->a, soft_flat_address(c, op));
	soft_next(c, op);
}

static void lea_indexed_64(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_put64(c, op->a, soft_indexed_address(c, op));
	soft_next(c, op);
}

static void lea_32(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_put32(c, op->a, (uint32_t)soft_indexed_address(c, op));
	soft_next(c, op);
}

static void lea_16(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_put16(c, op->a, (uint16_t)soft_indexed_address(c, op));
	soft_next(c, op);
}

static bool compile_lea(struct soft_compile *k, const struct decode_insn *insn)
{
	unsigned size = insn->operand[0].size;

	soft_compile_op(k)->a = soft_compile_register(&insn->operand[0]);
	soft_compile_memory(k, insn);
	soft_compile_emit(k, size == 2                           ? lea_16
			     : size == 4                         ? lea_32
			     : k->op->index == SOFT_OFFSET(zero) ? lea_flat_64
								 : lea_indexed_64);
	return true;
}

/* --- The rest: op->size is the operation's
 * ------------------------------------------------------ */

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
	return size == 8   ? __builtin_bswap64(value)
	       : size == 4 ? __builtin_bswap32((uint32_t)value)
			   : __builtin_bswap16((uint16_t)value);
}

static void bswap(struct soft_vcpu *c, const struct soft_op *op)
{
	/* Of 16 bits: undefined; CPUs give zero. */
	soft_put(c, op->a, op->size == 2 ? 0 : swap_bytes(soft_get(c, op->a, op->size), op->size),
		 op->size);
	soft_next(c, op);
}

static void movbe_load(struct soft_vcpu *c, const struct soft_op *op)
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at) {
		soft_stop(c, op);
		return;
	}
	soft_put(c, op->a, swap_bytes(soft_load(at, op->size), op->size), op->size);
	soft_next(c, op);
}

static SOFT_APART bool movbe_store_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value = swap_bytes(soft_get(c, op->a, op->size), op->size);

	if (!soft_write(c, op->segment, soft_offset(c, op), &value, op->size))
		return false;
	return true;
}

static void movbe_store(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, movbe_store_work(c, op));
}

static void exchange(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t a = soft_get(c, op->a, op->size);

	soft_put(c, op->a, soft_get(c, op->b, op->size), op->size);
	soft_put(c, op->b, a, op->size);
	soft_next(c, op);
}

static void xlat(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t offset = c->vcpu.state.gpr[CPU_RBX] + (uint8_t)c->vcpu.state.gpr[CPU_RAX];
	const void *at;

	if (op->size < 8)
		offset &= size_mask(op->size);
	at = soft_read_at(c, op->segment, offset, 1);
	if (!at) {
		soft_stop(c, op);
		return;
	}
	soft_put8(c, SOFT_OFFSET(gpr[CPU_RAX]) * 8, *(const uint8_t *)at);
	soft_next(c, op);
}

/* CBW, CWDE, CDQE: the lower half of rAX to all of it. */
static void extend_a(struct soft_vcpu *c, const struct soft_op *op)
{
	int64_t a = (int64_t)c->vcpu.state.gpr[CPU_RAX];

	soft_put(c, CPU_RAX * 8,
		 (uint64_t)(op->size == 8   ? (int32_t)a
			    : op->size == 4 ? (int16_t)a
					    : (int8_t)a),
		 op->size);
	soft_next(c, op);
}

/* CWD, CDQ, CQO: the sign of rAX to rDX. */
static void extend_a_to_d(struct soft_vcpu *c, const struct soft_op *op)
{
	int64_t a = (int64_t)c->vcpu.state.gpr[CPU_RAX];
	int64_t sign = (op->size == 8 ? a : op->size == 4 ? (int32_t)a : (int16_t)a) >> 63;

	soft_put(c, CPU_RDX * 8, (uint64_t)sign, op->size);
	soft_next(c, op);
}

static bool compile_movbe(struct soft_compile *k, const struct decode_insn *insn)
{
	unsigned load = insn->operand[0].kind == DECODE_REGISTER;
	struct soft_op *op = soft_compile_op(k);

	op->size = insn->operand_size;
	op->a = soft_compile_register(&insn->operand[!load]);
	soft_compile_memory(k, insn);
	soft_compile_emit(k, load ? movbe_load : movbe_store);
	return true;
}

static bool compile_rest(struct soft_compile *k, const struct decode_insn *insn, soft_handler *run)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = insn->operand_size;
	if (insn->operand_count && insn->operand[0].kind == DECODE_REGISTER) {
		op->a = soft_compile_register(&insn->operand[0]);
		op->size = (uint8_t)insn->operand[0].size;
	}
	if (insn->operand_count > 1 && insn->operand[1].kind == DECODE_REGISTER)
		op->b = soft_compile_register(&insn->operand[1]);
	soft_compile_emit(k, run);
	return true;
}

static bool compile_xlat(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op = soft_compile_op(k);

	op->size = insn->address_size;
	op->segment = insn->segment_override == DECODE_NO_REG ? CPU_DS : insn->segment_override;
	soft_compile_emit(k, xlat);
	return true;
}

bool soft_compile_move(struct soft_compile *k, const struct decode_insn *insn)
{
	unsigned size = soft_size_index(insn->operand[0].size);

	switch (insn->op) {
	case OP_MOV:
	case OP_MOVNTI:
		soft_compile_op(k);
		soft_compile_emit(k, mov_forms[soft_compile_form(k, insn)][size]);
		return true;
	case OP_MOVZX:
	case OP_MOVSX:
	case OP_MOVSXD:
		return compile_extension(k, insn);
	case OP_LEA:
		return compile_lea(k, insn);
	case OP_BSWAP:
		return compile_rest(k, insn, bswap);
	case OP_XCHG: /* with memory it is locked */
		return compile_rest(k, insn, exchange);
	case OP_CBW:
		return compile_rest(k, insn, extend_a);
	case OP_CWD:
		return compile_rest(k, insn, extend_a_to_d);
	case OP_MOVBE:
		return compile_movbe(k, insn);
	case OP_XLAT:
		return compile_xlat(k, insn);
	default:
		return false;
	}
}
