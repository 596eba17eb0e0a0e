/* SPDX-License-Identifier: MIT */
/*
 * emulate_string.c - MOVS, STOS, LODS, CMPS, SCAS, INS and OUTS, repeated or not.  Registers change
 * element by element, so that a repeated one can be left, and gone on with, between any two.
 */
#include "hw/x86.h"
#include "hypervisor/x86/emulate_internal.h"

#define ELEMENTS_MAX 64 /* of one call: the guest's interrupts wait no longer */

static uint64_t pointer(const struct emulation *m, unsigned reg)
{
	return m->vcpu->state.gpr[reg] & size_mask(m->insn->address_size);
}

static void advance(struct emulation *m, unsigned reg, unsigned size)
{
	struct cpu_state *s = &m->vcpu->state;
	uint64_t step = s->rflags & RFLAGS_DF ? -(uint64_t)size : size;

	emulation_set_register(m->vcpu, reg, m->insn->address_size, s->gpr[reg] + step);
}

static enum emulate_result read_source(struct emulation *m, unsigned size, uint64_t *value)
{
	return emulation_read(m, m->insn->memory.segment, pointer(m, CPU_RSI), size, value);
}

static enum emulate_result read_target(struct emulation *m, unsigned size, uint64_t *value)
{
	return emulation_read(m, CPU_ES, pointer(m, CPU_RDI), size, value);
}

static enum emulate_result write_target(struct emulation *m, unsigned size, uint64_t value)
{
	return emulation_write(m, CPU_ES, pointer(m, CPU_RDI), size, value);
}

/* One element; registers change when it is done. */
static enum emulate_result element(struct emulation *m)
{
	struct cpu_state *s = &m->vcpu->state;
	unsigned size = m->insn->operand_size;
	uint64_t a = 0, b = 0;
	enum emulate_result done;
	bool source = true, target = true;

	if ((m->insn->op == OP_INS || m->insn->op == OP_OUTS) && size > 4)
		size = 4;
	switch (m->insn->op) {
	case OP_MOVS:
		done = read_source(m, size, &a);
		if (done == EMULATE_DONE)
			done = write_target(m, size, a);
		break;
	case OP_STOS:
		source = false;
		done = write_target(m, size, s->gpr[CPU_RAX]);
		break;
	case OP_LODS:
		target = false;
		done = read_source(m, size, &a);
		if (done == EMULATE_DONE)
			emulation_set_register(m->vcpu, CPU_RAX, size, a);
		break;
	case OP_CMPS:
		done = read_source(m, size, &a);
		if (done == EMULATE_DONE)
			done = read_target(m, size, &b);
		if (done == EMULATE_DONE)
			s->rflags = emulation_compare(s->rflags, a, b, size);
		break;
	case OP_SCAS:
		source = false;
		done = read_target(m, size, &b);
		if (done == EMULATE_DONE)
			s->rflags = emulation_compare(s->rflags, s->gpr[CPU_RAX], b, size);
		break;
	case OP_INS:
		source = false;
		done = emulation_port(m, size, false, &a);
		if (done == EMULATE_DONE)
			done = write_target(m, size, a);
		break;
	case OP_OUTS:
		target = false;
		done = read_source(m, size, &a);
		if (done == EMULATE_DONE)
			done = emulation_port(m, size, true, &a);
		break;
	default:
		return EMULATE_UNKNOWN;
	}
	if (done != EMULATE_DONE)
		return done;
	if (source)
		advance(m, CPU_RSI, size);
	if (target)
		advance(m, CPU_RDI, size);
	return done;
}

/* CMPS and SCAS end by what they compare. */
static bool ends(const struct emulation *m)
{
	bool equal = m->vcpu->state.rflags & RFLAGS_ZF;

	if (m->insn->op != OP_CMPS && m->insn->op != OP_SCAS)
		return false;
	return m->insn->rep == 0xf3 ? !equal : equal;
}

enum emulate_result emulation_string(struct emulation *m, bool *goes_on)
{
	unsigned address_size = m->insn->address_size;
	enum emulate_result done;

	if (!m->insn->rep)
		return element(m);
	for (unsigned i = 0; pointer(m, CPU_RCX); i++) {
		if (i == ELEMENTS_MAX ||
		    (i && __atomic_load_n(&m->vcpu->kicked, __ATOMIC_RELAXED))) {
			*goes_on = true;
			return EMULATE_DONE;
		}
		done = element(m);
		if (done != EMULATE_DONE)
			return done;
		/* The next one has accesses of its own. */
		m->e->answered = m->e->next = 0;
		emulation_set_register(m->vcpu, CPU_RCX, address_size,
				       m->vcpu->state.gpr[CPU_RCX] - 1);
		if (ends(m))
			break;
	}
	return EMULATE_DONE;
}
