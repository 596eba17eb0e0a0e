/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - the software TLB: from linear pages to the host's memory.
 *
 * A space is what one PCID has cached (without PCIDs there is one); it has a view for each way to
 * look at it, direct-mapped.  A hit means: the access is allowed, goes to RAM, and needs no notice
 * (dirty log, code, breakpoints) any more.  All else takes the slow way, memory.c.
 */
#ifndef DYAD_SOFT_TLB_H
#define DYAD_SOFT_TLB_H

#include "hypervisor/x86/soft/soft.h"

#define SOFT_TLB_ENTRY_SHIFT 5
#define SOFT_TLB_ENTRIES 1024
#define SOFT_TLB_SPACES 8

struct soft_tlb_entry {
	uint64_t read, write; /* the linear page | 0xfff when allowed, else 0 */
	uint64_t addend;      /* linear + this: the host's address */
	uint64_t page;        /* the guest-physical page | SOFT_TLB_* */
};
_Static_assert(sizeof(struct soft_tlb_entry) == 1 << SOFT_TLB_ENTRY_SHIFT, "indexed by shifting");

#define SOFT_TLB_EXECUTE UINT64_C(1) /* fetches are allowed, where read is */
#define SOFT_TLB_GLOBAL UINT64_C(2)

enum soft_view {
	SOFT_VIEW_SUPERVISOR, /* as SMAP has it, also for implicit accesses */
	SOFT_VIEW_USER,
	SOFT_VIEW_AC,     /* supervisor with SMAP lifted by RFLAGS.AC */
	SOFT_VIEW_STRICT, /* always empty: alignment is checked */
	SOFT_VIEWS
};

#define SOFT_CODE_FILTER_WORDS 64

struct soft_tlb_space {
	unsigned pcid;
	bool valid;
	uint64_t used; /* when it was last switched to */
	uint64_t
		generation; /* what blocks were found by; new after every flush of executed pages */
	bool filled[SOFT_VIEWS];
	uint64_t
		large[SOFT_CODE_FILTER_WORDS]; /* hashed: 2 MiB regions with parts of large pages */
	bool huge;                             /* there are parts of larger ones */
	uint64_t code[SOFT_CODE_FILTER_WORDS]; /* hashed: linear pages that blocks were found in */
	uint64_t code_region[SOFT_CODE_FILTER_WORDS]; /* the same by 2 MiB */
	struct soft_tlb_entry entry[SOFT_VIEWS][SOFT_TLB_ENTRIES];
};

struct soft_tlbs {
	struct soft_tlb_space *current;
	uint64_t clock, generation;
	uint64_t cr0, cr4, efer, pkru; /* of what is cached */
	uint64_t breakpoint[5];        /* DR0 to DR3, DR7 of who has them now */
	uint64_t code_base;            /* of the code segment that blocks were found by */
	uint32_t code_limit;
	const struct memory_slot *slot; /* the one used last */
	struct soft_tlb_space space[SOFT_TLB_SPACES];
};

int soft_tlb_create(struct soft_vcpu *c);
void soft_tlb_destroy(struct soft_vcpu *c);

static inline struct soft_tlb_entry *soft_tlb_at(struct soft_tlb_entry *view, uint64_t linear)
{
	return (struct soft_tlb_entry *)(void *)((char *)view +
						 ((linear >> (PAGE_SHIFT - SOFT_TLB_ENTRY_SHIFT)) &
						  ((SOFT_TLB_ENTRIES - 1)
						   << SOFT_TLB_ENTRY_SHIFT)));
}

/* Enters a page; write and execute as the page tables allow by now. */
struct soft_walk;
void soft_tlb_fill(struct soft_vcpu *c, enum soft_view view, uint64_t linear,
		   const struct soft_walk *walk, const struct memory_slot *slot, bool write);
/* RFLAGS.AC has changed: the view for accesses. */
void soft_tlb_set_view(struct soft_vcpu *c);
/* Takes away the right to write to a guest-physical page, or (UINT64_MAX) to all. */
void soft_tlb_protect(struct soft_vcpu *c, uint64_t gpa);
/* What blocks were found by is void. */
void soft_tlb_forget_blocks(struct soft_vcpu *c);
/* Blocks are found in this linear page from now on. */
void soft_tlb_note_code(struct soft_vcpu *c, uint64_t linear);

/* The slot of gpa, or NULL. */
const struct memory_slot *soft_slot(struct soft_vcpu *c, uint64_t gpa);

/* --- mmu.c: page walks
 * -------------------------------------------------------------------------- */

enum soft_intent { SOFT_READ, SOFT_WRITE, SOFT_FETCH };

struct soft_walk {
	uint64_t gpa;  /* of the linear address itself */
	bool writable; /* in this view, and the page is dirty already */
	bool executable;
	bool readable; /* in this view: false only for fetches that SMAP or keys don't keep */
	bool global;
	uint8_t page_shift; /* 12, 21, 22 or 30; 12 without paging */
	uint32_t error;     /* of the page fault */
};

/* Sets accessed and dirty bits; false: error. */
bool soft_walk(struct soft_vcpu *c, enum soft_view view, uint64_t linear, enum soft_intent intent,
	       struct soft_walk *walk);
/* The same without a trace, as the supervisor, ignoring rights: for translate(). */
bool soft_walk_quiet(struct soft_vcpu *c, uint64_t linear, uint64_t *gpa);

/* --- The short way of accesses
 * ------------------------------------------------------------------ */

/* The slow ones: NULL and false when the instruction stops. */
const void *soft_read_slow(struct soft_vcpu *c, unsigned segment, uint64_t linear, unsigned size);
void *soft_update_slow(struct soft_vcpu *c, unsigned segment, uint64_t linear, unsigned size);
bool soft_store_slow(struct soft_vcpu *c, unsigned segment, uint64_t linear, uint64_t value,
		     unsigned size);

static inline const void *soft_read_page(struct soft_vcpu *c, unsigned segment, uint64_t linear,
					 unsigned size)
{
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlb, linear);

	if (SOFT_LIKELY(((linear + size - 1) | PAGE_MASK) == entry->read))
		return (const void *)(uintptr_t)(linear + entry->addend);
	return soft_read_slow(c, segment, linear, size);
}

static inline void *soft_update_page(struct soft_vcpu *c, unsigned segment, uint64_t linear,
				     unsigned size)
{
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlb, linear);

	if (SOFT_LIKELY(((linear + size - 1) | PAGE_MASK) == entry->write))
		return (void *)(uintptr_t)(linear + entry->addend);
	return soft_update_slow(c, segment, linear, size);
}

/* For a locked operation: like soft_update_at(), and nobody else's locked one comes in between. */
void *soft_locked_at(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size);

#endif
