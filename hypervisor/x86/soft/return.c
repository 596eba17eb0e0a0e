/* SPDX-License-Identifier: MIT */
/*
 * return.c - far RET and IRET in all their forms.  APM2 sections 8.6.3, 8.7.4, 8.8.2 and 8.9.3; SDM
 * volume 2, RET and IRET, whose order of checks this has.
 */
#include "hypervisor/x86/soft/system.h"

#define FLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define FLAGS_ALWAYS (FLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT)
#define FLAGS_WIDE (RFLAGS_RF | RFLAGS_AC | RFLAGS_ID) /* where 32 bits are popped */
#define FLAGS_ALL                                                                                  \
	(FLAGS_ALWAYS | FLAGS_WIDE | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP)

static enum soft_result far_return(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t rip, cs;
	struct transfer_return to = {
		.size = insn->operand_size,
		.release = insn->operand_count > 0 ? (uint16_t)insn->immediate : 0,
	};

	stack_current(c, &to.stack);
	if (!stack_pop(c, &to.stack, &rip, to.size) || !stack_pop(c, &to.stack, &cs, to.size))
		return SOFT_STOPPED;
	to.rip = rip;
	to.cs = (uint16_t)cs;
	if (system_protected(c))
		return transfer_return(c, &to) ? SOFT_JUMPED : SOFT_STOPPED;
	if (!transfer_check_limit(c, &state->segment[CPU_CS], rip))
		return SOFT_STOPPED;
	stack_drop(&to.stack, to.release);
	state->gpr[CPU_RSP] = stack_pointer(&to.stack, state->gpr[CPU_RSP]);
	if (system_v8086(c))
		segment_set_v8086(&state->segment[CPU_CS], to.cs);
	else
		segment_set_real(&state->segment[CPU_CS], to.cs);
	state->rip = rip;
	return SOFT_JUMPED;
}

/* Which flags an IRET of that operand size, at the level that it leaves, can change. */
static uint64_t changeable_flags(const struct soft_vcpu *c, unsigned size)
{
	uint64_t mask = FLAGS_ALWAYS;

	if (size > 2)
		mask |= FLAGS_WIDE;
	if (c->vcpu.state.cpl <= system_iopl(c))
		mask |= RFLAGS_IF;
	if (c->vcpu.state.cpl == 0) {
		mask |= RFLAGS_IOPL;
		if (size > 2)
			mask |= RFLAGS_VIF | RFLAGS_VIP;
	}
	return mask;
}

static void set_flags(struct soft_vcpu *c, uint64_t rflags, uint64_t mask)
{
	soft_flags_put(c, (soft_flags_get(c) & ~mask) | (rflags & mask));
}

/* Real mode, and virtual-8086 mode at IOPL 3: to the same mode. */
static bool return_real(struct soft_vcpu *c, unsigned size)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t mask = changeable_flags(c, size);
	bool v8086 = system_v8086(c);
	uint64_t rip, cs, rflags;
	struct stack stack;

	if (v8086 && system_iopl(c) != 3)
		return system_fault(c, CPU_VECTOR_GP, 0);
	stack_current(c, &stack);
	if (!stack_pop(c, &stack, &rip, size) || !stack_pop(c, &stack, &cs, size) ||
	    !stack_pop(c, &stack, &rflags, size) ||
	    !transfer_check_limit(c, &state->segment[CPU_CS], rip))
		return false;
	state->gpr[CPU_RSP] = stack_pointer(&stack, state->gpr[CPU_RSP]);
	if (v8086)
		segment_set_v8086(&state->segment[CPU_CS], (uint16_t)cs);
	else
		segment_set_real(&state->segment[CPU_CS], (uint16_t)cs);
	state->rip = rip;
	/* VIF and VIP stay (SDM volume 2, IRET: what real mode leaves alone). */
	set_flags(c, rflags, mask & ~(RFLAGS_VIF | RFLAGS_VIP));
	return true;
}

/* From level 0 to virtual-8086 mode: six more doublewords stand on the stack. */
static bool return_v8086(struct soft_vcpu *c, struct stack *stack, uint64_t rip, uint64_t cs,
			 uint64_t rflags)
{
	static const uint8_t order[] = {CPU_SS, CPU_ES, CPU_DS, CPU_FS, CPU_GS};
	struct cpu_state *state = &c->vcpu.state;
	uint64_t selector[sizeof(order)];
	uint64_t sp;

	if (!stack_pop(c, stack, &sp, 4))
		return false;
	for (unsigned i = 0; i < sizeof(order); i++)
		if (!stack_pop(c, stack, &selector[i], 4))
			return false;
	if (rip > UINT16_MAX)
		return system_fault(c, CPU_VECTOR_GP, 0);
	for (unsigned i = 0; i < sizeof(order); i++)
		segment_set_v8086(&state->segment[order[i]], (uint16_t)selector[i]);
	segment_set_v8086(&state->segment[CPU_CS], (uint16_t)cs);
	state->gpr[CPU_RSP] = sp;
	state->rip = rip;
	state->cpl = 3;
	set_flags(c, rflags, FLAGS_ALL);
	return true;
}

static bool return_protected(struct soft_vcpu *c, unsigned size)
{
	uint64_t mask = changeable_flags(c, size);
	struct transfer_return to = {.size = size, .always_stack = c->long64};
	uint64_t rip, cs, rflags;

	stack_current(c, &to.stack);
	if (!stack_pop(c, &to.stack, &rip, size) || !stack_pop(c, &to.stack, &cs, size) ||
	    !stack_pop(c, &to.stack, &rflags, size))
		return false;
	if (rflags & RFLAGS_VM && size == 4 && c->vcpu.state.cpl == 0 && !system_long_mode(c))
		return return_v8086(c, &to.stack, rip, cs, rflags);
	to.rip = rip;
	to.cs = (uint16_t)cs;
	if (!transfer_return(c, &to))
		return false;
	set_flags(c, rflags, mask);
	return true;
}

static enum soft_result interrupt_return(struct soft_vcpu *c, const struct decode_insn *insn)
{
	bool done;

	if (!system_protected(c))
		done = return_real(c, insn->operand_size);
	else if (!(c->vcpu.state.rflags & RFLAGS_NT))
		done = return_protected(c, insn->operand_size);
	else if (system_long_mode(c))
		done = system_fault(c, CPU_VECTOR_GP, 0);
	else
		done = task_return(c, system_next_rip(c, insn));
	if (!done)
		return SOFT_STOPPED;
	c->vcpu.state.nmi_masked = false;
	return SOFT_JUMPED;
}

soft_system_op *return_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_RET_FAR:
		return far_return;
	case OP_IRET:
		return interrupt_return;
	default:
		return NULL;
	}
}
