/* SPDX-License-Identifier: MIT */
/*
 * timer.c - timers: each CPU has a queue of those that were set on it, the next one first, and sets
 * its APIC's timer for that one.
 */
#include "type1/runtime/thread_private.h"

#include "type1/runtime/instructions.h"

struct timer_queue {
	struct spin lock;
	struct timer *first; /* [lock] */
};

void timer_init(struct timer *timer, void (*fired)(struct timer *timer))
{
	*timer = (struct timer){.fired = fired};
}

/* With the running CPU's queue locked. */
static void program(const struct timer_queue *queue)
{
	apic_timer_set(queue->first ? clock_to_tsc(queue->first->deadline) : 0);
}

/* With its lock.  The APIC's own timer stays as it is: an interrupt that finds nothing costs less.
 */
static void remove_timer(struct timer *timer)
{
	struct timer **each;
	struct cpu *cpu;

	while ((cpu = __atomic_load_n(&timer->cpu, __ATOMIC_ACQUIRE))) {
		spin_lock(&cpu->timers->lock);
		if (timer->cpu != cpu) { /* it was set elsewhere meanwhile */
			spin_unlock(&cpu->timers->lock);
			continue;
		}
		for (each = &cpu->timers->first; *each && *each != timer; each = &(*each)->next)
			;
		if (*each)
			*each = timer->next;
		timer->deadline = 0;
		timer->cpu = NULL;
		spin_unlock(&cpu->timers->lock);
	}
}

void timer_cancel(struct timer *timer)
{
	spin_lock(&timer->lock);
	remove_timer(timer);
	spin_unlock(&timer->lock);
}

void timer_set(struct timer *timer, uint64_t deadline)
{
	struct timer_queue *queue;
	struct timer **each;
	struct cpu *cpu;

	spin_lock(&timer->lock);
	remove_timer(timer);
	cpu = this_cpu();
	queue = cpu->timers;
	spin_lock(&queue->lock);
	timer->deadline = deadline;
	for (each = &queue->first; *each && (*each)->deadline <= deadline; each = &(*each)->next)
		;
	timer->next = *each;
	*each = timer;
	__atomic_store_n(&timer->cpu, cpu, __ATOMIC_RELEASE);
	if (queue->first == timer)
		program(queue);
	spin_unlock(&queue->lock);
	spin_unlock(&timer->lock);
}

void timer_finish(struct timer *timer)
{
	timer_cancel(timer);
	while (__atomic_load_n(&timer->running, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void timer_interrupt(struct trap_frame *frame)
{
	struct timer_queue *queue = this_cpu()->timers;
	struct timer *timer;

	(void)frame;
	apic_eoi();
	spin_lock(&queue->lock);
	while ((timer = queue->first) && timer->deadline <= clock_now()) {
		queue->first = timer->next;
		timer->deadline = 0;
		/* It counts as running before it counts as not set: timer_finish() looks in the
		 * other order. */
		__atomic_add_fetch(&timer->running, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&timer->cpu, NULL, __ATOMIC_RELEASE);
		spin_unlock(&queue->lock);
		timer->fired(timer);
		/* Release: with that it may be gone. */
		__atomic_sub_fetch(&timer->running, 1, __ATOMIC_RELEASE);
		spin_lock(&queue->lock);
	}
	program(queue);
	spin_unlock(&queue->lock);
}

void timer_init_cpus(void)
{
	static struct timer_queue queues[CPUS_MAX];

	for (unsigned i = 0; i < cpu_count; i++)
		cpus[i]->timers = &queues[i];
	trap_set_handler(VECTOR_TIMER, timer_interrupt);
}
