/* SPDX-License-Identifier: MIT */
/*
 * msr_table.h - one line on each model-specific register that the core serves, or range of them.
 */
#ifndef DYAD_HYPERVISOR_MSR_TABLE_H
#define DYAD_HYPERVISOR_MSR_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vcpu;

/* What is special about a register: bits of msr.flags. */
#define MSR_SAVE 1u         /* state: in KVM_GET_MSR_INDEX_LIST */
#define MSR_FEATURE 2u      /* says what the CPU is: in KVM_GET_MSR_FEATURE_INDEX_LIST */
#define MSR_READ_ONLY 4u    /* the guest's writes are #GP; the caller may set it */
#define MSR_IGNORE 8u       /* the guest's writes are lost */
#define MSR_ASYNC_FAULT 16u /* exists on hosts with a host_fetcher alone */

struct msr {
	uint32_t first, count; /* registers first to first + count - 1 */
	uint32_t flags;

	/*
	 * Either a place: uint64_t values, one for each register, offset bytes into struct vcpu
	 * (0: all of them read as constant), with the bits that a write may set;
	 */
	size_t offset;
	uint64_t constant, writable;

	/* or functions, which may be there beside a place. */
	bool (*read)(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value);
	bool (*write)(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest);
};

/* Sorted by first, without overlaps. */
extern const struct msr msr_table[];
extern const unsigned msr_table_count;

#endif
