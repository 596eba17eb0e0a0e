/* SPDX-License-Identifier: MIT */
/*
 * native_features.c - which instructions of the native part the host's CPU has, and what a guest's
 * CPUID must not offer.
 */
#include "hw/cpuid.h"
#include "hypervisor/x86/soft/native.h"

enum { EAX, EBX, ECX, EDX };

struct feature_bit {
	uint8_t feature; /* enum decode_feature */
	uint8_t reg, bit;
	uint32_t leaf, subleaf;
};

static const struct feature_bit feature_bits[] = {
	{FEATURE_X87, EDX, 0, CPUID_LEAF_FEATURES, 0},
	{FEATURE_CMOV, EDX, 15, CPUID_LEAF_FEATURES, 0},
	{FEATURE_MMX, EDX, 23, CPUID_LEAF_FEATURES, 0},
	{FEATURE_FXSR, EDX, 24, CPUID_LEAF_FEATURES, 0},
	{FEATURE_SSE, EDX, 25, CPUID_LEAF_FEATURES, 0},
	{FEATURE_SSE2, EDX, 26, CPUID_LEAF_FEATURES, 0},
	{FEATURE_SSE3, ECX, 0, CPUID_LEAF_FEATURES, 0},
	{FEATURE_PCLMULQDQ, ECX, 1, CPUID_LEAF_FEATURES, 0},
	{FEATURE_SSSE3, ECX, 9, CPUID_LEAF_FEATURES, 0},
	{FEATURE_FMA, ECX, 12, CPUID_LEAF_FEATURES, 0},
	{FEATURE_SSE41, ECX, 19, CPUID_LEAF_FEATURES, 0},
	{FEATURE_SSE42, ECX, 20, CPUID_LEAF_FEATURES, 0},
	{FEATURE_AES, ECX, 25, CPUID_LEAF_FEATURES, 0},
	{FEATURE_AVX, ECX, 28, CPUID_LEAF_FEATURES, 0},
	{FEATURE_F16C, ECX, 29, CPUID_LEAF_FEATURES, 0},
	{FEATURE_AVX2, EBX, 5, CPUID_LEAF_STRUCTURED, 0},
	{FEATURE_SHA, EBX, 29, CPUID_LEAF_STRUCTURED, 0},
	{FEATURE_VAES, ECX, 9, CPUID_LEAF_STRUCTURED, 0},
	{FEATURE_VPCLMULQDQ, ECX, 10, CPUID_LEAF_STRUCTURED, 0},
	{FEATURE_SSE4A, ECX, 6, CPUID_LEAF_EXTENDED_FEATURES, 0},
};

/* Vector instructions with VEX need their host's operating system to have the registers enabled. */
static bool host_saves_ymm(void)
{
	uint32_t r[4], low, high;

	host_cpuid(CPUID_LEAF_FEATURES, 0, r);
	if (!(r[ECX] & CPUID_1_ECX_OSXSAVE))
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX);
}

uint64_t native_features(void)
{
	/* What is done in C alone: state's area is there whatever the host has. */
	uint64_t features = BIT(FEATURE_BASE) | BIT(FEATURE_XSAVE) | BIT(FEATURE_XSAVEOPT) |
			    BIT(FEATURE_XSAVEC) | BIT(FEATURE_XSAVES);
	uint64_t with_ymm = BIT(FEATURE_AVX) | BIT(FEATURE_AVX2) | BIT(FEATURE_FMA) |
			    BIT(FEATURE_F16C) | BIT(FEATURE_VAES) | BIT(FEATURE_VPCLMULQDQ);

	for (size_t i = 0; i < ARRAY_COUNT(feature_bits); i++) {
		const struct feature_bit *f = &feature_bits[i];
		uint32_t r[4], highest[4];

		host_cpuid(f->leaf & UINT32_C(0x80000000), 0, highest);
		if (highest[EAX] < f->leaf)
			continue;
		host_cpuid(f->leaf, f->subleaf, r);
		if (r[f->reg] >> f->bit & 1)
			features |= BIT(f->feature);
	}
	return host_saves_ymm() ? features : features & ~with_ymm;
}

void soft_native_mask_cpuid(uint32_t leaf, uint32_t registers[4])
{
	if (leaf != CPUID_LEAF_EXTENDED_FEATURES)
		return;
	/* MXCSR.MM, and FXSAVE without XMM: rare enough to leave them to hardware. */
	registers[ECX] &= ~CPUID_80000001_ECX_MISALIGNED_SSE;
	registers[EDX] &= ~CPUID_80000001_EDX_FFXSR;
}
