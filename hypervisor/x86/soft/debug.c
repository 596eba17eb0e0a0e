/* SPDX-License-Identifier: MIT */
/*
 * debug.c - breakpoints and single steps, the guest's own and those of a debugger outside; MOV to
 * and from debug registers.  APM2 section 13.1; SDM volume 3, chapter 17.
 *
 * A debugger outside that asked for hardware breakpoints has the debug registers for itself: the
 * guest's keep their values, without effect.
 */
#include "hypervisor/x86/soft/system.h"

#define BREAKPOINTS 4

static const uint64_t *breakpoint_addresses(const struct soft_vcpu *c)
{
	return c->vcpu.debug_hardware ? c->vcpu.debug_dr : c->vcpu.state.dr;
}

static uint64_t breakpoint_control(const struct soft_vcpu *c)
{
	return c->vcpu.debug_hardware ? c->vcpu.debug_dr7 : c->vcpu.state.dr7;
}

/* LEN's four values, in bytes. */
static uint64_t breakpoint_length(uint64_t dr7, unsigned i)
{
	static const uint8_t length[] = {1, 2, 8, 4};

	return length[DR7_LENGTH(dr7, i)];
}

static bool is_enabled(uint64_t dr7, unsigned i, unsigned type)
{
	return dr7 & DR7_ENABLE(i) && DR7_TYPE(dr7, i) == type;
}

static bool is_data(uint64_t dr7, unsigned i)
{
	return is_enabled(dr7, i, DR7_TYPE_WRITE) || is_enabled(dr7, i, DR7_TYPE_ACCESS);
}

/* Whether breakpoint i, aligned as it always is, lies in size bytes at address. */
static bool overlaps(const struct soft_vcpu *c, uint64_t dr7, unsigned i, uint64_t address,
		     uint64_t size)
{
	uint64_t length = breakpoint_length(dr7, i);
	uint64_t first = breakpoint_addresses(c)[i] & ~(length - 1);

	return first - address < size || address - first < length;
}

bool soft_debug_watching(const struct soft_vcpu *c)
{
	uint64_t dr7 = breakpoint_control(c);

	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (is_data(dr7, i))
			return true;
	return false;
}

bool soft_debug_watched(const struct soft_vcpu *c, uint64_t linear)
{
	uint64_t dr7 = breakpoint_control(c);

	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (is_data(dr7, i) && overlaps(c, dr7, i, linear & ~PAGE_MASK, PAGE_SIZE))
			return true;
	return false;
}

void soft_debug_data(struct soft_vcpu *c, uint64_t linear, size_t size, bool write)
{
	uint64_t dr7 = breakpoint_control(c);

	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if ((is_enabled(dr7, i, DR7_TYPE_ACCESS) ||
		     (write && is_enabled(dr7, i, DR7_TYPE_WRITE))) &&
		    overlaps(c, dr7, i, linear, size))
			c->debug_hits |= DR6_B0 << i;
}

void soft_debug_port(struct soft_vcpu *c, uint16_t port, uint8_t size)
{
	uint64_t dr7 = breakpoint_control(c);

	if (!(c->vcpu.state.cr4 & CR4_DE))
		return;
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (is_enabled(dr7, i, DR7_TYPE_IO) && overlaps(c, dr7, i, port, size))
			c->debug_hits |= DR6_B0 << i;
}

bool soft_debug_fetching(const struct soft_vcpu *c)
{
	uint64_t dr7 = breakpoint_control(c);

	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (is_enabled(dr7, i, DR7_TYPE_EXECUTE))
			return true;
	return false;
}

static uint64_t linear_rip(const struct soft_vcpu *c)
{
	const struct cpu_state *state = &c->vcpu.state;

	return c->long64 ? state->rip : (uint32_t)(state->segment[CPU_CS].base + state->rip);
}

static void exit_debug(struct soft_vcpu *c, uint64_t hits)
{
	soft_exit(c, EXIT_DEBUG, 0);
	c->exit->debug.vector = CPU_VECTOR_DB;
	c->exit->debug.dr6 = DR6_ONES | hits;
	c->exit->debug.dr7 = breakpoint_control(c);
	c->exit->debug.rip = linear_rip(c);
}

/* The guest's #DB: the four B bits are of this one alone, the others stay until it clears them. */
static void raise_debug(struct soft_vcpu *c, uint64_t hits, enum soft_stop_kind kind)
{
	c->vcpu.state.dr6 = (c->vcpu.state.dr6 & ~DR6_B_MASK) | hits;
	soft_fault(c, CPU_VECTOR_DB);
	c->stop = kind;
}

bool soft_debug_fetch(struct soft_vcpu *c)
{
	uint64_t dr7 = breakpoint_control(c), linear = linear_rip(c), hits = 0;

	/* Intel's hold them back behind a load of SS. */
	if (c->vcpu.state.mov_ss_shadow && !c->amd)
		return false;
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (is_enabled(dr7, i, DR7_TYPE_EXECUTE) && breakpoint_addresses(c)[i] == linear)
			hits |= DR6_B0 << i;
	if (!hits)
		return false;
	if (c->vcpu.debug_hardware)
		exit_debug(c, hits);
	else
		raise_debug(c, hits, SOFT_FAULT);
	return true;
}

bool soft_debug_retired(struct soft_vcpu *c, bool trace)
{
	uint64_t hits = c->debug_hits;

	/* A load of SS keeps its traps for behind the next instruction; its single step is lost. */
	if (c->vcpu.state.mov_ss_shadow && !c->vcpu.debug_step)
		return false;
	if (trace && !c->traced)
		hits |= DR6_BS;
	c->traced = false;
	c->debug_hits = 0;
	if (c->vcpu.debug_step) {
		exit_debug(c, hits | DR6_BS);
		return true;
	}
	if (!hits)
		return false;
	if (c->vcpu.debug_hardware && hits & DR6_B_MASK)
		exit_debug(c, hits);
	else
		raise_debug(c, hits, SOFT_TRAP);
	return true;
}

/* DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE takes them away. */
static bool debug_register(const struct soft_vcpu *c, unsigned *number)
{
	if (*number == 4 || *number == 5) {
		if (c->vcpu.state.cr4 & CR4_DE)
			return false;
		*number += 2;
	}
	return *number < 8;
}

static enum soft_result mov_dr(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct cpu_state *state = &c->vcpu.state;
	bool write = insn->operand[0].class == DECODE_DEBUG;
	unsigned dr = insn->operand[write ? 0 : 1].reg, reg = insn->operand[write ? 1 : 0].reg;
	uint64_t value = c->long64 ? state->gpr[reg] : (uint32_t)state->gpr[reg];

	if (!debug_register(c, &dr))
		return system_ud(c);
	if (state->dr7 & DR7_GD) {
		state->dr6 |= DR6_BD;
		soft_fault(c, CPU_VECTOR_DB);
		return SOFT_STOPPED;
	}
	if (!write) {
		value = dr == 6 ? state->dr6 : dr == 7 ? state->dr7 : state->dr[dr];
		state->gpr[reg] = c->long64 ? value : (uint32_t)value;
		return SOFT_RETIRED;
	}
	if (dr >= 6 && value >> 32)
		return system_gp(c);
	if (dr == 6)
		state->dr6 = (value & (DR6_B_MASK | DR6_BD | DR6_BS | DR6_BT)) | DR6_ONES;
	else if (dr == 7)
		state->dr7 = (value & DR7_WRITABLE) | DR7_ONES;
	else
		state->dr[dr] = value;
	return SOFT_RETIRED;
}

soft_system_op *debug_find(const struct decode_insn *insn)
{
	return insn->op == OP_MOV_DR ? mov_dr : NULL;
}
