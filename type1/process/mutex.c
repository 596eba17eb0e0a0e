/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - a lock in one word, which costs no system call when nobody contends.
 */
#include <stdatomic.h>

#include "type1/process/call.h"
#include "type1/process/process.h"

typedef _Atomic uint32_t futex_word;
_Static_assert(sizeof(futex_word) <= sizeof(struct os_mutex), "fits the opaque part");

enum { FUTEX_FREE, FUTEX_HELD, FUTEX_CONTENDED /* held, and someone may sleep */ };

static futex_word *mutex_word(struct os_mutex *mutex)
{
	return (futex_word *)mutex;
}

void os_mutex_init(struct os_mutex *mutex)
{
	*mutex = (struct os_mutex){{0}};
}

void os_mutex_lock(struct os_mutex *mutex)
{
	futex_word *word = mutex_word(mutex);
	uint32_t expected = FUTEX_FREE;

	if (atomic_compare_exchange_strong_explicit(word, &expected, FUTEX_HELD,
						    memory_order_acquire, memory_order_relaxed))
		return;
	/* Whether others sleep can't be known from here on: taken as contended, so that our unlock
	 * wakes one in vain at worst. */
	while (atomic_exchange_explicit(word, FUTEX_CONTENDED, memory_order_acquire) != FUTEX_FREE)
		call3(TYPE1_FUTEX_WAIT, call_address(word), FUTEX_CONTENDED, 0);
}

void os_mutex_unlock(struct os_mutex *mutex)
{
	futex_word *word = mutex_word(mutex);

	if (atomic_exchange_explicit(word, FUTEX_FREE, memory_order_release) == FUTEX_CONTENDED)
		call2(TYPE1_FUTEX_WAKE, call_address(word), 1);
}
