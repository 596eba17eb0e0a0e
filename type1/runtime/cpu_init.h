/* SPDX-License-Identifier: MIT */
/*
 * cpu_init.h - how the CPUs are set up: cpu.c and smp.c.
 */
#ifndef DYAD_TYPE1_CPU_INIT_H
#define DYAD_TYPE1_CPU_INIT_H

#include <stdint.h>

#include "type1/runtime/cpu.h"

/* The struct of a CPU that is to be, with its tables: cpus[cpu_count], not counted yet.  NULL: no
 * memory. */
struct cpu *cpu_create(uint32_t apic_id);
/* The running CPU becomes it: GS, GDT, TSS, IDT and control bits. */
void cpu_load(struct cpu *cpu);

/* Takes calls of cpus_call(). */
void smp_init(void);

#endif
