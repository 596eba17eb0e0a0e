/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - SYSCALL, SYSRET, SYSENTER and SYSEXIT: to and from level 0 without a look at any
 * descriptor.  APM3 and SDM volume 2, under their names; where the two makers differ, the guest's
 * CPUID says which one it believes to run on.
 */
#include "hypervisor/x86/soft/system.h"

#define STAR_SYSCALL_SHIFT 32
#define STAR_SYSRET_SHIFT 48

/* What selectors stand at from those that the MSRs hold. */
#define SYSCALL_SS 8
#define SYSRET_SS 8
#define SYSRET_CS64 16
#define SYSENTER_SS 8
#define SYSEXIT_CS 16
#define SYSEXIT_SS 24
#define SYSEXIT_CS64 32
#define SYSEXIT_SS64 40

/* A flat code segment and its level: the CPU makes them up. */
static void set_code(struct soft_vcpu *c, uint64_t selector, unsigned cpl, bool wide)
{
	c->vcpu.state.segment[CPU_CS] = (struct cpu_segment){
		.limit = UINT32_MAX,
		.selector = (uint16_t)((selector & ~(uint64_t)SELECTOR_RPL) | cpl),
		.type = SEGMENT_TYPE_CODE_READABLE,
		.dpl = (uint8_t)cpl,
		.s = true,
		.present = true,
		.l = wide,
		.db = !wide,
		.g = true,
	};
	c->vcpu.state.cpl = (uint8_t)cpl;
}

static void set_stack(struct soft_vcpu *c, uint64_t selector, unsigned cpl)
{
	c->vcpu.state.segment[CPU_SS] = (struct cpu_segment){
		.limit = UINT32_MAX,
		.selector = (uint16_t)((selector & ~(uint64_t)SELECTOR_RPL) | cpl),
		.type = SEGMENT_TYPE_DATA_WRITABLE,
		.dpl = (uint8_t)cpl,
		.s = true,
		.present = true,
		.db = true,
		.g = true,
	};
}

static enum soft_result syscall(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t selector = state->star >> STAR_SYSCALL_SHIFT & 0xffff;
	uint64_t rflags = soft_flags_get(c) & ~RFLAGS_RF;
	uint64_t next = system_next_rip(c, insn);

	if (!(state->efer & EFER_SCE))
		return system_ud(c);
	if (!c->long64 && (!(state->cr0 & CR0_PE) || !c->amd))
		return system_ud(c);
	state->gpr[CPU_RCX] = next;
	if (system_long_mode(c)) {
		state->gpr[CPU_R11] = rflags;
		state->rip = c->long64 ? state->lstar : state->cstar;
		c->traced = rflags & state->sfmask & RFLAGS_TF;
		rflags = (rflags & ~state->sfmask) | RFLAGS_RESERVED_ONE;
	} else {
		state->rip = (uint32_t)state->star;
		rflags &= ~(RFLAGS_IF | RFLAGS_VM);
	}
	set_code(c, selector, 0, system_long_mode(c));
	set_stack(c, selector + SYSCALL_SS, 0);
	soft_flags_put(c, rflags);
	return SOFT_JUMPED;
}

static enum soft_result sysret(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	uint64_t selector = state->star >> STAR_SYSRET_SHIFT;
	bool wide = c->long64 && insn->operand_size == 8;
	uint64_t rip = state->gpr[CPU_RCX];

	if (!(state->efer & EFER_SCE) || (!c->long64 && !c->amd))
		return system_ud(c);
	if (!(state->cr0 & CR0_PE))
		return system_gp(c);
	/* AMD's let the guest's next instruction fault, at its own level. */
	if (wide && !soft_canonical(c, rip) && !c->amd)
		return system_gp(c);
	if (system_long_mode(c))
		soft_flags_put(c,
			       (state->gpr[CPU_R11] & RFLAGS_LOADABLE & ~(RFLAGS_RF | RFLAGS_VM)) |
				       RFLAGS_RESERVED_ONE);
	else
		soft_flags_put(c, soft_flags_get(c) | RFLAGS_IF);
	/* A single step counts from here if TF comes back. */
	if (state->rflags & RFLAGS_TF)
		c->debug_hits |= DR6_BS;
	state->rip = wide ? rip : (uint32_t)rip;
	set_code(c, wide ? selector + SYSRET_CS64 : selector, 3, wide);
	set_stack(c, selector + SYSRET_SS, 3);
	return SOFT_JUMPED;
}

/* AMD's have these two in legacy mode only. */
static bool sysenter_offered(const struct soft_vcpu *c)
{
	return !system_long_mode(c) || !c->amd;
}

static enum soft_result sysenter(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	bool wide = system_long_mode(c);

	(void)insn;
	if (!sysenter_offered(c))
		return system_ud(c);
	if (!(state->cr0 & CR0_PE) || selector_is_null((uint16_t)state->sysenter_cs))
		return system_gp(c);
	soft_flags_put(c, soft_flags_get(c) & ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF));
	state->rip = wide ? state->sysenter_eip : (uint32_t)state->sysenter_eip;
	state->gpr[CPU_RSP] = wide ? state->sysenter_esp : (uint32_t)state->sysenter_esp;
	set_code(c, state->sysenter_cs, 0, wide);
	set_stack(c, (state->sysenter_cs & ~(uint64_t)SELECTOR_RPL) + SYSENTER_SS, 0);
	return SOFT_JUMPED;
}

static enum soft_result sysexit(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	bool wide = c->long64 && insn->operand_size == 8;
	uint64_t rip = state->gpr[CPU_RDX], rsp = state->gpr[CPU_RCX];
	uint64_t selector = state->sysenter_cs & ~(uint64_t)SELECTOR_RPL;

	if (!sysenter_offered(c))
		return system_ud(c);
	if (!(state->cr0 & CR0_PE) || selector_is_null((uint16_t)state->sysenter_cs) ||
	    (wide && (!soft_canonical(c, rip) || !soft_canonical(c, rsp))))
		return system_gp(c);
	state->rip = wide ? rip : (uint32_t)rip;
	state->gpr[CPU_RSP] = wide ? rsp : (uint32_t)rsp;
	set_code(c, selector + (wide ? SYSEXIT_CS64 : SYSEXIT_CS), 3, wide);
	set_stack(c, selector + (wide ? SYSEXIT_SS64 : SYSEXIT_SS), 3);
	return SOFT_JUMPED;
}

soft_system_op *syscall_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_SYSCALL:
		return syscall;
	case OP_SYSRET:
		return sysret;
	case OP_SYSENTER:
		return sysenter;
	case OP_SYSEXIT:
		return sysexit;
	default:
		return NULL;
	}
}
