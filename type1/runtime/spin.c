/* SPDX-License-Identifier: MIT */
/*
 * spin.c - spin locks by tickets, and the end of a part without preemption.
 */
#include "hw/x86.h"
#include "type1/runtime/cpu.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/thread.h"

void spin_lock(struct spin *spin)
{
	uint64_t flags = irq_save();
	uint32_t ticket = __atomic_fetch_add(&spin->next, 1, __ATOMIC_RELAXED);

	/* Acquire: what the last holder wrote is seen behind this. */
	while (__atomic_load_n(&spin->owner, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
	spin->flags = flags;
}

/* Whether the running thread should give its CPU away and may.  Interrupts may be on: the thread
 * may be moved at any point here, and each place it can come to gives the same answer or was asked.
 */
static bool due(void)
{
	uint32_t off;
	bool reschedule;

	__asm__ volatile("movl %%gs:24, %0" : "=r"(off));
	__asm__ volatile("movb %%gs:28, %0" : "=q"(reschedule));
	return reschedule && off == 0;
}

void spin_unlock(struct spin *spin)
{
	uint64_t flags = spin->flags;

	/* Release: what was written under the lock is there before the next holder is. */
	__atomic_store_n(&spin->owner, spin->owner + 1, __ATOMIC_RELEASE);
	irq_restore(flags);
	if ((flags & RFLAGS_IF) && due())
		schedule();
}

void preempt_on(void)
{
	uint64_t flags;

	__asm__ volatile("decl %%gs:24" : : : "memory", "cc");
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	if ((flags & RFLAGS_IF) && due())
		schedule();
}
