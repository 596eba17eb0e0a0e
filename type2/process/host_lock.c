/* SPDX-License-Identifier: MIT */
/*
 * host_lock.c - the core's locks.
 *
 * Both sleep in the end, because a thread of a process may lose its CPU at any moment, with the
 * lock held; a spin lock only tries for longer.  Timers' and events' callbacks run on other
 * threads, so that the lock alone keeps them away.
 */
#include "host.h"
#include "type2/process/futex.h"

#define SPIN_TRIES 200

_Static_assert(sizeof(futex_word) <= sizeof(struct host_spin), "fits the opaque part");

void host_mutex_init(struct host_mutex *mutex)
{
	*mutex = (struct host_mutex){{0}};
}

void host_mutex_lock(struct host_mutex *mutex)
{
	futex_lock((futex_word *)mutex->opaque);
}

/* A process that is killed ends in a futex call by itself. */
int host_mutex_lock_killable(struct host_mutex *mutex)
{
	host_mutex_lock(mutex);
	return 0;
}

void host_mutex_unlock(struct host_mutex *mutex)
{
	futex_unlock((futex_word *)mutex->opaque);
}

void host_spin_init(struct host_spin *spin)
{
	*spin = (struct host_spin){{0}};
}

__attribute__((noinline, cold)) static void spin_lock_slowly(futex_word *word)
{
	for (unsigned tries = 0; tries < SPIN_TRIES; tries++) {
		__builtin_ia32_pause();
		if (atomic_load_explicit(word, memory_order_relaxed) == FUTEX_FREE &&
		    futex_try_lock(word))
			return;
	}
	futex_lock_slowly(word);
}

void host_spin_lock(struct host_spin *spin)
{
	futex_word *word = (futex_word *)spin->opaque;

	if (!futex_try_lock(word))
		spin_lock_slowly(word);
}

void host_spin_unlock(struct host_spin *spin)
{
	futex_unlock((futex_word *)spin->opaque);
}
