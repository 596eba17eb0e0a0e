/* SPDX-License-Identifier: MIT */
/*
 * trap.h - the exceptions' numbers, and how trap.c is set up.
 */
#ifndef DYAD_TYPE1_TRAP_H
#define DYAD_TYPE1_TRAP_H

/* APM2 table 8-1 */
enum trap_vector {
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_PAGE_FAULT = 14,
	TRAP_MACHINE_CHECK = 18,
	TRAP_EXCEPTIONS = 32, /* as many numbers are theirs */
};

/* Stacks of their own in the TSS, from 1 on: their order. */
enum trap_stack { TRAP_STACK_NMI, TRAP_STACK_DOUBLE_FAULT, TRAP_STACK_MACHINE_CHECK, TRAP_STACKS };

void trap_init(void);     /* once: the IDT */
void trap_init_cpu(void); /* each CPU loads it */

#endif
