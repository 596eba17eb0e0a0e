/* SPDX-License-Identifier: MIT */
/*
 * mitigations.c - what a hypervisor owes its host, its monitors and its other guests, because CPUs
 * remember what ran before.  Chosen by CPUID and IA32_ARCH_CAPABILITIES, told in one line of the
 * log.
 *
 *     return stack    filled at each exit, before the first return (switch.S)
 *     history         of branches, filled at each exit, before the first indirect one (switch.S)
 *     buffers         overwritten by VERW, last before each entry (switch.S)
 *     L1 data cache   flushed where the inner loop begins: before the first entry after other code
 *     predictions     dropped (IBPB) between guests of two VMs, and between a guest and whatever
 *                     user code comes next on its CPU: its monitor, or another thread
 *
 *     IBRS            where it is the host's and of the kind that a write of it begins: renewed at
 *                     each exit, before the first return (switch.S)
 *
 * SPEC_CTRL stays the host's while a guest runs: it is not offered to guests, and its MSR exits.
 */
#include "hw/cpuid.h"
#include "hw/msr.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/vmx/layout.h"
#include "hypervisor/x86/vmx/vmx.h"
#include "lib/format.h"

enum { EAX, EBX, ECX, EDX };

#define LEAF_7_2_EDX_BHI_CTRL (1u << 4)

/* MDS, TAA where there are transactions, and register file data sampling. */
static bool owes_buffers(const struct vmx_vulnerable *cpu)
{
	uint64_t arch = cpu->arch_capabilities;
	bool has_rtm = cpu->structured[EBX] & CPUID_7_EBX_RTM;

	if ((arch & ARCH_CAPABILITIES_RFDS_CLEAR) && !(arch & ARCH_CAPABILITIES_RFDS_NO))
		return true;
	if (!(cpu->structured[EDX] & CPUID_7_EDX_MD_CLEAR))
		return false;
	return !(arch & ARCH_CAPABILITIES_MDS_NO) ||
	       (has_rtm && !(arch & ARCH_CAPABILITIES_TAA_NO));
}

uint32_t vmx_mitigations_choose(const struct vmx_vulnerable *cpu, bool *l1d_flush)
{
	uint64_t arch = cpu->arch_capabilities;
	uint32_t flags = VMX_SWITCH_FILL_RETURNS;

	*l1d_flush = (cpu->structured[EDX] & CPUID_7_EDX_L1D_FLUSH) &&
		     !(arch & (ARCH_CAPABILITIES_RDCL_NO | ARCH_CAPABILITIES_SKIP_L1D_FLUSH));
	if (owes_buffers(cpu))
		flags |= VMX_SWITCH_CLEAR_BUFFERS;
	/* Older ones, without IBRS for all modes, keep the guest out of our predictions by other
	 * means of the host: retpolines, IBRS. */
	if ((arch & ARCH_CAPABILITIES_IBRS_ALL) && !(arch & ARCH_CAPABILITIES_BHI_NO) &&
	    !cpu->history_off)
		flags |= VMX_SWITCH_CLEAR_HISTORY;
	if ((cpu->spec_ctrl & SPEC_CTRL_IBRS) && !(arch & ARCH_CAPABILITIES_IBRS_ALL))
		flags |= VMX_SWITCH_RENEW_IBRS;
	return flags;
}

static void look(struct vmx_vulnerable *cpu)
{
	uint32_t r[4];

	host_cpuid(CPUID_LEAF_STRUCTURED, 0, cpu->structured);
	if (cpu->structured[EDX] & CPUID_7_EDX_ARCH_CAPABILITIES)
		cpu->arch_capabilities = read_msr(MSR_ARCH_CAPABILITIES);
	if (cpu->structured[EDX] & CPUID_7_EDX_IBPB)
		cpu->spec_ctrl = read_msr(MSR_SPEC_CTRL);
	if (cpu->structured[EAX] < 2)
		return;
	host_cpuid(CPUID_LEAF_STRUCTURED, 2, r);
	cpu->history_off =
		(r[EDX] & LEAF_7_2_EDX_BHI_CTRL) && (cpu->spec_ctrl & SPEC_CTRL_BHI_DIS_S);
}

void vmx_mitigations_find(void)
{
	struct vmx_vulnerable cpu = {0};
	char text[250];
	uint32_t flags;

	look(&cpu);
	vmx_features.ibpb = cpu.structured[EDX] & CPUID_7_EDX_IBPB;
	flags = vmx_mitigations_choose(&cpu, &vmx_features.l1d_flush);
	vmx_features.switch_flags = flags;
	format_text(
		text, sizeof(text),
		"vmx: mitigations: return stack filled at exits, branch history %s, buffers %s, "
		"L1 data cache %s, IBRS %s, branch predictions %s",
		flags & VMX_SWITCH_CLEAR_HISTORY ? "filled at exits" : "left",
		flags & VMX_SWITCH_CLEAR_BUFFERS ? "cleared at entries" : "left",
		vmx_features.l1d_flush ? "flushed after other code" : "left",
		flags & VMX_SWITCH_RENEW_IBRS ? "renewed at exits" : "left",
		vmx_features.ibpb ? "dropped between guests and others" : "left (no IBPB)");
	host_log(HOST_LOG_INFO, text);
}

static void drop_predictions(void)
{
	write_msr(MSR_PREDICTION_COMMAND, PREDICTION_COMMAND_IBPB);
}

void vmx_mitigations_enter(struct vmx_cpu *cpu, uint64_t vm)
{
	if (vmx_features.l1d_flush)
		write_msr(MSR_FLUSH_COMMAND, FLUSH_COMMAND_L1D);
	if (!vmx_features.ibpb)
		return;
	if (cpu->last_vm != vm)
		drop_predictions();
	cpu->last_vm = vm;
	cpu->trained = true;
}

void vmx_mitigations_leave(struct vmx_cpu *cpu)
{
	if (!cpu->trained)
		return;
	cpu->trained = false;
	drop_predictions();
}
