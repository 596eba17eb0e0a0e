/* SPDX-License-Identifier: MIT */
/*
 * control.c - the control registers, with the changes of mode that they make, and the instructions
 * that drop what the TLB holds.  APM2 sections 3.1, 5.5 and 14.6; SDM volume 2, MOV to control
 * registers, and volume 3, sections 2.5 and 4.10.
 */
#include "hypervisor/x86/soft/system.h"

#define CR0_KNOWN                                                                                  \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define CR0_LMSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

/* Changes of these make the CPU load the page directory pointers anew, in PAE paging. */
#define CR0_LOADS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR4_LOADS_PDPTES (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)

/* Whether paging with those registers has the four pointers of PAE. */
static bool has_pdptes(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA);
}

/* Whether paging may go on in long mode: SDM volume 3, section 4.1.1. */
static bool may_enter_long_mode(const struct soft_vcpu *c)
{
	const struct cpu_state *state = &c->vcpu.state;

	return state->cr4 & CR4_PAE && !state->segment[CPU_CS].l &&
	       (state->tr.type & ~SYSTEM_TYPE_TSS_BUSY) != SYSTEM_TYPE_TSS16;
}

static enum soft_result write_cr0(struct soft_vcpu *c, uint64_t value)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t changed = state->cr0 ^ value;
	uint64_t efer = state->efer;

	if (value >> 32)
		return system_gp(c);
	value = (value & CR0_KNOWN) | CR0_ET;
	if ((value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)))
		return system_gp(c);
	if (changed & value & CR0_PG && efer & EFER_LME) {
		if (!may_enter_long_mode(c))
			return system_gp(c);
		efer |= EFER_LMA;
	}
	if (changed & ~value & CR0_PG) {
		if (c->long64 || state->cr4 & CR4_PCIDE)
			return system_gp(c);
		efer &= ~EFER_LMA;
	}
	if (has_pdptes(value, state->cr4, efer) && changed & CR0_LOADS_PDPTES &&
	    !soft_load_pdptes(c, state->cr3))
		return system_gp(c);
	state->cr0 = value;
	state->efer = efer;
	return SOFT_RETIRED;
}

static enum soft_result write_cr3(struct soft_vcpu *c, uint64_t value)
{
	struct cpu_state *state = &c->vcpu.state;
	bool keep = false;

	if (system_long_mode(c)) {
		if (state->cr4 & CR4_PCIDE) {
			keep = value & CR3_NO_FLUSH;
			value &= ~CR3_NO_FLUSH;
		}
		if (value >> c->vcpu.limits.physical_bits)
			return system_gp(c);
	}
	if (has_pdptes(state->cr0, state->cr4, state->efer) && !soft_load_pdptes(c, value))
		return system_gp(c);
	state->cr3 = value;
	soft_cr3_changed(c, keep);
	return SOFT_RETIRED;
}

static enum soft_result write_cr4(struct soft_vcpu *c, uint64_t value)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t changed = state->cr4 ^ value;

	if (value & ~c->vcpu.limits.cr4)
		return system_gp(c);
	if (system_long_mode(c) && (!(value & CR4_PAE) || changed & CR4_LA57))
		return system_gp(c);
	if (changed & value & CR4_PCIDE && (!system_long_mode(c) || state->cr3 & CR3_PCID_MASK))
		return system_gp(c);
	if (has_pdptes(state->cr0, value, state->efer) && changed & CR4_LOADS_PDPTES &&
	    !soft_load_pdptes(c, state->cr3))
		return system_gp(c);
	state->cr4 = value;
	if (changed & ~value & CR4_PCIDE)
		soft_tlb_flush_all(c);
	return SOFT_RETIRED;
}

/* The local APIC has CR8: the core reads and writes it. */
static enum soft_result exit_cr8(struct soft_vcpu *c, const struct decode_insn *insn,
				 enum exit_kind kind, unsigned reg)
{
	soft_exit(c, kind, insn->length);
	c->exit->reg = (uint8_t)reg;
	return SOFT_STOPPED;
}

static enum soft_result mov_cr(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	bool write = insn->operand[0].class == DECODE_CONTROL;
	unsigned cr = insn->operand[write ? 0 : 1].reg, reg = insn->operand[write ? 1 : 0].reg;
	uint64_t value = c->long64 ? state->gpr[reg] : (uint32_t)state->gpr[reg];

	switch (cr) {
	case 0:
		if (write)
			return write_cr0(c, value);
		value = state->cr0;
		break;
	case 2:
		if (write) {
			state->cr2 = value;
			return SOFT_RETIRED;
		}
		value = state->cr2;
		break;
	case 3:
		if (write)
			return write_cr3(c, value);
		value = state->cr3;
		break;
	case 4:
		if (write)
			return write_cr4(c, value);
		value = state->cr4;
		break;
	case 8:
		return exit_cr8(c, insn, write ? EXIT_CR8_WRITE : EXIT_CR8_READ, reg);
	default:
		return system_ud(c);
	}
	state->gpr[reg] = c->long64 ? value : (uint32_t)value;
	return SOFT_RETIRED;
}

/* LMSW can set PE, and not clear it. */
static enum soft_result lmsw(struct soft_vcpu *c, const struct decode_insn *insn)
{
	uint64_t cr0 = c->vcpu.state.cr0;
	uint64_t value;

	if (!operand_read(c, insn, 0, 2, &value))
		return SOFT_STOPPED;
	return write_cr0(c, (cr0 & ~(CR0_LMSW & ~CR0_PE)) | (value & CR0_LMSW));
}

static enum soft_result clts(struct soft_vcpu *c, const struct decode_insn *insn)
{
	(void)insn;
	c->vcpu.state.cr0 &= ~CR0_TS;
	return SOFT_RETIRED;
}

static enum soft_result invlpg(struct soft_vcpu *c, const struct decode_insn *insn)
{
	unsigned segment = insn->memory.segment;
	uint64_t linear = operand_offset(c, insn);

	if (!c->long64)
		linear = (uint32_t)(linear + c->vcpu.state.segment[segment].base);
	else if (segment == CPU_FS || segment == CPU_GS)
		linear += c->vcpu.state.segment[segment].base;
	soft_tlb_flush_page(c, linear); /* what isn't canonical is in no TLB */
	return SOFT_RETIRED;
}

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL, INVPCID_ALL_NONGLOBAL };

static enum soft_result invpcid(struct soft_vcpu *c, const struct decode_insn *insn)
{
	uint64_t type = system_truncate(c->vcpu.state.gpr[insn->operand[0].reg], c->long64 ? 8 : 4);
	uint64_t descriptor[2]; /* PCID, linear address */

	if (!soft_read(c, insn->memory.segment, operand_offset(c, insn), descriptor,
		       sizeof(descriptor)))
		return SOFT_STOPPED;
	if (type > INVPCID_ALL_NONGLOBAL || descriptor[0] & ~CR3_PCID_MASK ||
	    (type == INVPCID_ADDRESS && !soft_canonical(c, descriptor[1])) ||
	    (type <= INVPCID_CONTEXT && descriptor[0] && !(c->vcpu.state.cr4 & CR4_PCIDE)))
		return system_gp(c);
	switch (type) {
	case INVPCID_ADDRESS:
		soft_tlb_flush_page(c, descriptor[1]);
		break;
	case INVPCID_CONTEXT:
		soft_tlb_flush_pcid(c, (unsigned)descriptor[0]);
		break;
	default:
		soft_tlb_flush_all(c);
	}
	return SOFT_RETIRED;
}

/* Caches hold nothing that memory doesn't. */
static enum soft_result invalidate_caches(struct soft_vcpu *c, const struct decode_insn *insn)
{
	(void)c;
	(void)insn;
	return SOFT_RETIRED;
}

soft_system_op *control_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_MOV_CR:
		return mov_cr;
	case OP_LMSW:
		return lmsw;
	case OP_CLTS:
		return clts;
	case OP_INVLPG:
		return invlpg;
	case OP_INVPCID:
		return invpcid;
	case OP_INVD:
	case OP_WBINVD:
	case OP_WBNOINVD:
		return invalidate_caches;
	default:
		return NULL;
	}
}
