/* SPDX-License-Identifier: MIT */
/*
 * host.h - what the hypervisor core needs of its host, and all that it may use of it.
 *
 * Three hosts implement it: a Linux process (type2/process), the Linux driver (type2/driver) and
 * the bare-metal runtime (type1).  The core is linked against exactly one of them.
 *
 * Conventions
 *   - Functions that can fail return 0 or a negative errno of <linux/errno.h>.
 *   - Contexts.  "Task": the caller may sleep.  "Atomic": the caller holds a spin lock, or runs in
 * a timer's or an event's callback: nothing that sleeps may be called.  Unless a line says
 *     "atomic", a function is called in task context only.
 *   - Objects whose struct stands here are embedded by the core in its own; their fields are the
 *     host's.
 */
#ifndef DYAD_HOST_H
#define DYAD_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Memory of the core ------------------------------------------------------------------------
 */

/* Zeroed, aligned to 64 bytes; NULL when there is none.  Counted against the calling process. */
void *host_alloc(size_t size);
void host_free(void *memory);

/* --- Memory of the caller ----------------------------------------------------------------------
 */

/*
 * Copies from and to the virtual memory of the process that the VM belongs to: the arguments of its
 * commands, and the guest's memory.  -EFAULT when a part of it can't be reached; then what was
 * copied is unspecified.
 */
int host_copy_in(void *to, uint64_t user, size_t size);
int host_copy_out(uint64_t user, const void *from, size_t size);

/*
 * Of size (4 or 8) bytes at user, which is aligned to it: value takes the place of *expected,
 * atomically for all CPUs.  *expected is what was there, another if it was not changed.  -EFAULT as
 * above.
 */
int host_compare_exchange(uint64_t user, unsigned size, uint64_t *expected, uint64_t value);

/*
 * The address by which this host's core reaches the caller's memory at user directly, for as long
 * as the caller keeps it mapped; NULL where there is no such address.  What the soft backend works
 * on; a host that has none offers no soft backend.
 */
void *host_user_pointer(uint64_t user);

/* --- Locks -------------------------------------------------------------------------------------
 */

/* Sleeps while another holds it; not recursive. */
struct host_mutex {
	uint64_t opaque[8];
};
void host_mutex_init(struct host_mutex *mutex);
void host_mutex_lock(struct host_mutex *mutex);
/* The same, for a caller who may have to wait long; -EINTR: its process is being killed. */
int host_mutex_lock_killable(struct host_mutex *mutex);
void host_mutex_unlock(struct host_mutex *mutex);

/* Held for a few hundred instructions at the most; keeps callbacks of timers and events away.
 * Atomic. */
struct host_spin {
	uint64_t opaque[2];
};
void host_spin_init(struct host_spin *spin);
void host_spin_lock(struct host_spin *spin);
void host_spin_unlock(struct host_spin *spin);

/* --- Clocks and timers -------------------------------------------------------------------------
 */

/* Nanoseconds, monotonic; the clock of timers.  Atomic. */
uint64_t host_clock_monotonic(void);
/* Nanoseconds since 1970-01-01 00:00 UTC.  Atomic. */
int64_t host_clock_wall(void);
/* The time-stamp counter as the CPU that runs this has it, and its rate; the same on all CPUs.
 * Atomic. */
uint64_t host_tsc(void);
uint32_t host_tsc_khz(void);

/* Fires once.  fired() runs in atomic context, on any CPU, at most once for each time it is set. */
struct host_timer {
	void (*fired)(struct host_timer *timer);
	uint64_t opaque[8];
};
void host_timer_init(struct host_timer *timer, void (*fired)(struct host_timer *timer));
/* At deadline (host_clock_monotonic()), or as soon as can be if that has passed; replaces.  Atomic.
 */
void host_timer_set(struct host_timer *timer, uint64_t deadline);
/* When it returns, fired() may still be running elsewhere.  Atomic. */
void host_timer_cancel(struct host_timer *timer);
/* Cancels, and waits until fired() runs no more.  Task; never with a lock that fired() takes. */
void host_timer_destroy(struct host_timer *timer);

/* --- vCPU threads ------------------------------------------------------------------------------
 */

/*
 * A place where one thread waits for others.  A wake that comes while nobody waits makes the next
 * wait return at once.
 */
struct host_waiter {
	uint64_t opaque[4];
};
void host_waiter_init(struct host_waiter *waiter);
/* 0 when woken (spurious wakes happen), -EINTR when a signal, or os.h's kick, came for this thread.
 */
int host_wait(struct host_waiter *waiter);
void host_wake(struct host_waiter *waiter); /* atomic */

/*
 * The thread that runs a vCPU, from host_run_begin() to host_run_end().  interrupted() is called,
 * in atomic context and maybe in a signal handler on that very thread, when something came for the
 * thread that its KVM_RUN must end for (-EINTR); it makes the backend leave the guest.
 */
struct host_run {
	void (*interrupted)(struct host_run *run);
	/*
	 * Hosts in kernel mode call these, unless they are NULL, when the thread loses a CPU and
	 * when it gets one again: atomic, on that CPU, between begin and end.  The core sets them
	 * before host_run_begin().
	 */
	void (*scheduled_out)(struct host_run *run);
	void (*scheduled_in)(struct host_run *run);
	uint64_t opaque[8];
};
void host_run_begin(struct host_run *run, void (*interrupted)(struct host_run *run));
void host_run_end(struct host_run *run);
/* Whether such a thing came since host_run_begin(); by the running thread itself.  Atomic. */
bool host_run_interrupted(struct host_run *run);

/* Gives up the CPU for a moment: for a guest that spins. */
void host_yield(void);

/* --- Hosts in kernel mode: hardware virtualization ---------------------------------------------
 *
 * What the hardware backends need besides.  A host that has none of them implements none of this.
 * Privileged instructions are the core's own.
 */

/* Pages for tables that the CPU walks: zeroed, 4096 << order bytes, aligned to their size.  NULL
 * when there are none. */
void *host_pages_alloc(unsigned order, uint64_t *physical);
void host_pages_free(void *pages, unsigned order); /* atomic */
void *host_pages_at(uint64_t physical);            /* where such a page is; atomic */

/*
 * One per VM: follows the changes of its process's address space.
 */
struct host_memory {
	/*
	 * The pages at user..user+size go: nothing of them may be used once it returns.  In task
	 * context, but of whoever causes the change: may take spin locks, and waits for nobody who
	 * may be waiting for memory.
	 */
	void (*invalidate)(struct host_memory *memory, uint64_t user, uint64_t size);
	/* Whether something of the range was accessed since the last such call.  As above. */
	bool (*accessed)(struct host_memory *memory, uint64_t user, uint64_t size);
	uint64_t opaque[32];
};
int host_memory_begin(struct host_memory *memory); /* of the calling process */
void host_memory_end(struct host_memory *memory);

/* A page as the caller's address space has it. */
struct host_page {
	uint64_t physical; /* of the 4 KiB that were asked for */
	uint64_t size;     /* 4 KiB, 2 MiB or 1 GiB: the aligned block around it that is contiguous,
			      mapped as one, with user and physical alike modulo size */
	bool writable;
	uint64_t opaque[2];
};

/*
 * How a page is used: the sequence is taken first, then the page, then, under the spin lock that
 * invalidate() takes, host_memory_changed() is asked: if so all of it begins anew, if not the page
 * is good until invalidate() says otherwise.  host_page_put() in any case where get returned 0; it
 * keeps nothing pinned, and dirtied says that the page may be written through what was made of it.
 */
uint64_t host_memory_sequence(struct host_memory *memory);
/*
 * May fault the page in.  -EFAULT: there is none, or none that can be written; -EINTR.  -EAGAIN, to
 * a caller that doesn't want to wait: it has to be read from a disk, which may have begun.  Hosts
 * without a host_fetcher wait all the same.
 */
int host_page_get(struct host_memory *memory, uint64_t user, bool write, bool wait,
		  struct host_page *page);
bool host_memory_changed(struct host_memory *memory, uint64_t sequence); /* atomic */
void host_page_put(struct host_page *page, bool dirtied);                /* atomic */

/*
 * Faults a page in while its caller does something else.  NULL: this host has no such thing.
 *
 * init: once.  begin: done() is called, on another thread in task context, when the page was there,
 * or can't be had: -EFAULT (not the process's memory), and then it isn't called.  Until then the
 * fetch is not begun again.  end: after it done() isn't called, nor running; after init, whether
 * begun or not.
 */
struct host_fetch {
	void (*done)(struct host_fetch *fetch);
	uint64_t opaque[24];
};
struct host_fetcher {
	void (*init)(struct host_fetch *fetch, void (*done)(struct host_fetch *fetch));
	int (*begin)(struct host_fetch *fetch, struct host_memory *memory, uint64_t user,
		     bool write);
	void (*end)(struct host_fetch *fetch);
};
extern const struct host_fetcher *const host_fetcher;

/*
 * CPUs.  The number of the one that runs this: with preemption off.  Preemption and interrupts nest
 * as the host's own do; all atomic.
 */
unsigned host_cpu(void);
unsigned host_cpu_limit(void); /* all numbers, also of CPUs that come later, are below it */
void host_preempt_off(void);
void host_preempt_on(void);
/* Between two parts of a long work: others have the CPU if it is their turn.  Task. */
void host_reschedule(void);
void host_irq_off(void);
void host_irq_on(void);

/* An interrupt that does nothing: its arrival makes a guest on that CPU exit.  Atomic. */
void host_kick_cpu(unsigned cpu);

/*
 * enable() runs on every CPU now, on those that come later, and again after the machine slept, with
 * interrupts or preemption off; if it fails anywhere the CPUs on which it was done are disabled
 * again.  disable() runs when a CPU goes, and on all by host_cpus_disable().
 */
int host_cpus_enable(int (*enable)(unsigned cpu), void (*disable)(unsigned cpu));
void host_cpus_disable(void);

/* Whether this thread must leave the inner loop: a signal, another thread's turn, or work that the
 * host does only when the vector registers are its own again.  Atomic; with interrupts off it holds
 * until they are on again or the guest exits. */
bool host_irq_pending_or_resched(void);

/* Sets and clears bits of the CPU's CR4, so that the host, too, knows that it has changed.  With
 * interrupts or preemption off. */
void host_cr4_change(uint64_t set, uint64_t clear);

/*
 * Of a CPU's segment registers what an exit of Intel's VMX doesn't give back: the selectors, 0 now,
 * with the bases that loading them again changes; LDTR, and TR's limit, which is that of a TSS
 * without an I/O bitmap now.  Before user code runs.  With preemption off.
 */
struct host_segments {
	uint16_t ds, es, fs, gs, ldtr;
	uint64_t fs_base, kernel_gs_base;
};
void host_segments_lost(const struct host_segments *before);

/* Between them, with preemption off, the core owns the vector registers; it saves and loads the
 * guest's itself. */
void host_fpu_begin(void);
void host_fpu_end(void);

/* --- Events (the fds of KVM_IRQFD and KVM_IOEVENTFD) -------------------------------------------
 */

struct host_event;
/* Takes a reference to the event that the caller's number names; -EBADF. */
int host_event_get(int32_t number, struct host_event **event);
void host_event_put(struct host_event *event);
/* Atomic; may call the event's watch from within: hold no lock that its signalled() takes. */
void host_event_signal(struct host_event *event);

/*
 * From now on each signal of the event leads to signalled(watch), in atomic context, on any CPU;
 * the event is consumed.  One watch an event; -EBUSY.
 */
struct host_event_watch {
	void (*signalled)(struct host_event_watch *watch);
	uint64_t opaque[6];
};
int host_event_watch(struct host_event *event, struct host_event_watch *watch,
		     void (*signalled)(struct host_event_watch *watch));
/* When it returns, signalled() runs no more.  Task. */
void host_event_unwatch(struct host_event_watch *watch);

/* --- The rest ----------------------------------------------------------------------------------
 */

/* The CPU's own answer to CPUID.  Atomic. */
void host_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

/*
 * Memory for generated code, of which nothing is ever both writable and executable at one address:
 * the same bytes, once to write and once to run.  -EOPNOTSUPP where the host has none; a host that
 * isn't linked with the CPU in software need not have these.
 */
int host_code_map(size_t size, void **writable, void **executable);
void host_code_unmap(void *writable, void *executable, size_t size);

enum host_log_level { HOST_LOG_ERROR, HOST_LOG_WARNING, HOST_LOG_INFO, HOST_LOG_DEBUG };
/* One line without a newline; the core bounds how often.  Atomic. */
void host_log(enum host_log_level level, const char *text);

#endif
