/* SPDX-License-Identifier: MIT */
/*
 * svm.h - the backend for AMD's SVM with nested paging: what its files share.
 *
 *     features.c   whether the CPU can; what it has
 *     mitigations.c  what is owed because CPUs remember what ran before
 *     cpus.c       each CPU: SVM turned on, its ASIDs
 *     maps.c       which MSRs and ports exit
 *     vmcb.c       the state of a vCPU from and to its VMCB
 *     inject.c     events into the guest, and windows for them
 *     avic.c       the local APIC by hardware, where it may
 *     run.c        the loops, the entry; switch.S
 *     exits.c      what an exit is
 *     debug.c      debug registers, the debugger's steps and breakpoints
 *     backend.c    the table; lives
 *
 * Fields are tagged as in vcpu.h.
 */
#ifndef DYAD_HYPERVISOR_X86_SVM_SVM_H
#define DYAD_HYPERVISOR_X86_SVM_SVM_H

#include <linux/errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "hw/svm.h"
#include "hw/x86.h"
#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "hypervisor/x86/backend.h"
#include "hypervisor/x86/debug_registers.h"
#include "hypervisor/x86/device_access.h"
#include "hypervisor/x86/inside.h"
#include "hypervisor/x86/stage2.h"
#include "hypervisor/x86/vector.h"
#include "lib/bits.h"
#include "lib/bytes.h"

/* --- The machine ------------------------------------------------------------------------------ */

struct svm_features {
	uint32_t asids; /* how many there are; 0 is the host's */
	bool next_rip, clean_bits, flush_by_asid, decode_assists, pause_filter;
	bool rdtscp, ibpb, tsc_ratio;
	bool vnmi, avic;       /* the host wants them, too */
	uint32_t switch_flags; /* SVM_SWITCH_*: the mitigations at each entry and exit */
	struct vector_features vector;
};
extern struct svm_features svm_features; /* written by probe() alone */

/* 0, or -errno and a line in the log.  wanted: BACKEND_*. */
int svm_features_probe(uint32_t wanted);
/* What is used only where it is wanted, of EDX of leaf 0x8000000a. */
void svm_features_choose(uint32_t wanted, uint32_t features);
void svm_mask_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

/* A physical CPU.  Used by its own CPU, with preemption off. */
struct svm_cpu {
	struct vmcb *save; /* where VMRUN puts the host's state (VM_HSAVE_PA) */
	uint64_t save_physical;
	struct vmcb *host; /* where VMSAVE puts it */
	uint64_t host_physical;
	bool enabled;
	uint32_t next_asid;
	uint64_t asid_generation; /* of the ASIDs given out; never 0 */
	uint64_t last_vm;         /* svm_vm.id of the guest that ran last */
	bool trained;             /* a guest has run, and its branch predictions are still there */
	uint64_t host_tsc_aux, host_xss;
	uint64_t tsc_ratio; /* what MSR_TSC_RATIO has, as in struct cpu_state */
	uint32_t apic_id;   /* [const] if svm_features.avic */
};

/* --- cpus.c: the rate of guests' TSCs here, if svm_features.tsc_ratio; with preemption off */
void svm_cpu_set_tsc_ratio(struct svm_cpu *cpu, uint64_t ratio);

/* --- mitigations.c; before an entry, with preemption off */
void svm_mitigations_find(void);
/* SVM_SWITCH_*, by the CPU's family and its leaf 0x80000021. */
uint32_t svm_mitigations_choose(uint32_t family, const uint32_t extended[4]);
void svm_mitigations_enter(struct svm_cpu *cpu, uint64_t vm);
void svm_mitigations_leave(void); /* before user code */
/* host_run.scheduled_out: another thread is next. */
void svm_mitigations_scheduled_out(struct host_run *run);

/* Turns SVM on, on all CPUs, for the first VM, and off after the last.  -EBUSY: another hypervisor
 * has it. */
int svm_cpus_get(void);
void svm_cpus_put(void);
void svm_cpus_init(void);
extern struct svm_cpu *svm_cpus; /* by number; while SVM is on */

/* The maps that all VMs share: physical addresses. */
struct svm_maps {
	void *io, *msr;
	uint64_t io_physical, msr_physical;
	void *x2avic_msr; /* of vCPUs with AVIC on; NULL: there is none */
	uint64_t x2avic_msr_physical;
};
extern struct svm_maps svm_maps;
int svm_maps_create(void);
void svm_maps_destroy(void);

/* --- VMs and vCPUs ---------------------------------------------------------------------------- */

struct svm_vm {
	struct vm vm; /* first */
	struct stage2 stage2;
	uint64_t id; /* [const] no two VMs have the same */

	/* [const] AVIC's physical APIC ID table; NULL: AVIC isn't used.  The entries are
	 * svm_avic.lock's to write. */
	uint64_t *avic_ids;
	uint64_t avic_ids_physical;
};

static inline struct svm_vm *svm_vm_of(struct vm *vm)
{
	return (struct svm_vm *)vm;
}

/* Lengths of instructions that exited, where the CPU doesn't tell them: by RIP. */
#define SVM_LENGTHS 16
struct svm_length {
	uint64_t rip, cr3;
	uint32_t exit_code, epoch;
	uint8_t length;
};

struct svm_avic {
	uint32_t *page;        /* [const] the backing page; NULL: AVIC isn't used */
	struct host_spin lock; /* guards whether the VM's table says that the vCPU runs */
};

/* What some entries and exits have to do besides the hot part: one look tells whether there is any.
 */
#define SVM_WORK_LOAD 1u /* at an entry: the VMCB is made anew of the state */
#define SVM_WORK_IRET 2u /* at an exit: whether the guest's IRET of an NMI is done */
#define SVM_WORK_VNMI 4u /* at all of both */
#define SVM_WORK_AVIC 8u
#define SVM_WORK_VIRQ 16u /* at an exit: whether the interrupt in V_IRQ was taken */

struct svm_vcpu {
	struct vcpu vcpu; /* first */
	struct vmcb *vmcb;
	uint64_t vmcb_physical; /* [const] */

	/*
	 * [own] Which of vmcb and vcpu.state is right: the general registers, RIP, RFLAGS, the
	 * shadow, control registers, EFER, CR2, DR6, DR7, the CPL and what CS says of the mode are
	 * taken over at each exit; the rest by sync_state().
	 */
	bool stale;                    /* the rest of the state is only in the VMCB */
	uint8_t entry_work, exit_work; /* SVM_WORK_* */
	bool shadowed;                 /* it was entered in an interrupt shadow ... */
	uint64_t shadowed_rip;         /* ... of the instruction there */
	uint64_t loaded_cr0;           /* what of the VMCB's CR0 the state has */

	/* [own] Where it ran last, and under what. */
	uint64_t asid_generation;
	uint64_t flushed; /* stage2.generation at the last flush of its TLB entries */
	unsigned cpu;
	uint32_t clean; /* what of the VMCB has not been written since it last ran */

	/* [own] Events. */
	uint64_t nmi_iret_rip; /* with SVM_WORK_IRET: where the IRET stands */
	bool window;           /* V_IRQ is set, to exit when interrupts are possible */
	uint8_t virq;          /* with SVM_WORK_VIRQ: its vector */
	bool nmi_kept;         /* with SVM_WORK_VNMI: one waits in the VMCB */
	bool stepping_event;   /* TF is to be set, to exit where what waits can be taken */
	bool stepping;         /* TF is ours, or the debugger's ... */
	bool stepping_tf;      /* ... but the guest has it set, too */

	/* [own] Debug registers. */
	bool debug_live; /* the guest has its own registers for now, and accesses don't exit */
	uint64_t host_dr[4], host_dr7;

	/* [own] Vector state. */
	struct vector_host host_vector;

	struct device_access access; /* [own] */

	struct svm_length lengths[SVM_LENGTHS]; /* [own] */
	uint32_t length_epoch;                  /* counts run() */

	struct stage2_spare spare; /* [own] */
	struct svm_avic avic;
};

static inline struct svm_vcpu *svm_of(struct vcpu *vcpu)
{
	return (struct svm_vcpu *)vcpu;
}

/* What is next after an exit. */
enum svm_next {
	SVM_AGAIN,   /* into the guest, from the inner loop */
	SVM_OUTSIDE, /* the inner loop is left; svm_exit_outside() */
	SVM_CORE,    /* what is in exit is for the core */
};

/* --- vmcb.c */

/* What doesn't change in a vCPU's life. */
void svm_vmcb_init(struct svm_vcpu *c);
void svm_vmcb_enter(struct svm_vcpu *c); /* before each entry */
void svm_vmcb_leave(struct svm_vcpu *c); /* after each exit */
void svm_sync_state(struct vcpu *vcpu);
/* The state is going to be changed by the core, other than its hot part. */
void svm_state_changes(struct svm_vcpu *c);

/* --- inject.c */

void svm_inject(struct svm_vcpu *c);    /* before each entry: vcpu.inject and the windows */
void svm_take_back(struct svm_vcpu *c); /* after each exit: what was not delivered */
void svm_iret(struct svm_vcpu *c);      /* the exit of the IRET of an NMI */

/* svm_features.vnmi: NMIs' mask, and one that waits, from and to the VMCB. */
void svm_vnmi_enter(struct svm_vcpu *c);

/* --- avic.c */

int svm_avic_create_vm(struct svm_vm *vm);
void svm_avic_destroy_vm(struct svm_vm *vm);
int svm_avic_create(struct svm_vcpu *c); /* its VMCB is there */
void svm_avic_destroy(struct svm_vcpu *c);
void svm_avic_enter(struct svm_vcpu *c); /* before each entry, inside, with GIF clear */
void svm_avic_leave(struct svm_vcpu *c); /* after each exit */
enum svm_next svm_avic_exit(struct svm_vcpu *c);
void svm_avic_apic_moved(struct vcpu *vcpu);

/* --- debug.c */

void svm_debug_load(struct svm_vcpu *c); /* with preemption off: around the inner loop */
void svm_debug_put(struct svm_vcpu *c);
void svm_debug_enter(struct svm_vcpu *c); /* after svm_vmcb_enter() */
void svm_debug_leave(struct svm_vcpu *c);
void svm_debug_take(struct svm_vcpu *c); /* the guest has its own registers from now on */
/* #DB or #BP has exited. */
enum svm_next svm_debug_exception(struct svm_vcpu *c, unsigned vector, struct exit *exit);
/* Whether the debugger waits for the end of the instruction that was finished here. */
bool svm_debug_step_done(struct svm_vcpu *c, struct exit *exit);

/* --- exits.c */

/* In the inner loop, with preemption off. */
enum svm_next svm_exit_inside(struct svm_vcpu *c, struct exit *exit);
/* In task context; true: exit is for the core; false: on into the guest. */
bool svm_exit_outside(struct svm_vcpu *c, struct exit *exit);
/* Goes on with an instruction that is emulated; the same result. */
bool svm_go_on_emulating(struct svm_vcpu *c, struct exit *exit);
void svm_complete_access(struct vcpu *vcpu, uint64_t data);

/* --- run.c */

void svm_run(struct vcpu *vcpu, struct exit *exit);
void svm_left(struct vcpu *vcpu);

/* switch.S */
void svm_switch(uint64_t *gpr, uint64_t vmcb, uint64_t host_vmcb, uint32_t flags);

#endif
