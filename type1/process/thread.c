/* SPDX-License-Identifier: MIT */
/*
 * thread.c - threads: each has a stack with a guard page below, and shares the block of the stack
 * protector.
 */
#include "type1/process/thread.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

#define PAGE_SIZE (4 * KIB)
#define STACK_SIZE (64 * KIB)

struct os_thread {
	uint64_t handle;
	uint64_t stack; /* the lowest address, above the guard page */
	void (*run)(void *);
	void *arg;
};

static _Noreturn void thread_main(struct os_thread *thread)
{
	thread->run(thread->arg);
	for (;;)
		call0(TYPE1_THREAD_EXIT);
}

static int thread_make_stack(uint64_t *stack)
{
	int64_t mapped = call2(TYPE1_MEMORY_MAP, PAGE_SIZE + STACK_SIZE, TYPE1_MEMORY_WRITE);

	if (mapped < 0)
		return (int)mapped;
	call2(TYPE1_MEMORY_UNMAP, (uint64_t)mapped, PAGE_SIZE);
	*stack = (uint64_t)mapped + PAGE_SIZE;
	return 0;
}

int os_thread_start(struct os_thread **out, const char *name, void (*run)(void *), void *arg)
{
	struct os_thread *thread = os_alloc(sizeof(*thread));
	int64_t handle;
	int error;

	(void)name; /* the runtime's threads have none */
	if (!thread)
		return -ENOMEM;
	thread->run = run;
	thread->arg = arg;
	error = thread_make_stack(&thread->stack);
	if (error)
		goto free_thread;
	handle = call4(TYPE1_THREAD_START, (uint64_t)(uintptr_t)thread_main,
		       thread->stack + STACK_SIZE - THREAD_STACK_BEGIN, call_address(thread),
		       call_address(&process_thread_block));
	if (handle < 0) {
		error = (int)handle;
		goto free_stack;
	}
	thread->handle = (uint64_t)handle;
	*out = thread;
	return 0;
free_stack:
	call2(TYPE1_MEMORY_UNMAP, thread->stack, STACK_SIZE);
free_thread:
	os_free(thread);
	return error;
}

void os_thread_kick(struct os_thread *thread)
{
	call1(TYPE1_THREAD_KICK, thread->handle);
}

void os_thread_join(struct os_thread *thread)
{
	if (!thread)
		return;
	call1(TYPE1_THREAD_JOIN, thread->handle);
	call1(TYPE1_CLOSE, thread->handle);
	call2(TYPE1_MEMORY_UNMAP, thread->stack, STACK_SIZE);
	os_free(thread);
}
