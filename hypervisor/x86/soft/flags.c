/* SPDX-License-Identifier: MIT */
/*
 * flags.c - RFLAGS as a whole and what handles it: PUSHF, POPF, LAHF, SAHF, CLC, STC, CMC, CLD,
 * STD, CLI, STI, CLAC, STAC.
 */
#include "hypervisor/x86/soft/integer.h"

#define ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define LAHF_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF)
#define VALID                                                                                      \
	(ARITHMETIC | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF |    \
	 RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)
/* What PUSHF shows of RF and VM: nothing. */
#define PUSHED (~(RFLAGS_RF | RFLAGS_VM))
#define IOPL_MAX 3u

uint64_t soft_flags_get(const struct soft_vcpu *c)
{
	uint64_t rflags = c->vcpu.state.rflags & ~ARITHMETIC;

	rflags |= c->flags >> 8 & LAHF_FLAGS;
	return rflags | (c->flags & SOFT_FLAG_OF ? RFLAGS_OF : 0) | RFLAGS_RESERVED_ONE;
}

void soft_flags_load(struct soft_vcpu *c)
{
	uint64_t rflags = c->vcpu.state.rflags;

	c->flags = (uint16_t)((rflags & LAHF_FLAGS) << 8 | 0x200 | (rflags & RFLAGS_OF ? 1 : 0));
}

void soft_flags_sync(struct soft_vcpu *c)
{
	c->vcpu.state.rflags = soft_flags_get(c);
}

void soft_flags_put(struct soft_vcpu *c, uint64_t rflags)
{
	c->vcpu.state.rflags = (rflags & VALID) | RFLAGS_RESERVED_ONE;
	soft_flags_load(c);
}

static unsigned iopl(const struct soft_vcpu *c)
{
	return (c->vcpu.state.rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT;
}

static bool is_virtual_8086(const struct soft_vcpu *c)
{
	return c->vcpu.state.rflags & RFLAGS_VM;
}

static void fault(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_fault_error(c, CPU_VECTOR_GP, 0);
	soft_stop(c, op);
}

/* --- PUSHF, POPF; in virtual-8086 mode with CR4.VME, VIF stands for IF (Intel SDM volume 3, 20.3)
 * --- */

static void pushf(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t rflags = soft_flags_get(c) & PUSHED;

	if (is_virtual_8086(c) && iopl(c) < IOPL_MAX) {
		if (!(c->vcpu.state.cr4 & CR4_VME) || op->size != 2) {
			fault(c, op);
			return;
		}
		rflags = (rflags & ~RFLAGS_IF) | RFLAGS_IOPL;
		if (c->vcpu.state.rflags & RFLAGS_VIF)
			rflags |= RFLAGS_IF;
	}
	if (!soft_push(c, rflags, op->size)) {
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

/* What of RFLAGS POPF may change here. */
static uint64_t changeable(const struct soft_vcpu *c, unsigned size)
{
	uint64_t mask = ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;

	if (size > 2)
		mask |= RFLAGS_AC | RFLAGS_ID;
	if (c->vcpu.state.cpl == 0)
		mask |= RFLAGS_IOPL;
	if (c->vcpu.state.cpl <= iopl(c))
		mask |= RFLAGS_IF;
	return mask;
}

/* Virtual-8086 mode with VME, IOPL below 3. */
static bool popf_virtual(struct soft_vcpu *c, uint64_t value)
{
	uint64_t mask = ARITHMETIC | RFLAGS_DF | RFLAGS_NT;
	uint64_t rflags = soft_flags_get(c);

	if ((value & RFLAGS_TF) || ((value & RFLAGS_IF) && (rflags & RFLAGS_VIP))) {
		soft_fault_error(c, CPU_VECTOR_GP, 0);
		return false;
	}
	rflags = (rflags & ~mask & ~RFLAGS_VIF) | (value & mask);
	soft_flags_put(c, rflags | (value & RFLAGS_IF ? RFLAGS_VIF : 0));
	return true;
}

/* Goes on in the block if nothing that others look at was changed. */
static void popf_done(struct soft_vcpu *c, const struct soft_op *op, uint64_t old)
{
	uint64_t now = c->vcpu.state.rflags;

	if (!((now ^ old) & (RFLAGS_TF | RFLAGS_AC)) && !(now & ~old & RFLAGS_IF) &&
	    !(now & RFLAGS_TF)) {
		soft_next(c, op);
		return;
	}
	soft_done(c, op);
	soft_changed(c);
}

/* false: it stops. */
static SOFT_APART bool popf_work(struct soft_vcpu *c, const struct soft_op *op)
{
	bool virtual = is_virtual_8086(c) && iopl(c) < IOPL_MAX;
	uint64_t rsp = c->vcpu.state.gpr[CPU_RSP], value, mask;

	if (virtual && (!(c->vcpu.state.cr4 & CR4_VME) || op->size != 2)) {
		soft_fault_error(c, CPU_VECTOR_GP, 0);
		return false;
	}
	if (!soft_pop(c, &value, op->size))
		return false;
	if (virtual && !popf_virtual(c, value)) {
		c->vcpu.state.gpr[CPU_RSP] = rsp;
		return false;
	}
	if (!virtual) {
		mask = changeable(c, op->size);
		soft_flags_put(c, ((soft_flags_get(c) & ~mask) | (value & mask)) & ~RFLAGS_RF);
	}
	return true;
}

static void popf(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t old = c->vcpu.state.rflags;

	if (SOFT_UNLIKELY(!popf_work(c, op))) {
		soft_stop(c, op);
		return;
	}
	popf_done(c, op, old);
}

/* --- CLI, STI
 * ----------------------------------------------------------------------------------- */

/* Whether the virtual flag is meant: protected mode's PVI at CPL 3, or VME; else a #GP if not
 * allowed. */
static bool is_interrupt_flag_virtual(const struct soft_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;

	if (is_virtual_8086(c))
		return s->cr4 & CR4_VME;
	return s->cpl == 3 && (s->cr4 & CR4_PVI);
}

static bool is_privileged_enough(const struct soft_vcpu *c)
{
	return !(c->vcpu.state.cr0 & CR0_PE) || c->vcpu.state.cpl <= iopl(c);
}

static void cli(struct soft_vcpu *c, const struct soft_op *op)
{
	if (SOFT_LIKELY(is_privileged_enough(c))) {
		c->vcpu.state.rflags &= ~RFLAGS_IF;
	} else if (is_interrupt_flag_virtual(c)) {
		c->vcpu.state.rflags &= ~RFLAGS_VIF;
	} else {
		fault(c, op);
		return;
	}
	soft_next(c, op);
}

static void sti(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t *rflags = &c->vcpu.state.rflags;

	if (SOFT_LIKELY(is_privileged_enough(c))) {
		if (!(*rflags & RFLAGS_IF))
			c->vcpu.state.sti_shadow = true;
		*rflags |= RFLAGS_IF;
	} else if (is_interrupt_flag_virtual(c) && !(*rflags & RFLAGS_VIP)) {
		*rflags |= RFLAGS_VIF;
	} else {
		fault(c, op);
		return;
	}
	soft_done(c, op);
}

/* --- AC
 * ----------------------------------------------------------------------------------------- */

static void set_ac(struct soft_vcpu *c, const struct soft_op *op, bool set)
{
	uint64_t *rflags = &c->vcpu.state.rflags;

	if (!(c->vcpu.state.cr0 & CR0_PE) || c->vcpu.state.cpl != 0) {
		soft_fault(c, CPU_VECTOR_UD);
		soft_stop(c, op);
		return;
	}
	*rflags = set ? *rflags | RFLAGS_AC : *rflags & ~RFLAGS_AC;
	soft_tlb_set_view(c);
	soft_next(c, op);
}

static void clac(struct soft_vcpu *c, const struct soft_op *op)
{
	set_ac(c, op, false);
}

static void stac(struct soft_vcpu *c, const struct soft_op *op)
{
	set_ac(c, op, true);
}

/* --- The simple ones
 * ---------------------------------------------------------------------------- */

static void lahf(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_put8(c, CPU_RAX * 8 + 1, (uint8_t)(c->flags >> 8));
	soft_next(c, op);
}

static void sahf(struct soft_vcpu *c, const struct soft_op *op)
{
	uint8_t ah = soft_get8(c, CPU_RAX * 8 + 1);

	c->flags = (uint16_t)((c->flags & SOFT_FLAG_OF) | (ah & LAHF_FLAGS) << 8 | 0x200);
	soft_next(c, op);
}

static void clc(struct soft_vcpu *c, const struct soft_op *op)
{
	c->flags &= (uint16_t)~SOFT_FLAG_CF;
	soft_next(c, op);
}

static void stc(struct soft_vcpu *c, const struct soft_op *op)
{
	c->flags |= SOFT_FLAG_CF;
	soft_next(c, op);
}

static void cmc(struct soft_vcpu *c, const struct soft_op *op)
{
	c->flags ^= SOFT_FLAG_CF;
	soft_next(c, op);
}

static void cld(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.rflags &= ~RFLAGS_DF;
	soft_next(c, op);
}

static void std(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.rflags |= RFLAGS_DF;
	soft_next(c, op);
}

static soft_handler *handler_of(uint16_t op)
{
	switch (op) {
	case OP_PUSHF:
		return pushf;
	case OP_POPF:
		return popf;
	case OP_CLI:
		return cli;
	case OP_STI:
		return sti;
	case OP_CLAC:
		return clac;
	case OP_STAC:
		return stac;
	case OP_LAHF:
		return lahf;
	case OP_SAHF:
		return sahf;
	case OP_CLC:
		return clc;
	case OP_STC:
		return stc;
	case OP_CMC:
		return cmc;
	case OP_CLD:
		return cld;
	case OP_STD:
		return std;
	default:
		return NULL;
	}
}

bool soft_compile_flags(struct soft_compile *k, const struct decode_insn *insn)
{
	soft_handler *handler = handler_of(insn->op);

	if (!handler)
		return false;
	soft_compile_op(k)->size = insn->stack_size;
	soft_compile_emit(k, handler);
	k->ended = insn->op == OP_STI;
	return true;
}
