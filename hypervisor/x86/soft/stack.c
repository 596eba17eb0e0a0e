/* SPDX-License-Identifier: MIT */
/*
 * stack.c - pushes and pops on a stack that need not be the current one: what transfers between
 * privilege levels and events work on, before they commit to it.
 */
#include "hypervisor/x86/soft/system.h"

static enum soft_privilege privilege_of(unsigned cpl)
{
	return cpl == 3 ? SOFT_USER : SOFT_SUPERVISOR;
}

void stack_current(struct soft_vcpu *c, struct stack *stack)
{
	const struct cpu_state *state = &c->vcpu.state;

	*stack = (struct stack){
		.segment = state->segment[CPU_SS],
		.sp = state->gpr[CPU_RSP],
		.mask = c->stack_mask,
		.flat = c->long64,
		.privilege = privilege_of(state->cpl),
	};
}

void stack_other(struct stack *stack, const struct cpu_segment *segment, uint64_t sp, unsigned cpl)
{
	*stack = (struct stack){
		.segment = *segment,
		.sp = sp,
		.mask = segment->db ? UINT32_MAX : UINT16_MAX,
		.privilege = privilege_of(cpl),
		.error = segment->selector,
	};
}

void stack_other64(struct stack *stack, uint64_t sp, unsigned cpl)
{
	*stack = (struct stack){
		.sp = sp,
		.mask = UINT64_MAX,
		.flat = true,
		.privilege = privilege_of(cpl),
	};
}

/* size bytes at offset, within the segment's limit and of the right type: APM2 section 4.12. */
static bool in_segment(const struct cpu_segment *segment, uint64_t offset, unsigned size,
		       bool write)
{
	uint64_t last = offset + size - 1;

	if (segment->unusable || !segment->present)
		return false;
	if (write &&
	    (segment->type & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_WRITABLE)) != SEGMENT_TYPE_WRITABLE)
		return false;
	if ((segment->type & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_EXPAND_DOWN)) ==
	    SEGMENT_TYPE_EXPAND_DOWN)
		return offset > segment->limit && last <= (segment->db ? UINT32_MAX : UINT16_MAX);
	return last <= segment->limit;
}

/* The linear address of size bytes at offset; else #SS. */
static bool stack_linear(struct soft_vcpu *c, const struct stack *stack, uint64_t offset,
			 unsigned size, bool write, uint64_t *linear)
{
	if (stack->flat) {
		if (!soft_canonical(c, offset) || !soft_canonical(c, offset + size - 1))
			return system_fault(c, CPU_VECTOR_SS, stack->error);
		*linear = offset;
		return true;
	}
	if (!in_segment(&stack->segment, offset, size, write))
		return system_fault(c, CPU_VECTOR_SS, stack->error);
	*linear = (uint32_t)(stack->segment.base + offset);
	return true;
}

bool stack_push(struct soft_vcpu *c, struct stack *stack, uint64_t value, unsigned size)
{
	uint64_t sp = (stack->sp - size) & stack->mask;
	uint64_t linear;

	if (!stack_linear(c, stack, sp, size, true, &linear) ||
	    !soft_write_linear(c, stack->privilege, linear, &value, size))
		return false;
	stack->sp = (stack->sp & ~stack->mask) | sp;
	return true;
}

bool stack_pop(struct soft_vcpu *c, struct stack *stack, uint64_t *value, unsigned size)
{
	uint64_t linear;

	*value = 0;
	if (!stack_linear(c, stack, stack->sp & stack->mask, size, false, &linear) ||
	    !soft_read_linear(c, stack->privilege, linear, value, size))
		return false;
	stack_drop(stack, size);
	return true;
}

void stack_drop(struct stack *stack, uint64_t bytes)
{
	stack->sp = (stack->sp & ~stack->mask) | ((stack->sp + bytes) & stack->mask);
}

bool stack_room(struct soft_vcpu *c, const struct stack *stack, unsigned size)
{
	uint64_t at = stack->sp & stack->mask;
	uint64_t linear;

	/* What wraps is checked piece by piece as it is pushed. */
	return at < size || stack_linear(c, stack, at - size, size, true, &linear);
}

uint64_t stack_pointer(const struct stack *stack, uint64_t rsp)
{
	if (stack->mask == UINT16_MAX)
		return (rsp & ~stack->mask) | (stack->sp & stack->mask);
	return stack->sp & stack->mask;
}

/* APM2 sections 8.7.3 and 12.2.2: SS and ESP of the inner level. */
static bool inner_stack(struct soft_vcpu *c, unsigned cpl, struct stack *stack)
{
	const struct cpu_segment *tr = &c->vcpu.state.tr;
	bool wide = tr->type & 8;
	uint32_t at = wide ? TSS32_ESP0 + 8 * cpl : TSS16_SP0 + 4 * cpl;
	unsigned size = wide ? 4 : 2;
	struct cpu_segment segment;
	uint32_t sp = 0;
	uint16_t ss;

	if (at + size + sizeof(ss) - 1 > tr->limit)
		return system_fault(c, CPU_VECTOR_TS, tr->selector);
	if (!soft_read_linear(c, SOFT_SYSTEM, (uint32_t)(tr->base + at), &sp, size) ||
	    !soft_read_linear(c, SOFT_SYSTEM, (uint32_t)(tr->base + at + size), &ss, sizeof(ss)) ||
	    !segment_check_stack(c, ss, cpl, CPU_VECTOR_TS, false, &segment))
		return false;
	stack_other(stack, &segment, sp, cpl);
	return true;
}

bool stack_from_tss(struct soft_vcpu *c, unsigned cpl, unsigned ist, struct stack *stack)
{
	const struct cpu_segment *tr = &c->vcpu.state.tr;
	uint32_t at = ist ? TSS64_IST1 + 8 * (ist - 1) : TSS64_RSP0 + 8 * cpl;
	uint64_t sp;

	if (!system_long_mode(c))
		return inner_stack(c, cpl, stack);
	if (at + sizeof(sp) - 1 > tr->limit)
		return system_fault(c, CPU_VECTOR_TS, tr->selector);
	if (!soft_read_linear(c, SOFT_SYSTEM, tr->base + at, &sp, sizeof(sp)))
		return false;
	if (!soft_canonical(c, sp))
		return system_fault(c, CPU_VECTOR_SS, 0);
	stack_other64(stack, sp, cpl);
	return true;
}
