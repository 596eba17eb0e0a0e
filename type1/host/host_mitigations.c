/* SPDX-License-Identifier: MIT */
/*
 * host_mitigations.c - what the runtime owes itself when a guest ran: ring 0's returns must not go
 * where a guest has trained them to (AMD's guidance on branch type confusion, AMD-SB-1037, and on
 * speculative return stack overflow, AMD-SB-7005).  Indirect calls are compiled as return
 * trampolines (type1.mk).
 */
#include "hw/cpuid.h"
#include "type1/host/private.h"
#include "type1/runtime/cpu.h"

enum { EAX, EBX, ECX, EDX };

#define LEAF_80000008_EBX_IBPB (1u << 12) /* APM3 appendix E.4.7 */
#define LEAF_80000008_EBX_BTC_NO (1u << 29)
#define LEAF_80000021_EAX_SRSO_NO (1u << 29)
#define LEAF_80000000 UINT32_C(0x80000000)
/* The last family whose branches could be taken for others. */
#define FAMILY_BTC_LAST 0x17u
#define FAMILY_BASE_MAX 0xfu

uint8_t host_untrain_returns; /* [const] after boot; switch_host.h */

static uint32_t family(void)
{
	uint32_t r[4], base;

	host_cpuid(CPUID_LEAF_FEATURES, 0, r);
	base = r[EAX] >> 8 & FAMILY_BASE_MAX;
	return base == FAMILY_BASE_MAX ? base + (r[EAX] >> 20 & UINT8_MAX) : base;
}

void host_mitigations_init(void)
{
	uint32_t r[4], extended[4] = {0};
	bool confused;

	host_cpuid(LEAF_80000000, 0, r);
	if (r[EAX] < CPUID_LEAF_ADDRESS_SIZES)
		return;
	if (r[EAX] >= CPUID_LEAF_AMD_EXTENDED2)
		host_cpuid(CPUID_LEAF_AMD_EXTENDED2, 0, extended);
	host_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, r);
	if (!(r[EBX] & LEAF_80000008_EBX_IBPB))
		return;
	confused = family() <= FAMILY_BTC_LAST && !(r[EBX] & LEAF_80000008_EBX_BTC_NO);
	host_untrain_returns = confused || !(extended[EAX] & LEAF_80000021_EAX_SRSO_NO);
	if (host_untrain_returns)
		log_line(LOG_INFO, "returns: predictions are dropped at each exit of a guest");
}
