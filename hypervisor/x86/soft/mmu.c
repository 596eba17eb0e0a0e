/* SPDX-License-Identifier: MIT */
/*
 * mmu.c - page walks in all paging modes: none, 32-bit, PAE, 4 and 5 levels.  Intel SDM volume 3,
 * chapter 4; APM2 chapter 5.
 */
#include "hypervisor/x86/mode.h"
#include "hypervisor/x86/soft/code_pages.h"
#include "hypervisor/x86/soft/tlb.h"

#define PTE_GLOBAL (UINT64_C(1) << 8)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)
#define PTE_KEY_SHIFT 59
#define PTE32_LARGE_RESERVED UINT64_C(0x200000) /* bit 21; 13 to 20 are the address's 32 to 39 */
#define PDPTE_RESERVED UINT64_C(0x1e6)
#define LEVELS_MAX 5

/* An entry of a table as it was met. */
struct step {
	uint8_t *host; /* where it stands; NULL: not in RAM */
	uint64_t gpa, value;
	bool read_only;
};

struct paging {
	unsigned levels, entry_size, index_bits;
	uint64_t root;
	uint64_t reserved; /* of every entry */
};

static uint64_t physical_reserved(const struct soft_vcpu *c)
{
	return PTE_ADDRESS & ~((UINT64_C(1) << c->physical_bits) - 1);
}

static void get_paging(const struct soft_vcpu *c, uint64_t linear, struct paging *p)
{
	const struct cpu_state *s = &c->vcpu.state;

	p->entry_size = 8;
	p->index_bits = 9;
	p->root = s->cr3 & PTE_ADDRESS;
	p->reserved = physical_reserved(c) | (s->efer & EFER_NXE ? 0 : PTE_NX);
	if (s->efer & EFER_LMA) {
		p->levels = s->cr4 & CR4_LA57 ? 5 : 4;
	} else if (s->cr4 & CR4_PAE) {
		p->levels = 2; /* the pointers' level is in c->pdpte */
		p->root = c->pdpte[linear >> 30 & 3];
		p->reserved |= UINT64_C(0x7ff) << 52;
	} else {
		p->levels = 2;
		p->entry_size = 4;
		p->index_bits = 10;
		p->root = s->cr3 & 0xfffff000;
		p->reserved = 0;
	}
}

static void read_entry(struct soft_vcpu *c, const struct paging *p, uint64_t gpa, struct step *step)
{
	const struct memory_slot *slot = soft_slot(c, gpa);

	step->gpa = gpa;
	if (!slot || !slot->host) {
		step->host = NULL;
		step->value = UINT64_MAX; /* as nobody answers: reserved bits */
		return;
	}
	step->host = slot->host + (gpa - slot->gpa);
	step->read_only = slot->read_only;
	if (p->entry_size == 8)
		step->value = __atomic_load_n((uint64_t *)(void *)step->host, __ATOMIC_RELAXED);
	else
		step->value = __atomic_load_n((uint32_t *)(void *)step->host, __ATOMIC_RELAXED);
}

/* Sets bits in an entry unless it has changed since it was read: then false. */
static bool set_bits(struct soft_vcpu *c, const struct paging *p, struct step *step, uint64_t bits)
{
	uint32_t old32 = (uint32_t)step->value;

	if ((step->value & bits) == bits || !step->host || step->read_only)
		return true;
	if (p->entry_size == 8) {
		if (!__atomic_compare_exchange_n((uint64_t *)(void *)step->host, &step->value,
						 step->value | bits, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_RELAXED))
			return false;
	} else if (!__atomic_compare_exchange_n((uint32_t *)(void *)step->host, &old32,
						old32 | (uint32_t)bits, false, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED)) {
		return false;
	}
	step->value |= bits;
	memory_mark_dirty(soft_slot(c, step->gpa), step->gpa);
	soft_code_written(c, step->gpa, p->entry_size);
	return true;
}

/* The reserved bits of an entry at a level (1: the last), which may be a large page. */
static uint64_t reserved_bits(const struct soft_vcpu *c, const struct paging *p, unsigned level,
			      uint64_t value)
{
	bool large = level > 1 && (value & PTE_PS);

	if (p->entry_size == 4) {
		if (!large || !(c->vcpu.state.cr4 & CR4_PSE))
			return 0;
		return PTE32_LARGE_RESERVED | (physical_reserved(c) >> 32 & 0xff) << 13;
	}
	if (!large)
		return p->reserved;
	if (level > 3)
		return p->reserved | PTE_PS;
	return p->reserved | ((UINT64_C(1) << (12 + 9 * (level - 1))) - 1 - 0x1fff);
}

static bool is_large(const struct soft_vcpu *c, const struct paging *p, unsigned level,
		     uint64_t value)
{
	return level > 1 && (value & PTE_PS) &&
	       (p->entry_size == 8 || (c->vcpu.state.cr4 & CR4_PSE));
}

static uint64_t page_address(const struct paging *p, unsigned shift, uint64_t value,
			     uint64_t linear)
{
	uint64_t offset = linear & ((UINT64_C(1) << shift) - 1);

	if (p->entry_size == 8)
		return (value & PTE_ADDRESS & ~((UINT64_C(1) << shift) - 1)) | offset;
	if (shift == PAGE_SHIFT)
		return (value & 0xfffff000) | offset;
	return (value & 0xffc00000) | (value >> 13 & 0xff) << 32 | offset;
}

/* What the tables grant, all levels together. */
struct rights {
	bool user, write, execute;
};

/* Rights of a protection key: Intel SDM volume 3, section 4.6.2. */
static bool key_allows(const struct soft_vcpu *c, const struct rights *r, uint64_t leaf,
		       bool supervisor, bool write)
{
	const struct cpu_state *s = &c->vcpu.state;
	unsigned key = leaf >> PTE_KEY_SHIFT & 0xf;
	unsigned bits = s->pkru >> (2 * key) & 3;

	if (!(s->cr4 & CR4_PKE) || !(s->efer & EFER_LMA) || !r->user)
		return true;
	if (bits & 1)
		return false;
	return !(bits & 2) || !write || (supervisor && !(s->cr0 & CR0_WP));
}

static bool may_read(const struct soft_vcpu *c, enum soft_view view, const struct rights *r)
{
	if (view == SOFT_VIEW_USER)
		return r->user;
	return !r->user || view == SOFT_VIEW_AC || !(c->vcpu.state.cr4 & CR4_SMAP);
}

static bool may_write(const struct soft_vcpu *c, enum soft_view view, const struct rights *r)
{
	if (!may_read(c, view, r))
		return false;
	return r->write || (view != SOFT_VIEW_USER && !(c->vcpu.state.cr0 & CR0_WP));
}

static bool may_fetch(const struct soft_vcpu *c, enum soft_view view, const struct rights *r)
{
	if (view == SOFT_VIEW_USER)
		return r->user && r->execute;
	return r->execute && !(r->user && (c->vcpu.state.cr4 & CR4_SMEP));
}

static uint32_t error_code(const struct soft_vcpu *c, enum soft_view view, enum soft_intent intent)
{
	const struct cpu_state *s = &c->vcpu.state;
	uint32_t error = view == SOFT_VIEW_USER ? PAGE_FAULT_USER : 0;

	if (intent == SOFT_WRITE)
		error |= PAGE_FAULT_WRITE;
	if (intent == SOFT_FETCH &&
	    ((s->cr4 & CR4_SMEP) || ((s->efer & EFER_NXE) && (s->cr4 & CR4_PAE))))
		error |= PAGE_FAULT_FETCH;
	return error;
}

static bool walk_tables(struct soft_vcpu *c, const struct paging *p, uint64_t linear,
			struct step steps[LEVELS_MAX], unsigned *leaf, struct rights *r,
			uint32_t *error)
{
	uint64_t table = p->root & PTE_ADDRESS;
	unsigned level = p->levels;

	*r = (struct rights){true, true, true};
	for (;; level--) {
		unsigned shift = PAGE_SHIFT + p->index_bits * (level - 1);
		uint64_t index = linear >> shift & ((UINT64_C(1) << p->index_bits) - 1);
		struct step *step = &steps[level - 1];

		read_entry(c, p, table + index * p->entry_size, step);
		if (!(step->value & PTE_P)) {
			*error = 0;
			return false;
		}
		if (step->value & reserved_bits(c, p, level, step->value)) {
			*error = PAGE_FAULT_P | PAGE_FAULT_RESERVED;
			return false;
		}
		r->user &= (step->value & PTE_US) != 0;
		r->write &= (step->value & PTE_RW) != 0;
		r->execute &= p->entry_size == 4 || !(step->value & PTE_NX);
		if (level == 1 || is_large(c, p, level, step->value)) {
			*leaf = level - 1;
			return true;
		}
		table = p->entry_size == 8 ? step->value & PTE_ADDRESS : step->value & 0xfffff000;
	}
}

static void walk_nothing(const struct soft_vcpu *c, uint64_t linear, struct soft_walk *walk)
{
	(void)c;
	*walk = (struct soft_walk){
		.gpa = linear,
		.writable = true,
		.executable = true,
		.readable = true,
		.page_shift = PAGE_SHIFT,
	};
}

static void grant(struct soft_vcpu *c, enum soft_view view, const struct rights *r, uint64_t leaf,
		  struct soft_walk *walk)
{
	bool supervisor = view != SOFT_VIEW_USER;

	walk->readable = may_read(c, view, r) && key_allows(c, r, leaf, supervisor, false);
	walk->writable = may_write(c, view, r) && key_allows(c, r, leaf, supervisor, true);
	walk->executable = may_fetch(c, view, r);
	walk->global = (leaf & PTE_GLOBAL) && (c->vcpu.state.cr4 & CR4_PGE);
}

static bool is_granted(const struct soft_walk *walk, enum soft_intent intent)
{
	return intent == SOFT_READ    ? walk->readable
	       : intent == SOFT_WRITE ? walk->writable
				      : walk->executable;
}

bool soft_walk(struct soft_vcpu *c, enum soft_view view, uint64_t linear, enum soft_intent intent,
	       struct soft_walk *walk)
{
	struct step steps[LEVELS_MAX];
	struct paging p;
	struct rights r;
	unsigned leaf, level;

	if (!(c->vcpu.state.cr0 & CR0_PG)) {
		walk_nothing(c, linear, walk);
		return true;
	}
	get_paging(c, linear, &p);
	walk->error = error_code(c, view, intent);
	if (p.levels == 2 && p.entry_size == 8 && !(p.root & PTE_P))
		return false;
again:
	if (!walk_tables(c, &p, linear, steps, &leaf, &r, &walk->error)) {
		walk->error |= error_code(c, view, intent);
		return false;
	}
	grant(c, view, &r, steps[leaf].value, walk);
	if (!is_granted(walk, intent)) {
		bool write = intent == SOFT_WRITE;

		walk->error = error_code(c, view, intent) | PAGE_FAULT_P;
		if (intent != SOFT_FETCH &&
		    !key_allows(c, &r, steps[leaf].value, view != SOFT_VIEW_USER, write))
			walk->error |= PAGE_FAULT_PK;
		return false;
	}
	for (level = p.levels; level-- > leaf + 1;)
		if (!set_bits(c, &p, &steps[level], PTE_A))
			goto again;
	if (!set_bits(c, &p, &steps[leaf], PTE_A | (intent == SOFT_WRITE ? PTE_D : 0)))
		goto again;
	walk->writable &= (steps[leaf].value & PTE_D) != 0;
	walk->page_shift = (uint8_t)(PAGE_SHIFT + p.index_bits * leaf);
	walk->gpa = page_address(&p, walk->page_shift, steps[leaf].value, linear);
	return true;
}

bool soft_walk_quiet(struct soft_vcpu *c, uint64_t linear, uint64_t *gpa)
{
	struct step steps[LEVELS_MAX];
	struct paging p;
	struct rights r;
	uint32_t error;
	unsigned leaf;

	*gpa = linear;
	if (!(c->vcpu.state.cr0 & CR0_PG))
		return true;
	if (!soft_canonical(c, linear))
		return false;
	get_paging(c, linear, &p);
	if (p.levels == 2 && p.entry_size == 8 && !(p.root & PTE_P))
		return false;
	if (!walk_tables(c, &p, linear, steps, &leaf, &r, &error))
		return false;
	*gpa = page_address(&p, PAGE_SHIFT + p.index_bits * leaf, steps[leaf].value, linear);
	return true;
}

bool soft_load_pdptes(struct soft_vcpu *c, uint64_t cr3)
{
	struct paging p = {.entry_size = 8};
	uint64_t reserved = PDPTE_RESERVED | physical_reserved(c) | UINT64_C(0xfff) << 52;
	uint64_t entry[4];

	for (unsigned i = 0; i < ARRAY_COUNT(entry); i++) {
		struct step step;

		read_entry(c, &p, (cr3 & 0xffffffe0) + i * 8, &step);
		if ((step.value & PTE_P) && (step.value & reserved))
			return false;
		entry[i] = step.value;
	}
	__builtin_memcpy(c->pdpte, entry, sizeof(entry));
	return true;
}

bool soft_canonical(const struct soft_vcpu *c, uint64_t linear)
{
	return cpu_is_canonical(&c->vcpu.state, linear);
}
