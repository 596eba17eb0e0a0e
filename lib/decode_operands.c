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

static const uint8_t fixed_sizes[] = {
	[DECODE_SIZE_0] = 0, [DECODE_SIZE_B] = 1,  [DECODE_SIZE_W] = 2,  [DECODE_SIZE_D] = 4,
	[DECODE_SIZE_Q] = 8, [DECODE_SIZE_T] = 10, [DECODE_SIZE_O] = 16, [DECODE_SIZE_U] = 32,
};

static unsigned size_of(const struct decode_insn *insn, unsigned size)
{
	unsigned vector = 16u << insn->vex_l;
	bool mode64 = insn->mode == DECODE_64;

	if (size <= DECODE_SIZE_U)
		return fixed_sizes[size];
	switch (size) {
	case DECODE_SIZE_V:
		return insn->operand_size;
	case DECODE_SIZE_Z:
		return insn->operand_size == 8 ? 4 : insn->operand_size;
	case DECODE_SIZE_Y:
		return insn->rex & 8 && mode64 ? 8 : 4;
	case DECODE_SIZE_N:
		return mode64 ? 8 : 4;
	case DECODE_SIZE_M:
		return insn->address_size;
	case DECODE_SIZE_A:
		return insn->operand_size * 2;
	case DECODE_SIZE_P:
		return insn->operand_size + 2;
	case DECODE_SIZE_S:
		return mode64 ? 10 : 6;
	case DECODE_SIZE_X:
		return vector;
	case DECODE_SIZE_H:
		return vector / 2;
	case DECODE_SIZE_K:
		return vector / 4;
	default:
		return vector / 8;
	}
}

/* A little-endian number of count bytes, sign-extended. */
static bool read_number(struct decode_state *state, unsigned count, int64_t *number)
{
	const uint8_t *bytes = state->bytes + state->at;
	uint64_t value = 0;
	unsigned i;

	if ((unsigned)(state->limit - state->at) < count) {
		state->at = state->limit;
		return false;
	}
	for (i = 0; i < count; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	state->at += count;
	*number = (int64_t)(value << (64 - 8 * count)) >> (64 - 8 * count);
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
					   struct decode_operand *operand, bool byte,
					   bool is_signed)
{
	unsigned size = byte ? 1 : operand->size;
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

static void set_register(struct decode_operand *operand, unsigned class, unsigned reg)
{
	operand->kind = DECODE_REGISTER;
	operand->class = class;
	operand->reg = reg;
}

static void set_general(const struct decode_insn *insn, struct decode_operand *operand,
			unsigned reg)
{
	if (operand->size == 1 && reg >= 4 && !insn->rex)
		set_register(operand, DECODE_GPR_HIGH, reg - 4);
	else
		set_register(operand, DECODE_GPR, reg);
}

static void set_vector(struct decode_operand *operand, unsigned reg)
{
	set_register(operand, operand->size == 32 ? DECODE_YMM : DECODE_XMM, reg);
}

/* ModRM.reg as a segment, control or debug register; not all of them exist. */
static enum decode_result set_system(struct decode_operand *operand, unsigned type, unsigned reg,
				     bool lock)
{
	if (type == DECODE_TYPE_S) {
		reg &= 7;
		set_register(operand, DECODE_SEGMENT, reg);
		if (reg > 5 || (reg == SEGMENT_CS && operand->access & DECODE_WRITE))
			return DECODE_INVALID;
	} else if (type == DECODE_TYPE_C) {
		if (lock)
			reg |= 8;
		set_register(operand, DECODE_CONTROL, reg);
		if (reg > 8 || !(1 << reg & 0x11d))
			return DECODE_INVALID;
	} else {
		set_register(operand, DECODE_DEBUG, reg);
		if (reg > 7)
			return DECODE_INVALID;
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

static enum decode_result decode_operand(struct decode_state *state, struct decode_insn *insn,
					 const struct decode_form_operand *form,
					 struct decode_operand *operand)
{
	unsigned reg = (insn->modrm >> 3 & 7) | (insn->rex & 4) << 1;
	unsigned rm = (insn->modrm & 7) | (insn->rex & 1) << 3;
	unsigned vvvv = insn->vex_vvvv & (state->mode64 ? 15 : 7);
	bool memory = insn->modrm < 0xc0;
	enum decode_result result = DECODE_OK;

	operand->size = size_of(insn, form->size);
	operand->access = form->access;
	operand->implicit = form->implicit;
	switch (form->type) {
	case DECODE_TYPE_E:
		if (memory)
			operand->kind = DECODE_MEMORY;
		else
			set_general(insn, operand, rm);
		break;
	case DECODE_TYPE_G:
		set_general(insn, operand, reg);
		break;
	case DECODE_TYPE_R:
		set_general(insn, operand, rm);
		break;
	case DECODE_TYPE_Z:
		set_general(insn, operand, (insn->opcode & 7) | (insn->rex & 1) << 3);
		break;
	case DECODE_TYPE_C:
	case DECODE_TYPE_D:
	case DECODE_TYPE_S:
		result = set_system(operand, form->type, reg, insn->lock);
		break;
	case DECODE_TYPE_P:
		set_register(operand, DECODE_MMX, reg & 7);
		break;
	case DECODE_TYPE_Q:
		if (memory)
			operand->kind = DECODE_MEMORY;
		else
			set_register(operand, DECODE_MMX, rm & 7);
		break;
	case DECODE_TYPE_V:
		set_vector(operand, reg);
		break;
	case DECODE_TYPE_W:
		if (memory)
			operand->kind = DECODE_MEMORY;
		else
			set_vector(operand, rm);
		break;
	case DECODE_TYPE_H:
		set_vector(operand, vvvv);
		break;
	case DECODE_TYPE_B:
		set_general(insn, operand, vvvv);
		break;
	case DECODE_TYPE_L:
		result = decode_immediate(state, insn, operand, true, false);
		set_vector(operand, insn->immediate >> 4 & (state->mode64 ? 15 : 7));
		break;
	case DECODE_TYPE_MX:
	case DECODE_TYPE_MH:
		operand->kind = DECODE_MEMORY;
		insn->memory.index_class =
			insn->vex_l && form->type == DECODE_TYPE_MX ? DECODE_YMM : DECODE_XMM;
		if (!gather_distinct(insn))
			result = DECODE_INVALID;
		break;
	case DECODE_TYPE_IMMEDIATE_SIGNED:
		result = decode_immediate(state, insn, operand, true, true);
		break;
	case DECODE_TYPE_IMMEDIATE:
		result = decode_immediate(state, insn, operand, false,
					  operand->size > 2 || form->size == DECODE_SIZE_V ||
						  form->size == DECODE_SIZE_Z);
		break;
	case DECODE_TYPE_ONE:
		operand->kind = DECODE_IMMEDIATE;
		insn->immediate = 1;
		break;
	case DECODE_TYPE_RELATIVE_BYTE:
	case DECODE_TYPE_RELATIVE:
		result = decode_immediate(state, insn, operand,
					  form->type == DECODE_TYPE_RELATIVE_BYTE, true);
		operand->kind = DECODE_RELATIVE;
		break;
	case DECODE_TYPE_FAR:
		operand->kind = DECODE_FAR;
		result = decode_far(state, insn);
		break;
	case DECODE_TYPE_OFFSET:
		operand->kind = DECODE_MEMORY;
		if (!read_displacement(state, insn, insn->address_size))
			result = decode_ended(state);
		break;
	case DECODE_TYPE_STRING:
		operand->kind = DECODE_STRING;
		operand->class = DECODE_GPR;
		operand->reg = form->reg;
		break;
	case DECODE_TYPE_GPR:
		set_register(operand, DECODE_GPR, form->reg);
		break;
	case DECODE_TYPE_GPR_HIGH:
		set_register(operand, DECODE_GPR_HIGH, form->reg);
		break;
	case DECODE_TYPE_SEGMENT:
		set_register(operand, DECODE_SEGMENT, form->reg);
		break;
	case DECODE_TYPE_ST:
		set_register(operand, DECODE_X87, form->reg);
		break;
	case DECODE_TYPE_XMM:
		set_register(operand, DECODE_XMM, form->reg);
		break;
	case DECODE_TYPE_STI:
		set_register(operand, DECODE_X87, insn->modrm & 7);
		break;
	}
	return result;
}

/* Of MOV to and from control and debug registers ModRM.mod says nothing: there is no memory. */
static bool names_memory(const struct decode_form *form, const struct decode_insn *insn)
{
	return insn->has_modrm && insn->modrm < 0xc0 && form->operand[0].type != DECODE_TYPE_R &&
	       form->operand[1].type != DECODE_TYPE_R;
}

enum decode_result decode_operands(struct decode_state *state, const struct decode_form *form,
				   struct decode_insn *insn)
{
	enum decode_result result = DECODE_OK;
	unsigned i;

	insn->memory.base = DECODE_NO_REG;
	insn->memory.index = DECODE_NO_REG;
	insn->memory.scale = 1;
	insn->memory.segment = SEGMENT_DS;
	if (names_memory(form, insn)) {
		result = decode_memory(state, insn,
				       form->operand[1].type == DECODE_TYPE_MX ||
					       form->operand[1].type == DECODE_TYPE_MH);
		if (result != DECODE_OK)
			return result;
	}
	if (insn->segment_override != DECODE_NO_REG)
		insn->memory.segment = insn->segment_override;
	insn->operand_count = form->count;
	for (i = 0; i < form->count; i++) {
		result = decode_operand(state, insn, &form->operand[i], &insn->operand[i]);
		if (result != DECODE_OK)
			return result;
	}
	return DECODE_OK;
}
