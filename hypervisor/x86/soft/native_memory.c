/* SPDX-License-Identifier: MIT */
/*
 * native_memory.c - ops of the native part with a memory operand, which is either read or written.
 * The order of their exceptions: #UD, #NM, #MF, then the operand's (#GP by alignment, #PF), then
 * what the operation itself raises.
 */
#include "hypervisor/x86/soft/native.h"
#include "hypervisor/x86/soft/tlb.h"

#define FSW_STORE_EXCEPTIONS 0x19u /* invalid operation, overflow, underflow: nothing is stored */

/* All before the operand is looked at.  NATIVE_STOP: an exception was raised. */
static inline enum native_ready ready(struct soft_vcpu *c, const struct native_op *n)
{
	enum native_ready ready = NATIVE_GO;

	if (SOFT_UNLIKELY(c->native_gate & n->gate))
		ready = native_prepare(c, n->gate);
	if (n->waits && ready != NATIVE_STOP && c->native_gate & GATE_PENDING && native_pending()) {
		soft_fault(c, CPU_VECTOR_MF);
		return NATIVE_STOP;
	}
	return ready;
}

/* The operand itself, if that needs nothing to be looked at; else NULL. */
static inline void *direct(struct soft_vcpu *c, const struct soft_op *op, uint64_t offset,
			   unsigned size, bool write)
{
	const struct soft_segment *segment = &c->segment[op->segment];
	uint64_t linear = segment->base + offset;
	const struct soft_tlb_entry *entry;

	if (!c->long64) {
		if (offset + size > (write ? segment->write_end : segment->read_end))
			return NULL;
		linear = (uint32_t)linear;
	}
	entry = soft_tlb_at(c->tlb, linear);
	if (SOFT_UNLIKELY(((linear + size - 1) | PAGE_MASK) !=
			  (write ? entry->write : entry->read)))
		return NULL;
	return (void *)(uintptr_t)(linear + entry->addend);
}

static inline bool aligned(struct soft_vcpu *c, const struct soft_op *op, const struct native_op *n,
			   uint64_t offset)
{
	if (SOFT_LIKELY(!((c->segment[op->segment].base + offset) & n->align)))
		return true;
	soft_fault_error(c, CPU_VECTOR_GP, 0);
	return false;
}

/* x87's last instruction and data. */
static void point(struct soft_vcpu *c, const struct soft_op *op, const struct native_op *n,
		  uint64_t offset)
{
	uint8_t *area = native_area(c);

	store_le16(area + CPU_XSAVE_FOP, n->fop);
	native_pointers(c, c->vcpu.state.rip + op->at, op->segment, offset);
}

void native_pointers(struct soft_vcpu *c, uint64_t rip, unsigned segment, uint64_t offset)
{
	uint8_t *area = native_area(c);

	if (c->long64) {
		store_le64(area + CPU_XSAVE_FIP, rip);
		store_le64(area + CPU_XSAVE_FDP, c->segment[segment].base + offset);
	} else {
		store_le64(area + CPU_XSAVE_FIP,
			   (uint32_t)rip | (uint64_t)c->vcpu.state.segment[CPU_CS].selector << 32);
		store_le64(area + CPU_XSAVE_FDP,
			   (uint32_t)offset | (uint64_t)c->vcpu.state.segment[segment].selector
						      << 32);
	}
}

/* The short way: NULL if it is not to be taken. */
static inline void *quick(struct soft_vcpu *c, const struct soft_op *op, const struct native_op *n,
			  bool write)
{
	uint64_t offset;
	void *memory;

	if (SOFT_UNLIKELY(c->native_gate & n->gate))
		return NULL;
	offset = soft_offset(c, op);
	if (SOFT_UNLIKELY((c->segment[op->segment].base + offset) & n->align))
		return NULL;
	memory = direct(c, op, offset, n->size, write);
	if (n->pointers && memory)
		point(c, op, n, offset);
	return memory;
}

static __attribute__((noinline)) void load_slow(struct soft_vcpu *c, const struct soft_op *op)
{
	const struct native_op *n = op->data;
	enum native_ready state = ready(c, n);
	uint64_t offset = soft_offset(c, op);
	void *memory;

	if (state == NATIVE_STOP || !aligned(c, op, n, offset))
		return soft_stop(c, op);
	memory = direct(c, op, offset, n->size, false);
	if (SOFT_UNLIKELY(!memory)) {
		/* It is only read from. */
		memory = (void *)(uintptr_t)soft_read_at(c, op->segment, offset, n->size);
		if (!memory)
			return soft_stop(c, op);
	}
	if (n->pointers)
		point(c, op, n, offset);
	if (SOFT_LIKELY(state == NATIVE_GO))
		return n->stub(c, op, memory);
	if (!native_run_unmasked(c, op, memory))
		return soft_stop(c, op);
	soft_next(c, op);
}

void native_load(struct soft_vcpu *c, const struct soft_op *op)
{
	const struct native_op *n = op->data;
	void *memory = quick(c, op, n, false);

	if (SOFT_UNLIKELY(!memory))
		return load_slow(c, op);
	n->stub(c, op, memory);
}

/* An unmasked exception keeps the result from being stored. */
static bool x87_stored(void)
{
	uint16_t fsw, fcw;

	__asm__ volatile("fnstsw %0\n\tfnstcw %1" : "=a"(fsw), "=m"(fcw));
	return !(fsw & ~fcw & FSW_STORE_EXCEPTIONS);
}

/* By a copy: the operand crosses pages, or is a device's, or the TLB doesn't have it. */
static SOFT_APART bool store_copy(struct soft_vcpu *c, const struct soft_op *op,
				  enum native_ready state, uint64_t offset)
{
	const struct native_op *n = op->data;
	struct native *native = native_of(c);
	uint8_t pointers[CPU_XSAVE_MXCSR - CPU_XSAVE_FOP];

	if (!soft_probe(c, op->segment, offset, n->size, true))
		return false;
	/* What a device's exit on the way goes back to. */
	if (n->x87)
		native_save_st(c);
	memcpy(pointers, native_area(c) + CPU_XSAVE_FOP, sizeof(pointers));
	if (n->pointers)
		point(c, op, n, offset);
	if (state == NATIVE_GO)
		native_run(c, op, native->memory);
	else if (!native_run_unmasked(c, op, native->memory))
		return false;
	if (n->x87 && n->waits && !x87_stored())
		return true;
	if (!soft_write(c, op->segment, offset, native->memory, n->size)) {
		memcpy(native_area(c) + CPU_XSAVE_FOP, pointers, sizeof(pointers));
		if (n->x87)
			native_drop_st(c);
		return false;
	}
	return true;
}

static __attribute__((noinline)) void store_slow(struct soft_vcpu *c, const struct soft_op *op)
{
	const struct native_op *n = op->data;
	enum native_ready state = ready(c, n);
	uint64_t offset = soft_offset(c, op);
	void *memory;

	if (state == NATIVE_STOP || !aligned(c, op, n, offset))
		return soft_stop(c, op);
	memory = direct(c, op, offset, n->size, true);
	if (SOFT_UNLIKELY(!memory || state != NATIVE_GO))
		return soft_next_if(c, op, store_copy(c, op, state, offset));
	if (n->pointers)
		point(c, op, n, offset);
	n->stub(c, op, memory);
}

void native_store(struct soft_vcpu *c, const struct soft_op *op)
{
	const struct native_op *n = op->data;
	void *memory = quick(c, op, n, true);

	if (SOFT_UNLIKELY(!memory))
		return store_slow(c, op);
	n->stub(c, op, memory);
}
