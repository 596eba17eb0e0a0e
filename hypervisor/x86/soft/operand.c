/* SPDX-License-Identifier: MIT */
/* operand.c - operands of system instructions, as the decoder describes them. */
#include "hypervisor/x86/soft/system.h"

uint64_t operand_offset(struct soft_vcpu *c, const struct decode_insn *insn)
{
	const struct decode_memory *memory = &insn->memory;
	const struct cpu_state *state = &c->vcpu.state;
	uint64_t offset = (uint64_t)memory->displacement;

	if (memory->base == DECODE_RIP)
		offset += state->rip + insn->length;
	else if (memory->base != DECODE_NO_REG)
		offset += state->gpr[memory->base];
	if (memory->index != DECODE_NO_REG)
		offset += state->gpr[memory->index] * memory->scale;
	return system_truncate(offset, insn->address_size);
}

void register_write(struct soft_vcpu *c, unsigned reg, unsigned size, uint64_t value)
{
	uint64_t *gpr = &c->vcpu.state.gpr[reg];

	if (size == 2)
		*gpr = (*gpr & ~UINT64_C(0xffff)) | (value & 0xffff);
	else
		*gpr = system_truncate(value, size);
}

bool operand_read(struct soft_vcpu *c, const struct decode_insn *insn, unsigned i, unsigned size,
		  uint64_t *value)
{
	const struct decode_operand *operand = &insn->operand[i];

	*value = 0;
	if (operand->kind == DECODE_MEMORY)
		return soft_read(c, insn->memory.segment, operand_offset(c, insn), value, size);
	*value = system_truncate(c->vcpu.state.gpr[operand->reg], size);
	return true;
}

bool operand_write(struct soft_vcpu *c, const struct decode_insn *insn, unsigned i, unsigned size,
		   uint64_t value)
{
	const struct decode_operand *operand = &insn->operand[i];

	if (operand->kind == DECODE_MEMORY)
		return soft_write(c, insn->memory.segment, operand_offset(c, insn), &value, size);
	register_write(c, operand->reg, size, value);
	return true;
}

bool operand_far_pointer(struct soft_vcpu *c, const struct decode_insn *insn, uint64_t *offset,
			 uint16_t *selector)
{
	uint8_t bytes[8 + sizeof(*selector)];
	unsigned size = insn->operand_size;
	uint64_t value = 0;

	if (!soft_read(c, insn->memory.segment, operand_offset(c, insn), bytes,
		       size + sizeof(*selector)))
		return false;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	*offset = value;
	*selector = (uint16_t)(bytes[size] | bytes[size + 1] << 8);
	return true;
}
