/* SPDX-License-Identifier: MIT */
/*
 * vector.c - FPU and vector state between guest and host.  XCR0 is the host's when state is saved
 * and loaded, because what the guest has turned off keeps its value.
 */
#include "hypervisor/x86/vector.h"

#include "host.h"
#include "hw/cpuid.h"
#include "hw/x86.h"
#include "hypervisor/x86/privileged.h"

enum { EAX, EBX, ECX, EDX };

#define PKRU_COMPONENT 9

_Static_assert(CPU_XSAVE_SIZE == 4096, "as privileged.h has it");

const char *guest_vector_probe(struct vector_features *f)
{
	uint32_t r[4];

	if (!(read_cr4() & CR4_OSXSAVE))
		return "no guests can be run: the host does not use XSAVE, which is needed";
	f->components = read_xcr0() & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
	host_cpuid(CPUID_LEAF_STRUCTURED, 0, r);
	f->pkru = r[ECX] & CPUID_7_ECX_OSPKE;
	/* What the guest's own XSAVE does is the CPU's: it must be what its CPUID will say. */
	host_cpuid(CPUID_LEAF_XSAVE, PKRU_COMPONENT, r);
	f->pkru &= r[EBX] == CPU_XSAVE_PKRU;
	host_cpuid(CPUID_LEAF_XSAVE, 1, r);
	f->supervisor_state = r[EAX] & CPUID_D1_EAX_XSAVES;
	host_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, r);
	f->fp_pointers_stay = !(r[EBX] & CPUID_80000008_EBX_FP_ERROR_POINTERS);
	return NULL;
}

void guest_vector_mask_cpuid(const struct vector_features *f, uint32_t leaf, uint32_t subleaf,
			     uint32_t registers[4])
{
	bool avx = f->components & XCR0_AVX;

	if (leaf == CPUID_LEAF_FEATURES && !avx)
		registers[ECX] &= ~(CPUID_1_ECX_AVX | CPUID_1_ECX_FMA | CPUID_1_ECX_F16C);
	if (leaf != CPUID_LEAF_STRUCTURED || subleaf)
		return;
	if (!f->pkru)
		registers[ECX] &= ~CPUID_7_ECX_PKU;
	if (!avx) {
		registers[EBX] &= ~CPUID_7_EBX_AVX2;
		registers[ECX] &= ~(CPUID_7_ECX_VAES | CPUID_7_ECX_VPCLMULQDQ);
	}
}

void guest_vector_load(const struct vector_features *f, const struct cpu_state *s,
		       struct vector_host *host)
{
	host_fpu_begin();
	if (f->fp_pointers_stay)
		clear_fp_pointers();
	load_vector_state(s->xsave, f->components);
	host->xcr0 = read_xcr0();
	if (s->xcr0 != host->xcr0)
		write_xcr0(s->xcr0);
	if (!f->pkru)
		return;
	host->pkru = read_pkru();
	if (s->pkru != host->pkru)
		write_pkru(s->pkru);
}

void guest_vector_take_xcr0(struct cpu_state *s)
{
	s->xcr0 = read_xcr0();
}

void guest_vector_put(const struct vector_features *f, struct cpu_state *s,
		      const struct vector_host *host)
{
	if (f->pkru) {
		/* Protection keys are in force when CR4 says so, in the host always. */
		if (s->cr4 & CR4_PKE)
			s->pkru = read_pkru();
		if (s->pkru != host->pkru)
			write_pkru(host->pkru);
	}
	guest_vector_take_xcr0(s);
	if (s->xcr0 != host->xcr0)
		write_xcr0(host->xcr0);
	save_vector_state(s->xsave, f->components);
	host_fpu_end();
}
