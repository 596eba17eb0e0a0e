/* SPDX-License-Identifier: MIT */
/*
 * avic_cpu.h - CPUs with x2AVIC, as a model written from the manual (APM2 sections 15.29 and
 * 15.29.10): they know VMCBs, the physical APIC ID table and backing pages, and nothing of who
 * wrote them.  What the manual forbids to be there fails the test.
 */
#ifndef DYAD_TESTS_AVIC_CPU_H
#define DYAD_TESTS_AVIC_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/svm.h"

#define AVIC_CPUS 3
#define AVIC_HOST_ID 0x123 /* that the table must have for all of them */

/* A CPU that runs a vCPU, from VMRUN to the exit. */
struct avic_cpu {
	struct vmcb_control *v; /* NULL: it is in host mode */
	uint32_t *page;
	bool interrupts;           /* the guest's RFLAGS.IF */
	bool ends_level_eoi;       /* whether ISR has lost its bit at that exit: both are written */
	unsigned taken[256];       /* how often the guest has taken each vector */
	unsigned exits, doorbells; /* AVIC's exits; doorbells that this CPU has got */
};
extern struct avic_cpu avic_cpus[AVIC_CPUS];

void avic_cpu_vmrun(struct avic_cpu *cpu, struct vmcb *vmcb);
void avic_cpu_exit(struct avic_cpu *cpu, uint32_t code, uint64_t info1, uint64_t info2);

/* What the guest does: the end of its interrupt, STI, MOV to CR8, a message. */
void avic_cpu_eoi(struct avic_cpu *cpu);
void avic_cpu_sti(struct avic_cpu *cpu);
void avic_cpu_set_cr8(struct avic_cpu *cpu, unsigned value);
void avic_cpu_send(struct avic_cpu *cpu, uint64_t icr);

/* A message on its way, by the steps of 15.29.6.1: so that others can act in between. */
struct avic_sending {
	struct avic_cpu *from;
	uint64_t icr;
	unsigned ids[512], count;
	bool not_running;
};
/* False: it is over, delivered or not. */
bool avic_send_begin(struct avic_sending *s, struct avic_cpu *from, uint64_t icr);
void avic_send_set_irr(struct avic_sending *s);
void avic_send_doorbells(struct avic_sending *s);

bool avic_is_intercepted(const struct vmcb_control *v, uint32_t msr, bool write);
/* Bits of IRR, ISR and TMR in a page; the highest, or -1. */
void avic_set(uint32_t *page, unsigned field, unsigned vector, bool value);
int avic_highest(uint32_t *page, unsigned field);

#endif
