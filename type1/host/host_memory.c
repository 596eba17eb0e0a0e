/* SPDX-License-Identifier: MIT */
/*
 * host_memory.c - memory for the core: its own, and its caller's.
 *
 * A command runs in the process that made its VM (kvm_object.c sees to it), so the caller's memory
 * is that of the current one.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/host/private.h"
#include "type1/runtime/process.h"

/* --- The core's own --------------------------------------------------------------------------- */

struct account *host_account(void)
{
	struct process *process = process_current();

	return process ? &process->account : &runtime_account;
}

/* Whole pages from a page on: some of it (struct kvm_run) is mapped by its caller. */
void *host_alloc(size_t size)
{
	unsigned order = 0;

	if (size < PAGE_SIZE)
		return heap_alloc(size, host_account());
	while (order < FRAME_ORDERS && (UINT64_C(1) << order) * PAGE_SIZE < size)
		order++;
	return order < FRAME_ORDERS ? host_block_alloc(order) : NULL;
}

void host_free(void *memory)
{
	if (!memory || (is_aligned((uint64_t)memory, PAGE_SIZE) && host_block_put(memory)))
		return;
	heap_free(memory);
}

/* --- Copies ----------------------------------------------------------------------------------- */

int host_copy_in(void *to, uint64_t user, size_t size)
{
	return user_copy_in(to, user, size);
}

int host_copy_out(uint64_t user, const void *from, size_t size)
{
	return user_copy_out(user, from, size);
}

/* --- Compare and exchange --------------------------------------------------------------------- */

/* Discarded pages are faulted in again; not for ever beside a thread that discards them anew. */
#define EXCHANGE_TRIES 4

/*
 * With CMPXCHG's operand at 1: where the processor may not write, trap.c goes on at 2 (runtime.ld),
 * and the result stays.
 */
#define EXCHANGE(suffix, result, user, expected, value)                                            \
	__asm__ volatile("1: lock cmpxchg" suffix " %[new], (%[at])\n"                             \
			 "movl $0, %[err]\n"                                                       \
			 "2:\n"                                                                    \
			 ".pushsection .fixups, \"a\"\n"                                           \
			 ".quad 1b, 2b\n"                                                          \
			 ".popsection"                                                             \
			 : "+a"(*(expected)), [err] "+r"(result)                                   \
			 : [new] "r"(value), [at] "r"(user)                                        \
			 : "memory", "cc")

/* Interrupts are off, so that nobody else has a CPU on which user memory is open to ring 0. */
static int try_exchange(uint64_t user, unsigned size, uint64_t *expected, uint64_t value)
{
	uint64_t flags = irq_save();
	uint32_t low = (uint32_t)*expected;
	int result = -EFAULT;

	if (cpu_has_smap)
		__asm__ volatile("stac" : : : "memory", "cc");
	if (size == sizeof(uint64_t))
		EXCHANGE("q", result, user, expected, value);
	else
		EXCHANGE("l", result, user, &low, (uint32_t)value);
	if (cpu_has_smap)
		__asm__ volatile("clac" : : : "memory", "cc");
	irq_restore(flags);
	if (size != sizeof(uint64_t))
		*expected = low;
	return result;
}

int host_compare_exchange(uint64_t user, unsigned size, uint64_t *expected, uint64_t value)
{
	struct process *process = process_current();
	struct table_entry entry;

	if (!process || user >= USER_END)
		return -EFAULT;
	for (unsigned i = 0; i < EXCHANGE_TRIES; i++) {
		if (try_exchange(user, size, expected, value) == 0)
			return 0;
		if (space_find(&process->space, user, true, &entry) < 0)
			return -EFAULT;
	}
	return -EFAULT;
}

/* --- What the host has not -------------------------------------------------------------------- */

/* No address of a process's is the core's, too. */
void *host_user_pointer(uint64_t user)
{
	(void)user;
	return NULL;
}
