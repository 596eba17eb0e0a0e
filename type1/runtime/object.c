/* SPDX-License-Identifier: MIT */
/*
 * object.c - counted references.
 */
#include "type1/runtime/process.h"

void object_init(struct object *object, enum object_kind kind, void (*end)(struct object *object))
{
	object->kind = kind;
	object->references = 1;
	object->end = end;
}

void object_get(struct object *object)
{
	__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
}

/* Both ways: what its other users did is seen by who ends it. */
void object_put(struct object *object)
{
	if (object && !__atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL))
		object->end(object);
}
