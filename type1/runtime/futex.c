/* SPDX-License-Identifier: MIT */
/*
 * futex.c - each process has some lists of waiting threads, by the addresses that they wait at.  A
 * list is never longer than the process has threads.
 */
#include "type1/runtime/futex.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/process_private.h"

static struct wait_list *list_of(uint64_t address)
{
	uint64_t number = address / sizeof(uint32_t);

	number ^= number / FUTEX_BUCKETS ^ number / PAGE_SIZE;
	return &process_current()->private->futexes[number % FUTEX_BUCKETS];
}

int futex_wait(uint64_t address, uint32_t value, uint64_t deadline)
{
	struct wait_list *list = list_of(address);
	struct wait_node node;
	uint32_t now;
	int err;

	if (!is_aligned(address, sizeof(now)))
		return -EINVAL;
	wait_list_add(list, &node, address);
	/* Who changes the value wakes after that: either it is seen here, or this is seen there. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	err = user_copy_in(&now, address, sizeof(now));
	if (!err && now != value)
		err = -EAGAIN;
	if (!err)
		err = waiter_wait_killable(&node.waiter, deadline);
	/* Whoever was counted as woken is. */
	return wait_list_remove(list, &node) ? err : 0;
}

int64_t futex_wake(uint64_t address, uint64_t count)
{
	if (!is_aligned(address, sizeof(uint32_t)))
		return -EINVAL;
	return (int64_t)wait_list_wake(list_of(address), address, count);
}
