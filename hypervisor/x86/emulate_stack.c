/* SPDX-License-Identifier: MIT */
/*
 * emulate_stack.c - pushes, pops, near calls, jumps and returns, ENTER and LEAVE: either their
 * operand or the stack itself is a device's memory.
 */
#include "hw/x86.h"
#include "hypervisor/x86/emulate_internal.h"
#include "hypervisor/x86/mode.h"

/* Bytes of the stack pointer. */
static unsigned width(const struct vcpu *vcpu)
{
	if (cpu_is_64_bit(&vcpu->state))
		return 8;
	return vcpu->state.segment[CPU_SS].db ? 4 : 2;
}

static uint64_t moved(const struct emulation *m, uint64_t pointer, int64_t by)
{
	return (pointer + (uint64_t)by) & size_mask(width(m->vcpu));
}

static void set_pointer(struct emulation *m, unsigned reg, uint64_t value)
{
	emulation_set_register(m->vcpu, reg, width(m->vcpu), value);
}

static enum emulate_result push(struct emulation *m, uint64_t value)
{
	unsigned size = m->insn->stack_size;
	uint64_t top = moved(m, m->vcpu->state.gpr[CPU_RSP], -(int64_t)size);
	enum emulate_result done = emulation_write(m, CPU_SS, top, size, value);

	if (done == EMULATE_DONE)
		set_pointer(m, CPU_RSP, top);
	return done;
}

/* RSP is moved by the caller, when all is done. */
static enum emulate_result peek(struct emulation *m, uint64_t *value)
{
	return emulation_read(m, CPU_SS, moved(m, m->vcpu->state.gpr[CPU_RSP], 0),
			      m->insn->stack_size, value);
}

static enum emulate_result push_operand(struct emulation *m)
{
	uint64_t value;
	enum emulate_result done = emulation_get(m, &m->insn->operand[0], &value);

	return done == EMULATE_DONE ? push(m, value) : done;
}

/* An address by RSP is one behind the pop, and POP RSP leaves what was popped. */
static enum emulate_result pop_operand(struct emulation *m)
{
	uint64_t before = m->vcpu->state.gpr[CPU_RSP], value;
	enum emulate_result done = peek(m, &value);

	if (done != EMULATE_DONE)
		return done;
	set_pointer(m, CPU_RSP, moved(m, before, m->insn->stack_size));
	done = emulation_put(m, &m->insn->operand[0], value);
	if (done != EMULATE_DONE)
		m->vcpu->state.gpr[CPU_RSP] = before;
	return done;
}

/* --- Branches --------------------------------------------------------------------------------- */

/* RIP is what run_finish() adds the length to. */
static enum emulate_result go_to(struct emulation *m, uint64_t target, unsigned size)
{
	struct cpu_state *s = &m->vcpu->state;

	target &= size_mask(size);
	if (!emulation_is_code(m->vcpu, target))
		return emulation_fault(m, CPU_VECTOR_GP);
	s->rip = target - m->insn->length;
	return EMULATE_DONE;
}

static enum emulate_result branch(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0];
	struct cpu_state *s = &m->vcpu->state;
	uint64_t next = s->rip + m->insn->length, rsp = s->gpr[CPU_RSP], target;
	unsigned size = m->insn->operand_size;
	enum emulate_result done;

	if (to->kind == DECODE_RELATIVE) {
		target = next + (uint64_t)m->insn->immediate;
		done = EMULATE_DONE;
	} else {
		done = emulation_get(m, to, &target);
		size = to->size;
	}
	if (done == EMULATE_DONE && m->insn->op == OP_CALL_NEAR)
		done = push(m, next);
	if (done == EMULATE_DONE)
		done = go_to(m, target, size);
	if (done != EMULATE_DONE)
		s->gpr[CPU_RSP] = rsp;
	return done;
}

static enum emulate_result come_back(struct emulation *m)
{
	uint64_t rsp = m->vcpu->state.gpr[CPU_RSP], target;
	uint64_t drop = m->insn->operand_count && m->insn->operand[0].kind == DECODE_IMMEDIATE
				? (uint16_t)m->insn->immediate
				: 0;
	enum emulate_result done = peek(m, &target);

	if (done == EMULATE_DONE)
		done = go_to(m, target, m->insn->stack_size);
	if (done == EMULATE_DONE)
		set_pointer(m, CPU_RSP, moved(m, rsp, (int64_t)(m->insn->stack_size + drop)));
	return done;
}

/* --- Frames ----------------------------------------------------------------------------------- */

/* Of nesting level 0, as compilers use it. */
static enum emulate_result enter(struct emulation *m)
{
	struct cpu_state *s = &m->vcpu->state;
	unsigned size = m->insn->stack_size;
	uint64_t rbp = moved(m, s->gpr[CPU_RSP], -(int64_t)size);
	enum emulate_result done;

	if (m->insn->immediate2 & 0x1f)
		return EMULATE_UNKNOWN;
	done = push(m, s->gpr[CPU_RBP]);
	if (done != EMULATE_DONE)
		return done;
	emulation_set_register(m->vcpu, CPU_RBP, size, rbp);
	set_pointer(m, CPU_RSP, moved(m, rbp, -(int64_t)(uint16_t)m->insn->immediate));
	return done;
}

static enum emulate_result leave(struct emulation *m)
{
	struct cpu_state *s = &m->vcpu->state;
	unsigned size = m->insn->stack_size;
	uint64_t top = moved(m, s->gpr[CPU_RBP], 0), value;
	enum emulate_result done = emulation_read(m, CPU_SS, top, size, &value);

	if (done != EMULATE_DONE)
		return done;
	set_pointer(m, CPU_RSP, moved(m, top, size));
	emulation_set_register(m->vcpu, CPU_RBP, size, value);
	return done;
}

enum emulate_result emulation_stack(struct emulation *m)
{
	switch (m->insn->op) {
	case OP_PUSH:
		return push_operand(m);
	case OP_POP:
		return pop_operand(m);
	case OP_CALL_NEAR:
	case OP_JMP_NEAR:
		return branch(m);
	case OP_RET_NEAR:
		return come_back(m);
	case OP_ENTER:
		return enter(m);
	case OP_LEAVE:
		return leave(m);
	default:
		return EMULATE_UNKNOWN;
	}
}
