/* SPDX-License-Identifier: MIT */
/*
 * vm.h - a virtual machine: its vCPUs, memory, interrupt controllers.
 */
#ifndef DYAD_HYPERVISOR_VM_H
#define DYAD_HYPERVISOR_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/x86/backend.h"

#define VM_VCPUS_MAX 64
#define VCPU_ID_LIMIT 255 /* APIC IDs below that of a broadcast */

struct ioevents;
struct irqchip;
struct memory_slots;
struct vm_waiting;

/*
 * The VM's clock: what kvmclock shows, in nanoseconds, is base_ns and what the host's TSC counted
 * since base_tsc.  Guarded by lock.
 */
struct vm_clock {
	struct host_spin lock;
	uint64_t base_tsc;
	int64_t base_ns;

	/* The last TSC that the caller gave a vCPU, and when: those that it gives the others then
	 * fit it. */
	uint64_t set_host_tsc, set_value;
	uint32_t tsc_khz; /* of the TSCs of vCPUs to come; 0: the host's */
};

struct vm {
	const struct backend *backend; /* [const] */
	struct host_mutex mutex;       /* commands that change the VM */
	struct memory_slots *slots;    /* see memory.c */
	struct vcpu
		*vcpus[VM_VCPUS_MAX]; /* published once made, never taken back before the VM ends */
	uint32_t vcpu_count;          /* [any] grows, after the entry is set */
	struct irqchip *irqchip;      /* NULL, or made before the first vCPU */

	uint32_t references;       /* [any] the caller's, and one for each of its vCPUs */
	struct ioevents *ioevents; /* see ioevent.c */
	uint32_t readers[2];       /* [any] of slots and ioevents, by the parity of epoch */
	uint32_t epoch;            /* [any] */
	struct vm_clock clock;

	struct host_spin waiting_lock; /* guards waiting */
	struct vm_waiting *waiting;    /* who waits for vCPUs to leave the guest */
	uint32_t waiting_count;        /* [any] */

	/* With the mutex. */
	uint32_t boot_cpu;
	bool manual_dirty_log, dirty_initially_set;

	uint64_t log_budget; /* [any] lines that its guest may still cause */
};

/*
 * Returns when every vCPU that is in the guest now has left it once: what it found in tables before
 * is out of use.  Task; not by a vCPU inside run().
 */
void vm_synchronize(struct vm *vm);

/*
 * Tables that are published whole and never changed (slots, ioevents): between begin and end what
 * was read stays.  Any thread outside the guest, for a short time; what begin returns goes to end.
 */
uint32_t vm_read_begin(struct vm *vm);
void vm_read_end(struct vm *vm, uint32_t epoch);
/* Returns when all that began to read before have ended.  With the VM's mutex. */
void vm_wait_for_readers(struct vm *vm);

/* A line for the host's log that the guest caused; few of them in a VM's life.  Any context. */
__attribute__((format(printf, 2, 3))) void vm_log(struct vm *vm, const char *format, ...);

#endif
