/* SPDX-License-Identifier: MIT */
/*
 * memory.h - guest-physical memory: the slots that map it to the caller's memory, their flags, and
 * the log of pages that were written.
 *
 * Relies on host.h and the backend's memory_changed().  Readers (vCPU threads, devices' callbacks)
 * see a table of slots that never changes while they use it: inside backend->run(), or between
 * vm_read_begin() and vm_read_end().
 */
#ifndef DYAD_HYPERVISOR_MEMORY_H
#define DYAD_HYPERVISOR_MEMORY_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE UINT64_C(4096)
#define PAGE_MASK (PAGE_SIZE - 1)

#define MEMORY_SLOTS_MAX 512

struct vm;
struct vcpu;

struct memory_slot {
	uint64_t gpa, size; /* of pages */
	uint64_t user;      /* the caller's virtual address */
	uint8_t *host;      /* host_user_pointer(user), or NULL */
	uint32_t id;
	bool read_only, log;
	uint64_t *dirty; /* a bit for each page, atomic; NULL unless log */
	uint64_t *code; /* a bit for each page that the soft backend has code of, atomic; or NULL */
};

/*
 * The slot that gpa is in, or NULL (a device's).  By a vCPU's own thread inside its backend's
 * run(), between vm_read_begin() and vm_read_end(), or with the VM's mutex.  The slot stays valid
 * until that thread leaves run(), or answers a memory_changed().
 */
const struct memory_slot *memory_find(struct vm *vm, uint64_t gpa);

/* Notes that the page at gpa was or may be written from now on, until the log is next cleared.  Any
 * context. */
void memory_mark_dirty(const struct memory_slot *slot, uint64_t gpa);

/*
 * Calls each() for every part of the slots that is user..user+size of the caller's memory.  Any
 * thread; each() doesn't sleep.
 */
void memory_each_of_user(struct vm *vm, uint64_t user, uint64_t size,
			 void (*each)(const struct memory_slot *slot, uint64_t gpa, uint64_t size,
				      void *opaque),
			 void *opaque);

/* The core's own accesses (kvmclock, pv EOI): -EFAULT outside the slots, or where read-only. */
int memory_read(struct vm *vm, uint64_t gpa, void *to, size_t size);
int memory_write(struct vm *vm, uint64_t gpa, const void *from, size_t size);

/* As host_compare_exchange(), on guest memory: page tables, mostly. */
int memory_compare_exchange(struct vm *vm, uint64_t gpa, unsigned size, uint64_t *expected,
			    uint64_t value);

/* The table of slots: of a VM that is made, and of one that ends. */
int memory_create(struct vm *vm);
void memory_destroy(struct vm *vm);
/* KVM_SET_USER_MEMORY_REGION.  With the VM's mutex. */
int memory_set_region(struct vm *vm, const struct kvm_userspace_memory_region *region);

/* KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG.  With the VM's mutex. */
int memory_get_log(struct vm *vm, const struct kvm_dirty_log *log);
int memory_clear_log(struct vm *vm, const struct kvm_clear_dirty_log *log);

/* The slot that the caller numbered id, or NULL.  With the VM's mutex. */
const struct memory_slot *memory_slot_by_id(struct vm *vm, uint32_t id);

static inline uint64_t memory_slot_pages(const struct memory_slot *slot)
{
	return slot->size >> PAGE_SHIFT;
}

#endif
