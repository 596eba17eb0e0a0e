/* SPDX-License-Identifier: MIT */
/*
 * emulate_control.c - MOV to CR0 and CR4, LMSW and CLTS: what a CPU checks of them, and what of
 * them the guest's CPUID allows; MOV from CR0 and SMSW.  APM2 section 3.1, and 14.6 for long mode.
 */
#include "hw/x86.h"
#include "hypervisor/x86/emulate_internal.h"

#define CR0_KNOWN                                                                                  \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define LMSW_BITS (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

static bool may_turn_on_paging(const struct cpu_state *s)
{
	if (!(s->efer & EFER_LME))
		return true;
	return (s->cr4 & CR4_PAE) && !s->segment[CPU_CS].l;
}

static bool may_turn_off_paging(const struct cpu_state *s)
{
	if (s->cr4 & CR4_PCIDE)
		return false;
	return !((s->efer & EFER_LMA) && s->segment[CPU_CS].l);
}

static enum emulate_result set_cr0(struct emulation *m, uint64_t value)
{
	struct cpu_state *s = &m->vcpu->state;
	bool paging = value & CR0_PG, changes = (value ^ s->cr0) & CR0_PG;

	if (value >> 32 || (paging && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return emulation_fault(m, CPU_VECTOR_GP);
	if (changes && !(paging ? may_turn_on_paging(s) : may_turn_off_paging(s)))
		return emulation_fault(m, CPU_VECTOR_GP);
	if (changes && paging && (s->efer & EFER_LME))
		s->efer |= EFER_LMA;
	if (changes && !paging)
		s->efer &= ~EFER_LMA;
	s->cr0 = (value & CR0_KNOWN) | CR0_ET;
	return EMULATE_DONE;
}

static enum emulate_result set_cr4(struct emulation *m, uint64_t value)
{
	struct cpu_state *s = &m->vcpu->state;
	uint64_t changes = value ^ s->cr4;

	if (value & ~m->vcpu->limits.cr4)
		return emulation_fault(m, CPU_VECTOR_GP);
	if ((s->efer & EFER_LMA) && (!(value & CR4_PAE) || (changes & CR4_LA57)))
		return emulation_fault(m, CPU_VECTOR_GP);
	if ((value & changes & CR4_PCIDE) && (!(s->efer & EFER_LMA) || (s->cr3 & CR3_PCID_MASK)))
		return emulation_fault(m, CPU_VECTOR_GP);
	s->cr4 = value;
	return EMULATE_DONE;
}

static enum emulate_result load_machine_status(struct emulation *m)
{
	const struct cpu_state *s = &m->vcpu->state;
	uint64_t value;
	enum emulate_result done = emulation_get(m, &m->insn->operand[0], &value);

	if (done != EMULATE_DONE)
		return done;
	value |= s->cr0 & CR0_PE; /* it can't leave protected mode */
	return set_cr0(m, (s->cr0 & ~LMSW_BITS) | (value & LMSW_BITS));
}

static enum emulate_result move(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0], *from = &m->insn->operand[1];
	struct cpu_state *s = &m->vcpu->state;
	uint64_t value;

	if (to->class != DECODE_CONTROL)
		return from->reg == 0 ? emulation_put(m, to, s->cr0) : EMULATE_UNKNOWN;
	value = s->gpr[from->reg] & size_mask(from->size);
	if (to->reg == 0)
		return set_cr0(m, value);
	return to->reg == 4 ? set_cr4(m, value) : EMULATE_UNKNOWN;
}

enum emulate_result emulation_control(struct emulation *m)
{
	struct cpu_state *s = &m->vcpu->state;

	switch (m->insn->op) {
	case OP_MOV_CR:
		return move(m);
	case OP_LMSW:
		return load_machine_status(m);
	case OP_SMSW:
		return emulation_put(m, &m->insn->operand[0], s->cr0);
	case OP_CLTS:
		s->cr0 &= ~CR0_TS;
		return EMULATE_DONE;
	default:
		return EMULATE_UNKNOWN;
	}
}
