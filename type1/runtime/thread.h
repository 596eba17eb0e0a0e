/* SPDX-License-Identifier: MIT */
/*
 * thread.h - threads, and how they wait.  A thread belongs to a process (struct process) or to the
 * runtime itself; in ring 3 it is one of the process's own.
 *
 * The scheduler shares CPUs by weight: each process has a weight, its threads that want to run
 * divide it, and each CPU runs the thread that has had least for its weight.  Ring 0 is preemptible
 * where preemption is on.
 *
 * Fields are tagged: [const] after creation, [own] by the thread itself, [queue] the lock of the
 * run queue that it is on, [atomic].
 */
#ifndef DYAD_TYPE1_THREAD_H
#define DYAD_TYPE1_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "type1/runtime/cpu.h"
#include "type1/runtime/memory.h"

struct process;

/* --- Timers: of the CPU that set them; fired() runs in its interrupt, interrupts off. */

struct timer {
	void (*fired)(struct timer *timer);
	uint64_t deadline;  /* ns; 0: not set */
	struct cpu *cpu;    /* whose queue it is in */
	struct timer *next; /* [its queue's lock] */
	struct spin lock;   /* of those who set and cancel it; before the queue's */
	uint32_t running;   /* [atomic] how many CPUs are in fired() now */
};
void timer_init(struct timer *timer, void (*fired)(struct timer *timer));
void timer_set(struct timer *timer, uint64_t deadline); /* replaces; any context */
void timer_cancel(struct timer *timer);                 /* any context; fired() may still run */
void timer_finish(struct timer *timer);                 /* cancels, waits until it doesn't. Task */

/* --- Waiting.  A wake that comes while nobody waits makes the next wait return at once. */

struct waiter {
	struct spin lock;
	struct thread *thread; /* who waits */
	bool woken;
};
void waiter_init(struct waiter *waiter);
/* 0: woken; -EINTR: the thread was interrupted (thread_interrupt()); -ETIMEDOUT at deadline, unless
 * that is 0.  Task. */
int waiter_wait(struct waiter *waiter, uint64_t deadline);
/* The same, but only the end of its process interrupts it. */
int waiter_wait_killable(struct waiter *waiter, uint64_t deadline);
/* The same, and nothing interrupts it. */
void waiter_wait_always(struct waiter *waiter);
void waiter_wake(struct waiter *waiter); /* any context */

/* Sleeps while another holds it; first come, first served.  Task. */
struct mutex {
	struct spin lock;
	uint64_t owner;              /* [atomic] the thread, + 1 if some may wait; 0: none */
	struct thread *first, *last; /* who wait: thread.next_waiting */
};
void mutex_init(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
int mutex_lock_killable(struct mutex *mutex); /* -EINTR: the process ends */
void mutex_unlock(struct mutex *mutex);

/* --- Threads */

/* What the core wants to know while a thread runs a vCPU: host_run's. */
struct thread_watch {
	void (*scheduled_out)(struct thread_watch *watch); /* on the CPU it loses, preemption off */
	void (*scheduled_in)(struct thread_watch *watch);  /* on the one it gets */
	void (*interrupted)(struct thread_watch *watch);   /* any context */
};

void thread_init(void); /* once, when threads can run */
struct thread *thread_current(void);
/* A thread of the runtime itself, which begins at run(arg). */
int thread_start_kernel(const char *name, void (*run)(void *), void *arg);
/* Another of a process: in ring 3 at entry.  -ENOMEM. */
int thread_start_user(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
		      uint64_t fs_base, struct thread **thread);
_Noreturn void thread_exit(void);
void thread_get(struct thread *thread); /* references, by handles and queues */
void thread_put(struct thread *thread);

/* What is under way in the thread, and can be, ends with -EINTR: a wait of KVM_RUN.  It holds until
 * thread_take_interrupt().  Any context. */
void thread_interrupt(struct thread *thread);
bool thread_interrupted(const struct thread *thread);
void thread_take_interrupt(struct thread *thread); /* [own] */
/* Its process ends: it leaves ring 0 by thread_exit(), soon. */
bool thread_dying(const struct thread *thread);
uint32_t thread_wanted(void);                      /* not 0: the current thread is one of the two */
void thread_set_watch(struct thread_watch *watch); /* of the current thread; NULL: none */
/* On the way back to ring 3, interrupts off: the CPU is given away if it should be; does not return
 * if the process ends.  Of whoever returns there: SYSCALL, and trap.c from exceptions and
 * interrupts of ring 3. */
void thread_return_to_user(void);

/* --- scheduler.c */

void scheduler_init(void);            /* once, on CPU 0 */
_Noreturn void scheduler_enter(void); /* each CPU, at the end of its boot: it becomes idle */
/* Gives the CPU to who should have it.  Preemption on, or called by preempt_on(). */
void schedule(void);
void scheduler_yield(void);
/* Unlocks, and the current thread sleeps until scheduler_wake(): one that comes from the moment on
 * that the lock can be had is not lost.  It may return without a wake.  Task. */
void scheduler_sleep(struct spin *lock);
void scheduler_wake(struct thread *thread); /* any context */

/* Shares of a process: weight 1 to 10,000 (100 is usual); cap in thousandths of one CPU, 0: none;
 * the CPUs it may use, a bit each. */
struct shares {
	uint32_t weight, cap;
	uint64_t cpus;
};
uint64_t scheduler_busy(unsigned cpu);                     /* ns that the CPU ran threads */
uint64_t scheduler_time_of(const struct process *process); /* ns of CPU time that it has had */

/* Each CPU, before it enters ring 3 or a guest: XCR0. */
void vector_init_cpu(void);
/* The vector registers: a thread of a process has its own, kept when another runs.  Between these
 * the core owns them, preemption off. */
void vector_borrow(void);
void vector_return(void);

#endif
