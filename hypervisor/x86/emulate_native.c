/* SPDX-License-Identifier: MIT */
/*
 * emulate_native.c - shifts, multiplication and division, bit scans: the same instruction is done
 * here on the operands' values, so that results and flags are the CPU's own.  APM3, by their names.
 */
#include "hw/x86.h"
#include "hypervisor/x86/emulate_internal.h"

#define FROM_AH (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF)

/* What LAHF and SETO AL leave in AX. */
static uint64_t flags_of(uint32_t ax)
{
	return (ax >> 8 & FROM_AH) | (ax & 1 ? RFLAGS_OF : 0);
}

static void set_flags(struct emulation *m, uint32_t ax)
{
	uint64_t *rflags = &m->vcpu->state.rflags, written = m->insn->flags_written;

	*rflags = (*rflags & ~written) | (flags_of(ax) & written);
}

/* --- Shifts ----------------------------------------------------------------------------------- */

#define SHIFT_SIZED(name, type)                                                                    \
	({                                                                                         \
		type v = (type)*value;                                                             \
                                                                                                   \
		__asm__("bt $0, %[f]\n\t" #name " %%cl, %[v]\n\tlahf\n\tseto %%al"                 \
			: [v] "+q"(v), "=&a"(ax)                                                   \
			: "c"(count), [f] "r"(rflags)                                              \
			: "cc");                                                                   \
		*value = v;                                                                        \
	})
#define SHIFT(name)                                                                                \
	({                                                                                         \
		if (size == 1)                                                                     \
			SHIFT_SIZED(name, uint8_t);                                                \
		else if (size == 2)                                                                \
			SHIFT_SIZED(name, uint16_t);                                               \
		else if (size == 4)                                                                \
			SHIFT_SIZED(name, uint32_t);                                               \
		else                                                                               \
			SHIFT_SIZED(name, uint64_t);                                               \
	})

static uint32_t shift_value(enum decode_op op, unsigned size, uint64_t *value, uint8_t count,
			    uint64_t rflags)
{
	uint32_t ax;

	switch (op) {
	case OP_ROL:
		SHIFT(rol);
		break;
	case OP_ROR:
		SHIFT(ror);
		break;
	case OP_RCL:
		SHIFT(rcl);
		break;
	case OP_RCR:
		SHIFT(rcr);
		break;
	case OP_SHR:
		SHIFT(shr);
		break;
	case OP_SAR:
		SHIFT(sar);
		break;
	default:
		SHIFT(shl);
		break;
	}
	return ax;
}

#define DOUBLE_SHIFT_SIZED(name, type)                                                             \
	({                                                                                         \
		type v = (type)*value, w = (type)from;                                             \
                                                                                                   \
		__asm__(#name " %%cl, %[w], %[v]\n\tlahf\n\tseto %%al"                             \
			: [v] "+r"(v), "=&a"(ax)                                                   \
			: "c"(count), [w] "r"(w)                                                   \
			: "cc");                                                                   \
		*value = v;                                                                        \
	})
#define DOUBLE_SHIFT(name)                                                                         \
	({                                                                                         \
		if (size == 2)                                                                     \
			DOUBLE_SHIFT_SIZED(name, uint16_t);                                        \
		else if (size == 4)                                                                \
			DOUBLE_SHIFT_SIZED(name, uint32_t);                                        \
		else                                                                               \
			DOUBLE_SHIFT_SIZED(name, uint64_t);                                        \
	})

static uint32_t double_shift_value(enum decode_op op, unsigned size, uint64_t *value, uint64_t from,
				   uint8_t count)
{
	uint32_t ax;

	if (op == OP_SHLD)
		DOUBLE_SHIFT(shld);
	else
		DOUBLE_SHIFT(shrd);
	return ax;
}

static enum emulate_result shift(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0];
	bool two = m->insn->op == OP_SHLD || m->insn->op == OP_SHRD;
	uint64_t value, from = 0, count = 0;
	enum emulate_result done = emulation_get(m, to, &value);
	uint32_t ax;

	if (done == EMULATE_DONE)
		done = emulation_get(m, &m->insn->operand[two ? 2 : 1], &count);
	if (done == EMULATE_DONE && two)
		done = emulation_get(m, &m->insn->operand[1], &from);
	if (done != EMULATE_DONE)
		return done;
	count &= to->size == 8 ? 63 : 31;
	if (two)
		ax = double_shift_value(m->insn->op, to->size, &value, from, (uint8_t)count);
	else
		ax = shift_value(m->insn->op, to->size, &value, (uint8_t)count,
				 m->vcpu->state.rflags);
	done = emulation_put(m, to, value);
	if (done == EMULATE_DONE && count)
		set_flags(m, ax);
	return done;
}

/* --- Multiplication --------------------------------------------------------------------------- */

#define MULTIPLY(suffix, type)                                                                     \
	({                                                                                         \
		type v = (type)a;                                                                  \
                                                                                                   \
		__asm__("imul" suffix " %[b], %[v]\n\tlahf\n\tseto %%al"                           \
			: [v] "+r"(v), "=&a"(ax)                                                   \
			: [b] "r"((type)b)                                                         \
			: "cc");                                                                   \
		a = v;                                                                             \
	})

/* Two or three operands, the first of which is a register. */
static enum emulate_result multiply(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0];
	bool three = m->insn->operand_count > 2;
	uint64_t a, b;
	uint32_t ax;
	enum emulate_result done = emulation_get(m, &m->insn->operand[three ? 2 : 0], &a);

	if (done == EMULATE_DONE)
		done = emulation_get(m, &m->insn->operand[1], &b);
	if (done != EMULATE_DONE)
		return done;
	if (to->size == 2)
		MULTIPLY("w", uint16_t);
	else if (to->size == 4)
		MULTIPLY("l", uint32_t);
	else
		MULTIPLY("q", uint64_t);
	set_flags(m, ax);
	return emulation_put(m, to, a);
}

#define WIDE_MULTIPLY(name, type)                                                                  \
	({                                                                                         \
		type low = (type)a, high;                                                          \
		uint8_t cf;                                                                        \
                                                                                                   \
		__asm__(name " %[b]\n\tsetc %[cf]"                                                 \
			: "+a"(low), "=d"(high), [cf] "=q"(cf)                                     \
			: [b] "r"((type)b)                                                         \
			: "cc");                                                                   \
		*rax = low;                                                                        \
		*rdx = high;                                                                       \
		wide = cf;                                                                         \
	})

/* RDX:RAX (AX) = RAX (AL) * operand; CF and OF say whether the upper half has something. */
static bool multiply_wide(bool is_signed, unsigned size, uint64_t a, uint64_t b, uint64_t *rax,
			  uint64_t *rdx)
{
	bool wide;

	if (size == 1) {
		uint16_t product = is_signed ? (uint16_t)((int8_t)a * (int8_t)b)
					     : (uint16_t)((uint8_t)a * (uint8_t)b);

		*rax = product;
		return is_signed ? (int16_t)product != (int8_t)product : product >> 8;
	}
	if (size == 2 && is_signed)
		WIDE_MULTIPLY("imulw", uint16_t);
	else if (size == 2)
		WIDE_MULTIPLY("mulw", uint16_t);
	else if (size == 4 && is_signed)
		WIDE_MULTIPLY("imull", uint32_t);
	else if (size == 4)
		WIDE_MULTIPLY("mull", uint32_t);
	else if (is_signed)
		WIDE_MULTIPLY("imulq", uint64_t);
	else
		WIDE_MULTIPLY("mulq", uint64_t);
	return wide;
}

static enum emulate_result one_operand_multiply(struct emulation *m)
{
	struct cpu_state *s = &m->vcpu->state;
	unsigned size = m->insn->operand[0].size;
	uint64_t b, rax, rdx = 0;
	enum emulate_result done = emulation_get(m, &m->insn->operand[0], &b);

	if (done != EMULATE_DONE)
		return done;
	s->rflags &= ~(RFLAGS_CF | RFLAGS_OF);
	if (multiply_wide(m->insn->op == OP_IMUL, size, s->gpr[CPU_RAX], b, &rax, &rdx))
		s->rflags |= RFLAGS_CF | RFLAGS_OF;
	emulation_set_register(m->vcpu, CPU_RAX, size == 1 ? 2 : size, rax);
	if (size > 1)
		emulation_set_register(m->vcpu, CPU_RDX, size, rdx);
	return done;
}

/* --- Division --------------------------------------------------------------------------------- */

struct division {
	uint64_t high, low, by;
	uint64_t quotient, remainder;
};

/* false: the quotient has more than 64 bits. */
static bool divide(struct division *d)
{
	if (d->high >= d->by)
		return false;
	__asm__("divq %[by]"
		: "=a"(d->quotient), "=d"(d->remainder)
		: "a"(d->low), "d"(d->high), [by] "r"(d->by)
		: "cc");
	return true;
}

/* By magnitudes; the remainder has the sign of what is divided.  APM3, IDIV. */
static bool divide_signed(struct division *d)
{
	bool negative = (int64_t)d->high < 0, by_negative = (int64_t)d->by < 0;

	if (negative) {
		d->high = ~d->high + !d->low;
		d->low = -d->low;
	}
	if (by_negative)
		d->by = -d->by;
	if (!divide(d))
		return false;
	if (d->quotient > (uint64_t)INT64_MAX + (negative != by_negative))
		return false;
	if (negative != by_negative)
		d->quotient = -d->quotient;
	if (negative)
		d->remainder = -d->remainder;
	return true;
}

static enum emulate_result divide_operand(struct emulation *m)
{
	struct cpu_state *s = &m->vcpu->state;
	unsigned size = m->insn->operand[0].size;
	bool is_signed = m->insn->op == OP_IDIV;
	uint64_t mask = size_mask(size), rax = s->gpr[CPU_RAX] & mask, rdx = s->gpr[CPU_RDX] & mask;
	struct division d = {.low = rax, .high = rdx};
	enum emulate_result done = emulation_get(m, &m->insn->operand[0], &d.by);

	if (done != EMULATE_DONE)
		return done;
	if (size == 1)
		d.low = s->gpr[CPU_RAX] & 0xffff;
	else if (size < 8)
		d.low = rdx << (8 * size) | rax;
	if (size < 8) {
		d.high = 0;
		if (is_signed) {
			d.low = sign_extend(d.low, 2 * size);
			d.high = (int64_t)d.low < 0 ? UINT64_MAX : 0;
		}
	}
	if (is_signed)
		d.by = sign_extend(d.by, size);
	if (!(is_signed ? divide_signed(&d) : divide(&d)))
		return emulation_fault(m, CPU_VECTOR_DE);
	if (is_signed ? sign_extend(d.quotient, size) != d.quotient : d.quotient > mask)
		return emulation_fault(m, CPU_VECTOR_DE);
	if (size == 1) {
		emulation_set_register(m->vcpu, CPU_RAX, 2,
				       (d.quotient & 0xff) | (d.remainder & 0xff) << 8);
	} else {
		emulation_set_register(m->vcpu, CPU_RAX, size, d.quotient & mask);
		emulation_set_register(m->vcpu, CPU_RDX, size, d.remainder & mask);
	}
	return done;
}

/* --- Bit scans -------------------------------------------------------------------------------- */

#define SCAN_SIZED(name, type)                                                                     \
	({                                                                                         \
		type v = (type)value;                                                              \
                                                                                                   \
		__asm__(name " %[b], %[v]\n\tlahf\n\tseto %%al"                                    \
			: [v] "+r"(v), "=&a"(ax)                                                   \
			: [b] "r"((type)from)                                                      \
			: "cc");                                                                   \
		value = v;                                                                         \
	})
#define SCAN(name)                                                                                 \
	({                                                                                         \
		if (to->size == 2)                                                                 \
			SCAN_SIZED(name, uint16_t);                                                \
		else if (to->size == 4)                                                            \
			SCAN_SIZED(name, uint32_t);                                                \
		else                                                                               \
			SCAN_SIZED(name, uint64_t);                                                \
	})

/* LZCNT, TZCNT and POPCNT a guest has if its CPU has them. */
static enum emulate_result scan(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0];
	uint64_t value, from;
	uint32_t ax;
	enum emulate_result done = emulation_get(m, &m->insn->operand[1], &from);

	if (done == EMULATE_DONE)
		done = emulation_get(m, to, &value);
	if (done != EMULATE_DONE)
		return done;
	switch (m->insn->op) {
	case OP_BSF:
		SCAN("bsf");
		break;
	case OP_BSR:
		SCAN("bsr");
		break;
	case OP_TZCNT:
		SCAN("tzcnt");
		break;
	case OP_LZCNT:
		SCAN("lzcnt");
		break;
	default:
		SCAN("popcnt");
		break;
	}
	set_flags(m, ax);
	if ((m->insn->op == OP_BSF || m->insn->op == OP_BSR) && !from)
		return done;
	return emulation_put(m, to, value);
}

enum emulate_result emulation_native(struct emulation *m)
{
	switch (m->insn->op) {
	case OP_ROL:
	case OP_ROR:
	case OP_RCL:
	case OP_RCR:
	case OP_SHL:
	case OP_SHR:
	case OP_SAR:
	case OP_SHLD:
	case OP_SHRD:
		return shift(m);
	case OP_IMUL:
		if (m->insn->operand[0].access & DECODE_WRITE)
			return multiply(m);
		return one_operand_multiply(m);
	case OP_MUL:
		return one_operand_multiply(m);
	case OP_DIV:
	case OP_IDIV:
		return divide_operand(m);
	case OP_BSF:
	case OP_BSR:
	case OP_TZCNT:
	case OP_LZCNT:
	case OP_POPCNT:
		return scan(m);
	default:
		return EMULATE_UNKNOWN;
	}
}
