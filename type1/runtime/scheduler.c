/* SPDX-License-Identifier: MIT */
/*
 * scheduler.c - who runs where, and for how long.
 *
 * A share (a process) has used CPU time for its weight, of which half is forgotten with each epoch.
 * Each CPU runs, of the shares with threads in its run queue, the one that has used least, and of
 * its threads the one that has.  As a share's usage counts all CPUs, its threads divide its weight
 * among them, and a share can't gain by having many.  At the end of a slice a thread that waits
 * goes to another CPU where a share runs that has used more; a CPU without work takes some: so what
 * each share gets of all CPUs follows the weights, too.
 *
 * A share that slept has used less, and so its threads preempt those of others when they wake.  How
 * far behind it may be is bounded (SLEEPER_BONUS), or it would have a CPU to itself for long.
 */
#include "lib/bits.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/thread_private.h"

#define MILLISECOND UINT64_C(1000000)
#define SLICE (3 * MILLISECOND)
#define WAKE_MARGIN (MILLISECOND / 4)    /* that much less used is worth a switch */
#define MOVE_MARGIN (3 * SLICE)          /* and a move to another CPU */
#define SLEEPER_BONUS (10 * MILLISECOND) /* how far a share that slept may be behind */
#define CAP_PERIOD (50 * MILLISECOND)
#define CAP_UNIT 1000 /* a whole CPU */
#define WEIGHT_UNIT 1024
#define WEIGHT_MAX 10000
#define EPOCH_SHIFT 28 /* 268 ms */
#define USAGE_BITS 48
#define USAGE_MASK ((UINT64_C(1) << USAGE_BITS) - 1)
#define USAGE_NONE UINT64_MAX

#define RUNTIME_WEIGHT 1000

struct share runtime_share;
static struct run_queue run_queues[CPUS_MAX];
static uint64_t idle_cpus; /* [atomic] a bit each: those that would take a thread at once */

/* --- Usage ------------------------------------------------------------------------------------ */

static uint64_t usage_at(usage_word word, uint64_t now)
{
	/* Another CPU may have gone on to an epoch that is not here yet. */
	int16_t age = (int16_t)((now >> EPOCH_SHIFT) - (word >> USAGE_BITS));

	if (age <= 0)
		return word & USAGE_MASK;
	return age < USAGE_BITS ? (word & USAGE_MASK) >> age : 0;
}

static usage_word usage_pack(uint64_t value, uint64_t now)
{
	return (now >> EPOCH_SHIFT) << USAGE_BITS | MIN(value, USAGE_MASK);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): it is written */
static void usage_add(usage_word *word, uint64_t value, uint64_t now)
{
	usage_word old = __atomic_load_n(word, __ATOMIC_RELAXED), new;

	do
		new = usage_pack(usage_at(old, now) + value, now);
	while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED));
}

static uint64_t share_usage(const struct share *share, uint64_t now)
{
	return usage_at(__atomic_load_n(&share->usage, __ATOMIC_RELAXED), now);
}

/* A time of CPU as usage of the share. */
static uint64_t weighted(const struct share *share, uint64_t time)
{
	return time * WEIGHT_UNIT / share->weight;
}

static bool share_allows(const struct share *share, unsigned cpu)
{
	return share->cpus >> cpu & 1;
}

/* --- Caps ------------------------------------------------------------------------------------- */

/* Adds to what the share has had in this period; what is left, and when the next one begins. */
static uint64_t cap_left(struct share *share, uint64_t used, uint64_t now, uint64_t *period_end)
{
	uint64_t budget = share->cap * CAP_PERIOD / CAP_UNIT, left;

	if (!share->cap)
		return UINT64_MAX;
	spin_lock(&share->lock);
	share->period_used += used;
	if (now >= share->period_end) {
		/* What was had too much is paid back, what was not had is lost. */
		share->period_used -= MIN(share->period_used, budget);
		share->period_end = MAX(share->period_end + CAP_PERIOD, now);
	}
	left = budget - MIN(budget, share->period_used);
	*period_end = share->period_end;
	spin_unlock(&share->lock);
	return left;
}

/* --- One run queue, with its lock ------------------------------------------------------------- */

/* Counts the current thread's time up to now. */
static void account(struct run_queue *queue, uint64_t now)
{
	struct thread *thread = queue->cpu->current;
	uint64_t time = now - MIN(queue->since, now), unused;

	queue->since = now;
	if (thread == queue->cpu->idle)
		return;
	queue->busy += time;
	usage_add(&thread->usage, time, now);
	usage_add(&thread->share->usage, weighted(thread->share, time), now);
	__atomic_add_fetch(&thread->share->time, time, __ATOMIC_RELAXED);
	cap_left(thread->share, time, now, &unused);
}

/* Of the share that runs there: USAGE_NONE: none does. */
static uint64_t current_usage(struct run_queue *queue, uint64_t now)
{
	if (queue->cpu->current == queue->cpu->idle)
		return USAGE_NONE;
	account(queue, now);
	return share_usage(queue->cpu->current->share, now);
}

static void insert(struct run_queue *queue, struct thread *thread, uint64_t now)
{
	struct share_queue *of = &thread->share->queues[queue->cpu->number];
	struct thread **each = &of->first;

	if (!of->first) {
		of->next = queue->shares;
		queue->shares = of;
	}
	while (*each && usage_at((*each)->usage, now) <= usage_at(thread->usage, now))
		each = &(*each)->next;
	thread->next = *each;
	*each = thread;
	thread->queue = queue;
}

static struct thread *take(struct run_queue *queue, struct share_queue *of)
{
	struct thread *thread = of->first;
	struct share_queue **each;

	of->first = thread->next;
	if (!of->first) {
		for (each = &queue->shares; *each != of; each = &(*each)->next)
			;
		*each = of->next;
	}
	return thread;
}

/*
 * The share with threads in the queue that has used least, of those whose cap and CPUs let them run
 * on cpu; NULL: none.  *capped_until: when a cap ends that kept one from it.
 */
static struct share_queue *best(struct run_queue *queue, unsigned cpu, uint64_t now,
				uint64_t *capped_until)
{
	struct share_queue *found = NULL;
	uint64_t least = USAGE_NONE, usage, period_end;

	for (struct share_queue *each = queue->shares; each; each = each->next) {
		if (!share_allows(each->share, cpu))
			continue;
		if (!cap_left(each->share, 0, now, &period_end)) {
			*capped_until = MIN(*capped_until, period_end);
			continue;
		}
		usage = share_usage(each->share, now);
		if (usage < least) {
			least = usage;
			found = each;
		}
	}
	return found;
}

/* Whether a thread should have the CPU that another has, and has used margin more. */
static bool precedes(const struct thread *thread, const struct thread *current, uint64_t margin,
		     uint64_t now)
{
	if (thread->share == current->share)
		return usage_at(thread->usage, now) + margin < usage_at(current->usage, now);
	return share_usage(thread->share, now) + weighted(thread->share, margin) <
	       share_usage(current->share, now);
}

/* Whether the current thread keeps its CPU, where candidate waits. */
static bool keeps(struct run_queue *queue, struct thread *current, struct share_queue *candidate,
		  uint64_t now)
{
	uint64_t unused;

	if (current->state != THREAD_RUNNING || !cap_left(current->share, 0, now, &unused))
		return false;
	if (!candidate)
		return true;
	if (current->yields)
		return false;
	return !precedes(candidate->first, current, now < queue->slice_end ? WAKE_MARGIN : 0, now);
}

/* The slice of whoever runs now, if anybody waits for its end. */
static void set_slice(struct run_queue *queue, const struct thread *thread, uint64_t now,
		      uint64_t capped_until)
{
	uint64_t end = capped_until, left = UINT64_MAX, unused;

	if (thread != queue->cpu->idle) {
		left = cap_left(thread->share, 0, now, &unused);
		if (queue->shares)
			end = MIN(end, queue->slice_end);
	}
	if (left != UINT64_MAX)
		end = MIN(end, now + left);
	queue->ticking = end != UINT64_MAX;
	if (queue->ticking)
		timer_set(&queue->slice, MAX(end, now + WAKE_MARGIN));
	else
		timer_cancel(&queue->slice);
}

/* --- Where a thread waits --------------------------------------------------------------------- */

/* The CPU, of those with a bit, where whoever runs has used most, if that is more than usage; or
 * -1. */
static int busiest(uint64_t mask, uint64_t usage, uint64_t now)
{
	int found = -1;
	uint64_t there;

	for (unsigned i = 0; i < cpu_count; i++) {
		if (!(mask >> i & 1))
			continue;
		spin_lock(&run_queues[i].lock);
		there = current_usage(&run_queues[i], now);
		spin_unlock(&run_queues[i].lock);
		if (there > usage) {
			found = (int)i;
			usage = there;
		}
	}
	return found;
}

static void ask(unsigned cpu)
{
	if (cpu == this_cpu()->number)
		this_cpu()->reschedule = true;
	else
		apic_send(cpu, VECTOR_RESCHEDULE);
}

/* Preemption off, as in all that follows but schedule(). */
static void place_on(struct thread *thread, unsigned cpu)
{
	struct run_queue *queue = &run_queues[cpu];
	uint64_t now = clock_now();
	struct thread *current;
	bool must_look;

	spin_lock(&queue->lock);
	account(queue, now);
	insert(queue, thread, now);
	current = queue->cpu->current;
	must_look = current == queue->cpu->idle || !queue->ticking ||
		    precedes(thread, current, WAKE_MARGIN, now);
	spin_unlock(&queue->lock);
	if (must_look)
		ask(cpu);
}

/* A thread that is ready and in no queue: to a CPU that has nothing to do, or back to its own, or
 * else to where it can run soonest. */
static void place(struct thread *thread)
{
	uint64_t allowed = thread->share->cpus;
	unsigned last = thread->queue->cpu->number;
	uint64_t idle, now = clock_now(), usage, there;
	int other;

	while ((idle = __atomic_load_n(&idle_cpus, __ATOMIC_SEQ_CST) & allowed)) {
		unsigned cpu = idle >> last & 1 ? last : (unsigned)__builtin_ctzll(idle);

		/* The next one who looks for a CPU finds another. */
		if (__atomic_fetch_and(&idle_cpus, ~BIT(cpu), __ATOMIC_SEQ_CST) >> cpu & 1) {
			place_on(thread, cpu);
			return;
		}
	}
	usage = share_usage(thread->share, now) + weighted(thread->share, WAKE_MARGIN);
	if (allowed >> last & 1) {
		spin_lock(&run_queues[last].lock);
		there = current_usage(&run_queues[last], now);
		spin_unlock(&run_queues[last].lock);
		if (there > usage) {
			place_on(thread, last);
			return;
		}
	}
	other = busiest(allowed, usage, now);
	if (other >= 0)
		last = (unsigned)other;
	else if (!(allowed >> last & 1))
		last = (unsigned)__builtin_ctzll(allowed);
	place_on(thread, last);
}

/* Takes a thread for cpu out of another's queue. */
static struct thread *take_for(struct run_queue *queue, unsigned cpu, uint64_t now)
{
	uint64_t unused = UINT64_MAX;
	struct share_queue *of;
	struct thread *thread = NULL;

	spin_lock(&queue->lock);
	of = best(queue, cpu, now, &unused);
	if (of)
		thread = take(queue, of);
	spin_unlock(&queue->lock);
	return thread;
}

/* The end of a slice: whoever is next here may be better off elsewhere. */
static void slice_ended(struct timer *timer)
{
	struct run_queue *queue = CONTAINER_OF(timer, struct run_queue, slice);
	unsigned here = queue->cpu->number;
	uint64_t now = clock_now(), unused = UINT64_MAX, usage = 0, allowed = 0;
	struct share_queue *of;
	struct thread *thread;
	int other;

	this_cpu()->reschedule = true;
	spin_lock(&queue->lock);
	queue->ticking = false;
	of = best(queue, here, now, &unused);
	if (of) {
		usage = share_usage(of->share, now) + weighted(of->share, MOVE_MARGIN);
		allowed = of->share->cpus & ~BIT(here);
	}
	spin_unlock(&queue->lock);
	other = busiest(allowed, usage, now);
	if (other < 0)
		return;
	thread = take_for(queue, (unsigned)other, now);
	if (thread)
		place_on(thread, (unsigned)other);
}

/* --- The switch ------------------------------------------------------------------------------- */

/* A thread that has the CPU now: what is left to do of the one before.  Interrupts off. */
static void switched(void)
{
	struct run_queue *queue = this_cpu()->queue;
	struct thread *previous = queue->previous;
	bool dead = previous->state == THREAD_DEAD;

	/* From here on it may run elsewhere. */
	spin_unlock(&queue->lock);
	if (dead)
		thread_reap(previous);
	thread_load(thread_current());
}

void schedule(void)
{
	uint64_t flags = irq_save();
	struct run_queue *queue = this_cpu()->queue;
	uint64_t now = clock_now(), capped_until = UINT64_MAX;
	struct thread *current, *next;
	struct share_queue *candidate;
	bool idle;

	spin_lock(&queue->lock);
	queue->cpu->reschedule = false;
	account(queue, now);
	current = queue->cpu->current;
	idle = current == queue->cpu->idle;
	candidate = best(queue, queue->cpu->number, now, &capped_until);
	if (idle ? !candidate : keeps(queue, current, candidate, now)) {
		if (now >= queue->slice_end)
			queue->slice_end = now + SLICE;
		set_slice(queue, current, now, capped_until);
		spin_unlock(&queue->lock);
		irq_restore(flags);
		return;
	}
	current->yields = false;
	next = candidate ? take(queue, candidate) : queue->cpu->idle;
	if (current->state == THREAD_RUNNING && !idle) {
		current->state = THREAD_READY;
		insert(queue, current, now);
	} else if (!idle && !__atomic_sub_fetch(&current->share->runnable, 1, __ATOMIC_RELAXED)) {
		__atomic_store_n(&current->share->slept_at, now, __ATOMIC_RELAXED);
	}
	next->state = THREAD_RUNNING;
	queue->cpu->current = next;
	queue->previous = current;
	queue->slice_end = now + SLICE;
	if (next != queue->cpu->idle)
		__atomic_fetch_and(&idle_cpus, ~BIT(queue->cpu->number), __ATOMIC_SEQ_CST);
	set_slice(queue, next, now, capped_until);
	thread_save(current);
	thread_switch(&current->stack_pointer, next->stack_pointer);
	switched();
	irq_restore(flags);
}

void scheduler_begin(void)
{
	switched();
	irq_restore(UINT64_MAX);
}

void scheduler_yield(void)
{
	struct thread *thread = thread_current();

	thread->yields = true;
	schedule();
	thread->yields = false;
}

/* --- Sleeping and waking ---------------------------------------------------------------------- */

static struct run_queue *lock_queue_of(struct thread *thread)
{
	for (;;) {
		struct run_queue *queue = __atomic_load_n(&thread->queue, __ATOMIC_ACQUIRE);

		spin_lock(&queue->lock);
		if (queue == thread->queue)
			return queue;
		spin_unlock(&queue->lock);
	}
}

static void set_state(enum thread_state state)
{
	struct thread *thread = thread_current();
	struct run_queue *queue = lock_queue_of(thread);

	thread->state = state;
	spin_unlock(&queue->lock);
}

void scheduler_sleep(struct spin *lock)
{
	set_state(THREAD_SLEEPING);
	spin_unlock(lock);
	schedule();
}

_Noreturn void scheduler_end(void)
{
	__asm__ volatile("cli" : : : "memory");
	set_state(THREAD_DEAD);
	schedule();
	panic(NULL, "a thread runs that has ended");
}

/* A share whose first thread wakes after some time: not too far behind those that run. */
static void limit_bonus(struct share *share)
{
	uint64_t now = clock_now(), bonus = weighted(share, SLEEPER_BONUS), least = USAGE_NONE;
	usage_word old = __atomic_load_n(&share->usage, __ATOMIC_RELAXED);

	if (now - __atomic_load_n(&share->slept_at, __ATOMIC_RELAXED) < SLEEPER_BONUS)
		return;
	for (unsigned i = 0; i < cpu_count; i++) {
		if (!share_allows(share, i))
			continue;
		spin_lock(&run_queues[i].lock);
		least = MIN(least, current_usage(&run_queues[i], now));
		spin_unlock(&run_queues[i].lock);
	}
	/* If it changes meanwhile, somebody else has just done this. */
	if (least != USAGE_NONE && usage_at(old, now) + bonus < least)
		__atomic_compare_exchange_n(&share->usage, &old, usage_pack(least - bonus, now),
					    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void scheduler_wake(struct thread *thread)
{
	struct run_queue *queue;
	bool wakes = false;

	preempt_off();
	queue = lock_queue_of(thread);
	if (thread->state == THREAD_SLEEPING) {
		/* It may not have lost its CPU yet. */
		wakes = queue->cpu->current != thread;
		thread->state = wakes ? THREAD_READY : THREAD_RUNNING;
	}
	spin_unlock(&queue->lock);
	if (wakes) {
		if (!__atomic_fetch_add(&thread->share->runnable, 1, __ATOMIC_RELAXED))
			limit_bonus(thread->share);
		place(thread);
	}
	preempt_on();
}

void scheduler_poke(struct thread *thread)
{
	struct run_queue *queue;
	bool runs;

	preempt_off();
	queue = lock_queue_of(thread);
	runs = queue->cpu->current == thread;
	spin_unlock(&queue->lock);
	if (runs)
		ask(queue->cpu->number);
	preempt_on();
}

/* --- Shares ----------------------------------------------------------------------------------- */

void share_init(struct share *share, const struct shares *shares)
{
	uint64_t all = cpu_count < CPUS_MAX ? BIT(cpu_count) - 1 : UINT64_MAX;

	share->weight = MIN(MAX(shares->weight, 1u), (uint32_t)WEIGHT_MAX);
	share->cap = shares->cap;
	share->cpus = shares->cpus & all ? shares->cpus & all : all;
	for (unsigned i = 0; i < CPUS_MAX; i++)
		share->queues[i].share = share;
}

uint64_t scheduler_busy(unsigned cpu)
{
	uint64_t busy;

	spin_lock(&run_queues[cpu].lock);
	account(&run_queues[cpu], clock_now());
	busy = run_queues[cpu].busy;
	spin_unlock(&run_queues[cpu].lock);
	return busy;
}

uint64_t scheduler_time_of(const struct process *process)
{
	return __atomic_load_n(&process_share(process)->time, __ATOMIC_RELAXED);
}

/* --- CPUs ------------------------------------------------------------------------------------- */

static void reschedule_interrupt(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
	this_cpu()->reschedule = true;
}

static struct thread idle_threads[CPUS_MAX];

void scheduler_init(void)
{
	static const struct shares all = {.weight = RUNTIME_WEIGHT};

	timer_init_cpus();
	share_init(&runtime_share, &all);
	for (unsigned i = 0; i < cpu_count; i++) {
		run_queues[i].cpu = cpus[i];
		timer_init(&run_queues[i].slice, slice_ended);
		idle_threads[i].share = &runtime_share;
		idle_threads[i].queue = &run_queues[i];
		cpus[i]->queue = &run_queues[i];
		cpus[i]->idle = cpus[i]->current = &idle_threads[i];
	}
	trap_set_handler(VECTOR_RESCHEDULE, reschedule_interrupt);
}

/* Work that waits for other CPUs.  The bit is set before: who finds it not set there has its thread
 * in a queue that is looked at here. */
static bool pull(unsigned here)
{
	struct thread *thread = NULL;
	uint64_t now = clock_now();

	__atomic_fetch_or(&idle_cpus, BIT(here), __ATOMIC_SEQ_CST);
	for (unsigned i = 1; i < cpu_count && !thread; i++)
		thread = take_for(&run_queues[(here + i) % cpu_count], here, now);
	if (thread)
		place_on(thread, here);
	return thread;
}

_Noreturn void scheduler_enter(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		__asm__ volatile("cli" : : : "memory");
		/* STI lets no interrupt in before the HLT (APM3, STI): none is slept through. */
		if (!cpu->reschedule && !pull(cpu->number))
			__asm__ volatile("sti; hlt" : : : "memory");
		__asm__ volatile("sti" : : : "memory");
		schedule();
	}
}
