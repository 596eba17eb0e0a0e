/* SPDX-License-Identifier: MIT */
/*
 * fake_kernel.h - host.h's part for hosts in kernel mode, for tests: the caller's pages are where
 * the test puts them, and go when it says so.  Physical addresses are the process's own.
 */
#ifndef DYAD_TESTS_FAKE_KERNEL_H
#define DYAD_TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"

extern unsigned fake_kernel_pages;     /* blocks of table pages that stand */
extern uint64_t fake_kernel_page_size; /* how the caller's memory is mapped: 4 KiB, 2 MiB, 1 GiB */
extern bool fake_kernel_writable;      /* whether reads find pages that may be written */
extern int fake_kernel_error;          /* of host_page_get(); 0: none */
extern unsigned fake_kernel_dirtied;   /* pages that were put as such */
extern unsigned fake_kernel_kicks;
extern void (*fake_kernel_kicked)(unsigned cpu); /* what a kick does; NULL: nothing */
/* Runs in host_page_get(), before it returns: to change something meanwhile. NULL: nothing */
extern void (*fake_kernel_meanwhile)(struct host_memory *memory);

/* The range's pages go, as by munmap(). */
void fake_kernel_invalidate(struct host_memory *memory, uint64_t user, uint64_t size);

void fake_kernel_reset(void);

#endif
