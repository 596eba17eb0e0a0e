/* SPDX-License-Identifier: MIT */
/*
 * walk.h - the guest's page tables, walked in software for a backend whose CPU walks them by
 * itself, and guest virtual memory by that way.
 *
 * The CPU has set accessed and dirty bits of the operand at which it exited; those of others are
 * set here if it is asked for.
 */
#ifndef DYAD_HYPERVISOR_X86_WALK_H
#define DYAD_HYPERVISOR_X86_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

#define WALK_WRITE 1u
#define WALK_FETCH 2u
#define WALK_USER 4u   /* with the rights of user code: CPL 3 */
#define WALK_SYSTEM 8u /* whoever runs: descriptor tables and the like */
#define WALK_MARK 32u  /* sets accessed bits, and for a write the dirty bit; task context */
#define WALK_QUIET 16u /* rights don't matter, only where it is */

/* false: a page fault, with *error as its error code. vcpu->state is whole. */
bool walk(struct vcpu *vcpu, uint64_t linear, unsigned intent, uint64_t *gpa, uint32_t *error);

#endif
