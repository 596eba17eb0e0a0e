/* SPDX-License-Identifier: MIT */
/*
 * table.c - the descriptor tables' registers, and the instructions that look descriptors up for
 * the guest.  APM3 and SDM volume 2, under the instructions' names.
 */
#include "hypervisor/x86/soft/system.h"

/* User-mode instruction prevention: what tells of the system's tables is CPL 0's alone (SDM volume
 * 3, section 2.5). */
static bool prevented(struct soft_vcpu *c)
{
	return c->vcpu.state.cr4 & CR4_UMIP && c->vcpu.state.cpl > 0;
}

static enum soft_result store_table(struct soft_vcpu *c, const struct decode_insn *insn)
{
	const struct cpu_table *table =
		insn->op == OP_SGDT ? &c->vcpu.state.gdtr : &c->vcpu.state.idtr;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) image = {table->limit, table->base};

	if (prevented(c))
		return system_gp(c);
	return soft_write(c, insn->memory.segment, operand_offset(c, insn), &image,
			  c->long64 ? 10 : 6)
		       ? SOFT_RETIRED
		       : SOFT_STOPPED;
}

static enum soft_result load_table(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_table *table = insn->op == OP_LGDT ? &c->vcpu.state.gdtr : &c->vcpu.state.idtr;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) image = {0, 0};

	if (!soft_read(c, insn->memory.segment, operand_offset(c, insn), &image,
		       c->long64 ? 10 : 6))
		return SOFT_STOPPED;
	if (!c->long64 && insn->operand_size == 2)
		image.base &= 0xffffff;
	if (c->long64 && !soft_canonical(c, image.base))
		return system_gp(c);
	table->limit = image.limit;
	table->base = image.base;
	return SOFT_RETIRED;
}

static enum soft_result store_selector(struct soft_vcpu *c, const struct decode_insn *insn)
{
	uint16_t selector =
		insn->op == OP_SLDT ? c->vcpu.state.ldtr.selector : c->vcpu.state.tr.selector;

	if (prevented(c))
		return system_gp(c);
	return operand_write(c, insn, 0, insn->operand[0].size, selector) ? SOFT_RETIRED
									  : SOFT_STOPPED;
}

/* SMSW gives as much of CR0 as its operand holds. */
static enum soft_result smsw(struct soft_vcpu *c, const struct decode_insn *insn)
{
	if (prevented(c))
		return system_gp(c);
	return operand_write(c, insn, 0, insn->operand[0].size, c->vcpu.state.cr0) ? SOFT_RETIRED
										   : SOFT_STOPPED;
}

/* A system descriptor for LLDT or LTR: in the GDT, of 16 bytes in long mode. */
static bool fetch_system(struct soft_vcpu *c, uint16_t selector, struct descriptor *d)
{
	if (selector & SELECTOR_LDT)
		return system_fault(c, CPU_VECTOR_GP, selector);
	if (!descriptor_fetch(c, selector, CPU_VECTOR_GP, d))
		return false;
	return !system_long_mode(c) || descriptor_fetch_high(c, CPU_VECTOR_GP, d);
}

/* In long mode the base must be canonical, and the type of the second half 0. */
static bool check_long(struct soft_vcpu *c, const struct descriptor *d)
{
	if (!system_long_mode(c))
		return true;
	if (d->high >> 32 & 0x1f00 || !soft_canonical(c, descriptor_base(d)))
		return system_fault(c, CPU_VECTOR_GP, d->selector);
	return true;
}

static bool check_ldt(struct soft_vcpu *c, uint16_t selector, struct cpu_segment *ldtr)
{
	struct descriptor d;

	if (selector_is_null(selector)) {
		segment_set_null(ldtr, selector);
		return true;
	}
	if (!fetch_system(c, selector, &d))
		return false;
	if (descriptor_is_segment(&d) || descriptor_type(&d) != SYSTEM_TYPE_LDT)
		return system_fault(c, CPU_VECTOR_GP, selector);
	if (!descriptor_present(&d))
		return system_fault(c, CPU_VECTOR_NP, selector);
	if (!check_long(c, &d))
		return false;
	segment_from_descriptor(ldtr, &d, selector);
	return true;
}

static enum soft_result lldt(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_segment ldtr;
	uint64_t selector;

	if (!operand_read(c, insn, 0, 2, &selector) || !check_ldt(c, (uint16_t)selector, &ldtr))
		return SOFT_STOPPED;
	c->vcpu.state.ldtr = ldtr;
	return SOFT_RETIRED;
}

static enum soft_result ltr(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct descriptor d;
	uint64_t value;
	uint16_t selector;
	unsigned type;

	if (!operand_read(c, insn, 0, 2, &value))
		return SOFT_STOPPED;
	selector = (uint16_t)value;
	if (selector_is_null(selector))
		return system_gp(c);
	if (!fetch_system(c, selector, &d))
		return SOFT_STOPPED;
	type = descriptor_type(&d);
	if (descriptor_is_segment(&d) ||
	    !(type == SYSTEM_TYPE_TSS32 || (type == SYSTEM_TYPE_TSS16 && !system_long_mode(c)))) {
		system_fault(c, CPU_VECTOR_GP, selector);
		return SOFT_STOPPED;
	}
	if (!descriptor_present(&d)) {
		system_fault(c, CPU_VECTOR_NP, selector);
		return SOFT_STOPPED;
	}
	if (!check_long(c, &d) || !descriptor_set_busy(c, d.linear, true))
		return SOFT_STOPPED;
	d.low |= DESCRIPTOR_TSS_BUSY;
	segment_from_descriptor(&c->vcpu.state.tr, &d, selector);
	return SOFT_RETIRED;
}

enum look_up { LOOK_LAR, LOOK_LSL, LOOK_READ, LOOK_WRITE };

/* Which system descriptors LAR and LSL tell of: APM3, their tables. */
static bool tells_of_system(const struct soft_vcpu *c, enum look_up what, unsigned type)
{
	switch (type) {
	case SYSTEM_TYPE_LDT:
	case SYSTEM_TYPE_TSS32:
	case SYSTEM_TYPE_TSS32_BUSY:
		return true;
	case SYSTEM_TYPE_TSS16:
	case SYSTEM_TYPE_TSS16_BUSY:
		return !system_long_mode(c);
	case SYSTEM_TYPE_CALL_GATE32:
		return what == LOOK_LAR;
	case SYSTEM_TYPE_CALL_GATE16:
	case SYSTEM_TYPE_TASK_GATE:
		return what == LOOK_LAR && !system_long_mode(c);
	default:
		return false;
	}
}

/* Whether the current level sees the descriptor; *seen false is no fault. */
static bool look_up(struct soft_vcpu *c, enum look_up what, uint16_t selector, struct descriptor *d,
		    bool *seen)
{
	const struct cpu_state *state = &c->vcpu.state;
	uint32_t limit = state->gdtr.limit;
	unsigned type, dpl;

	*seen = false;
	if (selector & SELECTOR_LDT)
		limit = state->ldtr.limit;
	if (selector_is_null(selector) || (selector & SELECTOR_LDT && state->ldtr.unusable) ||
	    (uint32_t)(selector & SELECTOR_INDEX) + 7 > limit)
		return true;
	if (!descriptor_fetch(c, selector, CPU_VECTOR_GP, d))
		return false;
	type = descriptor_type(d);
	dpl = descriptor_dpl(d);
	if (!descriptor_is_conforming(d) && (dpl < state->cpl || dpl < (selector & SELECTOR_RPL)))
		return true;
	if (!descriptor_is_segment(d)) {
		if (what == LOOK_READ || what == LOOK_WRITE || !tells_of_system(c, what, type))
			return true;
		if (system_long_mode(c) && type != SYSTEM_TYPE_LDT &&
		    ((uint32_t)(selector & SELECTOR_INDEX) + 15 > limit))
			return true;
	}
	if (what == LOOK_READ && descriptor_is_code(d) && !(type & SEGMENT_TYPE_READABLE))
		return true;
	if (what == LOOK_WRITE && !descriptor_is_writable_data(d))
		return true;
	*seen = true;
	return true;
}

static void set_zero_flag(struct soft_vcpu *c, bool value)
{
	uint64_t rflags = soft_flags_get(c) & ~RFLAGS_ZF;

	soft_flags_put(c, value ? rflags | RFLAGS_ZF : rflags);
}

/* LAR's mask: type to P, and AVL to G; limit bits 19 to 16 are undefined, and read as they are. */
#define LAR_MASK UINT32_C(0x00ffff00)

static enum soft_result lar_lsl(struct soft_vcpu *c, const struct decode_insn *insn)
{
	bool lar = insn->op == OP_LAR;
	struct descriptor d;
	uint64_t selector;
	bool seen;

	if (!operand_read(c, insn, 1, 2, &selector) ||
	    !look_up(c, lar ? LOOK_LAR : LOOK_LSL, (uint16_t)selector, &d, &seen))
		return SOFT_STOPPED;
	if (seen)
		register_write(c, insn->operand[0].reg, insn->operand_size,
			       lar ? d.low >> 32 & LAR_MASK : descriptor_limit(&d));
	set_zero_flag(c, seen);
	return SOFT_RETIRED;
}

static enum soft_result verify(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct descriptor d;
	uint64_t selector;
	bool seen;

	if (!operand_read(c, insn, 0, 2, &selector) ||
	    !look_up(c, insn->op == OP_VERR ? LOOK_READ : LOOK_WRITE, (uint16_t)selector, &d,
		     &seen))
		return SOFT_STOPPED;
	set_zero_flag(c, seen);
	return SOFT_RETIRED;
}

static enum soft_result arpl(struct soft_vcpu *c, const struct decode_insn *insn)
{
	uint64_t selector, rpl = c->vcpu.state.gpr[insn->operand[1].reg] & SELECTOR_RPL;
	bool raise;

	if (!operand_read(c, insn, 0, 2, &selector))
		return SOFT_STOPPED;
	raise = (selector & SELECTOR_RPL) < rpl;
	if (raise && !operand_write(c, insn, 0, 2, (selector & ~(uint64_t)SELECTOR_RPL) | rpl))
		return SOFT_STOPPED;
	set_zero_flag(c, raise);
	return SOFT_RETIRED;
}

soft_system_op *table_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_SGDT:
	case OP_SIDT:
		return store_table;
	case OP_LGDT:
	case OP_LIDT:
		return load_table;
	case OP_SLDT:
	case OP_STR:
		return store_selector;
	case OP_SMSW:
		return smsw;
	case OP_LLDT:
		return lldt;
	case OP_LTR:
		return ltr;
	case OP_LAR:
	case OP_LSL:
		return lar_lsl;
	case OP_VERR:
	case OP_VERW:
		return verify;
	case OP_ARPL:
		return arpl;
	default:
		return NULL;
	}
}
