/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - finds, builds and voids decoded blocks.
 */
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/code_pages.h"
#include "hypervisor/x86/soft/compile.h"
#include "hypervisor/x86/soft/tlb.h"

#define ARENA_SIZE (12 * MIB)
#define BUCKETS 16384
#define PAGE_BUCKETS 2048
#define BLOCK_OPS ((SOFT_BLOCK_INSNS + 1) * SOFT_OPS_PER_INSN)
#define KEY_SINGLE 0x80u
#define NO_PAGE UINT64_MAX
#define PAGES_BY_ONE 64 /* more pages than these are looked for all at once */

struct soft_block {
	uint64_t gpa;
	uint64_t second; /* the guest-physical page of its second part, or NO_PAGE */
	uint32_t key;    /* mode, as in stamp; KEY_SINGLE */
	uint16_t bytes, ops;
	bool is_void;
	struct soft_block *bucket_next;
	struct soft_block *page_next[2]; /* of the page it begins in, of the second */
	struct soft_link *incoming;
	struct soft_op op[];
};

struct soft_code_page {
	uint64_t gpa;
	struct soft_code_page *next;
	struct soft_block *blocks;
};

struct soft_blocks {
	uint8_t *arena;
	size_t used;
	struct soft_block *bucket[BUCKETS];
	struct soft_code_page *page[PAGE_BUCKETS];
	struct soft_op scratch[BLOCK_OPS];
};

int soft_blocks_create(struct soft_vcpu *c)
{
	c->blocks = host_alloc(sizeof(*c->blocks));
	c->jump = host_alloc(SOFT_JUMPS * sizeof(*c->jump));
	if (c->blocks)
		c->blocks->arena = host_alloc(ARENA_SIZE);
	if (c->blocks && c->jump && c->blocks->arena)
		return 0;
	soft_blocks_destroy(c);
	return -ENOMEM;
}

void soft_blocks_destroy(struct soft_vcpu *c)
{
	if (c->blocks)
		host_free(c->blocks->arena);
	host_free(c->blocks);
	host_free(c->jump);
	c->blocks = NULL;
	c->jump = NULL;
}

void *soft_block_alloc(struct soft_vcpu *c, size_t size)
{
	struct soft_blocks *blocks = c->blocks;
	size_t need = align_up(size, 16);

	if (need > ARENA_SIZE - blocks->used)
		return NULL;
	blocks->used += need;
	return blocks->arena + blocks->used - need;
}

void soft_blocks_flush(struct soft_vcpu *c)
{
	struct soft_blocks *blocks = c->blocks;

	__builtin_memset(blocks->bucket, 0, sizeof(blocks->bucket));
	__builtin_memset(blocks->page, 0, sizeof(blocks->page));
	blocks->used = 0;
	c->pending = NULL;
	soft_tlb_forget_blocks(c);
	soft_native_flush(c);
}

/* --- How one leads to another
 * ------------------------------------------------------------------- */

void soft_enter(struct soft_vcpu *c, struct soft_link *link)
{
	if (SOFT_TAIL_CALLS && SOFT_LIKELY(link->to)) {
		link->to->run(c, link->to);
		return;
	}
	c->pending = link;
}

void soft_enter_far(struct soft_vcpu *c, struct soft_link *link)
{
	if (SOFT_TAIL_CALLS &&
	    SOFT_LIKELY(link->rip == c->vcpu.state.rip && link->stamp == c->stamp)) {
		link->to->run(c, link->to);
		return;
	}
	c->pending = link;
}

void soft_enter_indirect(struct soft_vcpu *c)
{
	if (SOFT_TAIL_CALLS) {
		const struct soft_jump *jump = soft_jump_at(c, c->vcpu.state.rip);

		if (SOFT_LIKELY(jump->rip == c->vcpu.state.rip && jump->stamp == c->stamp)) {
			jump->to->run(c, jump->to);
			return;
		}
	}
	c->pending = NULL;
}

void soft_leave(struct soft_vcpu *c, struct soft_link *link)
{
	(void)link;
	c->pending = NULL;
}

void soft_leave_indirect(struct soft_vcpu *c)
{
	c->pending = NULL;
}

static void set_pending(struct soft_vcpu *c, struct soft_block *block)
{
	struct soft_link *link = c->pending;

	c->pending = NULL;
	if (!link)
		return;
	if (link->stamp) {
		link->rip = c->vcpu.state.rip;
		link->stamp = c->stamp;
		link->to = block->op;
		return;
	}
	if (link->to || block->second != NO_PAGE)
		return;
	link->to = block->op;
	link->next = block->incoming;
	block->incoming = link;
}

/* --- What makes them void
 * ----------------------------------------------------------------------- */

static void run_void(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_stop(c, op);
}

static struct soft_block **bucket_of(struct soft_vcpu *c, uint64_t gpa, uint32_t key)
{
	uint64_t hash = (gpa ^ (uint64_t)key << 40) * UINT64_C(0x9e3779b97f4a7c15);

	return &c->blocks->bucket[hash >> 50];
}
_Static_assert(BUCKETS == 1 << (64 - 50), "by the hash's high bits");

static void void_block(struct soft_vcpu *c, struct soft_block *block)
{
	struct soft_block **at = bucket_of(c, block->gpa, block->key);

	if (block->is_void)
		return;
	block->is_void = true;
	while (*at != block)
		at = &(*at)->bucket_next;
	*at = block->bucket_next;
	for (struct soft_link *link = block->incoming; link; link = link->next)
		link->to = NULL;
	for (unsigned i = 0; i < block->ops; i++)
		block->op[i].run = run_void;
}

static struct soft_code_page **page_bucket(struct soft_vcpu *c, uint64_t gpa)
{
	return &c->blocks->page[(gpa >> PAGE_SHIFT) % PAGE_BUCKETS];
}

/* A block is in the list of its first page by page_next[0], in that of its second by [1]. */
static bool void_page(struct soft_vcpu *c, struct soft_code_page *page)
{
	struct soft_block *block = page->blocks;
	bool any = block != NULL;

	while (block) {
		struct soft_block *next = block->page_next[block->second == page->gpa];

		void_block(c, block);
		block = next;
	}
	page->blocks = NULL;
	return any;
}

static bool void_bucket(struct soft_vcpu *c, struct soft_code_page *page, uint64_t gpa,
			uint64_t size)
{
	bool any = false;

	for (; page; page = page->next)
		if (page->gpa - gpa < size || gpa - page->gpa < PAGE_SIZE)
			any |= void_page(c, page);
	return any;
}

void soft_blocks_void(struct soft_vcpu *c, uint64_t gpa, uint64_t size)
{
	uint64_t first = gpa & ~PAGE_MASK;
	uint64_t pages = (size + (gpa - first) + PAGE_MASK) >> PAGE_SHIFT;
	bool any = false;

	if (pages > PAGES_BY_ONE)
		for (unsigned i = 0; i < PAGE_BUCKETS; i++)
			any |= void_bucket(c, c->blocks->page[i], gpa, size);
	else
		for (uint64_t i = 0; i < pages; i++)
			any |= void_bucket(c, *page_bucket(c, first + i * PAGE_SIZE),
					   first + i * PAGE_SIZE, PAGE_SIZE);
	if (any)
		soft_tlb_forget_blocks(c);
}

/* --- Building
 * ----------------------------------------------------------------------------------- */

/* Where bytes of code stand. */
struct source {
	const struct memory_slot *slot;
	const uint8_t *bytes;
	uint64_t linear, gpa;
};

enum outcome { FOUND, AGAIN, STOPPED };

static enum soft_view fetch_view(const struct soft_vcpu *c)
{
	return c->vcpu.state.cpl == 3 ? SOFT_VIEW_USER : SOFT_VIEW_SUPERVISOR;
}

static bool locate_code(struct soft_vcpu *c, uint64_t linear, struct source *source)
{
	enum soft_view view = fetch_view(c);
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlbs->current->entry[view], linear);
	struct soft_walk walk;

	source->linear = linear;
	if ((linear | PAGE_MASK) == entry->read && (entry->page & SOFT_TLB_EXECUTE)) {
		source->gpa = (entry->page & ~PAGE_MASK) | (linear & PAGE_MASK);
		source->slot = soft_slot(c, source->gpa);
		source->bytes = (const uint8_t *)(uintptr_t)(linear + entry->addend);
		return true;
	}
	if (!soft_walk(c, view, linear, SOFT_FETCH, &walk)) {
		soft_fault_page(c, linear, walk.error);
		return false;
	}
	source->gpa = walk.gpa;
	source->slot = soft_slot(c, walk.gpa);
	if (!source->slot || !source->slot->host) {
		soft_exit(c, EXIT_FAILED, 0);
		c->exit->failure.reason = walk.gpa;
		c->exit->failure.text = "an instruction in a device's memory";
		return false;
	}
	source->bytes = source->slot->host + (walk.gpa - source->slot->gpa);
	if (!(c->watching && soft_debug_watched(c, linear)))
		soft_tlb_fill(c, view, linear, &walk, source->slot, false);
	return true;
}

static uint64_t code_linear(const struct soft_vcpu *c, uint64_t rip)
{
	return c->long64 ? rip : (uint32_t)(c->vcpu.state.segment[CPU_CS].base + rip);
}

static uint32_t key_of(const struct soft_vcpu *c, bool single)
{
	/* All of the stamp's mode but the privilege level: that is asked when it runs. */
	return (uint32_t)(c->stamp & 0xff & ~UINT64_C(8)) | (single ? KEY_SINGLE : 0);
}

static struct soft_code_page *get_page(struct soft_vcpu *c, uint64_t gpa)
{
	struct soft_code_page **bucket = page_bucket(c, gpa);
	struct soft_code_page *page;

	gpa &= ~PAGE_MASK;
	for (page = *bucket; page; page = page->next)
		if (page->gpa == gpa)
			return page;
	page = soft_block_alloc(c, sizeof(*page));
	if (!page)
		return NULL;
	*page = (struct soft_code_page){.gpa = gpa, .next = *bucket};
	*bucket = page;
	return page;
}

/* Makes the block of what was compiled to scratch. */
static struct soft_block *finish(struct soft_vcpu *c, const struct soft_compile *k,
				 const struct source *source, uint64_t second, uint32_t key)
{
	unsigned ops = (unsigned)(k->op - c->blocks->scratch);
	struct soft_code_page *page[2] = {get_page(c, source->gpa), NULL};
	struct soft_block *block = soft_block_alloc(c, sizeof(*block) + ops * sizeof(*k->op));
	struct soft_block **bucket = bucket_of(c, source->gpa, key);

	if (second != NO_PAGE)
		page[1] = get_page(c, second);
	if (!page[0] || !block || k->no_memory || (second != NO_PAGE && !page[1]))
		return NULL;
	*block = (struct soft_block){
		.gpa = source->gpa,
		.second = second,
		.key = key,
		.bytes = k->at,
		.ops = (uint16_t)ops,
		.bucket_next = *bucket,
	};
	__builtin_memcpy(block->op, c->blocks->scratch, ops * sizeof(*k->op));
	*bucket = block;
	block->page_next[0] = page[0]->blocks;
	page[0]->blocks = block;
	block->page_next[1] = block->page_next[0]; /* both may be the same page */
	if (page[1] && page[1] != page[0]) {
		block->page_next[1] = page[1]->blocks;
		page[1]->blocks = block;
	}
	return block;
}

/* The bytes of an instruction that goes on in the next page. */
static enum outcome gather(struct soft_vcpu *c, const struct source *source, size_t room,
			   uint8_t bytes[DECODE_LENGTH_MAX], uint64_t *second)
{
	uint64_t next = source->linear + room;
	struct source rest;

	if (!locate_code(c, c->long64 ? next : (uint32_t)next, &rest))
		return STOPPED;
	if (!soft_code_note(c, rest.slot, rest.gpa, DECODE_LENGTH_MAX))
		return AGAIN;
	__builtin_memcpy(bytes, source->bytes, room);
	__builtin_memcpy(bytes + room, rest.bytes, DECODE_LENGTH_MAX - room);
	*second = rest.gpa & ~PAGE_MASK;
	return FOUND;
}

/* Decodes the instruction at k->at.  k->ended may be set without one: it doesn't fit here. */
static enum outcome build_one(struct soft_compile *k, const struct source *source, uint64_t *second)
{
	struct soft_vcpu *c = k->c;
	size_t room = k->room - k->at;
	uint8_t gathered[DECODE_LENGTH_MAX];
	struct decode_insn insn;
	enum decode_mode mode = c->long64 && !c->amd ? DECODE_64_INTEL : c->mode;
	enum decode_result result;
	enum outcome outcome;

	if (!soft_code_note(c, source->slot, source->gpa + k->at, MIN(room, DECODE_LENGTH_MAX)))
		return AGAIN;
	result = decode(mode, source->bytes + k->at, MIN(room, DECODE_LENGTH_MAX), &insn);
	if (result == DECODE_SHORT && k->at) {
		soft_compile_continue(k, false);
		return FOUND;
	}
	if (result == DECODE_SHORT) {
		outcome = gather(c, source, room, gathered, second);
		if (outcome != FOUND)
			return outcome;
		result = decode(mode, gathered, DECODE_LENGTH_MAX, &insn);
	}
	if (result == DECODE_OK)
		soft_compile(k, &insn);
	else if (result == DECODE_INVALID)
		soft_compile_fault(k, CPU_VECTOR_UD, false);
	else
		soft_compile_fault(k, CPU_VECTOR_GP, true);
	return FOUND;
}

static enum outcome build(struct soft_vcpu *c, const struct source *source, uint32_t key,
			  struct soft_block **block)
{
	uint32_t offset = source->gpa & PAGE_MASK;
	struct soft_compile k = {
		.c = c,
		.op = c->blocks->scratch,
		.room = (uint32_t)PAGE_SIZE - offset,
		.offset = offset,
	};
	unsigned insns = key & KEY_SINGLE ? 1 : SOFT_BLOCK_INSNS;
	uint64_t second = NO_PAGE;

	while (!k.ended && insns-- && k.at < k.room) {
		enum outcome outcome = build_one(&k, source, &second);

		if (outcome != FOUND)
			return outcome;
	}
	if (!k.ended)
		soft_compile_continue(&k, k.at < k.room);
	*block = finish(c, &k, source, second, key);
	if (*block)
		return FOUND;
	soft_blocks_flush(c);
	return AGAIN;
}

/* --- Finding
 * ------------------------------------------------------------------------------------ */

static struct soft_block *look_up(struct soft_vcpu *c, uint64_t gpa, uint32_t key)
{
	struct soft_block *block = *bucket_of(c, gpa, key);

	while (block && (block->gpa != gpa || block->key != key))
		block = block->bucket_next;
	return block;
}

/* Of a block in two pages: whether the second is still the one that it was decoded from. */
static enum outcome check_second(struct soft_vcpu *c, struct soft_block *block, uint64_t linear)
{
	struct source rest;

	if (block->second == NO_PAGE)
		return FOUND;
	linear = (linear | PAGE_MASK) + 1;
	if (!locate_code(c, c->long64 ? linear : (uint32_t)linear, &rest))
		return STOPPED;
	if (block->second == (rest.gpa & ~PAGE_MASK))
		return FOUND;
	void_block(c, block);
	return AGAIN;
}

static enum outcome find(struct soft_vcpu *c, uint32_t key, struct soft_block **block)
{
	uint64_t linear = code_linear(c, c->vcpu.state.rip);
	struct source source;

	if (!locate_code(c, linear, &source))
		return STOPPED;
	*block = look_up(c, source.gpa, key);
	if (*block)
		return check_second(c, *block, linear);
	return build(c, &source, key, block);
}

static struct soft_block *find_block(struct soft_vcpu *c, uint32_t key)
{
	struct soft_block *block;
	enum outcome outcome;

	do
		outcome = find(c, key, &block);
	while (outcome == AGAIN);
	return outcome == FOUND ? block : NULL;
}

const struct soft_op *soft_block_find(struct soft_vcpu *c, bool single)
{
	const struct cpu_segment *cs = &c->vcpu.state.segment[CPU_CS];
	uint64_t rip = c->vcpu.state.rip;
	struct soft_jump *jump = soft_jump_at(c, rip);
	struct soft_block *block;

	if (!single && jump->rip == rip && jump->stamp == c->stamp && !c->pending)
		return jump->to;
	if (c->long64 ? !soft_canonical(c, rip) : rip > cs->limit) {
		soft_fault_error(c, CPU_VECTOR_GP, 0);
		return NULL;
	}
	block = find_block(c, key_of(c, single));
	if (block && !single && !c->long64 && rip + block->bytes - 1 > cs->limit) {
		single = true;
		block = find_block(c, key_of(c, single));
	}
	if (!block)
		return NULL;
	if (!c->long64 && rip + block->bytes - 1 > cs->limit) {
		soft_fault_error(c, CPU_VECTOR_GP, 0);
		return NULL;
	}
	if (single)
		return block->op;
	soft_tlb_note_code(c, code_linear(c, rip));
	soft_tlb_note_code(c, code_linear(c, rip + block->bytes - 1));
	set_pending(c, block);
	jump->rip = rip;
	jump->stamp = c->stamp;
	jump->to = block->op;
	return block->op;
}
