/* SPDX-License-Identifier: MIT */
/*
 * fake_host.h - host.h for tests and fuzzers of the core: one thread, a clock that stands until it
 * is set, timers that fire when it is moved on, events that can be signalled and counted.
 *
 * What the core does wrong with it ends the test: a lock taken twice, sleeping with a spin lock,
 * an object that is freed twice.
 */
#ifndef DYAD_TESTS_FAKE_HOST_H
#define DYAD_TESTS_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"

/* --- Clock: the TSC counts two ticks a nanosecond */

#define FAKE_HOST_TSC_KHZ 2000000u

extern uint64_t fake_host_monotonic; /* ns */
extern int64_t fake_host_wall;

/* Moves the clock on by ns, timers firing at their time on the way. */
void fake_host_advance(uint64_t ns);
/* The deadline of the timer that fires next, or UINT64_MAX. */
uint64_t fake_host_next_timer(void);

/* --- What the vCPU thread sees */

/* Whether a signal has come for the thread that runs: host_run_interrupted() from then on. */
extern bool fake_host_interrupted;
/*
 * What happens when a thread waits and nobody has woken it; by default the clock is moved on to
 * the next timer, and without a timer the wait ends with -EINTR.  Returns what host_wait() does.
 */
extern int (*fake_host_idle)(struct host_waiter *waiter);
extern unsigned fake_host_yields;

/* --- Memory */

/* host_alloc() fails once this many more have gone well; -1: never. */
extern int fake_host_allocations_left;
extern size_t fake_host_allocated; /* objects that stand: a leak is what is left at the end */
/* With a range set only addresses in it are the caller's memory; else all but the first page. */
void fake_host_set_user_range(const void *start, size_t size);
extern bool fake_host_no_user_pointer; /* as on a host without direct access */

/* --- Pages that are fetched meanwhile */

#define FAKE_HOST_FETCHES_MAX 128
extern unsigned fake_host_fetches;                           /* under way */
extern int fake_host_fetch_error;                            /* of begin; 0: none */
extern uint64_t fake_host_fetch_user[FAKE_HOST_FETCHES_MAX]; /* of which pages, oldest first */
void fake_host_fetch_done(unsigned i);                       /* that one is there */

/* --- Events, by number */

int32_t fake_host_event_create(void);
void fake_host_event_close(int32_t number); /* the caller's reference */
void fake_host_event_signal(int32_t number);
unsigned fake_host_event_count(int32_t number); /* since the last call */

/* --- The rest */

/* What host_cpuid() answers: a table of an AMD CPU with AVX2, or the caller's. */
extern void (*fake_host_cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);
extern unsigned fake_host_log_lines;
extern char fake_host_last_log[256];

/* Everything as at the start, for the next test. */
void fake_host_reset(void);

#endif
