/* SPDX-License-Identifier: MIT */
/*
 * segment_insn.c - the instructions that read and write segment registers and their bases.  APM3
 * and SDM volume 2, under their names.
 */
#include "hypervisor/x86/soft/system.h"

/* MOV to SS and POP SS hold off interrupts and debug traps for one instruction: APM2 section
 * 8.5.  A second one in a row does not prolong it. */
static void shadow_stack_load(struct soft_vcpu *c, unsigned which)
{
	if (which == CPU_SS)
		c->vcpu.state.mov_ss_shadow = true;
}

static enum soft_result mov_sreg(struct soft_vcpu *c, const struct decode_insn *insn)
{
	bool load = insn->operand[0].kind == DECODE_REGISTER &&
		    insn->operand[0].class == DECODE_SEGMENT;
	unsigned which = insn->operand[load ? 0 : 1].reg;
	uint64_t value;

	if (which >= CPU_SEGMENTS || (load && which == CPU_CS))
		return system_ud(c);
	if (!load) {
		value = c->vcpu.state.segment[which].selector;
		return operand_write(c, insn, 0, insn->operand[0].size, value) ? SOFT_RETIRED
									       : SOFT_STOPPED;
	}
	if (!operand_read(c, insn, 1, 2, &value) || !segment_load(c, which, (uint16_t)value))
		return SOFT_STOPPED;
	shadow_stack_load(c, which);
	return SOFT_RETIRED;
}

/* A selector is pushed zero-extended, as AMD's do; Intel's may write its 2 bytes alone. */
static enum soft_result push_sreg(struct soft_vcpu *c, const struct decode_insn *insn)
{
	uint16_t selector = c->vcpu.state.segment[insn->operand[0].reg].selector;

	return soft_push(c, selector, insn->stack_size) ? SOFT_RETIRED : SOFT_STOPPED;
}

static enum soft_result pop_sreg(struct soft_vcpu *c, const struct decode_insn *insn)
{
	unsigned which = insn->operand[0].reg;
	uint64_t value, sp = c->vcpu.state.gpr[CPU_RSP];
	uint64_t next;

	if (!soft_pop(c, &value, insn->stack_size))
		return SOFT_STOPPED;
	/* RSP moves by the size of the old SS, and only if the load is good. */
	next = c->vcpu.state.gpr[CPU_RSP];
	c->vcpu.state.gpr[CPU_RSP] = sp;
	if (!segment_load(c, which, (uint16_t)value))
		return SOFT_STOPPED;
	c->vcpu.state.gpr[CPU_RSP] = next;
	shadow_stack_load(c, which);
	return SOFT_RETIRED;
}

static enum soft_result load_far_pointer(struct soft_vcpu *c, const struct decode_insn *insn)
{
	unsigned which = insn->op == OP_LES   ? CPU_ES
			 : insn->op == OP_LDS ? CPU_DS
			 : insn->op == OP_LSS ? CPU_SS
			 : insn->op == OP_LFS ? CPU_FS
					      : CPU_GS;
	uint64_t offset = 0;
	uint16_t selector;

	if (!operand_far_pointer(c, insn, &offset, &selector) || !segment_load(c, which, selector))
		return SOFT_STOPPED;
	register_write(c, insn->operand[0].reg, insn->operand_size, offset);
	return SOFT_RETIRED;
}

static enum soft_result swapgs(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t base = state->segment[CPU_GS].base;

	(void)insn;
	state->segment[CPU_GS].base = state->kernel_gs_base;
	state->kernel_gs_base = base;
	return SOFT_RETIRED;
}

static enum soft_result fsgsbase(struct soft_vcpu *c, const struct decode_insn *insn)
{
	bool fs = insn->op == OP_RDFSBASE || insn->op == OP_WRFSBASE;
	struct cpu_segment *segment = &c->vcpu.state.segment[fs ? CPU_FS : CPU_GS];
	unsigned size = insn->operand[0].size;
	uint64_t base;

	if (!c->long64 || !(c->vcpu.state.cr4 & CR4_FSGSBASE))
		return system_ud(c);
	if (insn->op == OP_RDFSBASE || insn->op == OP_RDGSBASE) {
		register_write(c, insn->operand[0].reg, size, segment->base);
		return SOFT_RETIRED;
	}
	base = system_truncate(c->vcpu.state.gpr[insn->operand[0].reg], size);
	if (!soft_canonical(c, base))
		return system_gp(c);
	segment->base = base;
	return SOFT_RETIRED;
}

soft_system_op *segment_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_MOV_SREG:
		return mov_sreg;
	case OP_PUSH_SREG:
		return push_sreg;
	case OP_POP_SREG:
		return pop_sreg;
	case OP_LES:
	case OP_LDS:
	case OP_LSS:
	case OP_LFS:
	case OP_LGS:
		return load_far_pointer;
	case OP_SWAPGS:
		return swapgs;
	case OP_RDFSBASE:
	case OP_RDGSBASE:
	case OP_WRFSBASE:
	case OP_WRGSBASE:
		return fsgsbase;
	default:
		return NULL;
	}
}
