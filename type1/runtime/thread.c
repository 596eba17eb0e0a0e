/* SPDX-License-Identifier: MIT */
/*
 * thread.c - threads: how they begin, are interrupted, and end.
 *
 * A thread that has ended can't free its own stack: a thread of the runtime, the reaper, does.
 */
#include <linux/errno.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "lib/bits.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/process_private.h"

/* What thread_switch() finds on a stack, from below. */
struct first_stack {
	uint64_t r15, r14, r13, r12, rbx, rbp, rflags;
	void (*first)(void);
	uint64_t end; /* where the function has its return address, and chains of frames end */
};

static struct thread *of_object(struct object *object)
{
	return CONTAINER_OF(object, struct thread, object);
}

struct thread *thread_current(void)
{
	struct thread *thread;

	/* In one instruction, which no change of CPU can divide. */
	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(offsetof(struct cpu, current)));
	return thread;
}

struct process *process_current(void)
{
	return thread_current()->process;
}

/* --- Beginning -------------------------------------------------------------------------------- */

static void thread_end(struct object *object)
{
	struct thread *thread = of_object(object);
	struct process *process = thread->process;

	stack_free(thread->stack);
	heap_free(thread->vector);
	heap_free(thread);
	if (process)
		process_put(process);
}

/* It sleeps until it is woken for the first time. */
static struct thread *thread_create(struct process *process)
{
	struct account *account = process ? &process->account : &runtime_account;
	struct thread *thread = heap_alloc(sizeof(*thread), account);
	struct first_stack *first;

	if (!thread)
		return NULL;
	object_init(&thread->object, OBJECT_THREAD, thread_end);
	thread->process = process;
	thread->share = process ? process_share(process) : &runtime_share;
	thread->space = process ? &process->space : NULL;
	thread->state = THREAD_SLEEPING;
	preempt_off();
	thread->queue = this_cpu()->queue;
	preempt_on();
	thread->stack = stack_alloc(account);
	if (!thread->stack || (process && !vector_create(thread))) {
		if (thread->stack)
			stack_free(thread->stack);
		heap_free(thread);
		return NULL;
	}
	if (process)
		process_get(process);
	first = (struct first_stack *)((char *)thread->stack + KERNEL_STACK) - 1;
	first->rflags = RFLAGS_RESERVED_ONE;
	first->first = thread_first;
	thread->stack_pointer = (uint64_t)first;
	return thread;
}

void thread_begin(void)
{
	struct thread *thread = thread_current();

	scheduler_begin();
	if (!thread->process)
		thread->run((void *)thread->argument);
	if (!thread->process || thread->stillborn)
		thread_exit();
	__asm__ volatile("cli" : : : "memory");
	thread_return_to_user();
	thread_enter_user(thread->entry, thread->user_stack, thread->argument);
}

int thread_start_kernel(const char *name, void (*run)(void *), void *arg)
{
	struct thread *thread = thread_create(NULL);

	if (!thread) {
		log_line(LOG_ERROR, "no memory for the thread %s", name);
		return -ENOMEM;
	}
	thread->run = run;
	thread->argument = (uint64_t)arg;
	scheduler_wake(thread);
	return 0;
}

int thread_create_user(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
		       uint64_t fs_base, struct thread **out)
{
	struct thread *thread;
	int err;

	/* IRET and the base's MSR take canonical addresses alone. */
	if (entry >= USER_END || stack >= USER_END || fs_base >= USER_END)
		return -EINVAL;
	thread = thread_create(process);
	if (!thread)
		return -ENOMEM;
	thread->entry = entry;
	thread->user_stack = stack;
	thread->argument = argument;
	thread->fs_base = fs_base;
	err = process_add_thread(process, thread);
	if (err) {
		thread_put(thread);
		return err;
	}
	*out = thread;
	return 0;
}

int thread_start_user(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
		      uint64_t fs_base, struct thread **out)
{
	int err = thread_create_user(process, entry, stack, argument, fs_base, out);

	if (err)
		return err;
	thread_get(*out);
	scheduler_wake(*out);
	return 0;
}

void thread_get(struct thread *thread)
{
	object_get(&thread->object);
}

void thread_put(struct thread *thread)
{
	object_put(&thread->object);
}

/* --- While it runs ---------------------------------------------------------------------------- */

void thread_save(struct thread *thread)
{
	if (thread->watch)
		thread->watch->scheduled_out(thread->watch);
	if (!thread->process)
		return;
	thread->fs_base = read_msr(MSR_FS_BASE);
	thread->gs_base = read_msr(MSR_KERNEL_GS_BASE);
	thread_save_vector(thread);
}

void thread_load(struct thread *thread)
{
	if (thread->process) {
		if (thread->space && this_cpu()->space != thread->space)
			space_load(thread->space);
		cpu_set_kernel_stack((uint64_t)thread->stack + KERNEL_STACK);
		cpu_set_ports(thread->process->has_console);
		write_msr(MSR_FS_BASE, thread->fs_base);
		write_msr(MSR_KERNEL_GS_BASE, thread->gs_base);
		thread_load_vector(thread);
	}
	if (thread->watch)
		thread->watch->scheduled_in(thread->watch);
}

void thread_return_to_user(void)
{
	struct thread *thread = thread_current();

	for (;;) {
		if (thread_dying(thread)) {
			__asm__ volatile("sti" : : : "memory");
			thread_exit();
		}
		if (!this_cpu()->reschedule)
			return;
		schedule();
	}
}

void thread_set_watch(struct thread_watch *watch)
{
	struct thread *thread = thread_current();

	/* Full barriers: against the look at wanted that follows, and at who calls the one before.
	 */
	__atomic_store_n(&thread->watch, watch, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&thread->watch_callers, __ATOMIC_ACQUIRE))
		cpu_relax();
}

/* Interrupts are off, so that who waits for this waits for a few hundred instructions. */
static void thread_want(struct thread *thread, uint32_t what)
{
	uint64_t flags = irq_save();
	struct thread_watch *watch;

	__atomic_fetch_or(&thread->wanted, what, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&thread->watch_callers, 1, __ATOMIC_SEQ_CST);
	watch = __atomic_load_n(&thread->watch, __ATOMIC_SEQ_CST);
	if (watch)
		watch->interrupted(watch);
	__atomic_fetch_sub(&thread->watch_callers, 1, __ATOMIC_RELEASE);
	irq_restore(flags);
	scheduler_wake(thread);
	scheduler_poke(thread);
}

void thread_interrupt(struct thread *thread)
{
	thread_want(thread, THREAD_INTERRUPTED);
}

void thread_kill(struct thread *thread)
{
	thread_want(thread, THREAD_DYING);
}

uint32_t thread_wanted(void)
{
	return __atomic_load_n(&thread_current()->wanted, __ATOMIC_SEQ_CST);
}

bool thread_interrupted(const struct thread *thread)
{
	return __atomic_load_n(&thread->wanted, __ATOMIC_SEQ_CST) & THREAD_INTERRUPTED;
}

bool thread_dying(const struct thread *thread)
{
	return __atomic_load_n(&thread->wanted, __ATOMIC_SEQ_CST) & THREAD_DYING;
}

void thread_take_interrupt(struct thread *thread)
{
	if (thread_interrupted(thread))
		__atomic_fetch_and(&thread->wanted, ~THREAD_INTERRUPTED, __ATOMIC_SEQ_CST);
}

/* --- Ending ----------------------------------------------------------------------------------- */

static struct {
	struct spin lock;
	struct thread *dead; /* [lock] */
	struct waiter waiter;
} reaper;

void thread_reap(struct thread *thread)
{
	spin_lock(&reaper.lock);
	thread->next = reaper.dead;
	reaper.dead = thread;
	spin_unlock(&reaper.lock);
	waiter_wake(&reaper.waiter);
}

static void reaper_run(void *unused)
{
	struct thread *thread, *next;

	(void)unused;
	for (;;) {
		waiter_wait(&reaper.waiter, 0);
		spin_lock(&reaper.lock);
		thread = reaper.dead;
		reaper.dead = NULL;
		spin_unlock(&reaper.lock);
		for (; thread; thread = next) {
			next = thread->next;
			thread_put(thread);
		}
	}
}

void thread_init(void)
{
	if (thread_start_kernel("reaper", reaper_run, NULL))
		panic(NULL, "threads: no memory");
}

_Noreturn void thread_exit(void)
{
	struct thread *thread = thread_current();

	__atomic_store_n(&thread->ended, true, __ATOMIC_SEQ_CST);
	wait_list_wake(&thread->joining, 0, UINT64_MAX);
	if (thread->process)
		process_remove_thread(thread);
	scheduler_end();
}

/* 0; -EINTR: the current thread's process ends. */
int thread_join_killable(struct thread *thread)
{
	struct wait_node node;
	int err = 0;

	wait_list_add(&thread->joining, &node, 0);
	/* Who ends sets ended, then wakes: one of the two is seen. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&thread->ended, __ATOMIC_SEQ_CST))
		err = waiter_wait_killable(&node.waiter, 0);
	wait_list_remove(&thread->joining, &node);
	return err;
}
