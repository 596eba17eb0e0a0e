/* SPDX-License-Identifier: MIT */
/*
 * The decoder's second part: memory addresses, immediates, and the operands that the tables name.
 */
#include "lib/decode_internal.h"

#define SEGMENT_CS 1
#define SEGMENT_SS 2
#define SEGMENT_DS 3
#define REG_SP 4
#define REG_BP 5

/*
 * Sizes are looked up: each code by the one thing that it depends on, as a number from 0 to 3.  All
 * those numbers stand in one word, a byte each.
 */
enum size_by {
	BY_NOTHING,
	BY_OPERAND_SIZE, /* its logarithm */
	BY_ADDRESS_SIZE, /* its logarithm */
	BY_W,            /* in 64-bit mode */
	BY_MODE64,
	BY_L,
};

static const struct {
	uint8_t by, size[4];
} sizes[DECODE_SIZES] = {
	[DECODE_SIZE_0] = {BY_NOTHING, {0}},
	[DECODE_SIZE_B] = {BY_NOTHING, {1}},
	[DECODE_SIZE_W] = {BY_NOTHING, {2}},
	[DECODE_SIZE_D] = {BY_NOTHING, {4}},
	[DECODE_SIZE_Q] = {BY_NOTHING, {8}},
	[DECODE_SIZE_T] = {BY_NOTHING, {10}},
	[DECODE_SIZE_O] = {BY_NOTHING, {16}},
	[DECODE_SIZE_U] = {BY_NOTHING, {32}},
	[DECODE_SIZE_V] = {BY_OPERAND_SIZE, {1, 2, 4, 8}},
	[DECODE_SIZE_Z] = {BY_OPERAND_SIZE, {1, 2, 4, 4}},
	[DECODE_SIZE_A] = {BY_OPERAND_SIZE, {2, 4, 8, 16}},
	[DECODE_SIZE_P] = {BY_OPERAND_SIZE, {3, 4, 6, 10}},
	[DECODE_SIZE_M] = {BY_ADDRESS_SIZE, {1, 2, 4, 8}},
	[DECODE_SIZE_Y] = {BY_W, {4, 8}},
	[DECODE_SIZE_N] = {BY_MODE64, {4, 8}},
	[DECODE_SIZE_S] = {BY_MODE64, {6, 10}},
	[DECODE_SIZE_X] = {BY_L, {16, 32}},
	[DECODE_SIZE_H] = {BY_L, {8, 16}},
	[DECODE_SIZE_K] = {BY_L, {4, 8}},
	[DECODE_SIZE_E] = {BY_L, {2, 4}},
};

#define SHIFT(by) (8 * (by))

static uint64_t size_selectors(const struct decode_state *state, const struct decode_insn *insn)
{
	/* By size: 1, 2, 4, 8 */
	static const uint8_t logarithm[9] = {[2] = 1, [4] = 2, [8] = 3};
	uint64_t w = insn->rex >> 3 & state->mode64;

	return logarithm[insn->operand_size] << SHIFT(BY_OPERAND_SIZE) |
	       logarithm[insn->address_size] << SHIFT(BY_ADDRESS_SIZE) | w << SHIFT(BY_W) |
	       (uint64_t)state->mode64 << SHIFT(BY_MODE64) | (uint64_t)insn->vex_l << SHIFT(BY_L);
}

/* The numbers of registers, a byte for each source. */
static uint64_t register_numbers(const struct decode_state *state, const struct decode_insn *insn)
{
	uint64_t numbers = 0;

	if (insn->has_modrm) {
		uint64_t reg = insn->modrm >> 3 & 7, rm = insn->modrm & 7;

		numbers = reg << SHIFT(DECODE_SOURCE_REG) | reg << SHIFT(DECODE_SOURCE_REG8) |
			  rm << SHIFT(DECODE_SOURCE_RM) | rm << SHIFT(DECODE_SOURCE_RM8);
	}
	numbers |= (uint64_t)(insn->opcode & 7) << SHIFT(DECODE_SOURCE_OPCODE);
	if (insn->rex) {
		uint64_t r = (insn->rex & 4) << 1, b = (insn->rex & 1) << 3;
		uint64_t vvvv = insn->vex_vvvv & (state->mode64 ? 15 : 7);

		numbers |= r << SHIFT(DECODE_SOURCE_REG) | b << SHIFT(DECODE_SOURCE_RM) |
			   b << SHIFT(DECODE_SOURCE_OPCODE) | vvvv << SHIFT(DECODE_SOURCE_VVVV);
	}
	return numbers;
}

/* A little-endian number of count bytes (at least 1), sign-extended. */
static bool read_number(struct decode_state *state, unsigned count, int64_t *number)
{
	const uint8_t *bytes = state->bytes + state->at;
	uint64_t value;

	if ((unsigned)(state->limit - state->at) < count) {
		state->at = state->limit;
		return false;
	}
	state->at += count;
	value = (uint64_t)(int8_t)bytes[--count];
	while (count)
		value = value << 8 | bytes[--count];
	*number = (int64_t)value;
	return true;
}

static bool read_displacement(struct decode_state *state, struct decode_insn *insn, unsigned size)
{
	if (!size)
		return true;
	insn->displacement_at = state->at;
	insn->displacement_size = size;
	return read_number(state, size, &insn->memory.displacement);
}

static bool read_memory16(struct decode_state *state, struct decode_insn *insn)
{
	static const uint8_t base[8] = {3, 3, REG_BP, REG_BP, 6, 7, REG_BP, 3};
	static const uint8_t index[4] = {6, 7, 6, 7};
	unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;

	if (mod == 0 && rm == 6)
		return read_displacement(state, insn, 2);
	insn->memory.base = base[rm];
	if (rm < 4)
		insn->memory.index = index[rm];
	if (base[rm] == REG_BP)
		insn->memory.segment = SEGMENT_SS;
	return read_displacement(state, insn, mod);
}

/* Registers of a SIB byte; returns whether a displacement of 32 bits stands for the base. */
static bool read_sib(struct decode_insn *insn, bool vector)
{
	unsigned base = insn->sib & 7, index = insn->sib >> 3 & 7;

	if (insn->rex & 2)
		index |= 8;
	if (index != REG_SP || vector) {
		insn->memory.index = index;
		insn->memory.scale = 1u << (insn->sib >> 6);
	}
	if (base == REG_BP && insn->modrm < 0x40)
		return true;
	insn->memory.base = base | (insn->rex & 1) << 3;
	return false;
}

static bool read_memory(struct decode_state *state, struct decode_insn *insn, bool vector)
{
	static const uint8_t displacements[4] = {0, 1, 4, 0};
	unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;
	unsigned displacement = displacements[mod];

	if (rm == 4) {
		if (!decode_byte(state, &insn->sib))
			return false;
		if (read_sib(insn, vector))
			displacement = 4;
	} else if (mod == 0 && rm == 5) {
		if (state->mode64)
			insn->memory.base = DECODE_RIP;
		displacement = 4;
	} else {
		insn->memory.base = rm | (insn->rex & 1) << 3;
	}
	if (insn->memory.base == REG_SP || insn->memory.base == REG_BP)
		insn->memory.segment = SEGMENT_SS;
	return read_displacement(state, insn, displacement);
}

/* The memory operand of ModRM, before any immediate. */
static enum decode_result decode_memory(struct decode_state *state, struct decode_insn *insn,
					bool vector)
{
	bool all;

	/* A vector of indices needs a SIB byte. */
	if (vector && (insn->address_size == 2 || (insn->modrm & 7) != 4))
		return DECODE_INVALID;
	all = insn->address_size == 2 ? read_memory16(state, insn)
				      : read_memory(state, insn, vector);
	return all ? DECODE_OK : decode_ended(state);
}

static enum decode_result decode_immediate(struct decode_state *state, struct decode_insn *insn,
					   struct decode_operand *operand, unsigned size,
					   bool is_signed)
{
	int64_t value;

	if (!insn->immediate_at)
		insn->immediate_at = state->at;
	if (!read_number(state, size, &value))
		return decode_ended(state);
	if (!is_signed && size < 4)
		value &= (1 << 8 * size) - 1;
	if (insn->immediate_size) {
		insn->immediate2 = value;
		operand->kind = DECODE_IMMEDIATE2;
	} else {
		insn->immediate = value;
		operand->kind = DECODE_IMMEDIATE;
	}
	insn->immediate_size += size;
	return DECODE_OK;
}

static enum decode_result decode_far(struct decode_state *state, struct decode_insn *insn)
{
	int64_t offset, selector;

	insn->immediate_at = state->at;
	if (!read_number(state, insn->operand_size, &offset) || !read_number(state, 2, &selector))
		return decode_ended(state);
	insn->immediate_size = insn->operand_size + 2;
	insn->immediate = insn->operand_size == 2 ? offset & 0xffff : offset & 0xffffffff;
	insn->immediate2 = selector & 0xffff;
	return DECODE_OK;
}

/* Not all segment, control and debug registers exist. */
static enum decode_result check_system(const struct decode_insn *insn,
				       struct decode_operand *operand, unsigned type)
{
	switch (type) {
	case DECODE_TYPE_SEGMENT:
		if (operand->reg > 5 ||
		    (operand->reg == SEGMENT_CS && operand->access & DECODE_WRITE))
			return DECODE_INVALID;
		break;
	case DECODE_TYPE_CONTROL:
		if (insn->lock)
			operand->reg |= 8;
		if (operand->reg > 8 || !(1 << operand->reg & 0x11d))
			return DECODE_INVALID;
		break;
	default:
		if (operand->reg > 7)
			return DECODE_INVALID;
		break;
	}
	return DECODE_OK;
}

/* Registers of gathers are distinct: destination, indices and mask. */
static bool gather_distinct(const struct decode_insn *insn)
{
	unsigned destination = insn->operand[0].reg, index = insn->memory.index;
	unsigned mask = insn->vex_vvvv & (insn->mode == DECODE_64 ? 15 : 7);

	return destination != index && destination != mask && index != mask;
}

/* Operands that are more than a register or memory at ModRM. */
static enum decode_result decode_special(struct decode_state *state, struct decode_insn *insn,
					 unsigned type, struct decode_operand *operand)
{
	enum decode_result result = DECODE_OK;

	switch (type) {
	case DECODE_TYPE_MX:
	case DECODE_TYPE_MH:
		insn->memory.index_class =
			insn->vex_l && type == DECODE_TYPE_MX ? DECODE_YMM : DECODE_XMM;
		return gather_distinct(insn) ? DECODE_OK : DECODE_INVALID;
	case DECODE_TYPE_L:
		result = decode_immediate(state, insn, operand, 1, false);
		operand->kind = DECODE_REGISTER;
		operand->reg = insn->immediate >> 4 & (state->mode64 ? 15 : 7);
		return result;
	case DECODE_TYPE_IMMEDIATE_SIGNED:
		return decode_immediate(state, insn, operand, operand->size, true);
	case DECODE_TYPE_IMMEDIATE_UNSIGNED:
		return decode_immediate(state, insn, operand, operand->size, false);
	case DECODE_TYPE_ONE:
		insn->immediate = 1;
		return DECODE_OK;
	case DECODE_TYPE_RELATIVE:
		result = decode_immediate(state, insn, operand, operand->size, true);
		operand->kind = DECODE_RELATIVE;
		return result;
	case DECODE_TYPE_FAR:
		return decode_far(state, insn);
	case DECODE_TYPE_OFFSET:
		return read_displacement(state, insn, insn->address_size) ? DECODE_OK
									  : decode_ended(state);
	case DECODE_TYPE_STRING:
		return DECODE_OK;
	default:
		return check_system(insn, operand, type);
	}
}

enum decode_result decode_operands(struct decode_state *state, const struct decode_form *form,
				   struct decode_insn *insn)
{
	uint64_t selectors = size_selectors(state, insn), numbers = register_numbers(state, insn);
	bool memory = form->memory && insn->modrm < 0xc0;
	enum decode_result result;
	unsigned i;

	insn->memory.base = DECODE_NO_REG;
	insn->memory.index = DECODE_NO_REG;
	insn->memory.scale = 1;
	insn->memory.segment = SEGMENT_DS;
	if (memory) {
		result = decode_memory(state, insn, form->vector);
		if (result != DECODE_OK)
			return result;
	}
	if (insn->segment_override != DECODE_NO_REG)
		insn->memory.segment = insn->segment_override;
	insn->operand_count = form->count;
	for (i = 0; i < form->count; i++) {
		const struct decode_form_operand *from = &form->operand[i];
		struct decode_operand *operand = &insn->operand[i];
		unsigned size =
			sizes[from->size].size[selectors >> SHIFT(sizes[from->size].by) & 3];

		*operand = from->operand;
		operand->size = size;
		if (memory && from->type == DECODE_TYPE_RM) {
			operand->kind = DECODE_MEMORY;
			operand->class = 0;
			continue;
		}
		operand->reg += numbers >> SHIFT(from->source) & 15;
		operand->class += size == 32; /* XMM to YMM */
		if (size == 1 && from->source != DECODE_SOURCE_FIXED && operand->reg >= 4 &&
		    !insn->rex) {
			operand->class = DECODE_GPR_HIGH;
			operand->reg -= 4;
		}
		if (from->type > DECODE_TYPE_RM) {
			result = decode_special(state, insn, from->type, operand);
			if (result != DECODE_OK)
				return result;
		}
	}
	return DECODE_OK;
}
