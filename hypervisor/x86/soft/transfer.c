/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - what all transfers between code segments share, and the second half of every far
 * return (RET, IRET): APM2 sections 4.9 and 8.7.4, SDM volume 2, RET and IRET.
 */
#include "hypervisor/x86/soft/system.h"

bool transfer_check_rip(struct soft_vcpu *c, const struct descriptor *code, uint64_t rip)
{
	if (system_long_mode(c) && code->low & DESCRIPTOR_L) {
		if (soft_canonical(c, rip))
			return true;
	} else if (rip <= descriptor_limit(code)) {
		return true;
	}
	return system_fault(c, CPU_VECTOR_GP, 0);
}

bool transfer_check_limit(struct soft_vcpu *c, const struct cpu_segment *code, uint64_t rip)
{
	return rip <= code->limit || system_fault(c, CPU_VECTOR_GP, 0);
}

void transfer_commit(struct soft_vcpu *c, const struct descriptor *code, unsigned cpl, uint64_t rip)
{
	struct cpu_state *state = &c->vcpu.state;

	segment_from_descriptor(&state->segment[CPU_CS], code,
				(uint16_t)((code->selector & ~SELECTOR_RPL) | cpl));
	state->cpl = (uint8_t)cpl;
	state->rip = rip;
}

/* The code segment that is returned to. */
static bool fetch_code(struct soft_vcpu *c, uint16_t selector, struct descriptor *code)
{
	unsigned rpl = selector & SELECTOR_RPL;
	bool both;

	if (selector_is_null(selector))
		return system_fault(c, CPU_VECTOR_GP, 0);
	if (!descriptor_fetch(c, selector, CPU_VECTOR_GP, code))
		return false;
	both = system_long_mode(c) && code->low & DESCRIPTOR_L && code->low & DESCRIPTOR_DB;
	if (!descriptor_is_code(code) || rpl < c->vcpu.state.cpl || both ||
	    (descriptor_is_conforming(code) ? descriptor_dpl(code) > rpl
					    : descriptor_dpl(code) != rpl))
		return system_fault(c, CPU_VECTOR_GP, selector);
	if (!descriptor_present(code))
		return system_fault(c, CPU_VECTOR_NP, selector);
	return true;
}

/* The stack that is returned to stands behind what has been popped. */
static bool fetch_stack(struct soft_vcpu *c, struct transfer_return *to, bool to64, unsigned cpl,
			struct stack *stack)
{
	struct cpu_segment segment;
	uint64_t sp, ss;

	if (!stack_pop(c, &to->stack, &sp, to->size) || !stack_pop(c, &to->stack, &ss, to->size) ||
	    !segment_check_stack(c, (uint16_t)ss, cpl, CPU_VECTOR_GP, to64 && cpl != 3, &segment))
		return false;
	stack_other(stack, &segment, sp, cpl);
	if (to64)
		stack->mask = UINT64_MAX;
	return true;
}

bool transfer_return(struct soft_vcpu *c, struct transfer_return *to)
{
	struct cpu_state *state = &c->vcpu.state;
	unsigned cpl = to->cs & SELECTOR_RPL;
	bool outer, to64;
	struct descriptor code;
	struct stack stack;

	if (!fetch_code(c, to->cs, &code))
		return false;
	stack_drop(&to->stack, to->release);
	to64 = system_long_mode(c) && code.low & DESCRIPTOR_L;
	outer = cpl != state->cpl;
	if (outer || to->always_stack) {
		if (!fetch_stack(c, to, to64, cpl, &stack))
			return false;
		stack_drop(&stack, to->release);
	}
	if (!transfer_check_rip(c, &code, to->rip) || !descriptor_access(c, &code))
		return false;
	if (outer || to->always_stack) {
		state->segment[CPU_SS] = stack.segment;
		state->gpr[CPU_RSP] = stack_pointer(&stack, state->gpr[CPU_RSP]);
	} else {
		state->gpr[CPU_RSP] = stack_pointer(&to->stack, state->gpr[CPU_RSP]);
	}
	transfer_commit(c, &code, cpl, to->rip);
	if (outer)
		segment_drop_inner(c, cpl);
	return true;
}
