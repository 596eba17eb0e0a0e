/* SPDX-License-Identifier: MIT */
/*
 * code_pages.c - which pages blocks were decoded from.
 *
 * The order that keeps a write and a decoding from missing each other: who decodes notes first
 * (locked instructions: a full barrier), then has other vCPUs' rights to write withdrawn, then
 * reads the bytes.  Who writes to a noted page writes first, then looks at the notes.
 */
#include "hypervisor/x86/soft/code_pages.h"
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/requests.h"
#include "hypervisor/x86/soft/tlb.h"

#define WRITER_WORDS (SOFT_WRITERS_SIZE / 8)
#define GRAINS 4096
#define GRAIN_SHIFT 6

/* The parts of a page with code; another page may have taken its place: then all of it counts. */
struct grains {
	uint64_t page; /* its gpa | 1, or 0 */
	uint64_t mask;
};

struct soft_code {
	struct host_spin lock;        /* for changes of grains */
	uint32_t withdrawing;         /* [any] vCPUs that wait for others' rights to go */
	struct grains grains[GRAINS]; /* [any] */
};

int soft_code_create(struct soft_vm *vm)
{
	vm->code = host_alloc(sizeof(*vm->code));
	if (!vm->code)
		return -ENOMEM;
	host_spin_init(&vm->code->lock);
	return 0;
}

void soft_code_destroy(struct soft_vm *vm)
{
	host_free(vm->code);
	vm->code = NULL;
}

static void filter_add(uint64_t *filter, uint64_t gpa)
{
	uint64_t bit = (gpa >> PAGE_SHIFT) % (WRITER_WORDS * 64);

	if (!(__atomic_load_n(&filter[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1))
		__atomic_fetch_or(&filter[bit / 64], UINT64_C(1) << bit % 64, __ATOMIC_SEQ_CST);
}

static bool filter_has(const uint64_t *filter, uint64_t gpa)
{
	uint64_t bit = (gpa >> PAGE_SHIFT) % (WRITER_WORDS * 64);

	return __atomic_load_n(&filter[bit / 64], __ATOMIC_SEQ_CST) >> bit % 64 & 1;
}

static struct grains *grains_of(struct soft_code *code, uint64_t gpa)
{
	return &code->grains[(gpa >> PAGE_SHIFT) % GRAINS];
}

static uint64_t grain_mask(uint64_t gpa, size_t size)
{
	uint64_t first = (gpa & PAGE_MASK) >> GRAIN_SHIFT;
	uint64_t last = MIN((gpa & PAGE_MASK) + size - 1, PAGE_MASK) >> GRAIN_SHIFT;

	return (UINT64_MAX >> (63 - (last - first))) << first;
}

void soft_code_note_writer(struct soft_vcpu *c, uint64_t gpa)
{
	filter_add(c->writers, gpa);
}

void soft_code_forget_writers(struct soft_vcpu *c)
{
	for (unsigned i = 0; i < WRITER_WORDS; i++)
		__atomic_store_n(&c->writers[i], 0, __ATOMIC_RELAXED);
}

/* Takes the page's write rights from all vCPUs' TLBs.  false: had to wait for it. */
static bool withdraw_rights(struct soft_vcpu *c, uint64_t gpa)
{
	struct soft_code *code = soft_vm_of(c)->code;
	struct vm *vm = c->vcpu.vm;
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);
	bool waited = false;

	soft_tlb_protect(c, gpa & ~PAGE_MASK);
	__atomic_fetch_add(&code->withdrawing, 1, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < count; i++) {
		struct soft_vcpu *other = soft_of(vm->vcpus[i]);

		if (other == c || !filter_has(other->writers, gpa))
			continue;
		soft_request_wait(other, soft_request_protect(other, gpa), c);
		waited = true;
	}
	__atomic_fetch_sub(&code->withdrawing, 1, __ATOMIC_SEQ_CST);
	return !waited;
}

/* Waits until nobody withdraws rights: a bit that is set may be another's who still does. */
static bool wait_for_others(struct soft_vcpu *c)
{
	struct soft_code *code = soft_vm_of(c)->code;

	if (!__atomic_load_n(&code->withdrawing, __ATOMIC_SEQ_CST))
		return true;
	soft_requests_leave(c);
	while (__atomic_load_n(&code->withdrawing, __ATOMIC_SEQ_CST))
		host_yield();
	soft_requests_enter(c);
	return false;
}

static void note_grains(struct soft_code *code, uint64_t gpa, size_t size, bool known)
{
	struct grains *g = grains_of(code, gpa);
	uint64_t page = (gpa & ~PAGE_MASK) | 1;
	uint64_t mask = grain_mask(gpa, size);

	if (__atomic_load_n(&g->page, __ATOMIC_SEQ_CST) == page &&
	    (__atomic_load_n(&g->mask, __ATOMIC_SEQ_CST) & mask) == mask)
		return;
	host_spin_lock(&code->lock);
	if (g->page == page) {
		mask |= g->mask;
	} else {
		/* In between nobody's: then all of a page counts. */
		__atomic_store_n(&g->page, 0, __ATOMIC_SEQ_CST);
		if (known)
			mask = UINT64_MAX;
	}
	__atomic_store_n(&g->mask, mask, __ATOMIC_SEQ_CST);
	__atomic_store_n(&g->page, page, __ATOMIC_SEQ_CST);
	host_spin_unlock(&code->lock);
}

bool soft_code_note(struct soft_vcpu *c, const struct memory_slot *slot, uint64_t gpa, size_t size)
{
	struct soft_code *code = soft_vm_of(c)->code;
	uint64_t page = (gpa - slot->gpa) >> PAGE_SHIFT;
	uint64_t bit = UINT64_C(1) << page % 64;

	note_grains(code, gpa, size, soft_code_in_page(slot, gpa));
	if (!slot->code)
		return true;
	if (soft_code_in_page(slot, gpa) ||
	    (__atomic_fetch_or(&slot->code[page / 64], bit, __ATOMIC_SEQ_CST) & bit))
		return wait_for_others(c);
	return withdraw_rights(c, gpa);
}

static void void_blocks(struct soft_vcpu *c, uint64_t gpa)
{
	struct vm *vm = c->vcpu.vm;
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	soft_blocks_void(c, gpa & ~PAGE_MASK, PAGE_SIZE);
	for (uint32_t i = 0; i < count; i++)
		if (soft_of(vm->vcpus[i]) != c)
			soft_request_code(soft_of(vm->vcpus[i]), gpa & ~PAGE_MASK, 1);
}

/* The page has no code any more, as far as anybody knows. */
static void forget_page(struct soft_code *code, const struct memory_slot *slot, uint64_t gpa)
{
	struct grains *g = grains_of(code, gpa);
	uint64_t page;

	host_spin_lock(&code->lock);
	if (g->page == ((gpa & ~PAGE_MASK) | 1)) {
		__atomic_store_n(&g->page, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&g->mask, 0, __ATOMIC_SEQ_CST);
	}
	if (slot->code) {
		page = (gpa - slot->gpa) >> PAGE_SHIFT;
		__atomic_fetch_and(&slot->code[page / 64], ~(UINT64_C(1) << page % 64),
				   __ATOMIC_SEQ_CST);
	}
	host_spin_unlock(&code->lock);
}

void soft_code_drop(struct soft_vcpu *c, uint64_t gpa)
{
	const struct memory_slot *slot = soft_slot(c, gpa);

	if (slot)
		forget_page(soft_vm_of(c)->code, slot, gpa);
	void_blocks(c, gpa);
}

void soft_code_written(struct soft_vcpu *c, uint64_t gpa, size_t size)
{
	const struct memory_slot *slot = soft_slot(c, gpa);
	struct grains *g = grains_of(soft_vm_of(c)->code, gpa);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!slot || !soft_code_in_page(slot, gpa))
		return;
	if (__atomic_load_n(&g->page, __ATOMIC_SEQ_CST) == ((gpa & ~PAGE_MASK) | 1) &&
	    !(__atomic_load_n(&g->mask, __ATOMIC_SEQ_CST) & grain_mask(gpa, size)))
		return;
	soft_code_drop(c, gpa);
}

static void request_all(struct vm *vm, uint64_t gpa, uint64_t pages)
{
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; pages && i < count; i++)
		soft_request_code(soft_of(vm->vcpus[i]), gpa, pages);
}

void soft_code_written_outside(struct soft_vm *vm, uint64_t gpa, uint64_t size)
{
	const struct memory_slot *slot = memory_find(&vm->vm, gpa);
	uint64_t first = gpa & ~PAGE_MASK, pages = 0;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!slot)
		return;
	/* Runs of pages with code, one request for each. */
	for (uint64_t page = first; page < gpa + size; page += PAGE_SIZE) {
		if (soft_code_in_page(slot, page)) {
			forget_page(vm->code, slot, page);
			first = pages++ ? first : page;
		} else {
			request_all(&vm->vm, first, pages);
			pages = 0;
		}
	}
	request_all(&vm->vm, first, pages);
}
