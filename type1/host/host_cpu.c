/* SPDX-License-Identifier: MIT */
/*
 * host_cpu.c - CPUs: preemption, interrupts, kicks, vector registers; what is turned on on all of
 * them; CPUID and the log.
 */
#include "type1/host/private.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/thread.h"

unsigned host_cpu(void)
{
	return this_cpu()->number;
}

unsigned host_cpu_limit(void)
{
	return cpu_count;
}

void host_preempt_off(void)
{
	preempt_off();
}

void host_preempt_on(void)
{
	preempt_on();
}

/* Ring 0 is preempted by interrupts wherever preemption is on. */
void host_reschedule(void)
{
}

void host_irq_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

void host_irq_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

void host_kick_cpu(unsigned cpu)
{
	apic_send(cpu, VECTOR_KICK);
}

bool host_irq_pending_or_resched(void)
{
	return __atomic_load_n(&this_cpu()->reschedule, __ATOMIC_RELAXED) ||
	       host_run_interrupted(NULL);
}

void host_cr4_change(uint64_t set, uint64_t clear)
{
	write_cr4((read_cr4() | set) & ~clear);
}

/* The TSS has no I/O bitmap, there is no LDT, and in 64-bit mode null selectors do as well. */
void host_segments_lost(const struct host_segments *before)
{
	(void)before;
}

void host_fpu_begin(void)
{
	vector_borrow();
}

void host_fpu_end(void)
{
	vector_return();
}

/* --- On all CPUs ------------------------------------------------------------------------------ */

/* The core calls the two in turn; each CPU has its own entry. */
static struct {
	int (*enable)(unsigned cpu);
	void (*disable)(unsigned cpu);
	int err[CPUS_MAX];
	bool enabled[CPUS_MAX];
} cpus_state;

static void enable_here(void *unused)
{
	unsigned cpu = this_cpu()->number;

	(void)unused;
	cpus_state.err[cpu] = cpus_state.enable(cpu);
	cpus_state.enabled[cpu] = cpus_state.err[cpu] == 0;
}

static void disable_here(void *unused)
{
	unsigned cpu = this_cpu()->number;

	(void)unused;
	if (cpus_state.enabled[cpu])
		cpus_state.disable(cpu);
	cpus_state.enabled[cpu] = false;
}

static void on_all_cpus(void (*call)(void *))
{
	preempt_off();
	call(NULL);
	cpus_call(call, NULL);
	preempt_on();
}

int host_cpus_enable(int (*enable)(unsigned cpu), void (*disable)(unsigned cpu))
{
	cpus_state.enable = enable;
	cpus_state.disable = disable;
	on_all_cpus(enable_here);
	for (unsigned i = 0; i < cpu_count; i++) {
		if (!cpus_state.err[i])
			continue;
		host_cpus_disable();
		return cpus_state.err[i];
	}
	return 0;
}

void host_cpus_disable(void)
{
	on_all_cpus(disable_here);
}

/* --- CPUID, log ------------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-non-const-parameter): it is written */
void host_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]),
			   "=d"(registers[3])
			 : "a"(leaf), "c"(subleaf));
}

/* A caller may make VMs without end, each with some lines to log: so many in a period. */
#define LOG_LINES 20
#define LOG_PERIOD UINT64_C(5000000000) /* ns */

static bool log_may(void)
{
	static struct spin lock = SPIN_INIT;
	static uint64_t period_end;
	static unsigned lines;
	uint64_t now = clock_now();
	bool may;

	spin_lock(&lock);
	if (now >= period_end) {
		period_end = now + LOG_PERIOD;
		lines = 0;
	}
	may = lines < LOG_LINES;
	lines += may;
	spin_unlock(&lock);
	return may;
}

void host_log(enum host_log_level level, const char *text)
{
	static const enum log_level levels[] = {
		[HOST_LOG_ERROR] = LOG_ERROR,
		[HOST_LOG_WARNING] = LOG_WARNING,
		[HOST_LOG_INFO] = LOG_INFO,
		[HOST_LOG_DEBUG] = LOG_DEBUG,
	};

	if (log_may())
		log_line(levels[level], "%s", text);
}
