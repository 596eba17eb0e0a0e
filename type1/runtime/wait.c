/* SPDX-License-Identifier: MIT */
/*
 * wait.c - how threads wait: for a wake, for a mutex, in a list by a key.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/thread_private.h"

/* --- Waiters ---------------------------------------------------------------------------------- */

void waiter_init(struct waiter *waiter)
{
	*waiter = (struct waiter){.lock = SPIN_INIT};
}

struct deadline {
	struct timer timer;
	struct waiter *waiter;
	bool passed; /* [waiter's lock] */
};

static void deadline_passed(struct timer *timer)
{
	struct deadline *deadline = CONTAINER_OF(timer, struct deadline, timer);

	spin_lock(&deadline->waiter->lock);
	deadline->passed = true;
	if (deadline->waiter->thread)
		scheduler_wake(deadline->waiter->thread);
	spin_unlock(&deadline->waiter->lock);
}

static int wait(struct waiter *waiter, uint64_t at, bool (*interrupted)(const struct thread *))
{
	struct thread *thread = thread_current();
	struct deadline deadline = {.waiter = waiter};
	int err;

	timer_init(&deadline.timer, deadline_passed);
	if (at)
		timer_set(&deadline.timer, at);
	spin_lock(&waiter->lock);
	for (;;) {
		err = 0;
		if (waiter->woken)
			break;
		err = -EINTR;
		if (interrupted(thread))
			break;
		err = -ETIMEDOUT;
		if (deadline.passed)
			break;
		waiter->thread = thread;
		scheduler_sleep(&waiter->lock);
		spin_lock(&waiter->lock);
	}
	waiter->thread = NULL;
	if (!err)
		waiter->woken = false;
	spin_unlock(&waiter->lock);
	if (at)
		timer_finish(&deadline.timer);
	return err;
}

static bool interrupted_or_dying(const struct thread *thread)
{
	return thread_interrupted(thread) || thread_dying(thread);
}

int waiter_wait(struct waiter *waiter, uint64_t deadline)
{
	return wait(waiter, deadline, interrupted_or_dying);
}

int waiter_wait_killable(struct waiter *waiter, uint64_t deadline)
{
	return wait(waiter, deadline, thread_dying);
}

static bool never(const struct thread *thread)
{
	(void)thread;
	return false;
}

void waiter_wait_always(struct waiter *waiter)
{
	wait(waiter, 0, never);
}

void waiter_wake(struct waiter *waiter)
{
	spin_lock(&waiter->lock);
	waiter->woken = true;
	if (waiter->thread)
		scheduler_wake(waiter->thread);
	spin_unlock(&waiter->lock);
}

/* --- Mutexes ---------------------------------------------------------------------------------- */

#define MUTEX_WAITED UINT64_C(1) /* in owner: some may wait */

void mutex_init(struct mutex *mutex)
{
	*mutex = (struct mutex){.lock = SPIN_INIT};
}

/* With the mutex's lock. */
static void mutex_leave(struct mutex *mutex, struct thread *thread)
{
	struct thread *before = NULL;

	for (struct thread *each = mutex->first; each != thread; each = each->next_waiting)
		before = each;
	if (before)
		before->next_waiting = thread->next_waiting;
	else
		mutex->first = thread->next_waiting;
	if (mutex->last == thread)
		mutex->last = before;
}

/* With the mutex's lock: owner says that somebody may wait, or the mutex is the thread's. */
static bool mutex_take_or_mark(struct mutex *mutex, uint64_t thread)
{
	uint64_t owner = __atomic_load_n(&mutex->owner, __ATOMIC_RELAXED);

	for (;;) {
		uint64_t next = owner ? owner | MUTEX_WAITED : thread;

		if (__atomic_compare_exchange_n(&mutex->owner, &owner, next, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return !owner;
	}
}

static int mutex_wait(struct mutex *mutex, struct thread *thread, bool killable)
{
	int err = 0;

	spin_lock(&mutex->lock);
	if (mutex_take_or_mark(mutex, (uint64_t)thread))
		goto out;
	thread->next_waiting = NULL;
	if (mutex->last)
		mutex->last->next_waiting = thread;
	else
		mutex->first = thread;
	mutex->last = thread;
	/* Only who unlocks with the lock changes owner while somebody may wait. */
	while ((mutex->owner & ~MUTEX_WAITED) != (uint64_t)thread) {
		if (killable && thread_dying(thread)) {
			mutex_leave(mutex, thread);
			err = -EINTR;
			break;
		}
		scheduler_sleep(&mutex->lock);
		spin_lock(&mutex->lock);
	}
out:
	spin_unlock(&mutex->lock);
	return err;
}

/* The lock is for those who wait: without any, it's owner alone that changes. */
static int mutex_get(struct mutex *mutex, bool killable)
{
	struct thread *thread = thread_current();
	uint64_t none = 0;

	if (__atomic_compare_exchange_n(&mutex->owner, &none, (uint64_t)thread, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return 0;
	return mutex_wait(mutex, thread, killable);
}

void mutex_lock(struct mutex *mutex)
{
	mutex_get(mutex, false);
}

int mutex_lock_killable(struct mutex *mutex)
{
	return mutex_get(mutex, true);
}

/* Who has waited longest has it already when it wakes. */
void mutex_unlock(struct mutex *mutex)
{
	uint64_t owner = (uint64_t)thread_current();
	struct thread *next;

	if (__atomic_compare_exchange_n(&mutex->owner, &owner, 0, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		return;
	spin_lock(&mutex->lock);
	next = mutex->first;
	if (next) {
		mutex->first = next->next_waiting;
		if (!mutex->first)
			mutex->last = NULL;
	}
	owner = (uint64_t)next | (mutex->first ? MUTEX_WAITED : 0);
	__atomic_store_n(&mutex->owner, owner, __ATOMIC_RELEASE);
	if (next)
		scheduler_wake(next);
	spin_unlock(&mutex->lock);
}

/* --- Lists ------------------------------------------------------------------------------------ */

void wait_list_add(struct wait_list *list, struct wait_node *node, uint64_t key)
{
	struct wait_node **last;

	waiter_init(&node->waiter);
	node->key = key;
	node->next = NULL;
	node->queued = true;
	spin_lock(&list->lock);
	for (last = &list->first; *last; last = &(*last)->next)
		;
	*last = node;
	spin_unlock(&list->lock);
}

bool wait_list_remove(struct wait_list *list, struct wait_node *node)
{
	struct wait_node **each;
	bool queued;

	spin_lock(&list->lock);
	queued = node->queued;
	if (queued) {
		for (each = &list->first; *each != node; each = &(*each)->next)
			;
		*each = node->next;
	}
	spin_unlock(&list->lock);
	return queued;
}

/* A node is its waiter's, who may leave only behind the lock: so it is woken under it. */
uint64_t wait_list_wake(struct wait_list *list, uint64_t key, uint64_t count)
{
	struct wait_node **each = &list->first, *node;
	uint64_t woken = 0;

	spin_lock(&list->lock);
	while (woken < count && (node = *each)) {
		if (node->key != key) {
			each = &node->next;
			continue;
		}
		*each = node->next;
		node->queued = false;
		waiter_wake(&node->waiter);
		woken++;
	}
	spin_unlock(&list->lock);
	return woken;
}
