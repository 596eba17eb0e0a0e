/* SPDX-License-Identifier: MIT */
/*
 * hold.c - holds on ranges of a space (hold.h).
 *
 * A hold is there first and looks its pages up then, by the space's lock; who takes pages away
 * looks for holds with that lock: one of the two sees the other.
 */
#include "type1/runtime/hold.h"

#include <linux/errno.h>

#include "type1/runtime/thread_private.h"

static struct wait_list waiting; /* by the space's address */

void hold_begin(struct hold *hold, struct space *space, uint64_t address, uint64_t size)
{
	hold->space = space;
	hold->address = address;
	hold->size = size;
	hold->previous = NULL;
	spin_lock(&space->hold_lock);
	hold->next = space->holds;
	if (hold->next)
		hold->next->previous = hold;
	space->holds = hold;
	spin_unlock(&space->hold_lock);
}

/* Who waits for it has the lock only when this is done with the space. */
void hold_end(struct hold *hold)
{
	struct space *space = hold->space;

	spin_lock(&space->hold_lock);
	if (hold->previous)
		hold->previous->next = hold->next;
	else
		space->holds = hold->next;
	if (hold->next)
		hold->next->previous = hold->previous;
	wait_list_wake(&waiting, (uint64_t)space, UINT64_MAX);
	spin_unlock(&space->hold_lock);
}

/* Whether a hold has some of the range: then node waits for the end of any. */
static bool wait_if_held(struct space *space, uint64_t address, uint64_t size,
			 struct wait_node *node)
{
	const struct hold *each;

	spin_lock(&space->hold_lock);
	for (each = space->holds; each; each = each->next) {
		if (each->address < address + size && address < each->address + each->size)
			break;
	}
	if (each)
		wait_list_add(&waiting, node, (uint64_t)space);
	spin_unlock(&space->hold_lock);
	return each;
}

int hold_lock_space(struct space *space, uint64_t address, uint64_t size)
{
	struct wait_node node;
	int err = 0;

	while (!err) {
		mutex_lock(&space->lock);
		if (!wait_if_held(space, address, size, &node))
			return 0;
		mutex_unlock(&space->lock);
		err = waiter_wait_killable(&node.waiter, 0);
		wait_list_remove(&waiting, &node);
	}
	return err;
}

void hold_wait_all(struct space *space)
{
	struct wait_node node;

	while (wait_if_held(space, 0, USER_END, &node)) {
		waiter_wait_always(&node.waiter);
		wait_list_remove(&waiting, &node);
	}
}
