/* SPDX-License-Identifier: MIT */
/*
 * features.c - whether this machine's CPUs can run guests by VMX, what they have, and the controls
 * that follow from it.
 */
#include "hw/cpuid.h"
#include "hw/msr.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/vmx/vmx.h"

enum { EAX, EBX, ECX, EDX };

#define MEMORY_TYPE_WRITE_BACK 6u
#define EPT_4_LEVELS_BITS 48u

struct vmx_features vmx_features;

static int refuse(const char *text)
{
	host_log(HOST_LOG_INFO, text);
	return -EOPNOTSUPP;
}

/* --- Controls --------------------------------------------------------------------------------- */

bool vmx_choose_controls(uint64_t capability, uint32_t needed, uint32_t wanted, uint32_t unwanted,
			 uint32_t *controls)
{
	uint32_t must = (uint32_t)capability, may = (uint32_t)(capability >> 32);

	if ((needed & ~may) || (unwanted & must))
		return false;
	*controls = ((needed | wanted) & may) | must;
	return true;
}

/* What each control word must have, may have and must not have, and what a CPU lacks that can't. */
struct control_word {
	uint32_t msr, true_msr; /* the latter tells which of those that were always 1 need not be */
	uint32_t needed, wanted, unwanted;
	uint32_t *controls;
	const char *lacking;
};

static const struct control_word words[] = {
	{MSR_VMX_PIN, MSR_VMX_TRUE_PIN,
	 VMX_PIN_EXTERNAL_INTERRUPT | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS, VMX_PIN_PREEMPTION_TIMER,
	 0, &vmx_features.pin, "vmx: this CPU has no virtual NMIs, which are needed"},
	{MSR_VMX_PRIMARY, MSR_VMX_TRUE_PRIMARY,
	 VMX_PRIMARY_TSC_OFFSET | VMX_PRIMARY_HLT | VMX_PRIMARY_MWAIT | VMX_PRIMARY_RDPMC |
		 VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE | VMX_PRIMARY_MOV_DR |
		 VMX_PRIMARY_IO | VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_MONITOR |
		 VMX_PRIMARY_SECONDARY,
	 0,
	 VMX_PRIMARY_INVLPG | VMX_PRIMARY_RDTSC | VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE |
		 VMX_PRIMARY_PAUSE,
	 &vmx_features.primary,
	 "vmx: this CPU lacks one of the processor-based controls that are needed: it is older "
	 "than "
	 "EPT"},
	{MSR_VMX_SECONDARY, MSR_VMX_SECONDARY, VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED_GUEST,
	 VMX_SECONDARY_RDTSCP | VMX_SECONDARY_VPID | VMX_SECONDARY_WBINVD |
		 VMX_SECONDARY_PAUSE_LOOP | VMX_SECONDARY_INVPCID | VMX_SECONDARY_ENCLS |
		 VMX_SECONDARY_XSAVES | VMX_SECONDARY_TSC_SCALING,
	 0, &vmx_features.secondary, NULL},
	{MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT,
	 VMX_EXIT_SAVE_DEBUG_CONTROLS | VMX_EXIT_HOST_64 | VMX_EXIT_LOAD_EFER, 0, 0,
	 &vmx_features.exit, "vmx: this CPU doesn't load EFER at VM exits, which is needed"},
	{MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY, VMX_ENTRY_LOAD_DEBUG_CONTROLS | VMX_ENTRY_LOAD_EFER, 0,
	 0, &vmx_features.entry, "vmx: this CPU doesn't load EFER at VM entries, which is needed"},
};

static int refuse_secondary(uint64_t capability)
{
	if (!(capability >> 32 & VMX_SECONDARY_EPT))
		return refuse("vmx: this CPU has no EPT, Intel's nested paging, which is needed");
	return refuse(
		"vmx: this CPU has EPT but not 'unrestricted guest', which is needed: it can't "
		"run code in real mode");
}

static int choose_controls(bool has_true)
{
	for (unsigned i = 0; i < ARRAY_COUNT(words); i++) {
		const struct control_word *w = &words[i];
		uint64_t capability = read_msr(has_true ? w->true_msr : w->msr);

		if (!vmx_choose_controls(capability, w->needed, w->wanted, w->unwanted,
					 w->controls))
			return w->lacking ? refuse(w->lacking) : refuse_secondary(capability);
	}
	return 0;
}

/* --- EPT, VPID -------------------------------------------------------------------------------- */

static unsigned physical_bits(void)
{
	uint32_t r[4];

	host_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, r);
	return r[EAX] & 0xff;
}

static int probe_ept(void)
{
	uint64_t capability = read_msr(MSR_VMX_EPT_VPID);
	bool accessed = capability & VMX_EPT_ACCESSED;
	const uint64_t vpid_needed = VMX_VPID_INVVPID | VMX_VPID_INVVPID_ALL;

	if (!(capability & VMX_EPT_LEVELS_4) || !(capability & VMX_EPT_WRITE_BACK))
		return refuse("vmx: this CPU's EPT has not the form that is needed");
	if (!(capability & VMX_EPT_INVEPT) ||
	    !(capability & (VMX_EPT_INVEPT_SINGLE | VMX_EPT_INVEPT_ALL)))
		return refuse("vmx: this CPU has no INVEPT, which is needed");
	if (!(capability & VMX_EPT_2_MIB))
		return refuse("vmx: this CPU's EPT has no pages of 2 MiB, which are needed");
	vmx_features.invept_single = capability & VMX_EPT_INVEPT_SINGLE;
	if ((capability & vpid_needed) != vpid_needed)
		vmx_features.secondary &= ~VMX_SECONDARY_VPID;
	vmx_features.ept_levels =
		(capability & VMX_EPT_LEVELS_5) && physical_bits() > EPT_4_LEVELS_BITS ? 5 : 4;
	vmx_features.ept_pointer = EPTP_WRITE_BACK | EPTP_LEVELS(vmx_features.ept_levels) |
				   (accessed ? EPTP_ACCESSED : 0);
	/* Memory is all that is mapped: its type is write-back, whatever the guest says. */
	vmx_features.ept = (struct stage2_format){
		.table = EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_A,
		.leaf = EPT_READ | EPT_EXECUTE | EPT_TYPE_WRITE_BACK | EPT_IGNORE_PAT | EPT_A,
		.large = EPT_LARGE,
		.write = EPT_WRITE | EPT_D,
		.accessed = accessed ? EPT_A : 0, /* else all looks old */
		.present = EPT_READ | EPT_WRITE | EPT_EXECUTE,
		.large_level_max = capability & VMX_EPT_1_GIB ? 3 : 2,
	};
	return 0;
}

/* --- All of it -------------------------------------------------------------------------------- */

static bool is_turned_off(void)
{
	uint64_t control = read_msr(MSR_FEATURE_CONTROL);

	/* What isn't locked yet is turned on by cpus.c. */
	return (control & FEATURE_CONTROL_LOCKED) && !(control & FEATURE_CONTROL_VMX);
}

static bool has_vmx(void)
{
	uint32_t r[4];

	host_cpuid(CPUID_LEAF_FEATURES, 0, r);
	return r[ECX] & CPUID_1_ECX_VMX;
}

int vmx_features_probe(void)
{
	uint64_t basic;
	uint32_t r[4];
	const char *why;
	int err;

	if (!has_vmx())
		return refuse("vmx: this CPU has no Intel VMX");
	if (is_turned_off())
		return refuse("vmx: the firmware has turned Intel VMX (VT-x) off; turn it on in "
			      "its setup");
	basic = read_msr(MSR_VMX_BASIC);
	if ((basic >> VMX_BASIC_MEMORY_TYPE_SHIFT & 0xf) != MEMORY_TYPE_WRITE_BACK)
		return refuse("vmx: this CPU wants its VMCS in memory that isn't cached");
	err = choose_controls(basic & VMX_BASIC_TRUE_CONTROLS);
	if (!err)
		err = probe_ept();
	if (err < 0)
		return err;
	why = guest_vector_probe(&vmx_features.vector);
	if (why)
		return refuse(why);
	vmx_features.vector.fp_pointers_stay = false; /* that is AMD's */
	vmx_features.revision = (uint32_t)basic & VMX_REVISION_MASK;
	vmx_features.misc = read_msr(MSR_VMX_MISC);
	vmx_features.cr0_fixed0 = read_msr(MSR_VMX_CR0_FIXED0);
	vmx_features.cr0_fixed1 = read_msr(MSR_VMX_CR0_FIXED1);
	vmx_features.cr4_fixed0 = read_msr(MSR_VMX_CR4_FIXED0);
	vmx_features.cr4_fixed1 = read_msr(MSR_VMX_CR4_FIXED1);
	host_cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0, r);
	if (!(r[EDX] & CPUID_80000001_EDX_RDTSCP))
		vmx_features.secondary &= ~VMX_SECONDARY_RDTSCP;
	vmx_features.rdtscp = vmx_features.secondary & VMX_SECONDARY_RDTSCP;
	host_cpuid(CPUID_LEAF_XSAVE, 1, r);
	if (!vmx_features.vector.supervisor_state)
		vmx_features.secondary &= ~VMX_SECONDARY_XSAVES;
	vmx_mitigations_find();
	return 0;
}

/* Instructions that a control turns off are #UD. */
void vmx_mask_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	uint32_t secondary = vmx_features.secondary;

	guest_vector_mask_cpuid(&vmx_features.vector, leaf, subleaf, registers);
	if (leaf == CPUID_LEAF_STRUCTURED && !subleaf) {
		if (!(secondary & VMX_SECONDARY_INVPCID))
			registers[EBX] &= ~CPUID_7_EBX_INVPCID;
		if (!vmx_features.rdtscp)
			registers[ECX] &= ~CPUID_7_ECX_RDPID;
	}
	if (leaf == CPUID_LEAF_EXTENDED_FEATURES && !vmx_features.rdtscp)
		registers[EDX] &= ~CPUID_80000001_EDX_RDTSCP;
	if (leaf == CPUID_LEAF_XSAVE && subleaf == 1 && !(secondary & VMX_SECONDARY_XSAVES))
		registers[EAX] &= ~CPUID_D1_EAX_XSAVES;
}
