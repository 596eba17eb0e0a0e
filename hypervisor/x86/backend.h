/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what a vCPU runs on: the operations that a backend (svm, vmx, soft) provides, and the
 * exit that it gives.  The shared code above never asks which backend it is.
 */
#ifndef DYAD_HYPERVISOR_X86_BACKEND_H
#define DYAD_HYPERVISOR_X86_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/x86/cpu.h"

struct vm;
struct vcpu;

enum exit_kind {
	EXIT_NONE,   /* kicked, or the backend has something for the core to look at: go on */
	EXIT_ACCESS, /* a device's port or memory: struct exit_access */
	EXIT_CPUID,
	EXIT_MSR_READ, /* ECX and EDX:EAX in the registers */
	EXIT_MSR_WRITE,
	EXIT_CR8_READ, /* exit.reg is the general register */
	EXIT_CR8_WRITE,
	EXIT_XSETBV,
	EXIT_HLT,
	EXIT_PAUSE,            /* the guest spins */
	EXIT_HYPERCALL,        /* VMCALL or VMMCALL */
	EXIT_INTERRUPT_WINDOW, /* interrupts can be taken now, as vcpu->want_window asked */
	EXIT_NMI_WINDOW,       /* NMIs can be taken now, as vcpu->want_nmi_window asked */
	EXIT_DEBUG,            /* for the debugger outside: exit.debug */
	EXIT_SHUTDOWN,         /* triple fault */
	EXIT_FAILED,           /* the backend can't go on: exit.failure */
};

enum exit_space { EXIT_SPACE_PORT, EXIT_SPACE_MEMORY };

/*
 * One access to a device.  After a read the core calls complete_access() with the data, after a
 * write without; the instruction goes on from there when the vCPU next runs.
 */
struct exit_access {
	enum exit_space space;
	bool write;
	bool refused; /* by all that the core has: run_handle_fast() has asked */
	uint8_t size; /* 1, 2, 4 or 8; an access never crosses a page */
	uint64_t address;
	uint64_t data; /* of a write */
};

struct exit {
	enum exit_kind kind;
	uint8_t length; /* of the instruction, for those that the core finishes (it adds this to
			   RIP) */
	uint8_t reg;
	union {
		struct exit_access access;
		struct {
			uint32_t vector; /* CPU_VECTOR_DB or CPU_VECTOR_BP */
			uint64_t dr6, dr7, rip;
		} debug;
		struct {
			uint64_t reason; /* for the log */
			const char *text;
		} failure;
	};
};

/* What some CPUs do by themselves instead of by exits: used where the CPU has it, if the host wants
 * it. */
#define BACKEND_VIRTUAL_NMI 1u  /* NMIs wait in the CPU while one is served */
#define BACKEND_VIRTUAL_APIC 2u /* the local APIC's registers, and messages between vCPUs */

struct backend {
	const char *name;

	/* Size of the object that holds a vCPU; struct vcpu is its first member, struct vm that of
	 * a VM's. */
	size_t vcpu_size, vm_size;

	/* It uses run_handle_fast() and run_look_fast(): those can't read guest memory, so no
	 * interrupt's end is told by a flag there. */
	bool fast;

	/* Guests' TSCs may have another rate than the host's (state.tsc_ratio).  NULL: none. */
	bool (*scales_tsc)(void);

	/* Whether this machine can run it; why not is logged.  wanted: BACKEND_*.  Once, before all
	 * others. */
	int (*probe)(uint32_t wanted);

	/* Task context.  What *_create made, *_destroy ends; vCPUs go before their VM. */
	int (*vm_create)(struct vm *vm);
	/* The VM is going to end: once it returns nothing of the host's calls the backend about it
	 * any more, nor looks at its vCPUs, which go next.  NULL: nothing does. */
	void (*vm_stop)(struct vm *vm);
	void (*vm_destroy)(struct vm *vm);
	int (*vcpu_create)(struct vcpu *vcpu);
	void (*vcpu_destroy)(struct vcpu *vcpu);

	/*
	 * Runs the guest until an exit.  vcpu->state is current before and after, but for what
	 * sync_state() brings.  If
	 * vcpu->inject.kind is not NONE it is delivered first (and the field set to NONE; if its
	 * delivery exits on its way, it is left as it was and tried again).  Returns at once with
	 * EXIT_NONE when vcpu->kicked is set, but for an instruction whose accesses have been
	 * completed: that is ended first (or exits again), so that callers see the state after it.
	 */
	void (*run)(struct vcpu *vcpu, struct exit *exit);

	/* KVM_RUN ends, after run() was called or not: its caller's code is what runs next.  NULL:
	 * nothing to do.  Task context. */
	void (*left)(struct vcpu *vcpu);

	/* Ends the run() under way on another CPU as soon as can be, after vcpu->kicked was set.
	 * Atomic. */
	void (*kick)(struct vcpu *vcpu);

	/* The data of the read that EXIT_ACCESS asked for, or that its write is done. */
	void (*complete_access)(struct vcpu *vcpu, uint64_t data);

	/*
	 * Makes all of vcpu->state current: a backend may leave segments but the mode of CS, GDTR,
	 * IDTR and the MSRs of system calls where they are after run(), until somebody wants to see
	 * or change them.  NULL: they always are.  Not while the vCPU runs.
	 */
	void (*sync_state)(struct vcpu *vcpu);

	/* The core has changed vcpu->state other than by finishing an instruction (SET_SREGS, INIT,
	 * ...), after sync_state(): what was cached of it is void.  Not while the vCPU runs. */
	void (*state_changed)(struct vcpu *vcpu);

	/*
	 * The slots, or their pages' protection, have changed for gpa..gpa+size: nothing cached of
	 * that range may be used any more once this returns.  Called with the VM's memory lock
	 * held; vCPUs may be running.
	 */
	void (*memory_changed)(struct vm *vm, uint64_t gpa, uint64_t size);

	/* The vCPU's local APIC was turned on or off, or is in another mode: messages that begin
	 * after this returns find it as it is now.  NULL: the core alone sends messages.  Task
	 * context, not while the vCPU runs. */
	void (*apic_moved)(struct vcpu *vcpu);

	/* Someone other than a vCPU (a device) wrote to guest memory: code decoded from there is
	 * void. */
	void (*memory_written)(struct vm *vm, uint64_t gpa, uint64_t size);

	/* Walks the guest's page tables for the ABI's KVM_TRANSLATE; false: not mapped. */
	bool (*translate)(struct vcpu *vcpu, uint64_t gva, uint64_t *gpa);

	/* The features that the backend can give a guest: a CPUID leaf as the host has it, without
	 * those that it can't run, and with what it has whatever the host is like. */
	void (*mask_cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);
};

extern const struct backend soft_backend;
/* hypervisor-svm.a, hypervisor-vmx.a, for hosts in kernel mode */
extern const struct backend svm_backend, vmx_backend;

#endif
