/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - a physical CPU, as the runtime sees it: what is its own, and what keeps others away.
 *
 * GS holds the address of the running CPU's struct cpu while in ring 0.  Threads may move between
 * CPUs whenever preemption is on; so this_cpu() is for those who have it off.
 */
#ifndef DYAD_TYPE1_CPU_H
#define DYAD_TYPE1_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX 64

struct thread;
struct run_queue;
struct timer_queue;
struct cpu_tables; /* GDT, TSS and the stacks of interrupts: cpu.c */

struct cpu {
	struct cpu *self;      /* first: %gs:0 */
	uint64_t kernel_stack; /* top of the current thread's, for SYSCALL; %gs:8 */
	uint64_t user_stack;   /* RSP at SYSCALL, until it is saved; %gs:16 */
	uint32_t preempt_off;  /* how often preemption was turned off; %gs:24 */
	bool reschedule;       /* another thread should have this CPU; %gs:28 */
	uint32_t number;       /* from 0, dense; 0 booted */
	uint32_t apic_id;
	struct thread *current;
	struct thread *idle;
	struct run_queue *queue;
	struct timer_queue *timers;
	struct cpu_tables *tables;
	struct space *space; /* whose tables CR3 has */
	bool online;
};

extern struct cpu *cpus[CPUS_MAX]; /* by number; those below cpu_count, for ever */
extern unsigned cpu_count;         /* [const] after boot */

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Preemption nests.  preempt_on() gives the CPU away if that was asked for meanwhile. */
static inline void preempt_off(void)
{
	__asm__ volatile("incl %%gs:24" : : : "memory", "cc");
}
void preempt_on(void);

/* Interrupts of this CPU: what they were is returned, and given back. */
static inline uint64_t irq_save(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}
static inline void irq_restore(uint64_t flags)
{
	if (flags & (1u << 9)) /* RFLAGS.IF */
		__asm__ volatile("sti" : : : "memory");
}

/* A lock that is held for a few hundred instructions, with interrupts off.  First come, first
 * served.  Unlocking gives the CPU away if that was asked for meanwhile, and interrupts are on
 * again and preemption too. */
struct spin {
	uint32_t next, owner;
	uint64_t flags; /* of the holder's interrupts */
};
#define SPIN_INIT                                                                                  \
	{                                                                                          \
		0, 0, 0                                                                            \
	}
void spin_lock(struct spin *spin);
void spin_unlock(struct spin *spin);

/* --- cpu.c, smp.c: during boot */

/* Makes CPU 0's struct cpu, loads its GDT, TSS, IDT and control bits (SMEP, SMAP, UMIP, NX, WP). */
void cpu_init_boot(void);
void syscall_init_cpu(void); /* syscall.c: each CPU, once it is online */
/* The running CPU enters ring 0 on this stack from now on: by SYSCALL and by TSS.  Preemption off.
 */
void cpu_set_kernel_stack(uint64_t top);
/* Whether ring 3 of it may use the console's ports from now on.  Preemption off. */
void cpu_set_ports(bool allowed);
extern uint8_t cpu_has_smap; /* [const] after boot; where not, STAC and CLAC are #UD */
/* Starts all others (INIT, SIPI); each ends in entered(), with interrupts off, on its idle stack.
 */
void smp_start(void (*entered)(void));

/* --- apic.c */

/* The vectors of the runtime's own interrupts; below are exceptions, between them devices'. */
enum {
	VECTOR_DEVICE = 0x30, /* the first of devices' */
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE = 0xf1,
	VECTOR_KICK = 0xf2, /* does nothing: its arrival makes a guest exit */
	VECTOR_SHOOTDOWN = 0xf3,
	VECTOR_CALL = 0xf4,
	VECTOR_SPURIOUS = 0xff,
};
void apic_send(unsigned cpu, uint8_t vector); /* any context */
void apic_eoi(void);
/* The running CPU's timer: one interrupt at the TSC's value, or at once; 0: none.  It may come
 * before one that is far away.  Interrupts off. */
void apic_timer_set(uint64_t tsc);

/* Runs call(arg) on all CPUs but this one, in their interrupts, and returns when all have.  Task,
 * interrupts on. */
void cpus_call(void (*call)(void *), void *arg);

/* --- trap.c */

/* What an interrupt or exception pushed. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
/* Exceptions of ring 3 are fault.c's, which finds interrupts off: CR2 is to be read before they are
 * on. */
void process_fault(struct trap_frame *frame);
/* Handles vectors from VECTOR_DEVICE on: with interrupts off; EOI is the caller's.  Set once. */
void trap_set_handler(uint8_t vector, void (*handler)(struct trap_frame *frame));

/* --- clock.c: nanoseconds since the runtime began; the TSC is the same on all CPUs */

uint64_t clock_now(void);
int64_t clock_wall_base(void); /* of the RTC: 1970 UTC in ns when the monotonic clock was 0 */
uint64_t clock_to_tsc(uint64_t nanoseconds);
extern uint32_t clock_rate_khz;                  /* of the TSC; [const] after boot */
extern uint64_t clock_tsc_base, clock_tsc_to_ns; /* as in abi/type1.h */

/* --- log.c, panic.c: any context */

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format,
						    ...); /* lib/format.h's */
/* Says what, where and why on the serial line and the screen, stops all CPUs.  A frame: of the trap
 * that it happened in, or NULL. */
__attribute__((format(printf, 2, 3))) _Noreturn void panic(const struct trap_frame *frame,
							   const char *format, ...);

#endif
