/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - keeps the software TLB: its spaces and views, what is flushed when, and what of the
 * vCPU's state is derived for the short ways.
 */
#include "hypervisor/x86/soft/tlb.h"
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/code_pages.h"

#define CR0_CACHED (CR0_PG | CR0_WP | CR0_PE)
#define CR4_CACHED                                                                                 \
	(CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_LA57 | CR4_PKE | CR4_PCIDE)
#define EFER_CACHED (EFER_NXE | EFER_LMA)
#define LARGE_SHIFT 21
#define HUGE_SHIFT 30
_Static_assert(SOFT_TLB_ENTRIES >= 1 << (LARGE_SHIFT - PAGE_SHIFT), "a large page's fit in a row");

int soft_tlb_create(struct soft_vcpu *c)
{
	struct soft_tlbs *tlbs = host_alloc(sizeof(*tlbs));

	if (!tlbs)
		return -ENOMEM;
	tlbs->current = &tlbs->space[0];
	tlbs->current->valid = true;
	tlbs->generation = 1;
	tlbs->current->generation = 1;
	c->tlbs = tlbs;
	c->tlb = tlbs->current->entry[SOFT_VIEW_SUPERVISOR];
	return 0;
}

void soft_tlb_destroy(struct soft_vcpu *c)
{
	host_free(c->tlbs);
	c->tlbs = NULL;
}

const struct memory_slot *soft_slot(struct soft_vcpu *c, uint64_t gpa)
{
	const struct memory_slot *slot = c->tlbs->slot;

	if (slot && gpa - slot->gpa < slot->size)
		return slot;
	slot = memory_find(c->vcpu.vm, gpa);
	c->tlbs->slot = slot;
	return slot;
}

static unsigned filter_bit(uint64_t number)
{
	return (unsigned)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 52); /* 12 bits */
}

static bool filter_has(const uint64_t *filter, uint64_t number)
{
	unsigned bit = filter_bit(number);

	return filter[bit / 64] >> bit % 64 & 1;
}

static void filter_add(uint64_t *filter, uint64_t number)
{
	unsigned bit = filter_bit(number);

	filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void set_stamp(struct soft_vcpu *c)
{
	bool protected = c->vcpu.state.cr0 & CR0_PE && !(c->vcpu.state.rflags & RFLAGS_VM);

	c->stamp = c->tlbs->current->generation << 8 | protected << 4 |
		   (c->vcpu.state.cpl == 3) << 3 | c->mode;
}

static void new_generation(struct soft_vcpu *c, struct soft_tlb_space *space)
{
	space->generation = ++c->tlbs->generation;
	__builtin_memset(space->code, 0, sizeof(space->code));
	__builtin_memset(space->code_region, 0, sizeof(space->code_region));
	set_stamp(c);
}

void soft_tlb_forget_blocks(struct soft_vcpu *c)
{
	for (unsigned i = 0; i < SOFT_TLB_SPACES; i++)
		if (c->tlbs->space[i].valid)
			new_generation(c, &c->tlbs->space[i]);
}

void soft_tlb_note_code(struct soft_vcpu *c, uint64_t linear)
{
	filter_add(c->tlbs->current->code, linear >> PAGE_SHIFT);
	filter_add(c->tlbs->current->code_region, linear >> LARGE_SHIFT);
}

static void flush_space(struct soft_vcpu *c, struct soft_tlb_space *space, bool keep_global)
{
	if (!space->valid)
		return;
	for (unsigned view = 0; view < SOFT_VIEWS; view++) {
		struct soft_tlb_entry *entry = space->entry[view];

		if (!space->filled[view])
			continue;
		if (!keep_global) {
			__builtin_memset(entry, 0, sizeof(space->entry[view]));
			space->filled[view] = false;
			continue;
		}
		for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++)
			if (!(entry[i].page & SOFT_TLB_GLOBAL))
				entry[i].read = entry[i].write = 0;
	}
	if (!keep_global) {
		__builtin_memset(space->large, 0, sizeof(space->large));
		space->huge = false;
	}
	new_generation(c, space);
}

static void flush_entry(struct soft_tlb_space *space, uint64_t linear)
{
	for (unsigned view = 0; view < SOFT_VIEWS; view++) {
		struct soft_tlb_entry *entry = soft_tlb_at(space->entry[view], linear);

		if (space->filled[view])
			entry->read = entry->write = 0;
	}
}

/* All that is cached of 2 MiB; their entries stand one after the other. */
static void flush_region(struct soft_tlb_space *space, uint64_t linear)
{
	uint64_t region = linear >> LARGE_SHIFT;

	for (unsigned view = 0; view < SOFT_VIEWS; view++) {
		struct soft_tlb_entry *entry =
			soft_tlb_at(space->entry[view], region << LARGE_SHIFT);
		unsigned entries = space->filled[view] ? 1u << (LARGE_SHIFT - PAGE_SHIFT) : 0;

		for (unsigned i = 0; i < entries; i++)
			if (entry[i].read >> LARGE_SHIFT == region)
				entry[i].read = entry[i].write = 0;
	}
}

static void flush_page(struct soft_vcpu *c, struct soft_tlb_space *space, uint64_t linear)
{
	if (!space->valid)
		return;
	/* Pages of 4 MiB are in 32-bit paging alone, which isn't worth more. */
	if (space->huge || !(c->vcpu.state.cr4 & CR4_PAE)) {
		flush_space(c, space, false);
		return;
	}
	flush_entry(space, linear);
	if (filter_has(space->large, linear >> LARGE_SHIFT)) {
		flush_region(space, linear);
		if (filter_has(space->code_region, linear >> LARGE_SHIFT))
			new_generation(c, space);
	} else if (filter_has(space->code, linear >> PAGE_SHIFT)) {
		new_generation(c, space);
	}
}

void soft_tlb_flush_page(struct soft_vcpu *c, uint64_t linear)
{
	for (unsigned i = 0; i < SOFT_TLB_SPACES; i++)
		flush_page(c, &c->tlbs->space[i], linear);
}

void soft_tlb_flush_pcid(struct soft_vcpu *c, unsigned pcid)
{
	for (unsigned i = 0; i < SOFT_TLB_SPACES; i++)
		if (c->tlbs->space[i].pcid == pcid)
			flush_space(c, &c->tlbs->space[i], true);
}

void soft_tlb_flush_all(struct soft_vcpu *c)
{
	c->tlbs->slot = NULL;
	for (unsigned i = 0; i < SOFT_TLB_SPACES; i++)
		flush_space(c, &c->tlbs->space[i], false);
	soft_code_forget_writers(c);
}

void soft_tlb_protect(struct soft_vcpu *c, uint64_t gpa)
{
	for (unsigned i = 0; i < SOFT_TLB_SPACES; i++) {
		struct soft_tlb_space *space = &c->tlbs->space[i];

		for (unsigned view = 0; view < SOFT_VIEWS; view++) {
			struct soft_tlb_entry *entry = space->entry[view];

			if (!space->valid || !space->filled[view])
				continue;
			for (unsigned n = 0; n < SOFT_TLB_ENTRIES; n++)
				if (gpa == UINT64_MAX || (entry[n].page & ~PAGE_MASK) == gpa)
					entry[n].write = 0;
		}
	}
}

static struct soft_tlb_space *find_space(struct soft_vcpu *c, unsigned pcid)
{
	struct soft_tlb_space *oldest = &c->tlbs->space[0];

	for (unsigned i = 0; i < SOFT_TLB_SPACES; i++) {
		struct soft_tlb_space *space = &c->tlbs->space[i];

		if (space->valid && space->pcid == pcid)
			return space;
		if (!space->valid || space->used < oldest->used)
			oldest = space;
		if (!space->valid)
			break;
	}
	flush_space(c, oldest, false);
	oldest->valid = true;
	oldest->pcid = pcid;
	oldest->generation = ++c->tlbs->generation;
	return oldest;
}

void soft_cr3_changed(struct soft_vcpu *c, bool keep)
{
	const struct cpu_state *s = &c->vcpu.state;
	unsigned pcid = s->cr4 & CR4_PCIDE ? s->cr3 & CR3_PCID_MASK : 0;

	c->tlbs->current = find_space(c, pcid);
	c->tlbs->current->used = ++c->tlbs->clock;
	if (!keep)
		flush_space(c, c->tlbs->current, true);
	soft_changed(c);
}

/* Whether what the TLB has was cached under other rules. */
static bool rules_changed(struct soft_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;
	struct soft_tlbs *tlbs = c->tlbs;
	bool changed = ((tlbs->cr0 ^ s->cr0) & CR0_CACHED) || ((tlbs->cr4 ^ s->cr4) & CR4_CACHED) ||
		       ((tlbs->efer ^ s->efer) & EFER_CACHED) ||
		       (tlbs->pkru != s->pkru && (s->cr4 & CR4_PKE));

	tlbs->cr0 = s->cr0;
	tlbs->cr4 = s->cr4;
	tlbs->efer = s->efer;
	tlbs->pkru = s->pkru;
	return changed;
}

static void set_segment(struct soft_vcpu *c, unsigned number)
{
	const struct cpu_segment *segment = &c->vcpu.state.segment[number];
	struct soft_segment *derived = &c->segment[number];
	uint64_t end = (uint64_t)segment->limit + 1;
	bool code = segment->type & SEGMENT_TYPE_CODE;

	if (c->long64) {
		derived->base = number >= CPU_FS ? segment->base : 0;
		derived->read_end = derived->write_end = UINT64_MAX;
		return;
	}
	derived->base = segment->base;
	derived->read_end = derived->write_end = 0;
	if (!(c->vcpu.state.cr0 & CR0_PE) || (c->vcpu.state.rflags & RFLAGS_VM)) {
		derived->read_end = derived->write_end = end;
		return;
	}
	if (segment->unusable || !segment->present || !segment->s ||
	    (!code && (segment->type & SEGMENT_TYPE_EXPAND_DOWN)))
		return;
	if (!code || (segment->type & SEGMENT_TYPE_READABLE))
		derived->read_end = end;
	if (!code && (segment->type & SEGMENT_TYPE_WRITABLE))
		derived->write_end = end;
}

void soft_tlb_set_view(struct soft_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;
	enum soft_view view = SOFT_VIEW_SUPERVISOR;

	if (s->cpl == 3)
		view = (s->rflags & RFLAGS_AC) && (s->cr0 & CR0_AM) ? SOFT_VIEW_STRICT
								    : SOFT_VIEW_USER;
	else if ((s->rflags & RFLAGS_AC) && (s->cr4 & CR4_SMAP))
		view = SOFT_VIEW_AC;
	c->tlb = c->tlbs->current->entry[view];
}

static void set_mode(struct soft_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;
	const struct cpu_segment *cs = &s->segment[CPU_CS];
	const struct cpu_segment *ss = &s->segment[CPU_SS];

	c->long64 = (s->efer & EFER_LMA) && cs->l;
	c->mode = c->long64 ? DECODE_64 : cs->db ? DECODE_32 : DECODE_16;
	c->stack_mask = c->long64 ? UINT64_MAX : ss->db ? UINT32_MAX : UINT16_MAX;
	if (!c->long64 && (c->tlbs->code_base != cs->base || c->tlbs->code_limit != cs->limit)) {
		c->tlbs->code_base = cs->base;
		c->tlbs->code_limit = cs->limit;
		soft_tlb_forget_blocks(c);
	}
}

/* Whether breakpoints have: entries of pages with some must go. */
static bool breakpoints_changed(struct soft_vcpu *c)
{
	const uint64_t *dr = c->vcpu.debug_hardware ? c->vcpu.debug_dr : c->vcpu.state.dr;
	uint64_t dr7 = c->vcpu.debug_hardware ? c->vcpu.debug_dr7 : c->vcpu.state.dr7;
	uint64_t *seen = c->tlbs->breakpoint;
	bool changed = seen[4] != dr7, watching = c->watching;

	for (unsigned i = 0; i < 4; i++) {
		changed |= seen[i] != dr[i];
		seen[i] = dr[i];
	}
	seen[4] = dr7;
	if (!changed)
		return false;
	c->fetching = soft_debug_fetching(c);
	c->watching = soft_debug_watching(c);
	return watching || c->watching;
}

void soft_changed(struct soft_vcpu *c)
{
	/* Both are noted anew. */
	bool rules = rules_changed(c), breakpoints = breakpoints_changed(c);

	if (rules || breakpoints)
		soft_tlb_flush_all(c);
	soft_native_changed(c);
	set_mode(c);
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		set_segment(c, i);
	soft_tlb_set_view(c);
	set_stamp(c);
}

void soft_tlb_fill(struct soft_vcpu *c, enum soft_view view, uint64_t linear,
		   const struct soft_walk *walk, const struct memory_slot *slot, bool write)
{
	struct soft_tlb_space *space = c->tlbs->current;
	struct soft_tlb_entry *entry = soft_tlb_at(space->entry[view], linear);
	uint64_t page = walk->gpa & ~PAGE_MASK;

	if (!walk->readable)
		return;
	space->filled[view] = true;
	if (walk->page_shift == HUGE_SHIFT)
		space->huge = true;
	else if (walk->page_shift > PAGE_SHIFT)
		filter_add(space->large, linear >> LARGE_SHIFT);
	entry->read = linear | PAGE_MASK;
	entry->write = write ? linear | PAGE_MASK : 0;
	entry->addend =
		(uint64_t)(uintptr_t)(slot->host + (page - slot->gpa)) - (linear & ~PAGE_MASK);
	entry->page = page | (walk->executable ? SOFT_TLB_EXECUTE : 0) |
		      (walk->global ? SOFT_TLB_GLOBAL : 0);
}
