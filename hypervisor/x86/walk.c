/* SPDX-License-Identifier: MIT */
/*
 * walk.c - page walks in all paging modes: none, 32-bit, PAE, 4 and 5 levels.  APM2 chapter 5.
 */
#include "hypervisor/x86/walk.h"

#include "hw/x86.h"
#include "hypervisor/memory.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/x86/mode.h"
#include "lib/bits.h"

#define ADDRESS UINT64_C(0x000ffffffffff000)
#define PTE32_ADDRESS UINT64_C(0xfffff000)
#define PTE32_LARGE_ADDRESS UINT64_C(0xffc00000) /* bits 13 to 20 are the address's 32 to 39 */
#define PTE32_LARGE_HIGH(pte) ((pte) >> 13 & 0xff)
#define KEY_SHIFT 59 /* of a protection key, APM2 section 5.6.7 */
#define PDPTE_SHIFT 30

struct paging {
	unsigned levels, entry_size, index_bits;
	uint64_t root;
};

struct rights {
	bool user, write, execute;
	unsigned key;
};

/* The entries that a walk went by. */
#define LEVELS_MAX 5
#define WALKS_MAX 8
struct path {
	unsigned count, entry_size;
	uint64_t gpa[LEVELS_MAX], pte[LEVELS_MAX];
};

static bool read_entry(struct vcpu *vcpu, const struct paging *p, uint64_t gpa, uint64_t *value)
{
	*value = 0;
	return memory_read(vcpu->vm, gpa, value, p->entry_size) == 0;
}

static bool get_paging(struct vcpu *vcpu, uint64_t linear, struct paging *p)
{
	const struct cpu_state *s = &vcpu->state;
	uint64_t pdpte;

	*p = (struct paging){.entry_size = 8, .index_bits = 9, .root = s->cr3 & ADDRESS};
	if (s->efer & EFER_LMA) {
		p->levels = s->cr4 & CR4_LA57 ? 5 : 4;
	} else if (s->cr4 & CR4_PAE) {
		p->levels = 2;
		if (!read_entry(vcpu, p, (s->cr3 & 0xffffffe0) + (linear >> PDPTE_SHIFT & 3) * 8,
				&pdpte) ||
		    !(pdpte & PTE_P))
			return false;
		p->root = pdpte & ADDRESS;
	} else {
		*p = (struct paging){.levels = 2,
				     .entry_size = 4,
				     .index_bits = 10,
				     .root = s->cr3 & PTE32_ADDRESS};
	}
	return true;
}

static bool is_large(const struct vcpu *vcpu, const struct paging *p, unsigned level, uint64_t pte)
{
	return level > 1 && (pte & PTE_PS) && (p->entry_size == 8 || (vcpu->state.cr4 & CR4_PSE));
}

static uint64_t page_address(const struct paging *p, unsigned shift, uint64_t pte, uint64_t linear)
{
	uint64_t offset = linear & (BIT(shift) - 1);

	if (p->entry_size == 8)
		return (pte & ADDRESS & ~(BIT(shift) - 1)) | offset;
	if (shift == PAGE_SHIFT)
		return (pte & PTE32_ADDRESS) | offset;
	return (pte & PTE32_LARGE_ADDRESS) | PTE32_LARGE_HIGH(pte) << 32 | offset;
}

static bool walk_tables(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa, struct rights *r,
			struct path *path)
{
	struct paging p;
	uint64_t table;

	if (!get_paging(vcpu, linear, &p))
		return false;
	table = p.root;
	*path = (struct path){.entry_size = p.entry_size};
	*r = (struct rights){true, true, true, 0};
	for (unsigned level = p.levels;; level--) {
		unsigned shift = PAGE_SHIFT + p.index_bits * (level - 1);
		uint64_t index = linear >> shift & (BIT(p.index_bits) - 1), pte;

		if (!read_entry(vcpu, &p, table + index * p.entry_size, &pte) || !(pte & PTE_P))
			return false;
		path->gpa[path->count] = table + index * p.entry_size;
		path->pte[path->count++] = pte;
		r->user &= (pte & PTE_US) != 0;
		r->write &= (pte & PTE_RW) != 0;
		r->execute &= p.entry_size == 4 || !(pte & PTE_NX);
		if (level == 1 || is_large(vcpu, &p, level, pte)) {
			r->key = pte >> KEY_SHIFT & 0xf;
			*gpa = page_address(&p, shift, pte, linear);
			return true;
		}
		table = p.entry_size == 8 ? pte & ADDRESS : pte & PTE32_ADDRESS;
	}
}

/* Rights of a protection key, APM2 section 5.6.7. */
static bool key_allows(const struct vcpu *vcpu, const struct rights *r, unsigned intent)
{
	const struct cpu_state *s = &vcpu->state;
	unsigned bits = s->pkru >> (2 * r->key) & 3;

	if (!(s->cr4 & CR4_PKE) || !(s->efer & EFER_LMA) || !r->user || (intent & WALK_FETCH))
		return true;
	if (bits & 1)
		return false;
	return !(bits & 2) || !(intent & WALK_WRITE) ||
	       (!(intent & WALK_USER) && !(s->cr0 & CR0_WP));
}

static bool allows(const struct vcpu *vcpu, const struct rights *r, unsigned intent)
{
	const struct cpu_state *s = &vcpu->state;
	bool user = intent & WALK_USER;

	if (user && !r->user)
		return false;
	if (intent & WALK_FETCH)
		return r->execute && (user || !r->user || !(s->cr4 & CR4_SMEP));
	/* AC lifts SMAP for explicit accesses alone. */
	if (!user && r->user && (s->cr4 & CR4_SMAP) &&
	    (!(s->rflags & RFLAGS_AC) || (intent & WALK_SYSTEM)))
		return false;
	if ((intent & WALK_WRITE) && !r->write && (user || (s->cr0 & CR0_WP)))
		return false;
	return true;
}

/* false: an entry has changed since it was read. */
static bool mark(struct vcpu *vcpu, const struct path *path, bool write)
{
	for (unsigned i = 0; i < path->count; i++) {
		uint64_t pte = path->pte[i], expected = pte, marked = pte | PTE_A;

		if (write && i == path->count - 1)
			marked |= PTE_D;
		if (marked == pte)
			continue;
		/* A table that can't be written stays as it is. */
		if (!memory_compare_exchange(vcpu->vm, path->gpa[i], path->entry_size, &expected,
					     marked) &&
		    expected != pte)
			return false;
	}
	return true;
}

/* One walk; *again: an entry changed meanwhile. */
static bool walk_once(struct vcpu *vcpu, uint64_t linear, unsigned intent, uint64_t *gpa,
		      uint32_t *error, bool *again)
{
	struct rights r;
	struct path path;

	*again = false;
	if (!walk_tables(vcpu, linear, gpa, &r, &path))
		return false;
	if (intent & WALK_QUIET)
		return true;
	if (!(vcpu->state.efer & EFER_NXE))
		r.execute = true;
	if (!allows(vcpu, &r, intent)) {
		*error |= PAGE_FAULT_P;
		return false;
	}
	if (!key_allows(vcpu, &r, intent)) {
		*error |= PAGE_FAULT_P | PAGE_FAULT_PK;
		return false;
	}
	*again = (intent & WALK_MARK) && !mark(vcpu, &path, intent & WALK_WRITE);
	return true;
}

bool walk(struct vcpu *vcpu, uint64_t linear, unsigned intent, uint64_t *gpa, uint32_t *error)
{
	const struct cpu_state *s = &vcpu->state;
	bool again = true, found = true;

	*gpa = linear;
	if (!(s->cr0 & CR0_PG))
		return true;
	*error = 0;
	if (intent & WALK_WRITE)
		*error |= PAGE_FAULT_WRITE;
	if (intent & WALK_USER)
		*error |= PAGE_FAULT_USER;
	if ((intent & WALK_FETCH) && ((s->cr4 & CR4_SMEP) || (s->efer & EFER_NXE)))
		*error |= PAGE_FAULT_FETCH;
	if ((s->efer & EFER_LMA) && !cpu_is_canonical(&vcpu->state, linear))
		return false;
	/* Who changes tables that are in use without end gets what an old TLB entry would be. */
	for (unsigned i = 0; again && i < WALKS_MAX; i++)
		found = walk_once(vcpu, linear, intent, gpa, error, &again);
	return found;
}
