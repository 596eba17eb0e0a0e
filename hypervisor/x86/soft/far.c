/* SPDX-License-Identifier: MIT */
/*
 * far.c - far jumps and calls: to code segments, through call gates, to tasks.  APM2 section 4.9,
 * APM3 and SDM volume 2 under JMP and CALL, whose order of checks this has.
 */
#include "hypervisor/x86/soft/system.h"

static bool far_target(struct soft_vcpu *c, const struct decode_insn *insn, uint64_t *offset,
		       uint16_t *selector)
{
	if (insn->operand[0].kind == DECODE_MEMORY)
		return operand_far_pointer(c, insn, offset, selector);
	*offset = system_truncate((uint64_t)insn->immediate, insn->operand_size);
	*selector = (uint16_t)insn->immediate2;
	return true;
}

/* CS:RIP behind the instruction, on a stack. */
static bool push_return(struct soft_vcpu *c, struct stack *stack, uint64_t next, unsigned size)
{
	return stack_push(c, stack, c->vcpu.state.segment[CPU_CS].selector, size) &&
	       stack_push(c, stack, next, size);
}

static bool transfer_real(struct soft_vcpu *c, const struct decode_insn *insn, bool call,
			  uint16_t selector, uint64_t offset)
{
	struct cpu_state *state = &c->vcpu.state;
	struct stack stack;

	if (!transfer_check_limit(c, &state->segment[CPU_CS], offset))
		return false;
	if (call) {
		stack_current(c, &stack);
		if (!push_return(c, &stack, system_next_rip(c, insn), insn->operand_size))
			return false;
		state->gpr[CPU_RSP] = stack_pointer(&stack, state->gpr[CPU_RSP]);
	}
	if (system_v8086(c))
		segment_set_v8086(&state->segment[CPU_CS], selector);
	else
		segment_set_real(&state->segment[CPU_CS], selector);
	state->rip = offset;
	return true;
}

/* Straight to a code segment, at the same level. */
static bool transfer_segment(struct soft_vcpu *c, const struct decode_insn *insn, bool call,
			     struct descriptor *code, uint64_t offset)
{
	struct cpu_state *state = &c->vcpu.state;
	unsigned dpl = descriptor_dpl(code), rpl = code->selector & SELECTOR_RPL;
	bool allowed = descriptor_is_conforming(code) ? dpl <= state->cpl
						      : dpl == state->cpl && rpl <= state->cpl;
	bool both = system_long_mode(c) && code->low & DESCRIPTOR_L && code->low & DESCRIPTOR_DB;
	struct stack stack;

	if (!descriptor_is_code(code) || !allowed || both)
		return system_fault(c, CPU_VECTOR_GP, code->selector);
	if (!descriptor_present(code))
		return system_fault(c, CPU_VECTOR_NP, code->selector);
	if (!transfer_check_rip(c, code, offset) || !descriptor_access(c, code))
		return false;
	if (call) {
		stack_current(c, &stack);
		if (!push_return(c, &stack, system_next_rip(c, insn), insn->operand_size))
			return false;
		state->gpr[CPU_RSP] = stack_pointer(&stack, state->gpr[CPU_RSP]);
	}
	transfer_commit(c, code, state->cpl, offset);
	return true;
}

/* The code segment behind a call gate. */
static bool gate_code(struct soft_vcpu *c, const struct descriptor *gate, bool call,
		      struct descriptor *code)
{
	uint16_t selector = gate_selector(gate);
	unsigned cpl = c->vcpu.state.cpl;

	if (selector_is_null(selector))
		return system_fault(c, CPU_VECTOR_GP, 0);
	if (!descriptor_fetch(c, selector, CPU_VECTOR_GP, code))
		return false;
	if (!descriptor_is_code(code) || descriptor_dpl(code) > cpl ||
	    (!call && !descriptor_is_conforming(code) && descriptor_dpl(code) != cpl))
		return system_fault(c, CPU_VECTOR_GP, selector);
	if (system_long_mode(c) && (code->low & (DESCRIPTOR_L | DESCRIPTOR_DB)) != DESCRIPTOR_L)
		return system_fault(c, CPU_VECTOR_GP, selector);
	return descriptor_present(code) || system_fault(c, CPU_VECTOR_NP, selector);
}

#define GATE_PARAMETERS 31 /* bits 32 to 36 of a call gate: how many words or doublewords */

/* A call gate's parameters go from the caller's stack to the inner one, in their order. */
static bool copy_parameters(struct soft_vcpu *c, struct stack *to, unsigned count, unsigned size)
{
	uint64_t values[GATE_PARAMETERS];
	struct stack from;

	stack_current(c, &from);
	for (unsigned i = 0; i < count; i++)
		if (!stack_pop(c, &from, &values[i], size))
			return false;
	while (count > 0)
		if (!stack_push(c, to, values[--count], size))
			return false;
	return true;
}

/* A call to an inner level: the stack is the TSS's. */
static bool call_inner(struct soft_vcpu *c, const struct descriptor *gate, struct descriptor *code,
		       uint64_t offset, uint64_t next, unsigned size)
{
	struct cpu_state *state = &c->vcpu.state;
	bool wide = system_long_mode(c);
	unsigned count = wide ? 0 : gate->low >> 32 & GATE_PARAMETERS;
	unsigned cpl = descriptor_dpl(code);
	struct stack stack;

	if (!stack_from_tss(c, cpl, 0, &stack) || !stack_room(c, &stack, size * (4 + count)) ||
	    !transfer_check_rip(c, code, offset) || !descriptor_access(c, code) ||
	    !stack_push(c, &stack, state->segment[CPU_SS].selector, size) ||
	    !stack_push(c, &stack, state->gpr[CPU_RSP], size) ||
	    !copy_parameters(c, &stack, count, size) || !push_return(c, &stack, next, size))
		return false;
	if (wide)
		segment_set_null(&state->segment[CPU_SS], (uint16_t)cpl);
	else
		state->segment[CPU_SS] = stack.segment;
	state->gpr[CPU_RSP] = stack_pointer(&stack, stack.sp);
	transfer_commit(c, code, cpl, offset);
	return true;
}

static bool transfer_gate(struct soft_vcpu *c, const struct decode_insn *insn, bool call,
			  struct descriptor *gate)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t next = system_next_rip(c, insn);
	bool wide = descriptor_type(gate) & 8;
	unsigned size = system_long_mode(c) ? 8 : wide ? 4 : 2;
	uint64_t offset = gate_offset(gate, wide);
	struct descriptor code;
	struct stack stack;

	if (!gate_code(c, gate, call, &code))
		return false;
	if (call && !descriptor_is_conforming(&code) && descriptor_dpl(&code) < state->cpl)
		return call_inner(c, gate, &code, offset, next, size);
	if (!transfer_check_rip(c, &code, offset) || !descriptor_access(c, &code))
		return false;
	if (call) {
		stack_current(c, &stack);
		/* A 64-bit gate called from compatibility mode pushes on RSP as it is. */
		if (system_long_mode(c))
			stack_other64(&stack, state->gpr[CPU_RSP], state->cpl);
		if (!push_return(c, &stack, next, size))
			return false;
		state->gpr[CPU_RSP] = stack_pointer(&stack, state->gpr[CPU_RSP]);
	}
	transfer_commit(c, &code, state->cpl, offset);
	return true;
}

/* A system descriptor: a gate, or a task's. */
static bool transfer_system(struct soft_vcpu *c, const struct decode_insn *insn, bool call,
			    struct descriptor *d)
{
	enum task_source source = call ? TASK_CALL : TASK_JUMP;
	uint64_t next = system_next_rip(c, insn);
	unsigned type = descriptor_type(d), dpl = descriptor_dpl(d);
	bool wide = system_long_mode(c), gate = false;

	switch (type) {
	case SYSTEM_TYPE_CALL_GATE32:
		gate = true;
		break;
	case SYSTEM_TYPE_CALL_GATE16:
	case SYSTEM_TYPE_TASK_GATE:
		gate = true;
		__attribute__((fallthrough));
	case SYSTEM_TYPE_TSS16:
	case SYSTEM_TYPE_TSS32:
		if (!wide)
			break;
		__attribute__((fallthrough));
	default:
		return system_fault(c, CPU_VECTOR_GP, d->selector);
	}
	if (dpl < c->vcpu.state.cpl || dpl < (d->selector & SELECTOR_RPL))
		return system_fault(c, CPU_VECTOR_GP, d->selector);
	if (wide) {
		if (!descriptor_fetch_high(c, CPU_VECTOR_GP, d))
			return false;
		if (d->high >> 32 & 0x1f00)
			return system_fault(c, CPU_VECTOR_GP, d->selector);
	}
	if (!descriptor_present(d))
		return system_fault(c, CPU_VECTOR_NP, d->selector);
	if (type == SYSTEM_TYPE_TASK_GATE)
		return task_switch_gate(c, d, source, next, false, 0);
	return gate ? transfer_gate(c, insn, call, d) : task_switch(c, d, source, next, false, 0);
}

static enum soft_result transfer(struct soft_vcpu *c, const struct decode_insn *insn, bool call)
{
	struct descriptor d;
	uint16_t selector;
	uint64_t offset;
	bool done;

	if (!far_target(c, insn, &offset, &selector))
		return SOFT_STOPPED;
	if (!system_protected(c)) {
		done = transfer_real(c, insn, call, selector, offset);
	} else if (selector_is_null(selector)) {
		done = system_fault(c, CPU_VECTOR_GP, 0);
	} else {
		done = descriptor_fetch(c, selector, CPU_VECTOR_GP, &d);
		if (done)
			done = descriptor_is_segment(&d)
				       ? transfer_segment(c, insn, call, &d, offset)
				       : transfer_system(c, insn, call, &d);
	}
	return done ? SOFT_JUMPED : SOFT_STOPPED;
}

static enum soft_result far_jump(struct soft_vcpu *c, const struct decode_insn *insn)
{
	return transfer(c, insn, false);
}

static enum soft_result far_call(struct soft_vcpu *c, const struct decode_insn *insn)
{
	return transfer(c, insn, true);
}

soft_system_op *far_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_JMP_FAR:
		return far_jump;
	case OP_CALL_FAR:
		return far_call;
	default:
		return NULL;
	}
}
