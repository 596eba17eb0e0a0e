/* SPDX-License-Identifier: MIT */
/*
 * memory.h - physical memory, the runtime's own map of it, and accounts.
 *
 * All of physical memory is mapped at PHYSICAL_MAP, writable and never executable; the runtime's
 * image stands at its own address, each part with the rights that it needs and no more; kernel
 * stacks stand among pages that are not there.
 */
#ifndef DYAD_TYPE1_MEMORY_H
#define DYAD_TYPE1_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type1/runtime/cpu.h"

#define PAGE_SIZE 4096u
#ifndef PHYSICAL_MAP /* unit tests have it elsewhere */
#define PHYSICAL_MAP UINT64_C(0xffff800000000000)
#endif
#define STACKS_MAP UINT64_C(0xffffc00000000000)
#define DEVICES_MAP UINT64_C(0xffffd00000000000)
#define IMAGE_MAP UINT64_C(0xffffffff80000000) /* + the physical address */
#define USER_END UINT64_C(0x00007ffffffff000)  /* addresses of processes are below */

static inline void *physical_at(uint64_t physical)
{
	return (void *)(PHYSICAL_MAP + physical);
}
/* Of an address in the map of physical memory. */
static inline uint64_t physical_of(const void *at)
{
	return (uint64_t)at - PHYSICAL_MAP;
}

/* --- Accounts: how much memory somebody may have the runtime use.  Any context. */

struct account {
	uint64_t limit, used; /* bytes; used [atomic] */
};
extern struct account runtime_account;                       /* the runtime's own; no limit */
bool account_charge(struct account *account, uint64_t size); /* false: that would be too much */
void account_credit(struct account *account, uint64_t size);

/* --- frames.c: pages, in blocks of 4096 << order bytes that are aligned to their size */

#define FRAME_ORDERS 19 /* up to 1 GiB */
/* Zeroed; 0: there is none, or the account is used up.  Any context; spins. */
uint64_t frames_alloc(unsigned order, struct account *account);
void frames_free(uint64_t physical, unsigned order, struct account *account);
/* A block may be freed in parts. */
/* Bytes: of all, and free now. */
void frames_statistics(uint64_t *total, uint64_t *free);

/* --- heap.c: small objects, zeroed, aligned to 64; NULL as above.  Any context. */

void *heap_alloc(size_t size, struct account *account);
void heap_free(void *memory); /* knows its size and account */

/* --- stacks.c: kernel stacks of KERNEL_STACK bytes, a guard page below each */

#define KERNEL_STACK (16 * 1024)
/* Interrupts on, but for boot. */
void *stack_alloc(struct account *account); /* its lowest address, or NULL */
void stack_free(void *stack);

/* --- tables.c: page tables of 4 levels.  Whoever owns a root keeps others away while it changes.
 */

enum table_rights {
	TABLE_WRITE = 1 << 0,
	TABLE_EXECUTE = 1 << 1,
	TABLE_USER = 1 << 2,
	TABLE_UNCACHED = 1 << 3,
};
/* A root that shares the upper half with the runtime's; 0: no memory. */
uint64_t table_create(struct account *account);
/* Frees the tables of the lower half, but nothing that they map. */
void table_destroy(uint64_t root, struct account *account);
/* size: 4 KiB, 2 MiB or 1 GiB, to which both addresses are aligned.  -EEXIST: something is mapped
 * there, or, for a large page, was in smaller ones: their table stays.  -ENOMEM. */
int table_map(uint64_t root, uint64_t address, uint64_t physical, uint64_t size, unsigned rights,
	      struct account *account);
/* What is mapped at address: its start's physical address, size and rights; false: nothing. */
struct table_entry {
	uint64_t physical, size;
	unsigned rights;
};
bool table_find(uint64_t root, uint64_t address, struct table_entry *entry);
/* The entry goes, as table_find() has it; the caller sees to TLBs. */
void table_unmap(uint64_t root, uint64_t address);
/* The runtime's own map: device registers into the upper half.  NULL: no memory. */
void *map_device(uint64_t physical, uint64_t size);

#endif
