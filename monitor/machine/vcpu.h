/* SPDX-License-Identifier: MIT */
/*
 * vcpu.h - a virtual CPU: its registers at the start, its thread, and what is done about its exits.
 */
#ifndef DYAD_MONITOR_MACHINE_VCPU_H
#define DYAD_MONITOR_MACHINE_VCPU_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "monitor/load/load.h"
#include "monitor/machine/bus.h"
#include "monitor/machine/partition.h"
#include "os.h"

enum vcpu_end {
	VCPU_END_ASKED,  /* vcpu_ask_to_stop() */
	VCPU_END_CRASH,  /* the guest's fault: triple fault, code that cannot be run */
	VCPU_END_FAILED, /* the hypervisor's or ours */
};

/* What brings a vCPU out of the guest, as far as the monitor is told of it; for statistics. */
enum vcpu_exit { VCPU_EXIT_PORT, VCPU_EXIT_MEMORY, VCPU_EXIT_INTERRUPTED, VCPU_EXIT_OTHER };
#define VCPU_EXIT_KINDS 4

struct vcpu {
	uint32_t number; /* and APIC ID; 0 boots */
	struct os_kvm *kvm;
	struct kvm_run *run; /* shared with the hypervisor */
	struct bus *ports, *memory;
	struct os_thread *thread;
	bool stop; /* atomic */
	/* Called on the vCPU's thread when it ends for another reason than having been asked. */
	void (*ended)(void *context, enum vcpu_end end, const struct error *why);
	void *context;
	/* The vCPU's thread; anyone once it has been joined. */
	uint64_t exits[VCPU_EXIT_KINDS];
	struct bus_cursor port_cursor, memory_cursor;
	uint16_t last_port; /* of the last port exit, for the story of a crash */
	struct error why;
};

/* The vCPU's number, buses, ended and context are filled in. */
int vcpu_create(struct vcpu *vcpu, const struct partition *partition, struct kvm_cpuid2 *cpuid,
		struct error *why);
void vcpu_destroy(struct vcpu *vcpu);
/* Gives the boot CPU the state that the loader asks for. */
int vcpu_set_entry(struct vcpu *vcpu, const struct load_entry *entry, struct error *why);

int vcpu_start(struct vcpu *vcpu, struct error *why);
/* Makes the thread end soon; any thread.  Then vcpu_join(). */
void vcpu_ask_to_stop(struct vcpu *vcpu);
void vcpu_join(struct vcpu *vcpu);

#endif
