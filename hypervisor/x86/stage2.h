/* SPDX-License-Identifier: MIT */
/*
 * stage2.h - second-level page tables: guest physical to host physical, for hardware backends.
 *
 * Pages are mapped when the guest faults on them, as the caller's address space has them, and taken
 * away when that changes (host_memory), when slots do, and when the dirty log is cleared.  Relies
 * on host.h's part for hosts in kernel mode and on the VM's slots.
 *
 * Locking: stage2.lock (spin) guards all entries and lists; nothing is called with it but
 * host_memory_changed() and memory_mark_dirty().  A table's page is freed only
 * after every vCPU has left the guest and flushes before it enters again.
 */
#ifndef DYAD_HYPERVISOR_X86_STAGE2_H
#define DYAD_HYPERVISOR_X86_STAGE2_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"

struct vm;
struct vcpu;

/* How a maker's CPUs write it: the bits of an entry. */
struct stage2_format {
	uint64_t table; /* of an entry that leads to a table */
	uint64_t leaf;  /* of one that maps a page, read and execute */
	uint64_t large; /* besides, of a page above 4 KiB */
	uint64_t write; /* besides, of one that may be written */
	uint64_t accessed;
	uint64_t present;         /* an entry without any of these leads nowhere */
	unsigned large_level_max; /* 2: pages of 2 MiB are the largest; 3: those of 1 GiB */
};
extern const struct stage2_format stage2_nested_paging; /* AMD's; APM2 section 15.25 */

struct stage2 {
	const struct stage2_format *format; /* [const] */
	struct vm *vm;                      /* [const] */
	unsigned levels;                    /* [const] 4 or 5 */
	/*
	 * [const] Makes every vCPU leave the guest that entered it before generation was raised,
	 * and waits, without sleeping, until they have.
	 */
	void (*flush)(struct vm *vm);
	uint64_t *root;         /* [const] */
	uint64_t root_physical; /* [const] */

	/* [any] Raised when entries have been taken away; a vCPU that finds another value than at
	 * its last flush flushes its TLB, before it enters the guest. */
	uint64_t generation;

	struct host_spin lock;
	uint64_t changes; /* [lock] how often slots may have changed */
	struct host_memory memory;
};

/* Pages for tables that one vCPU has ready, because they can't be made with the lock. [own] */
#define STAGE2_SPARE 5
struct stage2_spare {
	unsigned count;
	struct {
		void *page;
		uint64_t physical;
	} page[STAGE2_SPARE];
};

/* Task context. */
int stage2_create(struct stage2 *s, const struct stage2_format *format, unsigned levels,
		  struct vm *vm, void (*flush)(struct vm *vm));
/* The caller's address space is followed no more: flush() isn't called from there any more.  Then
 * the vCPUs may go, then the tables. */
void stage2_stop(struct stage2 *s);
void stage2_destroy(struct stage2 *s);
void stage2_spare_free(struct stage2_spare *spare);

/*
 * Maps the page at gpa for an access.  0: it is mapped, or another fault will tell; -ENOENT: it is
 * a device's (no slot is there, or one that can't be written); -EFAULT: the caller has nothing
 * there; -EINTR, -ENOMEM; -EAGAIN, unless it waits: see host_page_get().  By a vCPU's thread inside
 * run(), task context.
 */
int stage2_fault(struct stage2 *s, struct stage2_spare *spare, uint64_t gpa, bool write, bool wait);

/* The same for what vcpu did, whose state is current.  If its guest can be told that the page has
 * to be read first, it is: -EINTR then. */
int stage2_fault_of(struct stage2 *s, struct stage2_spare *spare, struct vcpu *vcpu, uint64_t gpa,
		    bool write);
/* For the log, why a VM ends for an error of these; -ENOENT: by a page table in a device. */
const char *stage2_failure(int err);

/*
 * backend.h's memory_changed(): nothing of the range that isn't so any more is used when it
 * returns.
 */
void stage2_memory_changed(struct stage2 *s, uint64_t gpa, uint64_t size);

#endif
