/* SPDX-License-Identifier: MIT */
/*
 * futex.h - a lock in one word, and sleeping on a word: what the process host's locks, waiters and
 * timers are made of.  Nothing here touches errno.
 */
#ifndef DYAD_TYPE2_PROCESS_FUTEX_H
#define DYAD_TYPE2_PROCESS_FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef _Atomic uint32_t futex_word;

/* 0 or -errno: -EAGAIN when the word is not value, -EINTR after a signal. */
static inline int futex_wait(futex_word *word, uint32_t value)
{
	int saved_errno = errno, error = 0;

	if (syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0) < 0)
		error = -errno;
	errno = saved_errno;
	return error;
}

static inline void futex_wake(futex_word *word, int count)
{
	int saved_errno = errno;

	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
	errno = saved_errno;
}

enum { FUTEX_FREE, FUTEX_HELD, FUTEX_CONTENDED /* held, and someone may sleep */ };

__attribute__((noinline, cold, unused)) static void futex_lock_slowly(futex_word *word)
{
	/*
	 * From here on we can't know whether others sleep, so the lock is taken as contended, and
	 * our unlock wakes one in vain at worst.
	 */
	while (atomic_exchange_explicit(word, FUTEX_CONTENDED, memory_order_acquire) != FUTEX_FREE)
		futex_wait(word, FUTEX_CONTENDED);
}

static inline bool futex_try_lock(futex_word *word)
{
	uint32_t expected = FUTEX_FREE;

	return atomic_compare_exchange_strong_explicit(word, &expected, FUTEX_HELD,
						       memory_order_acquire, memory_order_relaxed);
}

static inline void futex_lock(futex_word *word)
{
	if (!futex_try_lock(word))
		futex_lock_slowly(word);
}

static inline void futex_unlock(futex_word *word)
{
	if (atomic_exchange_explicit(word, FUTEX_FREE, memory_order_release) == FUTEX_CONTENDED)
		futex_wake(word, 1);
}

#endif
