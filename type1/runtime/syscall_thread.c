/* SPDX-License-Identifier: MIT */
/*
 * syscall_thread.c - system calls: threads, and how they wait for each other.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/futex.h"
#include "type1/runtime/syscall.h"
#include "type1/runtime/thread_private.h"

int64_t syscall_thread_start(const struct call *call)
{
	struct thread *thread;
	int64_t handle;
	int err = thread_create_user(call->process, call->args[0], call->args[1], call->args[2],
				     call->args[3], &thread);

	if (err)
		return err;
	thread_get(thread); /* the handle's */
	handle = handle_add(call->process, &thread->object);
	/* One that nobody can name only ends. */
	thread->stillborn = handle < 0;
	scheduler_wake(thread);
	return handle;
}

int64_t syscall_thread_exit(const struct call *call)
{
	(void)call;
	thread_exit();
}

static struct thread *thread_of(struct object *object)
{
	return CONTAINER_OF(object, struct thread, object);
}

int64_t syscall_thread_kick(const struct call *call)
{
	thread_interrupt(thread_of(call->object));
	return 0;
}

int64_t syscall_thread_join(const struct call *call)
{
	struct thread *thread = thread_of(call->object);

	return thread == thread_current() ? -EINVAL : thread_join_killable(thread);
}

int64_t syscall_futex_wait(const struct call *call)
{
	return futex_wait(call->args[0], (uint32_t)call->args[1], call->args[2]);
}

int64_t syscall_futex_wake(const struct call *call)
{
	return futex_wake(call->args[0], call->args[1]);
}
