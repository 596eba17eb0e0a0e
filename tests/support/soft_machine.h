/* SPDX-License-Identifier: MIT */
/*
 * soft_machine.h - a VM on the soft backend whose vCPUs are in 64-bit mode, for tests: memory from
 * 0 is mapped to itself, by pages of 2 MiB that user code may reach.
 */
#ifndef DYAD_TESTS_SOFT_MACHINE_H
#define DYAD_TESTS_SOFT_MACHINE_H

#include "hypervisor/x86/soft/soft.h"
#include "tests/support/core_machine.h"

#define SOFT_MACHINE_PML4 0x1000u
#define SOFT_MACHINE_PDPT 0x2000u
#define SOFT_MACHINE_PD 0x3000u
#define SOFT_MACHINE_IDT 0x4000u /* all vectors lead to a HLT of their own */
#define SOFT_MACHINE_GDT 0x5000u
#define SOFT_MACHINE_HANDLERS 0x6000u /* 16 bytes apart */
#define SOFT_MACHINE_CODE 0x10000u
#define SOFT_MACHINE_DATA 0x20000u
#define SOFT_MACHINE_STACK 0x30000u

void soft_machine_create(struct core_machine *machine, unsigned vcpus);
static inline struct soft_vcpu *soft_machine_vcpu(struct core_machine *machine, unsigned i)
{
	return soft_of(machine->vcpus[i]);
}

/* Puts bytes of code to gpa. */
void soft_machine_code(struct core_machine *machine, uint64_t gpa, const void *code, size_t size);
#define SOFT_CODE(machine, gpa, ...)                                                               \
	soft_machine_code(machine, gpa, (const uint8_t[]){__VA_ARGS__},                            \
			  sizeof((const uint8_t[]){__VA_ARGS__}))

/* Runs until HLT, which is stepped over, and returns 0; else the exit reason. */
uint32_t soft_machine_run(struct core_machine *machine, unsigned i, uint64_t rip);
/* The vector that led to the last HLT, or -1: it was the code's own. */
int soft_machine_vector(struct core_machine *machine, unsigned i);

#endif
