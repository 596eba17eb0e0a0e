/* SPDX-License-Identifier: MIT */
/*
 * code_pages.h - which pages of guest memory blocks were decoded from, by any vCPU of the VM; so
 * that whoever writes to one of them makes those blocks void.
 *
 * Of such a page (its bit in memory_slot.code) no vCPU's TLB has the right to write, so writes take
 * the slow way, which asks here.  64 bytes are the grain: data beside code in one page cost time,
 * but void nothing.
 */
#ifndef DYAD_SOFT_CODE_PAGES_H
#define DYAD_SOFT_CODE_PAGES_H

#include "hypervisor/x86/soft/soft.h"

/* A hash of guest-physical pages that a vCPU's TLB may have rights to write to. */
#define SOFT_WRITERS_SIZE 8192

int soft_code_create(struct soft_vm *vm);
void soft_code_destroy(struct soft_vm *vm);

static inline bool soft_code_in_page(const struct memory_slot *slot, uint64_t gpa)
{
	uint64_t page = (gpa - slot->gpa) >> PAGE_SHIFT;

	return !slot->code ||
	       (__atomic_load_n(&slot->code[page / 64], __ATOMIC_SEQ_CST) >> page % 64 & 1);
}

/*
 * Before bytes of one page are decoded.  false: it had to wait for other vCPUs, and anything may
 * have changed: look up all again.
 */
bool soft_code_note(struct soft_vcpu *c, const struct memory_slot *slot, uint64_t gpa, size_t size);

/* Before the TLB gets the right to write to the page, and looks whether there is code in it. */
void soft_code_note_writer(struct soft_vcpu *c, uint64_t gpa);
/* The TLB has lost all rights to write. */
void soft_code_forget_writers(struct soft_vcpu *c);

/* This vCPU has written to bytes of one page. */
void soft_code_written(struct soft_vcpu *c, uint64_t gpa, size_t size);
/* It is about to write to the page without telling: its blocks are void. */
void soft_code_drop(struct soft_vcpu *c, uint64_t gpa);

/* Something else than a vCPU has written, within one slot.  Any thread that keeps slots from going.
 */
void soft_code_written_outside(struct soft_vm *vm, uint64_t gpa, uint64_t size);

#endif
