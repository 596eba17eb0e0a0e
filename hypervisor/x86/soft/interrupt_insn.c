/* SPDX-License-Identifier: MIT */
/*
 * interrupt_insn.c - INT n, INT3, INTO, INT1 and BOUND.  APM3 and SDM volume 2, under INT.
 */
#include "hypervisor/x86/soft/interrupt.h"

/*
 * A fault on the way leaves RIP at the instruction and is delivered as any other.  The handler
 * begins without a single-step trap of the instruction that went there: TF is clear by then.
 */
static enum soft_result raise(struct soft_vcpu *c, const struct decode_insn *insn, uint8_t vector,
			      bool software)
{
	struct delivery delivery = {
		.vector = vector,
		.software = software,
		.external = !software,
		.rip = system_next_rip(c, insn),
	};
	bool traced = c->vcpu.state.rflags & RFLAGS_TF;

	if (!interrupt_deliver(c, &delivery))
		return SOFT_STOPPED;
	c->traced = traced;
	return SOFT_JUMPED;
}

static enum soft_result int_n(struct soft_vcpu *c, const struct decode_insn *insn)
{
	if (system_v8086(c) && system_iopl(c) != 3)
		return system_gp(c);
	return raise(c, insn, (uint8_t)insn->immediate, true);
}

static enum soft_result int3(struct soft_vcpu *c, const struct decode_insn *insn)
{
	const struct cpu_state *state = &c->vcpu.state;

	if (!c->vcpu.debug_software)
		return raise(c, insn, CPU_VECTOR_BP, true);
	soft_exit(c, EXIT_DEBUG, 0);
	c->exit->debug.vector = CPU_VECTOR_BP;
	c->exit->debug.dr6 = state->dr6;
	c->exit->debug.dr7 = state->dr7;
	c->exit->debug.rip =
		c->long64 ? state->rip : (uint32_t)(state->segment[CPU_CS].base + state->rip);
	return SOFT_STOPPED;
}

static enum soft_result into(struct soft_vcpu *c, const struct decode_insn *insn)
{
	if (!(soft_flags_get(c) & RFLAGS_OF))
		return SOFT_RETIRED;
	return raise(c, insn, CPU_VECTOR_OF, true);
}

static enum soft_result int1(struct soft_vcpu *c, const struct decode_insn *insn)
{
	enum soft_result result = raise(c, insn, CPU_VECTOR_DB, false);

	if (result != SOFT_JUMPED)
		return result;
	c->vcpu.state.dr7 &= ~DR7_GD;
	/* What a load of SS has kept back is of this #DB. */
	c->vcpu.state.dr6 |= c->debug_hits;
	c->debug_hits = 0;
	return result;
}

/* BOUND: both bounds stand in memory, signed; what lies outside is a fault. */
static enum soft_result bound(struct soft_vcpu *c, const struct decode_insn *insn)
{
	unsigned size = insn->operand_size;
	uint64_t index = c->vcpu.state.gpr[insn->operand[0].reg];
	union {
		int32_t wide[2];
		int16_t narrow[2];
	} bounds;
	bool inside;

	if (!soft_read(c, insn->memory.segment, operand_offset(c, insn), &bounds, 2 * size))
		return SOFT_STOPPED;
	if (size == 2)
		inside = (int16_t)index >= bounds.narrow[0] && (int16_t)index <= bounds.narrow[1];
	else
		inside = (int32_t)index >= bounds.wide[0] && (int32_t)index <= bounds.wide[1];
	if (inside)
		return SOFT_RETIRED;
	soft_fault(c, CPU_VECTOR_BR);
	return SOFT_STOPPED;
}

soft_system_op *interrupt_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_INT:
		return int_n;
	case OP_INT3:
		return int3;
	case OP_INTO:
		return into;
	case OP_INT1:
		return int1;
	case OP_BOUND:
		return bound;
	default:
		return NULL;
	}
}
