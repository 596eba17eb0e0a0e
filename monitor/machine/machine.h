/* SPDX-License-Identifier: MIT */
/*
 * machine.h - one power-on of a VM: RAM, CPUs and devices put together by the definition.  A reset
 * is the end of one machine and the start of another on the same back ends.
 *
 * Made, started, stopped and destroyed on the loop thread.
 */
#ifndef DYAD_MONITOR_MACHINE_MACHINE_H
#define DYAD_MONITOR_MACHINE_MACHINE_H

#include <stdint.h>

#include "lib/error.h"
#include "monitor/vm_config.h"
#include "os.h"

enum machine_end {
	MACHINE_END_RESET,
	MACHINE_END_POWER_OFF,
	MACHINE_END_DEBUG_EXIT,
	MACHINE_END_CRASHED,
	MACHINE_END_FAILED,
};

/* What the definition names, opened; the caller's, and longer-lived than the machine. */
struct machine_backends {
	struct os_file *kernel;
	struct os_file *initrd; /* or NULL */
	struct os_file *modules[VM_MODULES_MAX];
	struct os_block *blocks[VM_DISKS_MAX];
	struct os_net *nets[VM_NETS_MAX];
	struct os_console *console; /* or NULL */
};

/* Called once or more, on any thread; the first tells why the machine ends. */
struct machine_listener {
	void (*ended)(void *context, enum machine_end end, uint32_t debug_status,
		      const struct error *why); /* why: CRASHED and FAILED, else NULL */
	void *context;
};

struct machine;

int machine_create(const struct vm_config *config, const struct machine_backends *backends,
		   struct os_kvm *system, struct os_loop *loop,
		   const struct machine_listener *listener, struct machine **machine,
		   struct error *why);
/* The vCPUs begin to run. */
int machine_start(struct machine *machine, struct error *why);
/* On return no vCPU runs any more. */
void machine_stop(struct machine *machine);
/* Stops it if it runs; finishes what devices have in flight. */
void machine_destroy(struct machine *machine);
/* Any thread. */
void machine_press_power_button(struct machine *machine);

#endif
