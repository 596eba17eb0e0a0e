/* SPDX-License-Identifier: MIT */
/*
 * native_simd.c - SIMD floating point while MXCSR has unmasked exceptions: the instruction runs
 * with all of them masked, what it raised is looked at, and when that is unmasked the guest gets
 * the exception and nothing else has changed.
 *
 * Where a masked run tells something else (Intel SDM volume 1, section 11.5.2): an unmasked
 * underflow is raised for exact results, too; and no post-computation exception is reported beside
 * an unmasked pre-computation one.  The third is left: an overflow or underflow that is unmasked
 * isn't always inexact, too.
 */
#include "hypervisor/x86/soft/native.h"

#define MXCSR_IE 0x01u
#define MXCSR_DE 0x02u
#define MXCSR_ZE 0x04u
#define MXCSR_UE 0x10u
#define MXCSR_PRECOMPUTATION (MXCSR_IE | MXCSR_DE | MXCSR_ZE)
#define MXCSR_FTZ 0x8000u

#define SAVED_SIZE (CPU_XSAVE_YMM + 256 - CPU_XSAVE_XMM)

/* 1, 2, 3: 66, F3, F2; the last two are of scalars. */
static unsigned prefix(const struct decode_insn *insn)
{
	if (insn->encoding == DECODE_VEX)
		return insn->vex_pp;
	return insn->rep == 0xf2 ? 3 : insn->rep == 0xf3 ? 2 : insn->operand_override;
}

static enum native_tiny tiny(const struct decode_insn *insn)
{
	if (insn->map == 2) /* FMA; VCVTPH2PS (0x13) is exact, and never too small */
		return insn->opcode < 0x96 ? TINY_NONE : insn->rex & 8 ? TINY_DOUBLE : TINY_SINGLE;
	if (insn->map == 3)
		return insn->opcode == 0x1d   ? TINY_HALF
		       : insn->opcode == 0x40 ? TINY_SINGLE
		       : insn->opcode == 0x41 ? TINY_DOUBLE
					      : TINY_NONE;
	switch (insn->opcode) {
	case 0x5a: /* to singles, from doubles */
		return prefix(insn) & 1 ? TINY_SINGLE : TINY_NONE;
	case 0x58: /* add, mul, sub, div */
	case 0x59:
	case 0x5c:
	case 0x5e:
		return prefix(insn) & 1 ? TINY_DOUBLE : TINY_SINGLE;
	case 0x7c: /* hadd, hsub, addsub: 66 doubles, F2 singles */
	case 0x7d:
	case 0xd0:
		return prefix(insn) == 1 ? TINY_DOUBLE : TINY_SINGLE;
	default:
		return TINY_NONE;
	}
}

void native_simd_results(const struct decode_insn *insn, struct native_op *n)
{
	bool scalar = (insn->map == 1 && prefix(insn) >= 2 && insn->opcode < 0x60) ||
		      (insn->map == 2 && insn->opcode & 1 && (insn->opcode & 15) >= 9);

	if (!(insn->attributes & DECODE_SIMD_FP))
		return;
	n->tiny = tiny(insn);
	if (n->tiny == TINY_HALF)
		n->tiny_size = insn->vex_l ? 16 : 8;
	else if (scalar)
		n->tiny_size = n->tiny == TINY_DOUBLE ? 8 : 4;
	else
		n->tiny_size = insn->vex_l && insn->operand[0].class == DECODE_YMM ? 32 : 16;
}

/* Whether one of the results is a denormal. */
static bool tiny_result(const uint8_t *bytes, unsigned size, enum native_tiny kind)
{
	for (unsigned i = 0; i < size; i += kind == TINY_HALF ? 2 : kind == TINY_SINGLE ? 4 : 8) {
		if (kind == TINY_HALF) {
			uint16_t value = load_le16(bytes + i);

			if (!(value & 0x7c00) && value & 0x3ff)
				return true;
		} else if (kind == TINY_SINGLE) {
			uint32_t value = load_le32(bytes + i);

			if (!(value & 0x7f800000) && value & 0x7fffff)
				return true;
		} else {
			uint64_t value = load_le64(bytes + i);

			if (!(value >> 52 & 0x7ff) && value & (BIT(52) - 1))
				return true;
		}
	}
	return false;
}

static bool op_is_tiny(struct soft_vcpu *c, const struct soft_op *op, const void *memory)
{
	const struct native_op *n = op->data;
	const uint8_t *area = native_area(c);
	/* In units of 8 bytes; VCVTPS2PH alone has its result in ModRM.rm. */
	unsigned reg = (n->tiny == TINY_HALF ? op->b : op->a) * 8u;

	if (n->tiny == TINY_HALF && memory)
		return tiny_result(memory, n->tiny_size, TINY_HALF);
	return tiny_result(area + CPU_XSAVE_XMM + reg, MIN(n->tiny_size, 16u), n->tiny) ||
	       (n->tiny_size == 32 && tiny_result(area + CPU_XSAVE_YMM + reg, 16, n->tiny));
}

bool native_run_unmasked(struct soft_vcpu *c, const struct soft_op *op, void *memory)
{
	struct native *native = native_of(c);
	const struct native_op *n = op->data;
	uint8_t *area = native_area(c);
	uint32_t guest = load_le32(area + CPU_XSAVE_MXCSR);
	uint32_t unmasked = ~(guest >> MXCSR_MASKS_SHIFT) & MXCSR_FLAGS, raised;
	uint32_t masked = (guest | MXCSR_MASKS) & ~MXCSR_FLAGS;
	uint64_t gpr[CPU_REGISTERS];
	uint16_t flags = c->flags;
	bool st = !(c->native_gate & GATE_ST);

	/* An MMX register may be the destination. */
	if (n->gate & GATE_ST && st)
		native_save_st(c);
	memcpy(native->saved, area + CPU_XSAVE_XMM, SAVED_SIZE);
	memcpy(gpr, c->vcpu.state.gpr, sizeof(gpr));
	if (unmasked & MXCSR_UE)
		masked &= ~MXCSR_FTZ; /* flushes masked underflows alone */
	native_mxcsr_set(c, masked);
	native_run(c, op, memory);
	raised = native_mxcsr_get() & MXCSR_FLAGS;
	if (unmasked & MXCSR_UE && n->tiny && op_is_tiny(c, op, memory))
		raised |= MXCSR_UE;
	if (!(raised & unmasked)) {
		store_le32(area + CPU_XSAVE_MXCSR, guest | raised);
		return true;
	}
	if (raised & unmasked & MXCSR_PRECOMPUTATION)
		raised &= MXCSR_PRECOMPUTATION;
	memcpy(area + CPU_XSAVE_XMM, native->saved, SAVED_SIZE);
	memcpy(c->vcpu.state.gpr, gpr, sizeof(gpr));
	c->flags = flags;
	/* The unit has turned to MMX by then. */
	if (n->gate & GATE_ST) {
		native_drop_st(c);
		native_mmx_enter(c);
	}
	store_le32(area + CPU_XSAVE_MXCSR, guest | raised);
	soft_fault(c, c->vcpu.state.cr4 & CR4_OSXMMEXCPT ? CPU_VECTOR_XM : CPU_VECTOR_UD);
	return false;
}
