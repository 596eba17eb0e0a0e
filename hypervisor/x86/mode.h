/* SPDX-License-Identifier: MIT */
/*
 * mode.h - what code and addresses are in the mode that a CPU is in.  APM2 sections 1.3 and 5.3.
 */
#ifndef DYAD_HYPERVISOR_X86_MODE_H
#define DYAD_HYPERVISOR_X86_MODE_H

#include "hw/x86.h"
#include "hypervisor/x86/cpu.h"

/* Linear addresses have 48 bits, or 57 with 5 levels of paging; the others are the highest one's.
 */
static inline bool cpu_is_canonical(const struct cpu_state *s, uint64_t linear)
{
	unsigned unused = 64 - (s->cr4 & CR4_LA57 ? 57 : 48);

	return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

static inline bool cpu_is_64_bit(const struct cpu_state *s)
{
	return (s->efer & EFER_LMA) && s->segment[CPU_CS].l;
}

#endif
