/* SPDX-License-Identifier: MIT */
/*
 * memory_object.h - memory objects, for space.c and the system calls; process.h has the rest.
 */
#ifndef DYAD_TYPE1_MEMORY_OBJECT_H
#define DYAD_TYPE1_MEMORY_OBJECT_H

#include "type1/runtime/process.h"

/* Beside TYPE1_MEMORY_*, of device registers: whoever maps them. */
#define MEMORY_OBJECT_UNCACHED (1u << 31)

/* Of zeroed memory, which is charged to the account that outlives it. */
int memory_object_create(uint64_t size, struct account *account, struct object **object);
uint64_t memory_object_size(const struct object *object);
unsigned memory_object_caching(const struct object *object); /* MEMORY_OBJECT_UNCACHED, or 0 */
/* Whether the range is in it, and may be mapped with these TYPE1_MEMORY_* flags. */
bool memory_object_allows(const struct object *object, uint64_t offset, uint64_t size,
			  unsigned flags);
/* Of device registers, all but the range of a hole, to which nothing is mapped. */
int memory_object_of_registers(uint64_t physical, uint64_t size, uint64_t hole, uint64_t hole_size,
			       struct account *account, struct object **object);
/* The physical address at an offset, and how much from there on is in one piece; 0: a hole. */
uint64_t memory_object_at(const struct object *object, uint64_t offset, uint64_t *size);

#endif
