/* SPDX-License-Identifier: MIT */
/*
 * exits.c - instructions that the core finishes, and small ones that ask what the system is like.
 * APM3 and SDM volume 2, under their names.
 */
#include "hypervisor/x86/soft/system.h"

#define CLZERO_SIZE 64 /* a cache line */

static enum soft_result exit_instruction(struct soft_vcpu *c, const struct decode_insn *insn)
{
	enum exit_kind kind;

	switch (insn->op) {
	case OP_CPUID:
		kind = EXIT_CPUID;
		break;
	case OP_RDMSR:
		kind = EXIT_MSR_READ;
		break;
	case OP_WRMSR:
		kind = EXIT_MSR_WRITE;
		break;
	case OP_HLT:
		kind = EXIT_HLT;
		break;
	default:
		kind = EXIT_HYPERCALL;
	}
	soft_exit(c, kind, insn->length);
	return SOFT_STOPPED;
}

static enum soft_result xsetbv(struct soft_vcpu *c, const struct decode_insn *insn)
{
	if (!(c->vcpu.state.cr4 & CR4_OSXSAVE))
		return system_ud(c);
	soft_exit(c, EXIT_XSETBV, insn->length);
	return SOFT_STOPPED;
}

static void set_edx_eax(struct soft_vcpu *c, uint64_t value)
{
	c->vcpu.state.gpr[CPU_RAX] = (uint32_t)value;
	c->vcpu.state.gpr[CPU_RDX] = value >> 32;
}

/* XCR0, and (1) which of its components are not in their initial state. */
static enum soft_result xgetbv(struct soft_vcpu *c, const struct decode_insn *insn)
{
	const struct cpu_state *state = &c->vcpu.state;
	uint64_t in_use;

	(void)insn;
	if (!(state->cr4 & CR4_OSXSAVE))
		return system_ud(c);
	switch ((uint32_t)state->gpr[CPU_RCX]) {
	case 0:
		set_edx_eax(c, state->xcr0);
		return SOFT_RETIRED;
	case 1:
		__builtin_memcpy(&in_use, state->xsave + CPU_XSAVE_HEADER, sizeof(in_use));
		set_edx_eax(c, state->xcr0 & in_use);
		return SOFT_RETIRED;
	default:
		return system_gp(c);
	}
}

static enum soft_result pkru(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;

	if (!(state->cr4 & CR4_PKE))
		return system_ud(c);
	if ((uint32_t)state->gpr[CPU_RCX] ||
	    (insn->op == OP_WRPKRU && (uint32_t)state->gpr[CPU_RDX]))
		return system_gp(c);
	if (insn->op == OP_WRPKRU)
		state->pkru = (uint32_t)state->gpr[CPU_RAX];
	else
		set_edx_eax(c, state->pkru);
	return SOFT_RETIRED;
}

static enum soft_result rdpid(struct soft_vcpu *c, const struct decode_insn *insn)
{
	register_write(c, insn->operand[0].reg, insn->operand[0].size, c->vcpu.state.tsc_aux);
	return SOFT_RETIRED;
}

/* There are no performance counters: whatever ECX says is wrong. */
static enum soft_result rdpmc(struct soft_vcpu *c, const struct decode_insn *insn)
{
	(void)insn;
	return system_gp(c);
}

static enum soft_result clzero(struct soft_vcpu *c, const struct decode_insn *insn)
{
	static const uint8_t zeros[CLZERO_SIZE];
	uint64_t offset = system_truncate(c->vcpu.state.gpr[CPU_RAX], insn->address_size);
	unsigned segment =
		insn->segment_override == DECODE_NO_REG ? CPU_DS : insn->segment_override;

	return soft_write(c, segment, offset & ~(uint64_t)(CLZERO_SIZE - 1), zeros, sizeof(zeros))
		       ? SOFT_RETIRED
		       : SOFT_STOPPED;
}

soft_system_op *exits_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_CPUID:
	case OP_RDMSR:
	case OP_WRMSR:
	case OP_HLT:
	case OP_VMCALL:
	case OP_VMMCALL:
		return exit_instruction;
	case OP_XSETBV:
		return xsetbv;
	case OP_XGETBV:
		return xgetbv;
	case OP_RDPKRU:
	case OP_WRPKRU:
		return pkru;
	case OP_RDPID:
		return rdpid;
	case OP_RDPMC:
		return rdpmc;
	case OP_CLZERO:
		return clzero;
	default:
		return NULL;
	}
}
