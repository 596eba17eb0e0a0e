/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - how an interrupt or exception gets to its handler: through the interrupt vector
 * table of real mode, and the gates of protected and long mode.  APM2 sections 8.6 to 8.9 and 12.2;
 * SDM volume 2, INT n, whose order of checks this has.
 */
#include "hypervisor/x86/soft/interrupt.h"

#define IDT_SHIFT 3                  /* of an index in an error code */
#define STACK_ALIGNMENT UINT64_C(15) /* of RSP in long mode, before the first push */

/* Raises a fault that names the vector's gate. */
static bool gate_fault(struct soft_vcpu *c, uint8_t vector, uint8_t gate)
{
	soft_fault_error(c, vector,
			 (uint32_t)gate << IDT_SHIFT | ERROR_CODE_IDT |
				 (c->external ? ERROR_CODE_EXT : 0));
	return false;
}

static uint64_t pushed_flags(struct soft_vcpu *c, const struct delivery *delivery)
{
	return soft_flags_get(c) | (delivery->resume ? RFLAGS_RF : 0);
}

/* APM2 section 8.6: 16-bit pushes, no error code. */
static bool deliver_real(struct soft_vcpu *c, const struct delivery *delivery)
{
	struct cpu_state *state = &c->vcpu.state;
	uint32_t at = 4u * delivery->vector;
	uint16_t target[2]; /* IP, CS */
	struct stack stack;

	if (at + sizeof(target) - 1 > state->idtr.limit)
		return gate_fault(c, CPU_VECTOR_GP, delivery->vector);
	if (!soft_read_linear(c, SOFT_SYSTEM, (uint32_t)(state->idtr.base + at), target,
			      sizeof(target)))
		return false;
	stack_current(c, &stack);
	if (!transfer_check_limit(c, &state->segment[CPU_CS], target[0]) ||
	    !stack_push(c, &stack, soft_flags_get(c), 2) ||
	    !stack_push(c, &stack, state->segment[CPU_CS].selector, 2) ||
	    !stack_push(c, &stack, delivery->rip, 2))
		return false;
	state->gpr[CPU_RSP] = stack_pointer(&stack, state->gpr[CPU_RSP]);
	segment_set_real(&state->segment[CPU_CS], target[1]);
	state->rip = target[0];
	state->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_RF | RFLAGS_AC);
	return true;
}

/* Reads the vector's gate, and checks what doesn't depend on where it leads to. */
static bool fetch_gate(struct soft_vcpu *c, const struct delivery *delivery,
		       struct descriptor *gate)
{
	const struct cpu_state *state = &c->vcpu.state;
	bool wide = system_long_mode(c);
	unsigned size = wide ? 16 : 8;
	uint32_t at = delivery->vector * size;
	uint64_t image[2] = {0, 0};
	bool right;

	if (at + size - 1 > state->idtr.limit)
		return gate_fault(c, CPU_VECTOR_GP, delivery->vector);
	gate->linear = wide ? state->idtr.base + at : (uint32_t)(state->idtr.base + at);
	if (!soft_read_linear(c, SOFT_SYSTEM, gate->linear, image, size))
		return false;
	gate->low = image[0];
	gate->high = image[1];
	switch (descriptor_type(gate)) {
	case SYSTEM_TYPE_INTERRUPT_GATE32:
	case SYSTEM_TYPE_TRAP_GATE32:
		right = true;
		break;
	case SYSTEM_TYPE_TASK_GATE:
	case SYSTEM_TYPE_INTERRUPT_GATE16:
	case SYSTEM_TYPE_TRAP_GATE16:
		right = !wide;
		break;
	default:
		right = false;
	}
	if (!right || descriptor_is_segment(gate) ||
	    (delivery->software && descriptor_dpl(gate) < state->cpl))
		return gate_fault(c, CPU_VECTOR_GP, delivery->vector);
	if (!descriptor_present(gate))
		return gate_fault(c, CPU_VECTOR_NP, delivery->vector);
	return true;
}

/* The handler's code segment, and the level that it runs at. */
static bool fetch_code(struct soft_vcpu *c, const struct descriptor *gate, struct descriptor *code,
		       unsigned *cpl)
{
	uint16_t selector = gate_selector(gate);

	if (selector_is_null(selector))
		return system_fault(c, CPU_VECTOR_GP, 0);
	if (!descriptor_fetch(c, selector, CPU_VECTOR_GP, code))
		return false;
	if (!descriptor_is_code(code) || descriptor_dpl(code) > c->vcpu.state.cpl)
		return system_fault(c, CPU_VECTOR_GP, selector);
	if (system_long_mode(c) && (code->low & (DESCRIPTOR_L | DESCRIPTOR_DB)) != DESCRIPTOR_L)
		return system_fault(c, CPU_VECTOR_GP, selector);
	if (!descriptor_present(code))
		return system_fault(c, CPU_VECTOR_NP, selector);
	*cpl = descriptor_is_conforming(code) ? c->vcpu.state.cpl : descriptor_dpl(code);
	if (system_v8086(c) && *cpl != 0)
		return system_fault(c, CPU_VECTOR_GP, selector);
	return true;
}

static void enter_handler(struct soft_vcpu *c, const struct descriptor *gate,
			  const struct descriptor *code, unsigned cpl, uint64_t rip)
{
	uint64_t clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;

	if (!(descriptor_type(gate) & 1)) /* an interrupt gate, not a trap gate */
		clear |= RFLAGS_IF;
	c->vcpu.state.rflags &= ~clear;
	transfer_commit(c, code, cpl, rip);
}

static bool push_frame(struct soft_vcpu *c, const struct delivery *delivery, struct stack *stack,
		       unsigned size, bool with_stack)
{
	const struct cpu_state *state = &c->vcpu.state;

	if (with_stack && (!stack_push(c, stack, state->segment[CPU_SS].selector, size) ||
			   !stack_push(c, stack, state->gpr[CPU_RSP], size)))
		return false;
	if (!stack_push(c, stack, pushed_flags(c, delivery), size) ||
	    !stack_push(c, stack, state->segment[CPU_CS].selector, size) ||
	    !stack_push(c, stack, delivery->rip, size))
		return false;
	return !delivery->has_error || stack_push(c, stack, delivery->error, size);
}

/* APM2 section 8.9. */
static bool deliver_long(struct soft_vcpu *c, const struct delivery *delivery)
{
	struct cpu_state *state = &c->vcpu.state;
	struct descriptor gate, code;
	struct stack stack;
	unsigned cpl, ist;
	uint64_t rip;

	if (!fetch_gate(c, delivery, &gate) || !fetch_code(c, &gate, &code, &cpl))
		return false;
	ist = gate.low >> 32 & 7;
	rip = gate_offset(&gate, true);
	if (ist || cpl != state->cpl) {
		if (!stack_from_tss(c, cpl, ist, &stack))
			return false;
	} else {
		stack_other64(&stack, state->gpr[CPU_RSP], cpl);
	}
	stack.sp &= ~STACK_ALIGNMENT;
	if (!transfer_check_rip(c, &code, rip) || !descriptor_access(c, &code) ||
	    !push_frame(c, delivery, &stack, 8, true))
		return false;
	if (cpl != state->cpl)
		segment_set_null(&state->segment[CPU_SS], (uint16_t)cpl);
	state->gpr[CPU_RSP] = stack.sp;
	enter_handler(c, &gate, &code, cpl, rip);
	return true;
}

/* From virtual-8086 mode the data segments go to the handler's stack first: APM2 section 8.8. */
static bool push_v8086_segments(struct soft_vcpu *c, struct stack *stack, unsigned size)
{
	static const uint8_t order[] = {CPU_GS, CPU_FS, CPU_DS, CPU_ES};

	for (unsigned i = 0; i < sizeof(order); i++)
		if (!stack_push(c, stack, c->vcpu.state.segment[order[i]].selector, size))
			return false;
	return true;
}

static void drop_v8086_segments(struct soft_vcpu *c)
{
	static const uint8_t order[] = {CPU_GS, CPU_FS, CPU_DS, CPU_ES};

	for (unsigned i = 0; i < sizeof(order); i++)
		segment_set_null(&c->vcpu.state.segment[order[i]], 0);
}

/* How much the frame takes, for the check of the limit before anything is pushed. */
static unsigned frame_size(const struct delivery *delivery, unsigned size, bool inner, bool v8086)
{
	return size * (3 + (delivery->has_error ? 1 : 0) + (inner ? 2 : 0) + (v8086 ? 4 : 0));
}

/* APM2 section 8.7. */
static bool deliver_protected(struct soft_vcpu *c, const struct delivery *delivery)
{
	struct cpu_state *state = &c->vcpu.state;
	bool v8086 = system_v8086(c);
	struct descriptor gate, code;
	struct stack stack;
	unsigned cpl, size;
	uint64_t rip;
	bool inner;

	if (!fetch_gate(c, delivery, &gate))
		return false;
	if (descriptor_type(&gate) == SYSTEM_TYPE_TASK_GATE) {
		if (delivery->resume)
			state->rflags |= RFLAGS_RF;
		return task_switch_gate(c, &gate, TASK_EVENT, delivery->rip, delivery->has_error,
					delivery->error);
	}
	if (!fetch_code(c, &gate, &code, &cpl))
		return false;
	size = descriptor_type(&gate) & 8 ? 4 : 2;
	rip = gate_offset(&gate, size == 4);
	inner = cpl != state->cpl;
	if (!inner)
		stack_current(c, &stack);
	else if (!stack_from_tss(c, cpl, 0, &stack))
		return false;
	if (!stack_room(c, &stack, frame_size(delivery, size, inner, v8086)) ||
	    !transfer_check_rip(c, &code, rip) || !descriptor_access(c, &code) ||
	    (v8086 && !push_v8086_segments(c, &stack, size)) ||
	    !push_frame(c, delivery, &stack, size, inner))
		return false;
	if (v8086)
		drop_v8086_segments(c);
	if (inner)
		state->segment[CPU_SS] = stack.segment;
	state->gpr[CPU_RSP] = stack_pointer(&stack, inner ? stack.sp : state->gpr[CPU_RSP]);
	enter_handler(c, &gate, &code, cpl, rip);
	return true;
}

bool interrupt_deliver(struct soft_vcpu *c, const struct delivery *delivery)
{
	bool done;

	c->external = delivery->external;
	if (!(c->vcpu.state.cr0 & CR0_PE))
		done = deliver_real(c, delivery);
	else if (system_long_mode(c))
		done = deliver_long(c, delivery);
	else
		done = deliver_protected(c, delivery);
	c->external = false;
	return done;
}
