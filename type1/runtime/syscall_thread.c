/* SPDX-License-Identifier: MIT */
/*
 * syscall_thread.c - system calls: threads, and how they wait for each other.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/futex.h"
#include "type1/runtime/syscall.h"
#include "type1/runtime/thread_private.h"

int64_t syscall_thread_start(struct process *process, const uint64_t *arguments)
{
	struct thread *thread;
	int64_t handle;
	int err = thread_create_user(process, arguments[0], arguments[1], arguments[2],
				     arguments[3], &thread);

	if (err)
		return err;
	thread_get(thread); /* the handle's */
	handle = handle_add(process, &thread->object);
	/* One that nobody can name only ends. */
	thread->stillborn = handle < 0;
	scheduler_wake(thread);
	return handle;
}

int64_t syscall_thread_exit(struct process *process, const uint64_t *arguments)
{
	(void)process;
	(void)arguments;
	thread_exit();
}

static int find(struct process *process, uint64_t handle, struct thread **thread)
{
	struct object *object;
	int err = handle_find(process, handle, OBJECT_THREAD, &object);

	if (!err)
		*thread = CONTAINER_OF(object, struct thread, object);
	return err;
}

int64_t syscall_thread_kick(struct process *process, const uint64_t *arguments)
{
	struct thread *thread;
	int err = find(process, arguments[0], &thread);

	if (err)
		return err;
	thread_interrupt(thread);
	thread_put(thread);
	return 0;
}

int64_t syscall_thread_join(struct process *process, const uint64_t *arguments)
{
	struct thread *thread;
	int err = find(process, arguments[0], &thread);

	if (err)
		return err;
	err = thread == thread_current() ? -EINVAL : thread_join_killable(thread);
	thread_put(thread);
	return err;
}

int64_t syscall_futex_wait(struct process *process, const uint64_t *arguments)
{
	(void)process;
	return futex_wait(arguments[0], (uint32_t)arguments[1], arguments[2]);
}

int64_t syscall_futex_wake(struct process *process, const uint64_t *arguments)
{
	(void)process;
	return futex_wake(arguments[0], arguments[1]);
}
