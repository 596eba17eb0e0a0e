/* SPDX-License-Identifier: MIT */
/*
 * features.c - whether this machine's CPUs can run guests by SVM, and what they have.
 */
#include "hw/cpuid.h"
#include "hw/msr.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/svm/svm.h"

enum { EAX, EBX, ECX, EDX };

struct svm_features svm_features;

static int refuse(const char *text)
{
	host_log(HOST_LOG_INFO, text);
	return -EOPNOTSUPP;
}

static bool has_leaf(uint32_t leaf)
{
	uint32_t r[4];

	host_cpuid(leaf & UINT32_C(0x80000000), 0, r);
	return r[EAX] >= leaf;
}

/* What the host wants beside what is used where it is there; false, and a line in the log: not. */
static bool choose(bool wanted, bool present, const char *used, const char *absent)
{
	if (wanted)
		host_log(HOST_LOG_INFO, present ? used : absent);
	return wanted && present;
}

void svm_features_choose(uint32_t wanted, uint32_t features)
{
	const uint32_t x2avic = SVM_FEATURE_AVIC | SVM_FEATURE_X2AVIC;

	svm_features.vnmi = choose(wanted & BACKEND_VIRTUAL_NMI, features & SVM_FEATURE_VNMI,
				   "svm: virtual NMIs are used",
				   "svm: this CPU has no virtual NMIs, which were asked for");
	svm_features.avic = choose(wanted & BACKEND_VIRTUAL_APIC, (features & x2avic) == x2avic,
				   "svm: AVIC is used for guests in x2APIC mode",
				   "svm: this CPU has no x2AVIC, which was asked for");
}

int svm_features_probe(uint32_t wanted)
{
	uint32_t r[4];
	const char *why;

	host_cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0, r);
	if (!has_leaf(CPUID_LEAF_AMD_SVM) || !(r[ECX] & CPUID_80000001_ECX_SVM))
		return refuse("svm: this CPU has no AMD SVM");
	svm_features.rdtscp = r[EDX] & CPUID_80000001_EDX_RDTSCP;
	if (read_msr(MSR_VM_CR) & VM_CR_SVME_DISABLE)
		return refuse("svm: the firmware has turned AMD SVM off; turn it on in its setup");
	host_cpuid(CPUID_LEAF_AMD_SVM, 0, r);
	if (!(r[EDX] & SVM_FEATURE_NESTED_PAGING))
		return refuse("svm: this CPU has no nested paging, which is needed");
	if (r[EBX] < 2)
		return refuse("svm: this CPU has no address space identifiers for guests");
	svm_features.asids = r[EBX];
	svm_features.next_rip = r[EDX] & SVM_FEATURE_NEXT_RIP;
	svm_features.clean_bits = r[EDX] & SVM_FEATURE_CLEAN_BITS;
	svm_features.flush_by_asid = r[EDX] & SVM_FEATURE_FLUSH_BY_ASID;
	svm_features.decode_assists = r[EDX] & SVM_FEATURE_DECODE_ASSISTS;
	svm_features.pause_filter = r[EDX] & SVM_FEATURE_PAUSE_FILTER;
	svm_features.tsc_ratio = r[EDX] & SVM_FEATURE_TSC_RATIO;
	svm_features_choose(wanted, r[EDX]);
	why = guest_vector_probe(&svm_features.vector);
	if (why)
		return refuse(why);
	svm_mitigations_find();
	return 0;
}

void svm_mask_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	guest_vector_mask_cpuid(&svm_features.vector, leaf, subleaf, registers);
	/* MOV to CR8 by a LOCK prefix is emulated nowhere. */
	if (leaf == CPUID_LEAF_EXTENDED_FEATURES)
		registers[ECX] &= ~CPUID_80000001_ECX_CR8_LEGACY;
}
