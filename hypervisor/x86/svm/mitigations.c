/* SPDX-License-Identifier: MIT */
/*
 * mitigations.c - what a hypervisor owes its host, its monitors and its other guests, because CPUs
 * remember what ran before.  Chosen by CPUID, told in one line of the log.
 *
 *     return stack    filled at each exit, before the first return (switch.S)
 *     returns         the host's own, untrained before the first one (switch.S, the host's macros)
 *     buffers         overwritten by VERW, last before each entry (switch.S)
 *     predictions     dropped (IBPB) between guests of two VMs, and between a guest and whatever
 *                     user code comes next on its CPU: its monitor, or another thread
 *
 * SPEC_CTRL stays the host's while a guest runs: it is not offered to guests, and its MSR exits.
 */
#include "hw/cpuid.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/svm/layout.h"
#include "hypervisor/x86/svm/svm.h"
#include "lib/format.h"

enum { EAX, EBX, ECX, EDX };

#define LEAF_80000008_EBX_IBPB (1u << 12) /* APM3 appendix E.4.7 */
/* AMD's guidance on transient scheduler attacks: VERW overwrites the CPU's buffers. */
#define LEAF_80000021_EAX_VERW_CLEARS (1u << 5)
#define LEAF_80000021_EAX_ERAPS (1u << 24) /* the CPU clears its return stack by itself */
/* The family that these attacks are known of; firmware may hide VERW's bit. */
#define FAMILY_TSA 0x19u

#define MSR_PRED_CMD 0x49u
#define PRED_CMD_IBPB UINT64_C(1)

/* As CPUID has it in leaf 1, EAX: the extended family adds to a base family of 15. */
static uint32_t family_of(uint32_t signature)
{
	uint32_t base = signature >> 8 & 0xf;

	return base == 0xf ? base + (signature >> 20 & 0xff) : base;
}

uint32_t svm_mitigations_choose(uint32_t family, const uint32_t extended[4])
{
	uint32_t immune = CPUID_80000021_ECX_TSA_SQ_NO | CPUID_80000021_ECX_TSA_L1_NO;
	uint32_t flags = SVM_SWITCH_FILL_RETURNS;

	if (extended[EAX] & LEAF_80000021_EAX_ERAPS)
		flags &= ~(uint32_t)SVM_SWITCH_FILL_RETURNS;
	if ((extended[ECX] & immune) != immune &&
	    ((extended[EAX] & LEAF_80000021_EAX_VERW_CLEARS) || family == FAMILY_TSA))
		flags |= SVM_SWITCH_CLEAR_BUFFERS;
	return flags;
}

void svm_mitigations_find(void)
{
	uint32_t r[4], extended[4] = {0};
	char text[200];

	host_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, r);
	svm_features.ibpb = r[EBX] & LEAF_80000008_EBX_IBPB;
	host_cpuid(UINT32_C(0x80000000), 0, r);
	if (r[EAX] >= CPUID_LEAF_AMD_EXTENDED2)
		host_cpuid(CPUID_LEAF_AMD_EXTENDED2, 0, extended);
	host_cpuid(CPUID_LEAF_FEATURES, 0, r);
	svm_features.switch_flags = svm_mitigations_choose(family_of(r[EAX]), extended);
	format_text(text, sizeof(text),
		    "svm: mitigations: return stack %s, buffers %s, branch predictions %s",
		    svm_features.switch_flags & SVM_SWITCH_FILL_RETURNS ? "filled at exits"
									: "cleared by the CPU",
		    svm_features.switch_flags & SVM_SWITCH_CLEAR_BUFFERS ? "cleared at entries"
									 : "left",
		    svm_features.ibpb ? "dropped between guests and others" : "left (no IBPB)");
	host_log(HOST_LOG_INFO, text);
}

static void drop_predictions(void)
{
	write_msr(MSR_PRED_CMD, PRED_CMD_IBPB);
}

void svm_mitigations_enter(struct svm_cpu *cpu, uint64_t vm)
{
	if (!svm_features.ibpb)
		return;
	if (cpu->last_vm != vm)
		drop_predictions();
	cpu->last_vm = vm;
	cpu->trained = true;
}

void svm_mitigations_leave(void)
{
	struct svm_cpu *cpu;

	if (!svm_features.ibpb)
		return;
	host_preempt_off();
	cpu = &svm_cpus[host_cpu()];
	if (cpu->trained) {
		cpu->trained = false;
		drop_predictions();
	}
	host_preempt_on();
}

void svm_mitigations_scheduled_out(struct host_run *run)
{
	(void)run;
	svm_mitigations_leave();
}
