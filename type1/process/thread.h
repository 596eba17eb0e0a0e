/* SPDX-License-Identifier: MIT */
/*
 * thread.h - what FS points to in each thread of a process, one block for all of them; and how a
 * thread's stack begins.
 */
#ifndef DYAD_TYPE1_PROCESS_THREAD_H
#define DYAD_TYPE1_PROCESS_THREAD_H

#include <stddef.h>
#include <stdint.h>

struct thread_block {
	uint8_t reserved_00[0x28];
	uint64_t canary; /* where compilers for x86-64 look for it: %fs:0x28 */
};
_Static_assert(offsetof(struct thread_block, canary) == 0x28, "canary");

extern struct thread_block process_thread_block;

/* Functions begin with RSP so far below a multiple of 16, where the return address is (System V ABI
 * for x86-64, 3.2.2). */
#define THREAD_STACK_ALIGNMENT 16
#define THREAD_STACK_BEGIN sizeof(uint64_t)

#endif
