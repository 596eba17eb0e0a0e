/* SPDX-License-Identifier: MIT */
/*
 * port.c - who may use which I/O port: IOPL, and the I/O permission map of the task.  APM2 section
 * 12.2.4, SDM volume 1, section 18.5.
 */
#include "hypervisor/x86/soft/system.h"

bool soft_port_allowed(struct soft_vcpu *c, uint16_t port, uint8_t size)
{
	const struct cpu_state *state = &c->vcpu.state;
	uint16_t map, bits;
	uint32_t at;

	if (!(state->cr0 & CR0_PE) || (!system_v8086(c) && state->cpl <= system_iopl(c)))
		return true;
	/* A 16-bit TSS has no map. */
	if (!(state->tr.type & 8) || state->tr.limit < TSS32_IO_MAP + sizeof(map) - 1)
		return system_fault(c, CPU_VECTOR_GP, 0);
	if (!soft_read_linear(c, SOFT_SYSTEM, state->tr.base + TSS32_IO_MAP, &map, sizeof(map)))
		return false;
	/* Two bytes are read in any case; both must lie within the segment. */
	at = (uint32_t)map + port / 8;
	if (at + sizeof(bits) - 1 > state->tr.limit)
		return system_fault(c, CPU_VECTOR_GP, 0);
	if (!soft_read_linear(c, SOFT_SYSTEM, state->tr.base + at, &bits, sizeof(bits)))
		return false;
	if (bits >> port % 8 & ((1u << size) - 1))
		return system_fault(c, CPU_VECTOR_GP, 0);
	return true;
}
