/* SPDX-License-Identifier: MIT */
/*
 * emulate_integer.c - integer instructions with an operand in memory.  Each reads its operands,
 * computes, and writes: registers and flags change after the last access, since a device's answer
 * may have to be waited for at any.  APM3, under their names.
 */
#include "hw/x86.h"
#include "hypervisor/x86/emulate_internal.h"
#include "lib/bytes.h"

#define ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* --- Flags ------------------------------------------------------------------------------------ */

static uint64_t sign_of(unsigned size)
{
	return BIT(8 * size - 1);
}

/* ZF, SF and PF by the result, and the others as given. */
static uint64_t flags_of(uint64_t rflags, uint64_t result, unsigned size, uint64_t others)
{
	result &= size_mask(size);
	rflags &= ~ARITHMETIC;
	if (!result)
		rflags |= RFLAGS_ZF;
	if (result & sign_of(size))
		rflags |= RFLAGS_SF;
	if (!(__builtin_popcount((uint8_t)result) & 1))
		rflags |= RFLAGS_PF;
	return rflags | others;
}

static uint64_t add(uint64_t *rflags, uint64_t a, uint64_t b, bool carry, unsigned size)
{
	uint64_t mask = size_mask(size), sum = (a + b + carry) & mask, others = 0;

	a &= mask;
	b &= mask;
	if (sum < a || (carry && sum == a))
		others |= RFLAGS_CF;
	if ((a ^ sum) & (b ^ sum) & sign_of(size))
		others |= RFLAGS_OF;
	others |= (a ^ b ^ sum) & RFLAGS_AF;
	*rflags = flags_of(*rflags, sum, size, others);
	return sum;
}

static uint64_t subtract(uint64_t *rflags, uint64_t a, uint64_t b, bool borrow, unsigned size)
{
	uint64_t mask = size_mask(size), difference = (a - b - borrow) & mask, others = 0;

	a &= mask;
	b &= mask;
	if (a < b || (borrow && a == b))
		others |= RFLAGS_CF;
	if ((a ^ b) & (a ^ difference) & sign_of(size))
		others |= RFLAGS_OF;
	others |= (a ^ b ^ difference) & RFLAGS_AF;
	*rflags = flags_of(*rflags, difference, size, others);
	return difference;
}

uint64_t emulation_compare(uint64_t rflags, uint64_t a, uint64_t b, unsigned size)
{
	subtract(&rflags, a, b, false, size);
	return rflags;
}

/* --- Of two operands, the first of which is changed ------------------------------------------- */

static bool compute(const struct decode_insn *insn, uint64_t a, uint64_t b, uint64_t *rflags,
		    uint64_t *result)
{
	unsigned size = insn->operand[0].size;
	bool carry = *rflags & RFLAGS_CF;
	uint64_t kept = *rflags & RFLAGS_CF;

	switch (insn->op) {
	case OP_ADD:
	case OP_XADD:
		*result = add(rflags, a, b, false, size);
		return true;
	case OP_ADC:
		*result = add(rflags, a, b, carry, size);
		return true;
	case OP_SUB:
	case OP_CMP:
		*result = subtract(rflags, a, b, false, size);
		return true;
	case OP_SBB:
		*result = subtract(rflags, a, b, carry, size);
		return true;
	case OP_AND:
	case OP_TEST:
		*result = a & b;
		break;
	case OP_OR:
		*result = a | b;
		break;
	case OP_XOR:
		*result = a ^ b;
		break;
	case OP_INC:
		*result = add(rflags, a, 1, false, size);
		*rflags = (*rflags & ~RFLAGS_CF) | kept;
		return true;
	case OP_DEC:
		*result = subtract(rflags, a, 1, false, size);
		*rflags = (*rflags & ~RFLAGS_CF) | kept;
		return true;
	case OP_NEG:
		*result = subtract(rflags, 0, a, false, size);
		return true;
	case OP_NOT:
		*result = ~a;
		return true;
	default:
		return false;
	}
	*rflags = flags_of(*rflags, *result, size, 0);
	return true;
}

static enum emulate_result arithmetic(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0], *from = &m->insn->operand[1];
	uint64_t rflags = m->vcpu->state.rflags, a, b = 0, result = 0;
	enum emulate_result done = emulation_get(m, to, &a);

	if (done == EMULATE_DONE && m->insn->operand_count > 1)
		done = emulation_get(m, from, &b);
	if (done != EMULATE_DONE)
		return done;
	if (!compute(m->insn, a, b, &rflags, &result))
		return EMULATE_UNKNOWN;
	if (to->access & DECODE_WRITE)
		done = emulation_put(m, to, result);
	if (done != EMULATE_DONE)
		return done;
	if (m->insn->op == OP_XADD)
		done = emulation_put(m, from, a);
	m->vcpu->state.rflags = rflags;
	return done;
}

/* --- Moves ------------------------------------------------------------------------------------ */

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static enum emulate_result move(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0], *from = &m->insn->operand[1];
	uint64_t value;
	enum emulate_result done = emulation_get(m, from, &value);

	if (done != EMULATE_DONE)
		return done;
	if (m->insn->op == OP_MOVSX || m->insn->op == OP_MOVSXD)
		value = sign_extend(value, from->size);
	else if (m->insn->op == OP_MOVBE)
		value = swap_bytes(value, from->size);
	return emulation_put(m, to, value);
}

static enum emulate_result exchange(struct emulation *m)
{
	const struct decode_operand *a = &m->insn->operand[0], *b = &m->insn->operand[1];
	bool swapped = a->kind != DECODE_MEMORY;
	const struct decode_operand *memory = swapped ? b : a, *reg = swapped ? a : b;
	uint64_t old, value;
	enum emulate_result done = emulation_get(m, memory, &old);

	if (done == EMULATE_DONE)
		done = emulation_get(m, reg, &value);
	if (done == EMULATE_DONE)
		done = emulation_put(m, memory, value);
	return done == EMULATE_DONE ? emulation_put(m, reg, old) : done;
}

static enum emulate_result compare_exchange(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0], *from = &m->insn->operand[1];
	struct cpu_state *s = &m->vcpu->state;
	unsigned size = to->size;
	uint64_t rax = s->gpr[CPU_RAX] & size_mask(size), old, value;
	enum emulate_result done = emulation_get(m, to, &old);

	if (done == EMULATE_DONE)
		done = emulation_get(m, from, &value);
	if (done != EMULATE_DONE)
		return done;
	/* It is written in either case. */
	done = emulation_put(m, to, old == rax ? value : old);
	if (done != EMULATE_DONE)
		return done;
	s->rflags = emulation_compare(s->rflags, rax, old, size);
	if (old != rax)
		emulation_set_register(m->vcpu, CPU_RAX, size, old);
	return done;
}

/* RDX:RAX with memory of twice 4 or 8 bytes. */
static enum emulate_result compare_exchange_wide(struct emulation *m)
{
	struct cpu_state *s = &m->vcpu->state;
	unsigned size = m->insn->op == OP_CMPXCHG16B ? 8 : 4;
	uint64_t mask = size_mask(size), rax = s->gpr[CPU_RAX] & mask, rdx = s->gpr[CPU_RDX] & mask;
	uint64_t rbx = s->gpr[CPU_RBX] & mask, rcx = s->gpr[CPU_RCX] & mask, old[2] = {0};
	uint8_t bytes[16];
	enum emulate_result done = emulation_read_bytes(m, 2 * size, bytes);
	bool equal;

	if (done != EMULATE_DONE)
		return done;
	memcpy(&old[0], bytes, size);
	memcpy(&old[1], bytes + size, size);
	equal = old[0] == rax && old[1] == rdx;
	if (equal) {
		memcpy(bytes, &rbx, size);
		memcpy(bytes + size, &rcx, size);
	}
	done = emulation_write_bytes(m, 2 * size, bytes);
	if (done != EMULATE_DONE)
		return done;
	s->rflags &= ~RFLAGS_ZF;
	if (equal) {
		s->rflags |= RFLAGS_ZF;
	} else {
		emulation_set_register(m->vcpu, CPU_RAX, size, old[0]);
		emulation_set_register(m->vcpu, CPU_RDX, size, old[1]);
	}
	return done;
}

/* --- Bits ------------------------------------------------------------------------------------- */

/* With a bit number in a register, memory is an array of bits. */
static enum emulate_result bit_test(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0], *from = &m->insn->operand[1];
	struct decode_insn moved = *m->insn;
	struct emulation at = *m;
	unsigned bits = 8 * to->size;
	uint64_t number, value, bit;
	enum emulate_result done = emulation_get(m, from, &number);

	if (done != EMULATE_DONE)
		return done;
	if (from->kind == DECODE_REGISTER && to->kind == DECODE_MEMORY) {
		int64_t signed_number = (int64_t)sign_extend(number, from->size);
		int64_t words = signed_number >> (bits == 64 ? 6 : bits == 32 ? 5 : 4);

		moved.memory.displacement += words * to->size;
		at.insn = &moved;
	}
	bit = BIT(number & (bits - 1));
	done = emulation_get(&at, to, &value);
	if (done != EMULATE_DONE)
		return done;
	number = value;
	if (m->insn->op == OP_BTS)
		value |= bit;
	else if (m->insn->op == OP_BTR)
		value &= ~bit;
	else if (m->insn->op == OP_BTC)
		value ^= bit;
	if (m->insn->op != OP_BT)
		done = emulation_put(&at, to, value);
	if (done != EMULATE_DONE)
		return done;
	m->vcpu->state.rflags &= ~RFLAGS_CF;
	if (number & bit)
		m->vcpu->state.rflags |= RFLAGS_CF;
	return done;
}

/* --- Debug registers -------------------------------------------------------------------------- */

/* While the caller's debugger has the CPU's.  DR4 and DR5 are other names of DR6 and DR7. */
static enum emulate_result move_debug(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0], *from = &m->insn->operand[1];
	bool write = to->class == DECODE_DEBUG;
	unsigned number = write ? to->reg : from->reg;
	struct cpu_state *s = &m->vcpu->state;
	uint64_t *at, value;

	if (number == 4 || number == 5) {
		if (s->cr4 & CR4_DE)
			return emulation_fault(m, CPU_VECTOR_UD);
		number += 2;
	}
	at = number < 4 ? &s->dr[number] : number == 6 ? &s->dr6 : &s->dr7;
	if (!write)
		return emulation_put(m, to, *at);
	value = s->gpr[from->reg] & size_mask(from->size);
	if (number >= 6 && value >> 32)
		return emulation_fault(m, CPU_VECTOR_GP);
	if (number == 6)
		value = (value & (DR6_B_MASK | DR6_BD | DR6_BS | DR6_BT)) | DR6_ONES;
	else if (number == 7)
		value = (value & DR7_WRITABLE) | DR7_ONES;
	*at = value;
	return EMULATE_DONE;
}

/* --- Conditions ------------------------------------------------------------------------------- */

/* By the low 4 bits of the opcode; APM3, section 2.5.1, condition codes. */
static bool holds(const struct emulation *m)
{
	uint64_t f = m->vcpu->state.rflags;
	bool sign_differs = !(f & RFLAGS_SF) != !(f & RFLAGS_OF), result;

	switch (m->insn->opcode >> 1 & 7) {
	case 0:
		result = f & RFLAGS_OF;
		break;
	case 1:
		result = f & RFLAGS_CF;
		break;
	case 2:
		result = f & RFLAGS_ZF;
		break;
	case 3:
		result = f & (RFLAGS_CF | RFLAGS_ZF);
		break;
	case 4:
		result = f & RFLAGS_SF;
		break;
	case 5:
		result = f & RFLAGS_PF;
		break;
	case 6:
		result = sign_differs;
		break;
	default:
		result = sign_differs || (f & RFLAGS_ZF);
		break;
	}
	return result != (m->insn->opcode & 1);
}

/* Memory is read in either case, and a register of 4 bytes loses its upper half. */
static enum emulate_result conditional_move(struct emulation *m)
{
	uint64_t value, old;
	enum emulate_result done = emulation_get(m, &m->insn->operand[1], &value);

	if (done == EMULATE_DONE)
		done = emulation_get(m, &m->insn->operand[0], &old);
	if (done != EMULATE_DONE)
		return done;
	return emulation_put(m, &m->insn->operand[0], holds(m) ? value : old);
}

enum emulate_result emulation_integer(struct emulation *m)
{
	switch (m->insn->op) {
	case OP_MOV:
	case OP_MOVZX:
	case OP_MOVSX:
	case OP_MOVSXD:
	case OP_MOVBE:
	case OP_MOVNTI:
		return move(m);
	case OP_XCHG:
		return exchange(m);
	case OP_CMPXCHG:
		return compare_exchange(m);
	case OP_BT:
	case OP_BTS:
	case OP_BTR:
	case OP_BTC:
		return bit_test(m);
	case OP_MOV_DR:
		return move_debug(m);
	case OP_SETCC:
		return emulation_put(m, &m->insn->operand[0], holds(m));
	case OP_CMOVCC:
		return conditional_move(m);
	case OP_CMPXCHG8B:
	case OP_CMPXCHG16B:
		return compare_exchange_wide(m);
	default:
		return arithmetic(m);
	}
}
