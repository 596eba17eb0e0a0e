/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * driver.h - what the files of the Linux driver share: its parts' beginning and end, in the order
 * in which module.c calls them, and what differs between kernels.
 *
 * The driver's own sources see the kernel's headers; the core's see none of them (Kbuild).
 */
#ifndef DYAD_TYPE2_DRIVER_DRIVER_H
#define DYAD_TYPE2_DRIVER_DRIVER_H

#include <linux/bug.h>
#include <linux/eventfd.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/task_work.h>
#include <linux/version.h>

#include "host.h"

struct backend;

/* host_cpu.c: suspend, resume and the end of the machine reach host_cpus_enable()'s functions
 * between these. */
void host_cpus_begin(void);
void host_cpus_end(void);

/*
 * node.c: /dev/dyad, with the rights that the module's parameters say (mode; group: a number, -1:
 * root's).  backend stays the node's until node_end(), which nobody calls while a descriptor is
 * open: each holds a reference to the module.
 */
int __init node_begin(const struct backend *backend, unsigned mode, int group);
void node_end(void);

/* The host's private part of one of host.h's objects, checked to fit. */
#define DRIVER_PRIVATE(object, type)                                                               \
	({                                                                                         \
		BUILD_BUG_ON(sizeof(type) > sizeof((object)->opaque));                             \
		(type *)(object)->opaque;                                                          \
	})

/*
 * Where a function of host.h is for task context, and where a command has come to its end: no spin
 * lock is held, and switches of threads are not held off.  The kernel's own check of this is in
 * debugging kernels alone.
 */
static inline void driver_expect_task(void)
{
	WARN_ON_ONCE(in_atomic());
}

/* Something that this thread does on its way to user mode: a signal, the kernel's own work, or what
 * the other thread flags stand for. */
static inline bool driver_thread_has_work(unsigned long flags)
{
	flags |= _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL;
	return (read_thread_flags() & flags) || task_work_pending(current);
}

static inline void driver_eventfd_signal(struct eventfd_ctx *context)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(context);
#else
	eventfd_signal(context, 1);
#endif
}

/* Has a page of another process's there, for now; for as long as that takes. */
static inline void driver_fault_in(struct mm_struct *mm, unsigned long user, unsigned int flags)
{
	int locked = 1;

	mmap_read_lock(mm);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	get_user_pages_remote(mm, user, 1, flags, NULL, &locked);
#else
	get_user_pages_remote(mm, user, 1, flags, NULL, NULL, &locked);
#endif
	if (locked)
		mmap_read_unlock(mm);
}

static inline void driver_send_reschedule(unsigned cpu)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	arch_smp_send_reschedule(cpu);
#else
	smp_send_reschedule(cpu);
#endif
}

#endif
