/* SPDX-License-Identifier: MIT */
/*
 * debug_registers.h - debug registers, for backends whose guests use the CPU's.
 */
#ifndef DYAD_HYPERVISOR_X86_DEBUG_REGISTERS_H
#define DYAD_HYPERVISOR_X86_DEBUG_REGISTERS_H

#include <stdint.h>

#include "hw/x86.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/privileged.h"

#define DR7_ANY 0xffu /* L and G of the four breakpoints */

static inline void load_debug_addresses(const uint64_t dr[4])
{
	write_dr0(dr[0]);
	write_dr1(dr[1]);
	write_dr2(dr[2]);
	write_dr3(dr[3]);
}

static inline void save_debug_addresses(uint64_t dr[4])
{
	dr[0] = read_dr0();
	dr[1] = read_dr1();
	dr[2] = read_dr2();
	dr[3] = read_dr3();
}

/* Whether the breakpoint at this address, with DR7's length, has a byte of the access: which bytes
 * it has goes by its aligned address, APM2 section 13.1.4. */
static inline bool has_breakpoint(uint64_t at, unsigned length, uint16_t port, unsigned size)
{
	uint64_t first = at & ~(uint64_t)length; /* the length less one is a mask of it */

	return first < (uint64_t)port + size && port <= first + length;
}

/* DR6_B*: the guest's breakpoints that an access to a port met. */
static inline uint64_t find_port_breakpoints(const struct cpu_state *s, uint16_t port,
					     unsigned size)
{
	uint64_t hits = 0;

	for (unsigned i = 0; (s->cr4 & CR4_DE) && i < 4; i++)
		if ((s->dr7 & DR7_ENABLE(i)) && DR7_TYPE(s->dr7, i) == DR7_TYPE_IO &&
		    has_breakpoint(s->dr[i], DR7_LENGTH(s->dr7, i), port, size))
			hits |= DR6_B0 << i;
	return hits;
}

#endif
