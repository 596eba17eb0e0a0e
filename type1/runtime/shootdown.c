/* SPDX-License-Identifier: MIT */
/*
 * shootdown.c - what CPUs remember of tables that have changed: their TLBs, and the tables of a
 * space that they have still loaded though no thread of its process runs there.
 */
#include "type1/runtime/instructions.h"
#include "type1/runtime/process_private.h"
#include "type1/runtime/tables.h"

#define PAGES_ONE_BY_ONE 64 /* for more than so many the whole TLB goes */

/* The one request that is under way. */
static struct {
	struct mutex lock;
	struct space *space;    /* [lock] */
	uint64_t address, size; /* [lock] */
	bool leave;             /* [lock] */
	uint64_t pending;       /* [atomic] CPUs that have not done it, a bit each */
} request;

/* Interrupts off, or preemption. */
void space_load(struct space *space)
{
	struct cpu *cpu = this_cpu();
	struct space *before = cpu->space;
	uint64_t bit = UINT64_C(1) << cpu->number;

	/* A full barrier: who changes the tables, and reads cpus then, sees the bit, or this CPU
	 * sees the change. */
	if (space)
		__atomic_fetch_or(&space->cpus, bit, __ATOMIC_SEQ_CST);
	write_cr3(space ? space->root : table_root);
	cpu->space = space;
	if (before && before != space)
		__atomic_fetch_and(&before->cpus, ~bit, __ATOMIC_SEQ_CST);
}

static void invalidate(void)
{
	if (this_cpu()->space != request.space)
		return; /* it has loaded others meanwhile */
	if (request.leave) {
		space_load(NULL);
		return;
	}
	if (request.size > (uint64_t)PAGES_ONE_BY_ONE * PAGE_SIZE) {
		write_cr3(read_cr3());
		return;
	}
	for (uint64_t at = request.address; at < request.address + request.size; at += PAGE_SIZE)
		__asm__ volatile("invlpg (%0)" : : "r"(at) : "memory");
}

static void shootdown_interrupt(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
	invalidate();
	__atomic_fetch_and(&request.pending, ~(UINT64_C(1) << this_cpu()->number),
			   __ATOMIC_RELEASE);
}

static void send(struct space *space, uint64_t address, uint64_t size, bool leave)
{
	uint64_t cpus_there, others, own;

	mutex_lock(&request.lock);
	preempt_off();
	request.space = space;
	request.address = address;
	request.size = size;
	request.leave = leave;
	/* The tables' change is seen before it is known who has them: see space_load(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	cpus_there = __atomic_load_n(&space->cpus, __ATOMIC_SEQ_CST);
	own = UINT64_C(1) << this_cpu()->number;
	others = cpus_there & ~own;
	__atomic_store_n(&request.pending, others, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < cpu_count; i++) {
		if (others >> i & 1)
			apic_send(i, VECTOR_SHOOTDOWN);
	}
	if (cpus_there & own)
		invalidate();
	while (__atomic_load_n(&request.pending, __ATOMIC_ACQUIRE))
		cpu_relax();
	preempt_on();
	mutex_unlock(&request.lock);
}

void shootdown(struct space *space, uint64_t address, uint64_t size)
{
	send(space, address, size, false);
}

void shootdown_leave(struct space *space)
{
	send(space, 0, 0, true);
}

void shootdown_init(void)
{
	trap_set_handler(VECTOR_SHOOTDOWN, shootdown_interrupt);
}
