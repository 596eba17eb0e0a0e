/* SPDX-License-Identifier: MIT */
/*
 * thread_private.h - what thread.c, scheduler.c, wait.c and vector.c share: a thread, a CPU's run
 * queue, and a process's part of the CPUs.
 *
 * Locks, in their order: a waiter's or any other spin lock, a run queue's, its CPU's timers', a
 * share's.  No two run queues at once.
 */
#ifndef DYAD_TYPE1_THREAD_PRIVATE_H
#define DYAD_TYPE1_THREAD_PRIVATE_H

#include "type1/runtime/process.h"
#include "type1/runtime/thread.h"

/*
 * CPU time that was had, of which half is forgotten with each epoch: packed into one word, the
 * epoch of the value above the value, so that it can be changed without a lock.
 */
typedef uint64_t usage_word;

/* The threads of one share that wait for one CPU: those that had least are first. */
struct share_queue {
	struct thread *first;     /* [queue] */
	struct share_queue *next; /* [queue] of the others that have threads there */
	struct share *share;      /* [const] */
};

struct share {
	uint32_t weight, cap; /* [const] as in struct shares */
	uint64_t cpus;        /* [const] never 0 */
	usage_word usage;     /* [atomic] for its weight: ns * WEIGHT_UNIT / weight */
	uint64_t time;        /* [atomic] ns, all that it ever had */
	uint32_t runnable;    /* [atomic] its threads that run or want to */
	uint64_t slept_at;    /* [atomic] when that became 0 */
	struct spin lock;
	uint64_t period_end, period_used; /* [lock] of the cap */
	struct share_queue queues[CPUS_MAX];
};

struct run_queue {
	struct spin lock;
	struct cpu *cpu;            /* [const] */
	struct share_queue *shares; /* [lock] those with threads in it */
	struct thread *previous;    /* [lock] who lost the CPU, until the next one has looked */
	uint64_t since;             /* [lock] up to when the current thread's time is counted */
	uint64_t busy;              /* [lock] ns that threads had the CPU */
	uint64_t slice_end;         /* [lock] until then it has the CPU but for better reasons */
	bool ticking;               /* [lock] the timer is set */
	struct timer slice;
	struct thread *vector_owner; /* [own CPU] whose vector state the registers have */
};

/* Threads that wait for something with a key. */
struct wait_node {
	struct waiter waiter;
	uint64_t key;
	struct wait_node *next; /* [list] */
	bool queued;            /* [list] */
};
struct wait_list {
	struct spin lock;
	struct wait_node *first; /* [lock] */
};
enum thread_state {
	THREAD_RUNNING,  /* has a CPU */
	THREAD_READY,    /* in a run queue, or on its way to one */
	THREAD_SLEEPING, /* until it is woken */
	THREAD_DEAD,     /* its stack may go */
};

/* What is wanted of a thread. */
#define THREAD_INTERRUPTED (1u << 0)
#define THREAD_DYING (1u << 1)

struct thread {
	struct object object;      /* first: kind OBJECT_THREAD */
	struct process *process;   /* [const] NULL: the runtime's own */
	struct share *share;       /* [const] */
	struct space *space;       /* [own] NULL: runs with whatever tables are loaded */
	void *stack;               /* [const] */
	uint64_t stack_pointer;    /* [own] while it doesn't run */
	uint64_t fs_base, gs_base; /* [own] of ring 3, while it doesn't run */
	void *vector;              /* [const] XSAVE area; NULL: none */

	enum thread_state state;        /* [queue] */
	struct run_queue *queue;        /* [queue] where it waits, or ran last */
	struct thread *next;            /* [queue] in a share_queue; when dead, to be reaped */
	usage_word usage;               /* [queue] ns */
	bool yields;                    /* [queue] anyone else may have the CPU */
	struct run_queue *vector_queue; /* [own] whose CPU had its vector state loaded last */

	struct thread *next_waiting; /* of the mutex it waits for */
	uint32_t wanted;             /* [atomic] THREAD_INTERRUPTED, THREAD_DYING */
	struct thread_watch *watch;  /* [atomic] the thread itself sets it */
	uint32_t watch_callers;      /* [atomic] who may be in its interrupted() */
	bool ended;                  /* [atomic] */
	struct wait_list joining;    /* those who wait for its end */

	struct thread *next_of_process; /* [the process's] */

	void (*run)(void *);      /* [const] where it begins: the runtime's own */
	uint64_t entry, argument; /* [const] in ring 3, with RSP = user_stack */
	uint64_t user_stack;
	bool stillborn; /* [const] once it was woken: it ends before it enters ring 3 */
};

extern struct share runtime_share; /* of the runtime's own threads */
struct share *process_share(const struct process *process);
void share_init(struct share *share, const struct shares *shares);

void timer_init_cpus(void); /* timer.c; once, before the others start */

/* Makes the CPU leave the guest, or ring 3, and look whom it should run.  Any context. */
void scheduler_poke(struct thread *thread);
/* The current thread ends; somebody else frees it. */
_Noreturn void scheduler_end(void);
/* What a new thread does first, where schedule() returns in others. */
void scheduler_begin(void);

/* Saves what ring 3 has in registers of the thread that loses the CPU, loads that of who gets it.
 * Interrupts off. */
void thread_save(struct thread *thread);
void thread_load(struct thread *thread);
/* Of one that is dead and has left its stack: somebody frees it soon.  Any context. */
void thread_reap(struct thread *thread);

/* As thread_start_user(), but it sleeps; scheduler_wake() starts it. */
int thread_create_user(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
		       uint64_t fs_base, struct thread **thread);
/* Its process ends: it is to find out. */
void thread_kill(struct thread *thread);
/* -EINTR: the current thread's process ends. */
int thread_join_killable(struct thread *thread);
void thread_begin(void);

/* switch.S */
void thread_switch(uint64_t *save, uint64_t load);
void thread_first(void); /* what a new thread's stack returns to: calls thread_begin() */
_Noreturn void thread_enter_user(uint64_t entry, uint64_t stack, uint64_t argument);

/* vector.c */
bool vector_create(struct thread *thread); /* heap_free(thread->vector) */
void thread_save_vector(struct thread *thread);
void thread_load_vector(struct thread *thread);

/* --- Lists of waiting threads: wait.c */

void wait_list_add(struct wait_list *list, struct wait_node *node, uint64_t key);
/* Whether it was still waiting. */
bool wait_list_remove(struct wait_list *list, struct wait_node *node);
/* Wakes at most count of those with that key, in the order in which they came. */
uint64_t wait_list_wake(struct wait_list *list, uint64_t key, uint64_t count);

#endif
