/* SPDX-License-Identifier: MIT */
/*
 * vmx.h - the backend for Intel's VMX with EPT: what its files share.
 *
 *     features.c   whether the CPU can; what it has; the controls
 *     mitigations.c  what is owed because CPUs remember what ran before
 *     cpus.c       each CPU: VMX turned on, its VPIDs
 *     maps.c       which MSRs exit
 *     access.h     VMX's instructions
 *     vmcs.c       the state of a vCPU from and to its VMCS
 *     segments.c   its segments
 *     host.c       what the VMCS and an exit do to the host's state
 *     inject.c     events into the guest, and windows for them
 *     run.c        the loops, the entry; switch.S
 *     exits.c      what an exit is
 *     control.c    control registers
 *     task.c       task switches; task_segments.c
 *     debug.c      debug registers, the debugger's steps and breakpoints
 *     failure.c    why an entry failed; check.h
 *     backend.c    the table; lives
 *
 * A VMCS is active on a CPU only while its vCPU's thread has that CPU inside KVM_RUN: it is cleared
 * when the thread loses the CPU and when KVM_RUN ends.  So no CPU ever has to ask another for one,
 * and a CPU that goes has none.
 *
 * Fields are tagged as in vcpu.h.
 */
#ifndef DYAD_HYPERVISOR_X86_VMX_VMX_H
#define DYAD_HYPERVISOR_X86_VMX_VMX_H

#include <linux/errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "hw/vmx.h"
#include "hw/x86.h"
#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "hypervisor/x86/backend.h"
#include "hypervisor/x86/debug_registers.h"
#include "hypervisor/x86/device_access.h"
#include "hypervisor/x86/inside.h"
#include "hypervisor/x86/stage2.h"
#include "hypervisor/x86/vector.h"
#include "hypervisor/x86/vmx/access.h"
#include "hypervisor/x86/vmx/check.h"
#include "lib/bits.h"
#include "lib/bytes.h"

/* --- The machine ------------------------------------------------------------------------------ */

struct vmx_features {
	uint32_t revision; /* of a VMCS */
	/* The controls that a vCPU begins with. */
	uint32_t pin, primary, secondary, exit, entry;
	uint64_t misc;                                           /* IA32_VMX_MISC */
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* the MSRs of these names */
	uint64_t ept_pointer;                                    /* what all have in common */
	unsigned ept_levels;
	bool invept_single;
	bool rdtscp, ibpb, l1d_flush;
	uint32_t switch_flags; /* VMX_SWITCH_*: the mitigations at each entry and exit */
	struct vector_features vector;
	struct stage2_format ept;
};
extern struct vmx_features vmx_features; /* written by probe() alone */

/* 0, or -errno and a line in the log. */
int vmx_features_probe(void);
void vmx_mask_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

/*
 * Of a capability MSR's value and of what is wanted, needed of that, and unwanted: the control
 * word. False: it can't have what is needed, or not be without what is unwanted.
 */
bool vmx_choose_controls(uint64_t capability, uint32_t needed, uint32_t wanted, uint32_t unwanted,
			 uint32_t *controls);

/* A physical CPU.  Used by its own CPU, with preemption off. */
struct vmx_cpu {
	void *region; /* what VMXON is given */
	uint64_t region_physical;
	bool enabled;
	uint64_t epoch; /* counts how often it was turned on */
	uint32_t next_vpid;
	uint64_t vpid_generation; /* of the VPIDs given out; never 0 */
	uint64_t last_vm;         /* vmx_vm.id of the guest that ran last */
	bool trained;             /* a guest has run, and its branch predictions are still there */
	uint64_t host_tsc_aux, host_xss;
	uint64_t host_star, host_lstar, host_cstar, host_sfmask;
};

/* --- mitigations.c; before an entry, with preemption off */
void vmx_mitigations_find(void);
/* What the CPU tells of itself, for vmx_mitigations_choose(). */
struct vmx_vulnerable {
	uint32_t structured[4];     /* CPUID leaf 7 */
	uint64_t arch_capabilities; /* 0: it hasn't the MSR */
	uint64_t spec_ctrl;         /* the host's in kernel mode; 0: it hasn't the MSR */
	bool history_off;           /* the host has indirect branches ignore the guest's history */
};
/* VMX_SWITCH_*, and whether the L1 data cache is owed a flush. */
uint32_t vmx_mitigations_choose(const struct vmx_vulnerable *cpu, bool *l1d_flush);
void vmx_mitigations_enter(struct vmx_cpu *cpu, uint64_t vm);
void vmx_mitigations_leave(struct vmx_cpu *cpu); /* before other code of user mode */

/* Turns VMX on, on all CPUs, for the first VM, and off after the last.  -EBUSY: another hypervisor
 * has it. */
int vmx_cpus_get(void);
void vmx_cpus_put(void);
void vmx_cpus_init(void);
extern struct vmx_cpu *vmx_cpus; /* by number; while VMX is on */

/* The map that all VMs share: which MSRs exit. */
extern uint64_t vmx_msr_map_physical;
int vmx_maps_create(void);
void vmx_maps_destroy(void);

/* --- VMs and vCPUs ---------------------------------------------------------------------------- */

struct vmx_vm {
	struct vm vm; /* first */
	struct stage2 stage2;
	uint64_t id; /* [const] no two VMs have the same */
};

static inline struct vmx_vm *vmx_vm_of(struct vm *vm)
{
	return (struct vmx_vm *)vm;
}

/* What of a host's state the VMCS has, or an exit takes from the CPU. */
struct vmx_host {
	uint64_t rsp, cr3, cr4, fs_base; /* of the VMCS */
	uint64_t debugctl;
	struct cpu_table gdtr, idtr;
	struct host_segments segments;
};

struct vmx_vcpu {
	struct vcpu vcpu; /* first */
	uint32_t *vmcs;   /* [const] */
	uint64_t vmcs_physical;

	/* [own] What the VMCS has. */
	uint64_t rip, rsp, rflags, dr7;
	uint32_t primary, exceptions, interruptibility;
	bool pending_step;

	/*
	 * [own] Which of the VMCS and vcpu.state is right.  At each exit RIP, RFLAGS, what blocks
	 * events, CR2 and what CS says of the mode are taken over; where the inner loop ends the
	 * CPL; the rest by sync_state().
	 */
	bool stale;           /* the rest of the state is only in the VMCS */
	bool load;            /* the VMCS is to be made anew of the state */
	bool load_pdptes;     /* the page directory pointers too, from the guest's memory */
	struct vmx_host host; /* [own] */

	/* [own] Where it ran last, and under what. */
	uint64_t cpu_epoch; /* never 0 once it has run */
	uint64_t vpid_generation;
	uint64_t flushed; /* stage2.generation at the last flush of its EPT's entries here */
	unsigned cpu;
	bool active; /* the VMCS is the current one of the CPU that runs this thread */
	bool launched;
	bool in_run; /* inside KVM_RUN: the thread's loss of its CPU will be told */

	/* [own] The exit: what reason has it have. */
	uint8_t instruction_length; /* of a task switch */
	uint32_t reason;
	uint32_t interruption; /* of an exception's exit */
	uint64_t qualification, gpa;
	uint32_t vectoring; /* the event whose delivery it came in, where one may */

	struct device_access access; /* [own] */

	/* [own] An injected INT n, whose delivery may exit. */
	bool soft_injected;
	uint64_t soft_rip;

	/* [own] Debug registers. */
	uint64_t host_dr[4], host_dr7;
	bool stepping;    /* TF is the debugger's ... */
	bool stepping_tf; /* ... but the guest has it set, too */
	bool debug_live;  /* the guest has its own registers for now, and accesses don't exit */

	struct vector_host host_vector; /* [own] */
	struct stage2_spare spare;      /* [own] */
};

static inline struct vmx_vcpu *vmx_of(struct vcpu *vcpu)
{
	return (struct vmx_vcpu *)vcpu;
}

/* What is next after an exit. */
enum vmx_next {
	VMX_AGAIN,   /* into the guest, from the inner loop */
	VMX_OUTSIDE, /* the inner loop is left; vmx_exit_outside() */
	VMX_CORE,    /* what is in exit is for the core */
};

/* --- vmcs.c; but for vmx_sync_state() with the VMCS current and preemption off */

void vmx_vmcs_init(struct vmx_vcpu *c); /* what doesn't change in a vCPU's life */
/* Before the inner loop: all that isn't there yet; pdptes: NULL, or what load_pdptes asks for. */
void vmx_vmcs_load(struct vmx_vcpu *c, const uint64_t pdptes[4]);
void vmx_vmcs_enter(struct vmx_vcpu *c);      /* before each entry */
void vmx_vmcs_leave(struct vmx_vcpu *c);      /* after each exit */
void vmx_vmcs_take_level(struct vmx_vcpu *c); /* the CPL */
void vmx_sync_state(struct vcpu *vcpu);
/* The state is going to be changed by the core, other than its hot part. */
void vmx_state_changes(struct vmx_vcpu *c);
void vmx_set_primary(struct vmx_vcpu *c, uint32_t bits, bool want);

/* Makes it the current one; false: it can't be.  vmx_vmcs_clear(): on the CPU where it is active.
 */
bool vmx_vmcs_activate(struct vmx_vcpu *c);
void vmx_vmcs_clear(struct vmx_vcpu *c);

/* --- segments.c */

void vmx_segments_write(const struct cpu_state *s);
void vmx_segments_read(struct cpu_state *s);
/* A segment register as an entry's rules will have it; SDM3 section 27.3.1.2. */
struct vmx_segment vmx_segment_pack(const struct cpu_state *s, enum vmx_segment_register which);
void vmx_segment_unpack(struct cpu_segment *to, const struct vmx_segment *from);

/* --- control.c */

/* CR0's and CR4's bits that the guest changes without an exit. */
#define VMX_CR0_GUEST (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)
#define VMX_CR4_GUEST CR4_PGE
void vmx_control_write(const struct cpu_state *s);
void vmx_control_read(struct cpu_state *s);
/* The page directory pointers at CR3, if the guest pages by them; false: the CPU doesn't take them.
 * Task context. */
bool vmx_control_read_pdptes(struct vmx_vcpu *c, uint64_t pdptes[4]);
bool vmx_control_has_pdptes(const struct cpu_state *s);
/* An access to CR0 or CR4 has exited; as vmx_exit_outside(). */
bool vmx_control_exit(struct vmx_vcpu *c, struct exit *exit);

/* --- host.c */

/* Around the inner loop, with preemption off; on a CPU that is new to the VMCS moved is true. */
void vmx_host_load(struct vmx_vcpu *c, const struct vmx_cpu *cpu, bool moved);
void vmx_host_put(struct vmx_vcpu *c, const struct vmx_cpu *cpu);
void vmx_host_init(void);                /* with the VMCS current: what is the same on all CPUs */
void vmx_host_enter(struct vmx_vcpu *c); /* before each entry, with interrupts off */
void vmx_host_leave(struct vmx_vcpu *c); /* after each exit, with interrupts still off */

/* --- inject.c */

void vmx_inject(struct vmx_vcpu *c); /* before each entry: vcpu.inject and the windows */
/* After an exit that may have been on an event's way to its handler. */
void vmx_take_back(struct vmx_vcpu *c);
/* The VM-entry interruption-information field for it, in protected mode or not. */
uint32_t vmx_event_encode(const struct cpu_event *event, bool protected_mode);

/* --- debug.c */

void vmx_debug_load(struct vmx_vcpu *c); /* with preemption off: around the inner loop */
void vmx_debug_put(struct vmx_vcpu *c);
void vmx_debug_enter(struct vmx_vcpu *c); /* before vmx_vmcs_enter() */
void vmx_debug_leave(struct vmx_vcpu *c);
void vmx_debug_take(struct vmx_vcpu *c); /* the guest has its own registers from now on */
/* #DB or #BP has exited. */
enum vmx_next vmx_debug_exception(struct vmx_vcpu *c, unsigned vector, struct exit *exit);
/* Whether the debugger waits for the end of the instruction that was finished here. */
bool vmx_debug_step_done(struct vmx_vcpu *c, struct exit *exit);

/* --- exits.c */

/* In the inner loop, with preemption off. */
enum vmx_next vmx_exit_inside(struct vmx_vcpu *c, struct exit *exit);
/* In task context; true: exit is for the core; false: on into the guest. */
bool vmx_exit_outside(struct vmx_vcpu *c, struct exit *exit);
/* An instruction in software, from its beginning, or from where it stopped; the same result. */
bool vmx_emulate(struct vmx_vcpu *c, struct exit *exit);
bool vmx_go_on_emulating(struct vmx_vcpu *c, struct exit *exit);
void vmx_complete_access(struct vcpu *vcpu, uint64_t data);
enum vmx_next vmx_fail(struct vmx_vcpu *c, struct exit *exit, const char *text);

/* --- task.c */

/* As vmx_exit_outside(). */
bool vmx_task_switch(struct vmx_vcpu *c, struct exit *exit);

/* --- failure.c */

/* The entry has failed: tells the log why.  With the VMCS current. */
enum vmx_next vmx_entry_failed(struct vmx_vcpu *c, struct exit *exit);

/* --- run.c */

void vmx_run(struct vcpu *vcpu, struct exit *exit);
void vmx_left(struct vcpu *vcpu);
void vmx_scheduled_out(struct host_run *run); /* host_run.scheduled_out */

/* switch.S */
bool vmx_switch(uint64_t *gpr, uint64_t *host_rsp, uint32_t flags);
extern const char vmx_switch_exit[];

#endif
