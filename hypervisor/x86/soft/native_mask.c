/* SPDX-License-Identifier: MIT */
/*
 * native_mask.c - moves of some elements: MASKMOVQ, MASKMOVDQU, VMASKMOV, VPMASKMOV, gathers; and
 * VZEROUPPER, VZEROALL.  Elements that the mask leaves out are not accessed, and do not fault.
 */
#include "hypervisor/x86/soft/native.h"

#define VECTOR_MAX 32

/* A vector register in one piece. */
static void vector_get(struct soft_vcpu *c, unsigned reg, uint8_t to[VECTOR_MAX])
{
	memcpy(to, native_area(c) + CPU_XSAVE_XMM + reg * 16u, 16);
	memcpy(to + 16, native_area(c) + CPU_XSAVE_YMM + reg * 16u, 16);
}

static void vector_put(struct soft_vcpu *c, unsigned reg, const uint8_t from[VECTOR_MAX])
{
	memcpy(native_area(c) + CPU_XSAVE_XMM + reg * 16u, from, 16);
	memcpy(native_area(c) + CPU_XSAVE_YMM + reg * 16u, from + 16, 16);
}

static uint64_t element_offset(struct soft_vcpu *c, const struct decode_insn *insn, uint64_t offset)
{
	return insn->address_size == 8   ? offset
	       : insn->address_size == 4 ? (uint32_t)offset
	       : c->long64               ? offset
					 : (uint16_t)offset;
}

/*
 * Writes the bytes whose bit in mask is set, run by run, having looked at all of them before.
 */
static bool masked_write(struct soft_vcpu *c, unsigned segment, uint64_t offset,
			 const uint8_t *from, uint32_t mask)
{
	for (int write = 0; write < 2; write++) {
		unsigned at = 0;

		while (at < 32 && mask >> at) {
			unsigned first = at + (unsigned)__builtin_ctz(mask >> at);
			uint32_t rest = ~(mask >> first);
			unsigned count = rest ? (unsigned)__builtin_ctz(rest) : 32;

			if (!(write ? soft_write(c, segment, offset + first, from + first, count)
				    : soft_probe(c, segment, offset + first, count, true)))
				return false;
			at = first + count;
		}
	}
	return true;
}

static bool masked_read(struct soft_vcpu *c, unsigned segment, uint64_t offset, uint8_t *to,
			uint32_t mask)
{
	unsigned at = 0;

	while (at < 32 && mask >> at) {
		unsigned first = at + (unsigned)__builtin_ctz(mask >> at);
		uint32_t rest = ~(mask >> first);
		unsigned count = rest ? (unsigned)__builtin_ctz(rest) : 32;

		if (!soft_read(c, segment, offset + first, to + first, count))
			return false;
		at = first + count;
	}
	return true;
}

/* A bit for each byte of the elements whose highest bit is set. */
static uint32_t byte_mask(const uint8_t *vector, unsigned size, unsigned element)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < size; i += element)
		if (vector[i + element - 1] & 0x80)
			mask |= (uint32_t)((BIT(element) - 1) << i);
	return mask;
}

/*
 * Of MASKMOVQ and MASKMOVDQU all size bytes must be writable, whatever the mask.  That is as AMD's
 * CPUs have it: the manuals leave it open.
 */
static bool bytes_write(struct soft_vcpu *c, unsigned segment, uint64_t offset, const uint8_t *from,
			uint32_t mask, unsigned size)
{
	return soft_probe(c, segment, offset, size, true) &&
	       masked_write(c, segment, offset, from, mask);
}

/* At seg:[rDI]; which operand is which: the data in ModRM.reg, the mask in ModRM.rm. */
static bool maskmov(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	const struct decode_operand *data = &insn->operand[0], *mask = &insn->operand[1];
	uint64_t offset = element_offset(c, insn, c->vcpu.state.gpr[CPU_RDI]);
	uint8_t from[VECTOR_MAX], bits[VECTOR_MAX];
	unsigned segment =
		insn->segment_override == DECODE_NO_REG ? CPU_DS : insn->segment_override;

	(void)op;
	if (insn->op != OP_MASKMOVQ) {
		vector_get(c, data->reg, from);
		vector_get(c, mask->reg, bits);
		return bytes_write(c, segment, offset, from, byte_mask(bits, 16, 1), 16);
	}
	if (native_prepare(c, GATE_MMX | GATE_ST) == NATIVE_STOP)
		return false;
	if (native_pending()) {
		soft_fault(c, CPU_VECTOR_MF);
		return false;
	}
	native_save_st(c);
	/* MMX registers are the physical ones; the area counts from the top of the stack. */
	for (unsigned i = 0; i < 2; i++) {
		unsigned top = load_le16(native_area(c) + CPU_XSAVE_FSW) >> 11 & 7;
		unsigned reg = (insn->operand[i].reg - top) & 7;

		memcpy(i ? bits : from, native_area(c) + CPU_XSAVE_ST + (size_t)reg * 16, 8);
	}
	native_mmx_enter(c); /* also if it faults */
	return bytes_write(c, segment, offset, from, byte_mask(bits, 8, 1), 8);
}

static unsigned maskmov_element(const struct decode_insn *insn)
{
	if (insn->opcode == 0x8c || insn->opcode == 0x8e)
		return insn->rex & 8 ? 8 : 4;
	return insn->opcode & 1 ? 8 : 4;
}

static bool vmaskmov_load(struct soft_vcpu *c, const struct soft_op *op,
			  const struct decode_insn *insn)
{
	unsigned size = insn->vex_l ? 32 : 16;
	uint8_t to[VECTOR_MAX] = {0}, bits[VECTOR_MAX];

	vector_get(c, insn->operand[1].reg, bits);
	if (!masked_read(c, op->segment, soft_offset(c, op), to,
			 byte_mask(bits, size, maskmov_element(insn))))
		return false;
	vector_put(c, insn->operand[0].reg, to);
	return true;
}

static bool vmaskmov_store(struct soft_vcpu *c, const struct soft_op *op,
			   const struct decode_insn *insn)
{
	unsigned size = insn->vex_l ? 32 : 16;
	uint8_t from[VECTOR_MAX], bits[VECTOR_MAX];

	vector_get(c, insn->operand[1].reg, bits);
	vector_get(c, insn->operand[2].reg, from);
	return masked_write(c, op->segment, soft_offset(c, op), from,
			    byte_mask(bits, size, maskmov_element(insn)));
}

/*
 * Element by element, the lowest first.  A fault leaves those before it gathered, and their masks
 * cleared: the instruction goes on from there.  A device's exit runs all of it anew.
 */
static bool gather(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	unsigned element = insn->rex & 8 ? 8 : 4, index_size = insn->opcode & 1 ? 8 : 4;
	unsigned length = insn->vex_l ? 32 : 16;
	unsigned count = length / MAX(element, index_size);
	unsigned size = count * element;
	unsigned dest = insn->operand[0].reg, mask = insn->operand[2].reg;
	unsigned index = (insn->sib >> 3 & 7u) | (insn->rex & 2u ? 8u : 0);
	uint64_t base =
		insn->memory.base == DECODE_NO_REG ? 0 : c->vcpu.state.gpr[insn->memory.base & 15];
	uint8_t to[VECTOR_MAX], bits[VECTOR_MAX], indices[VECTOR_MAX];
	bool ok = true;

	(void)op;
	if (dest == mask || dest == index || mask == index) {
		soft_fault(c, CPU_VECTOR_UD);
		return false;
	}
	vector_get(c, dest, to);
	vector_get(c, mask, bits);
	vector_get(c, index, indices);
	for (unsigned i = 0; i < count && ok; i++) {
		uint8_t *m = bits + i * element;
		int64_t at = index_size == 8 ? (int64_t)load_le64(indices + i * 8)
					     : (int32_t)load_le32(indices + i * 4);
		uint64_t offset = element_offset(c, insn,
						 base + (uint64_t)at * insn->memory.scale +
							 (uint64_t)insn->memory.displacement);

		if (m[element - 1] & 0x80)
			ok = soft_read(c, insn->memory.segment, offset, to + i * element, element);
		if (ok)
			memset(m, 0, element);
	}
	if (!ok && c->stop != SOFT_FAULT)
		return false;
	if (ok) {
		memset(to + size, 0, VECTOR_MAX - size);
		memset(bits, 0, VECTOR_MAX);
	}
	vector_put(c, dest, to);
	vector_put(c, mask, bits);
	return ok;
}

static bool vzero(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	size_t size = c->long64 ? 256 : 128;

	(void)op;
	memset(native_area(c) + CPU_XSAVE_YMM, 0, size);
	if (insn->op == OP_VZEROALL)
		memset(native_area(c) + CPU_XSAVE_XMM, 0, size);
	return true;
}

native_execute *native_mask_find(const struct decode_insn *insn)
{
	if (insn->op == OP_MASKMOVQ || insn->op == OP_MASKMOVDQU)
		return maskmov;
	if (insn->op == OP_VZEROUPPER || insn->op == OP_VZEROALL)
		return vzero;
	if (insn->encoding != DECODE_VEX || insn->map != 2)
		return NULL;
	switch (insn->opcode) {
	case 0x2c:
	case 0x2d:
	case 0x8c:
		return vmaskmov_load;
	case 0x2e:
	case 0x2f:
	case 0x8e:
		return vmaskmov_store;
	case 0x90:
	case 0x91:
	case 0x92:
	case 0x93:
		return gather;
	default:
		return NULL;
	}
}
