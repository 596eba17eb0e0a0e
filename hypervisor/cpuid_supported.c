/* SPDX-License-Identifier: MIT */
/*
 * cpuid_supported.c - the CPU that the core can offer on this host: the host's own answers, without
 * what its backend can't run and without what the core does not virtualize.
 *
 * Nothing here says nested virtualization, performance counters, MONITOR, MPX, AVX-512, AMX, SGX or
 * CET: they are left out by not being in a mask.
 */
#include <linux/errno.h>
#include <linux/kvm_para.h>

#include "host.h"
#include "hw/cpuid.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/cpuid_table.h"
#include "hypervisor/x86/backend.h"
#include "hypervisor/x86/cpu.h"
#include "lib/bits.h"
#include "lib/bytes.h"

/* A leaf: which bits of the host's stay, and which are there whatever the host has. */
struct leaf_policy {
	uint32_t leaf, index;
	bool indexed;
	uint32_t keep[4], force[4];
};

#define ALL UINT32_MAX
#define EXTENDED_EDX_COMMON 0x0183f3ffu /* those of leaf 1 that AMD repeats */

static const struct leaf_policy policies[] = {
	{CPUID_LEAF_FEATURES,
	 0,
	 false,
	 {ALL, 0xffff,
	  CPUID_1_ECX_SSE3 | CPUID_1_ECX_PCLMULQDQ | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_FMA |
		  CPUID_1_ECX_CX16 | CPUID_1_ECX_PCID | CPUID_1_ECX_SSE4_1 | CPUID_1_ECX_SSE4_2 |
		  CPUID_1_ECX_MOVBE | CPUID_1_ECX_POPCNT | CPUID_1_ECX_AES | CPUID_1_ECX_XSAVE |
		  CPUID_1_ECX_AVX | CPUID_1_ECX_F16C | CPUID_1_ECX_RDRAND,
	  CPUID_1_EDX_LOW | CPUID_1_EDX_APIC | CPUID_1_EDX_SEP | CPUID_1_EDX_MIDDLE |
		  CPUID_1_EDX_CLFLUSH | CPUID_1_EDX_MMX | CPUID_1_EDX_FXSR | CPUID_1_EDX_SSE |
		  CPUID_1_EDX_SSE2},
	 {0, 0, CPUID_1_ECX_X2APIC | CPUID_1_ECX_HYPERVISOR, CPUID_1_EDX_APIC}},
	{CPUID_LEAF_CACHE_DESCRIPTORS, 0, false, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_CACHES, 0, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_CACHES, 1, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_CACHES, 2, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_CACHES, 3, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_CACHES, 4, true, {0}, {0}},
	{CPUID_LEAF_THERMAL, 0, false, {0}, {CPUID_6_EAX_ARAT, 0, 0, 0}},
	{CPUID_LEAF_STRUCTURED,
	 0,
	 true,
	 {0,
	  CPUID_7_EBX_FSGSBASE | CPUID_7_EBX_BMI1 | CPUID_7_EBX_AVX2 |
		  CPUID_7_EBX_FDP_EXCEPTION_ONLY | CPUID_7_EBX_SMEP | CPUID_7_EBX_BMI2 |
		  CPUID_7_EBX_ERMS | CPUID_7_EBX_INVPCID | CPUID_7_EBX_NO_FPU_SELECTORS |
		  CPUID_7_EBX_RDSEED | CPUID_7_EBX_ADX | CPUID_7_EBX_SMAP | CPUID_7_EBX_CLFLUSHOPT |
		  CPUID_7_EBX_CLWB | CPUID_7_EBX_SHA,
	  CPUID_7_ECX_UMIP | CPUID_7_ECX_PKU | CPUID_7_ECX_VAES | CPUID_7_ECX_VPCLMULQDQ |
		  CPUID_7_ECX_LA57 | CPUID_7_ECX_RDPID,
	  CPUID_7_EDX_FSRM},
	 {0, CPUID_7_EBX_TSC_ADJUST, 0, 0}},
	{CPUID_LEAF_TOPOLOGY, 0, true, {0}, {0}}, /* the caller's to fill in */
	{CPUID_LEAF_EXTENDED_FEATURES,
	 0,
	 false,
	 {ALL, 0,
	  CPUID_80000001_ECX_LAHF | CPUID_80000001_ECX_CR8_LEGACY | CPUID_80000001_ECX_ABM |
		  CPUID_80000001_ECX_SSE4A | CPUID_80000001_ECX_MISALIGNED_SSE |
		  CPUID_80000001_ECX_PREFETCHW | CPUID_80000001_ECX_TOPOLOGY_EXTENSIONS,
	  EXTENDED_EDX_COMMON | CPUID_80000001_EDX_SYSCALL | CPUID_80000001_EDX_NX |
		  CPUID_80000001_EDX_MMX_EXTENSIONS | CPUID_80000001_EDX_FFXSR |
		  CPUID_80000001_EDX_GIB_PAGES | CPUID_80000001_EDX_RDTSCP | CPUID_80000001_EDX_LM},
	 {0}},
	{CPUID_LEAF_BRAND0, 0, false, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_BRAND0 + 1, 0, false, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_BRAND2, 0, false, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_AMD_L1, 0, false, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_AMD_L2, 0, false, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_POWER, 0, false, {0, 0, 0, CPUID_80000007_EDX_INVARIANT_TSC}, {0}},
	{CPUID_LEAF_ADDRESS_SIZES,
	 0,
	 false,
	 {0xffff,
	  CPUID_80000008_EBX_CLZERO | CPUID_80000008_EBX_FP_ERROR_POINTERS |
		  CPUID_80000008_EBX_BTC_NO,
	  0, 0},
	 {0}},
	{CPUID_LEAF_AMD_FPU, 0, false, {ALL, 0, 0, 0}, {0}},
	{CPUID_LEAF_AMD_CACHES, 0, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_AMD_CACHES, 1, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_AMD_CACHES, 2, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_AMD_CACHES, 3, true, {ALL, ALL, ALL, ALL}, {0}},
	{CPUID_LEAF_AMD_TOPOLOGY, 0, false, {0}, {0}},
	{CPUID_LEAF_AMD_EXTENDED2,
	 0,
	 false,
	 {CPUID_80000021_EAX_NO_NESTED_DATA_BREAKPOINTS | CPUID_80000021_EAX_LFENCE_SERIALIZES |
		  CPUID_80000021_EAX_NULL_SELECTOR_CLEARS_BASE | CPUID_80000021_EAX_AUTOMATIC_IBRS |
		  CPUID_80000021_EAX_SRSO_NO,
	  0, CPUID_80000021_ECX_TSA_SQ_NO | CPUID_80000021_ECX_TSA_L1_NO, 0},
	 {0}},
};

#define BASIC_LEAF_MAX CPUID_LEAF_XSAVE
#define EXTENDED_LEAF_MAX CPUID_LEAF_AMD_EXTENDED2

#define PV_FEATURES                                                                                \
	(BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |                            \
	 BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_PV_EOI) | BIT(KVM_FEATURE_PV_SEND_IPI) |  \
	 BIT(KVM_FEATURE_POLL_CONTROL) | BIT(KVM_FEATURE_PV_SCHED_YIELD) |                         \
	 BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT))
#define PV_FEATURES_FETCHER (BIT(KVM_FEATURE_ASYNC_PF) | BIT(KVM_FEATURE_ASYNC_PF_INT))

/* What stands in a table that is being made. */
struct list {
	struct kvm_cpuid_entry2 *entries;
	uint32_t count;
};

static void ask(const struct backend *backend, uint32_t leaf, uint32_t index, uint32_t out[4])
{
	host_cpuid(leaf, index, out);
	if (backend->mask_cpuid)
		backend->mask_cpuid(leaf, index, out);
}

static void add(struct list *list, uint32_t leaf, uint32_t index, bool indexed,
		const uint32_t values[4])
{
	if (list->count >= CPUID_ENTRIES_LIMIT)
		return;
	list->entries[list->count++] = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = index,
		.flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = values[CPUID_EAX],
		.ebx = values[CPUID_EBX],
		.ecx = values[CPUID_ECX],
		.edx = values[CPUID_EDX],
	};
}

/* --- XSAVE ------------------------------------------------------------------------------------ */

uint64_t cpuid_supported_xcr0(const struct backend *backend)
{
	uint32_t features[4], structured[4], xsave[4];
	uint64_t xcr0 = XCR0_X87 | XCR0_SSE;

	ask(backend, CPUID_LEAF_FEATURES, 0, features);
	ask(backend, CPUID_LEAF_STRUCTURED, 0, structured);
	ask(backend, CPUID_LEAF_XSAVE, 0, xsave);
	if (!(features[CPUID_ECX] & CPUID_1_ECX_XSAVE))
		return XCR0_X87;
	if (features[CPUID_ECX] & CPUID_1_ECX_AVX)
		xcr0 |= xsave[CPUID_EAX] & XCR0_AVX;
	/* The state's copy is the core's own: the host's XCR0 need not have it. */
	if (structured[CPUID_ECX] & CPUID_7_ECX_PKU)
		xcr0 |= XCR0_PKRU;
	return xcr0;
}

static void add_xsave(struct list *list, const struct backend *backend)
{
	uint64_t xcr0 = cpuid_supported_xcr0(backend);
	uint32_t size = XSAVE_LEGACY_SIZE, values[4];

	if (xcr0 == XCR0_X87)
		return;
	if (xcr0 & XCR0_AVX)
		size = CPU_XSAVE_YMM + XSAVE_YMM_SIZE;
	if (xcr0 & XCR0_PKRU)
		size = CPU_XSAVE_PKRU + XSAVE_PKRU_SIZE;
	add(list, CPUID_LEAF_XSAVE, 0, true,
	    (uint32_t[4]){(uint32_t)xcr0, XSAVE_LEGACY_SIZE, size, (uint32_t)(xcr0 >> 32)});
	ask(backend, CPUID_LEAF_XSAVE, 1, values);
	add(list, CPUID_LEAF_XSAVE, 1, true,
	    (uint32_t[4]){values[CPUID_EAX] & (CPUID_D1_EAX_XSAVEOPT | CPUID_D1_EAX_XSAVEC |
					       CPUID_D1_EAX_XGETBV1 | CPUID_D1_EAX_XSAVES)});
	if (xcr0 & XCR0_AVX)
		add(list, CPUID_LEAF_XSAVE, 2, true, (uint32_t[4]){XSAVE_YMM_SIZE, CPU_XSAVE_YMM});
	if (xcr0 & XCR0_PKRU)
		add(list, CPUID_LEAF_XSAVE, 9, true,
		    (uint32_t[4]){XSAVE_PKRU_SIZE, CPU_XSAVE_PKRU});
}

/* --- All leaves ------------------------------------------------------------------------------- */

static void add_policies(struct list *list, const struct backend *backend, uint32_t first,
			 uint32_t last)
{
	for (unsigned i = 0; i < ARRAY_COUNT(policies); i++) {
		const struct leaf_policy *policy = &policies[i];
		uint32_t values[4];

		if (policy->leaf < first || policy->leaf > last)
			continue;
		ask(backend, policy->leaf, policy->index, values);
		for (unsigned r = 0; r < 4; r++)
			values[r] = (values[r] & policy->keep[r]) | policy->force[r];
		add(list, policy->leaf, policy->index, policy->indexed, values);
	}
}

static void add_hypervisor(struct list *list)
{
	static const char signature[12] = "KVMKVMKVM";
	uint32_t values[4] = {KVM_CPUID_FEATURES};

	memcpy(&values[CPUID_EBX], signature, sizeof(signature));
	add(list, KVM_CPUID_SIGNATURE, 0, false, values);
	add(list, KVM_CPUID_FEATURES, 0, false,
	    (uint32_t[4]){PV_FEATURES | (host_fetcher ? PV_FEATURES_FETCHER : 0)});
}

static void fill(struct list *list, const struct backend *backend)
{
	uint32_t values[4], last;

	ask(backend, CPUID_LEAF_VENDOR, 0, values);
	last = values[CPUID_EAX] = MIN(values[CPUID_EAX], BASIC_LEAF_MAX);
	add(list, CPUID_LEAF_VENDOR, 0, false, values);
	add_policies(list, backend, CPUID_LEAF_VENDOR, last);
	if (last >= CPUID_LEAF_XSAVE)
		add_xsave(list, backend);
	add_hypervisor(list);
	ask(backend, CPUID_LEAF_EXTENDED_MAX, 0, values);
	last = values[CPUID_EAX] = MIN(values[CPUID_EAX], EXTENDED_LEAF_MAX);
	add(list, CPUID_LEAF_EXTENDED_MAX, 0, false, values);
	add_policies(list, backend, CPUID_LEAF_EXTENDED_MAX, last);
}

static int give(const struct list *list, uint64_t user)
{
	struct kvm_cpuid2 head;
	int err = host_copy_in(&head, user, sizeof(head));

	if (err < 0)
		return err;
	if (head.nent < list->count)
		return -E2BIG;
	head.nent = list->count;
	head.padding = 0;
	if (list->count)
		err = host_copy_out(user + sizeof(head), list->entries,
				    list->count * sizeof(list->entries[0]));
	return err < 0 ? err : host_copy_out(user, &head, sizeof(head));
}

int cpuid_supported(const struct backend *backend, uint64_t user)
{
	struct list list = {.entries = host_alloc(CPUID_ENTRIES_LIMIT * sizeof(list.entries[0]))};
	int err;

	if (!list.entries)
		return -ENOMEM;
	fill(&list, backend);
	err = give(&list, user);
	host_free(list.entries);
	return err;
}

int cpuid_emulated(const struct backend *backend, uint64_t user)
{
	struct list none = {0};

	(void)backend;
	return give(&none, user);
}
