// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_cpu.c - CPUs: preemption, interrupts, kicks, vector registers, CPUs that come and go; and
 * the log.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>

#include <asm/fpu/api.h>
#include <asm/processor.h>

#include "type2/driver/driver.h"

unsigned host_cpu(void)
{
	return smp_processor_id();
}

unsigned host_cpu_limit(void)
{
	return nr_cpu_ids;
}

void host_preempt_off(void)
{
	preempt_disable();
}

void host_preempt_on(void)
{
	preempt_enable();
}

/* A kernel that preempts at chosen points only would never do so in the loop around a guest. */
void host_reschedule(void)
{
	cond_resched();
}

void host_irq_off(void)
{
	local_irq_disable();
}

void host_irq_on(void)
{
	local_irq_enable();
}

void host_kick_cpu(unsigned cpu)
{
	driver_send_reschedule(cpu);
}

/*
 * Soft interrupts don't run between host_fpu_begin() and host_fpu_end(), and nobody is woken for
 * them: a guest that exits for interrupts alone would hold up its CPU's timers, network and RCU.
 */
bool host_irq_pending_or_resched(void)
{
	return need_resched() || local_softirq_pending() || driver_thread_has_work();
}

/* Saves the thread's registers, and sets none: what the core loads are all. */
void host_fpu_begin(void)
{
	kernel_fpu_begin_mask(0);
}

void host_fpu_end(void)
{
	kernel_fpu_end();
}

/* --- CPUs that come and go -------------------------------------------------------------------- */

/* Written while no callback can run: before the state is set up, and after it is removed. */
static struct {
	int (*enable)(unsigned cpu);
	void (*disable)(unsigned cpu);
	int state; /* of the kernel's hotplug machine; 0: none */
} cpus;

static int cpus_online(unsigned cpu)
{
	int err;

	preempt_disable();
	err = cpus.enable(cpu);
	preempt_enable();
	return err;
}

static int cpus_offline(unsigned cpu)
{
	preempt_disable();
	cpus.disable(cpu);
	preempt_enable();
	return 0;
}

int host_cpus_enable(int (*enable)(unsigned cpu), void (*disable)(unsigned cpu))
{
	int state;

	if (cpus.state)
		return -EBUSY;
	cpus.enable = enable;
	cpus.disable = disable;
	/* These states come before a CPU gets threads, and when it goes after it has lost them. */
	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/dyad:online", cpus_online,
				  cpus_offline);
	if (state < 0)
		return state;
	cpus.state = state;
	return 0;
}

void host_cpus_disable(void)
{
	if (!cpus.state)
		return;
	cpuhp_remove_state(cpus.state);
	cpus.state = 0;
}

/* The last CPU, with interrupts off; all others have gone one by one. */
static int cpus_suspend(void)
{
	if (cpus.state)
		cpus.disable(smp_processor_id());
	return 0;
}

static void cpus_resume(void)
{
	if (cpus.state && cpus.enable(smp_processor_id()) < 0)
		host_log(HOST_LOG_ERROR, "the CPU's virtualization is not what it was before the "
					 "machine slept: guests can't go on");
}

#ifdef DYAD_SYSCORE_HAS_DATA /* Kbuild looks */
static int cpus_suspend_data(void *data)
{
	return cpus_suspend();
}

static void cpus_resume_data(void *data)
{
	cpus_resume();
}

static const struct syscore_ops cpus_syscore_ops = {
	.suspend = cpus_suspend_data,
	.resume = cpus_resume_data,
};

static struct syscore cpus_syscore = {
	.ops = &cpus_syscore_ops,
};

void host_cpus_begin(void)
{
	register_syscore(&cpus_syscore);
}

void host_cpus_end(void)
{
	unregister_syscore(&cpus_syscore);
}
#else
static struct syscore_ops cpus_syscore_ops = {
	.suspend = cpus_suspend,
	.resume = cpus_resume,
};

void host_cpus_begin(void)
{
	register_syscore_ops(&cpus_syscore_ops);
}

void host_cpus_end(void)
{
	unregister_syscore_ops(&cpus_syscore_ops);
}
#endif

/* --- CPUID, log ------------------------------------------------------------------------------- */

void host_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]);
}

/* A caller may make VMs without end, each with some lines to log. */
void host_log(enum host_log_level level, const char *text)
{
	switch (level) {
	case HOST_LOG_ERROR:
		pr_err_ratelimited("%s\n", text);
		break;
	case HOST_LOG_WARNING:
		pr_warn_ratelimited("%s\n", text);
		break;
	case HOST_LOG_INFO:
		pr_info_ratelimited("%s\n", text);
		break;
	case HOST_LOG_DEBUG:
		pr_debug_ratelimited("%s\n", text);
		break;
	}
}
