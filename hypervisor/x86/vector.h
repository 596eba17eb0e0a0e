/* SPDX-License-Identifier: MIT */
/*
 * vector.h - FPU and vector state, XCR0, PKRU, for backends whose guests use the CPU's registers:
 * the guest's are in them while its vCPU is in the inner loop, the host's outside.
 */
#ifndef DYAD_HYPERVISOR_X86_VECTOR_H
#define DYAD_HYPERVISOR_X86_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/x86/cpu.h"

struct vector_features {
	uint64_t components;   /* of XCR0, that guests may have; PKRU apart */
	bool pkru;             /* the host has turned protection keys on */
	bool supervisor_state; /* XSAVES, and MSR_XSS with what it works on */
	bool fp_pointers_stay; /* XRSTOR leaves the x87's of before, if no exception is pending */
};

/* What is kept of the host's; by the thread between load and put. */
struct vector_host {
	uint64_t xcr0;
	uint32_t pkru;
};

/* NULL, or why guests can't be run: a sentence for the log. */
const char *guest_vector_probe(struct vector_features *f);
/* For backend.h's mask_cpuid(): what the guest has is what the host itself uses. */
void guest_vector_mask_cpuid(const struct vector_features *f, uint32_t leaf, uint32_t subleaf,
			     uint32_t registers[4]);

/* With preemption off, around the inner loop. */
void guest_vector_load(const struct vector_features *f, const struct cpu_state *s,
		       struct vector_host *host);
void guest_vector_put(const struct vector_features *f, struct cpu_state *s,
		      const struct vector_host *host);
/* Between them: XCR0 is the guest's, who may have set it. */
void guest_vector_take_xcr0(struct cpu_state *s);

#endif
