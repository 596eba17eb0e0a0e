/* SPDX-License-Identifier: MIT */
/*
 * msr_state.h - the values of model-specific registers that the core keeps for a vCPU, besides
 * those that stand in struct cpu_state and in the local APIC.
 */
#ifndef DYAD_HYPERVISOR_MSR_STATE_H
#define DYAD_HYPERVISOR_MSR_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define MSR_MTRR_FIXED 11
#define MSR_MTRR_VARIABLE 8
#define MSR_MCE_BANKS_MAX 32

struct msr_state {
	uint64_t tsc_adjust;
	uint64_t misc_enable;
	uint64_t mtrr_def_type, mtrr_fixed[MSR_MTRR_FIXED], mtrr_variable[2 * MSR_MTRR_VARIABLE];
	uint64_t mcg_cap, mcg_status, mcg_ctl;
	uint64_t mce[4 * MSR_MCE_BANKS_MAX]; /* CTL, STATUS, ADDR, MISC of each bank */
	uint64_t microcode, platform_info, feature_control, smi_count;
	uint64_t debug_control;
	uint64_t hwcr, patch, vm_cr, vm_hsave, decode_config, northbridge_config, syscfg;
	uint64_t osvw_length, osvw_status;

	uint64_t kvm_wall_clock, kvm_system_time; /* as the guest wrote them */
	uint64_t kvm_pv_eoi, kvm_poll_control;
	uint64_t kvm_async_area, kvm_async_vector; /* see async_fault.h */
	bool kvm_paused; /* KVM_KVMCLOCK_CTRL: tell the guest that its host stopped it */
};

#endif
