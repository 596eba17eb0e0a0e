/* SPDX-License-Identifier: MIT */
/*
 * vector.c - FPU and vector state, XCR0, PKRU: the guest's in the registers while its vCPU is in
 * the inner loop, the host's outside.  XCR0 is the host's when state is saved and loaded, because
 * what the guest has turned off keeps its value.
 */
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/svm/svm.h"

_Static_assert(CPU_XSAVE_SIZE == 4096, "as privileged.h has it");

/* Protection keys are in force when CR4 says so, in the host always. */
static bool has_keys(const struct svm_vcpu *c)
{
	return svm_features.pkru && (c->vcpu.state.cr4 & CR4_PKE);
}

/* QEMU's emulated SVM has no exit for XSETBV: what the guest has set is found in the register. */
void svm_take_xcr0(struct svm_vcpu *c)
{
	c->vcpu.state.xcr0 = read_xcr0();
}

void svm_vector_load(struct svm_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;

	host_fpu_begin();
	if (svm_features.fp_pointers_stay)
		clear_fp_pointers();
	load_vector_state(s->xsave, svm_features.vector_components);
	c->host_xcr0 = read_xcr0();
	if (s->xcr0 != c->host_xcr0)
		write_xcr0(s->xcr0);
	if (!svm_features.pkru)
		return;
	c->host_pkru = read_pkru();
	if (s->pkru != c->host_pkru)
		write_pkru(s->pkru);
}

void svm_vector_put(struct svm_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;

	if (svm_features.pkru) {
		if (has_keys(c))
			s->pkru = read_pkru();
		if (s->pkru != c->host_pkru)
			write_pkru(c->host_pkru);
	}
	svm_take_xcr0(c);
	if (s->xcr0 != c->host_xcr0)
		write_xcr0(c->host_xcr0);
	save_vector_state(s->xsave, svm_features.vector_components);
	host_fpu_end();
}
