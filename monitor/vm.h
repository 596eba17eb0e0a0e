/* SPDX-License-Identifier: MIT */
/*
 * vm.h - a virtual machine from its definition to its end: the monitor's one public interface.
 *
 * vm_create() opens what the definition names and builds the machine; vm_run() runs it, through
 * reboots, until it ends; vm_destroy() closes everything.  All three are called on one thread,
 * which is the VM's loop thread.  Several VMs may live in one process, each with its own loop.
 */
#ifndef DYAD_MONITOR_VM_H
#define DYAD_MONITOR_VM_H

#include <stdint.h>

#include "lib/error.h"
#include "monitor/vm_config.h"
#include "os.h"

struct vm;

enum vm_end {
	VM_END_POWER_OFF,  /* the guest powered itself off */
	VM_END_STOPPED,    /* vm_stop() */
	VM_END_DEBUG_EXIT, /* the guest ended itself through the debug-exit port */
	VM_END_CRASHED,    /* triple fault or the like: text says where */
	VM_END_ERROR,      /* the hypervisor or the host failed us: text says how */
};

struct vm_outcome {
	enum vm_end end;
	uint32_t debug_status; /* VM_END_DEBUG_EXIT: the value written */
	uint32_t reboots;      /* how many there were */
	struct error text;     /* CRASHED, ERROR: one sentence */
};

/*
 * hypervisor is the KVM ABI's system object, console the person's terminal (NULL: none); both are
 * the caller's and outlive the VM, as config does.
 */
int vm_create(const struct vm_config *config, struct os_kvm *hypervisor, struct os_loop *loop,
	      struct os_console *console, struct vm **vm, struct error *why);
void vm_run(struct vm *vm, struct vm_outcome *outcome);
void vm_destroy(struct vm *vm);

/* Presses the power button.  Any thread, or a call back on the loop thread. */
void vm_power_button(struct vm *vm);
/* Ends the VM at once; vm_run() returns.  Any thread, or a call back on the loop thread. */
void vm_stop(struct vm *vm);

#endif
