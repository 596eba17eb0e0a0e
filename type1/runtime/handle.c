/* SPDX-License-Identifier: MIT */
/*
 * handle.c - a process's table of handles: slots that have an object or are chained as free.  It
 * doubles when it is full.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/process_private.h"

#define HANDLES_FIRST 16u
#define FREE_NONE 1u
#define FREE_OF(slot) (1 + 2 * (uint64_t)(slot)) /* slot 0 is no handle */
#define IS_FREE(value) ((value)&1)

void handles_init(struct process *process)
{
	process->private->handle_free = FREE_NONE;
}

/* Another table of twice the size, if the one that there is is still full.  -EMFILE, -ENOMEM. */
static int grow(struct process *process)
{
	struct process_private *p = process->private;
	uint32_t count = __atomic_load_n(&p->handle_count, __ATOMIC_RELAXED);
	uint32_t wanted = count ? 2 * count : HANDLES_FIRST;
	union handle_slot *slots, *old;

	if (wanted > HANDLES_MAX)
		return -EMFILE;
	slots = heap_alloc(wanted * sizeof(*slots), &process->account);
	if (!slots)
		return -ENOMEM;
	spin_lock(&p->handle_lock);
	if (p->handle_count == count && p->handle_free == FREE_NONE) {
		old = p->handles;
		if (count)
			memcpy(slots, old, count * sizeof(*slots));
		for (uint32_t i = wanted; i-- > MAX(count, 1u);) {
			slots[i].next_free = p->handle_free;
			p->handle_free = FREE_OF(i);
		}
		p->handles = slots;
		p->handle_count = wanted;
	} else {
		old = slots; /* another thread was faster */
	}
	spin_unlock(&p->handle_lock);
	heap_free(old);
	return 0;
}

int64_t handle_add(struct process *process, struct object *object)
{
	struct process_private *p = process->private;
	uint64_t slot;
	int err;

	for (;;) {
		spin_lock(&p->handle_lock);
		if (p->handle_free != FREE_NONE) {
			slot = p->handle_free / 2;
			p->handle_free = p->handles[slot].next_free;
			p->handles[slot].object = object;
			spin_unlock(&p->handle_lock);
			return (int64_t)slot;
		}
		spin_unlock(&p->handle_lock);
		err = grow(process);
		if (err) {
			object_put(object);
			return err;
		}
	}
}

struct object *handle_find(struct process *process, uint64_t handle, enum object_kind kind)
{
	struct process_private *p = process->private;
	struct object *object = NULL;

	spin_lock(&p->handle_lock);
	if (handle && handle < p->handle_count && !IS_FREE(p->handles[handle].next_free) &&
	    p->handles[handle].object->kind == kind) {
		object = p->handles[handle].object;
		object_get(object);
	}
	spin_unlock(&p->handle_lock);
	return object;
}

int handle_close(struct process *process, uint64_t handle)
{
	struct process_private *p = process->private;
	struct object *object = NULL;

	spin_lock(&p->handle_lock);
	if (handle && handle < p->handle_count && !IS_FREE(p->handles[handle].next_free)) {
		object = p->handles[handle].object;
		p->handles[handle].next_free = p->handle_free;
		p->handle_free = FREE_OF(handle);
	}
	spin_unlock(&p->handle_lock);
	object_put(object);
	return object ? 0 : -EBADF;
}

/* Devices go first: what they may read and write doesn't go while they can. */
void handles_end(struct process *process)
{
	struct process_private *p = process->private;

	for (uint32_t i = 1; i < p->handle_count; i++) {
		if (!IS_FREE(p->handles[i].next_free) &&
		    p->handles[i].object->kind == OBJECT_DEVICE)
			handle_close(process, i);
	}
	for (uint32_t i = 1; i < p->handle_count; i++)
		handle_close(process, i);
	heap_free(p->handles);
	p->handles = NULL;
	p->handle_count = 0;
}
